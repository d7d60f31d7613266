"""Faults that are fixed twice over: by ``ot-doctor fix --yes``, which is taken back, and by the commands as they are printed.

The commands are run exactly so, from another folder, and each form of them twice: the second paste changes nothing. Neither way
touches another container: not even one that has old values of ``.env`` as well and that the worker depends on, as Postgres.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fix.on_the_engine import MODEL, facts
from tests.fix.terminal import Terminal
from tests.parts import hub, models
from tests.parts.engine import Engine
from tests.parts.hub import Token
from tests.scenarios import logs, v05
from tests.scenarios.fixing import (
    EXTRA,
    POSTGRES,
    UP,
    WORKER,
    Fault,
    actions,
    containers,
    contents,
    fix,
    holding_a_token,
    outcomes,
    rebuilt,
    undo,
)
from tests.scenarios.forms import forms
from tests.scenarios.scenario import APPUSER, TOKEN, UNKNOWN_TOKEN, Scenario, World, hub_for

pytestmark = pytest.mark.engine

RECREATED = "compose up --force-recreate"
EDIT = ("env.edit", "worker.recreate")
PUT_TOKEN = ("env.put-token", "worker.recreate")
FAILED_401 = logs.v04_failure(*logs.gated_401(hub.COMMUNITY_1))


def _token(value: str) -> Scenario:
    return Scenario(env=f"HUGGINGFACE_TOKEN={value}\nMAX_SPEAKERS=20\n", cache="absent", log=FAILED_401)


# -- how the faults come about ---------------------------------------------------------------------------


def _in_utf16(world: World) -> None:
    world.env_path.write_bytes(world.env_path.read_text().encode("utf-16"))


def _with_set(world: World) -> None:
    world.env_path.write_text(world.env_path.read_text().replace("MAX_SPEAKERS", "set MAX_SPEAKERS"))


def _as_a_folder(world: World) -> None:
    (world.folder / ".env.example").write_text(world.env_path.read_text())
    world.env_path.unlink()
    world.env_path.mkdir()


def _in_git(world: World) -> None:
    world.engine.run("git", "init", "-q", cwd=world.folder)
    world.engine.run("git", "add", "-f", ".env", cwd=world.folder)


def _edited(world: World) -> None:
    world.env_path.write_text(world.env_path.read_text() + "MAX_SPEAKERS=9\n")


def _for_all_to_read(world: World) -> None:
    world.env_path.chmod(0o644)


def _engine(what: str) -> Callable[[World], None]:
    def done(world: World) -> None:
        world.engine.do(WORKER, what)

    return done


def _removed(world: World) -> None:
    world.engine.remove(WORKER)


def _ill(world: World) -> None:
    world.engine.execute(WORKER, "touch", "/tmp/ill")
    until = time.monotonic() + 30
    while world.engine.inspect(WORKER)["State"]["Health"]["Status"] != "unhealthy":
        assert time.monotonic() < until
        time.sleep(0.1)


def _not_of_compose(world: World) -> None:
    """Made by hand, and stopped."""
    image = world.engine.inspect(WORKER)["Config"]["Image"]
    _removed(world)
    mount = f"{world.models}/huggingface:/home/appuser/.cache/huggingface"
    world.engine.docker("run", "-d", "--name", WORKER, "--env-file", str(world.env_path), "--network", "host", "-v", mount, image)
    world.engine.do(WORKER, "kill")


def _of_root(world: World) -> None:
    for path in world.models.rglob("*"):
        os.chown(path, 0, 0, follow_symlinks=False)
    for path in (_model(world) / "blobs").iterdir():
        path.chmod(0o600)


def _without_modes(world: World) -> None:
    for path in (_model(world) / "blobs").iterdir():
        path.chmod(0)


def _in_the_wrong_place(world: World) -> None:
    _model(world).rename(world.models / MODEL)


def _cut_off(world: World) -> None:
    for path in (_model(world) / "blobs").iterdir():
        os.truncate(path, path.stat().st_size // 2)


def _made_anew(world: World) -> None:
    """The folder of the cache was deleted and made again while the worker runs."""
    shutil.rmtree(world.models / "huggingface")
    models.v04_cache(world.models)
    models.own(world.models, APPUSER)


def _model(world: World) -> Path:
    return world.models / "huggingface/hub" / MODEL


# -- the faults ------------------------------------------------------------------------------------------

REMEDIES: Mapping[str, Fault] = {
    "MIN above MAX": Fault(
        Scenario(env="HUGGINGFACE_TOKEN={token}\nMIN_SPEAKERS=8\nMAX_SPEAKERS=4\n"),
        "speakers-config",
        EDIT,
        forms=("sed, write", RECREATED),
    ),
    "curly quotes": Fault(_token("“{token}”"), "token-malformed", EDIT, forms=("sed, keep the token", RECREATED)),
    "HF_TOKEN": Fault(
        Scenario(env="HF_TOKEN={token}\n", cache="absent", log=FAILED_401),
        "token-missing",
        EDIT,
        forms=("sed, rename", RECREATED),
    ),
    "the only environment entry": Fault(
        Scenario(environment="      - HUGGINGFACE_TOKEN=\n", cache="absent", log=FAILED_401),
        "env-shadowed",
        forms=("sed, comment out", RECREATED),
    ),
    "an environment entry": Fault(
        Scenario(environment="      HUGGINGFACE_TOKEN: ''\n      A: b\n", cache="absent", log=FAILED_401),
        "env-shadowed",
        forms=("sed, comment out", RECREATED),
    ),
    "VITE_HF_TOKEN": Fault(
        Scenario(env="HUGGINGFACE_TOKEN={token}\nVITE_HF_TOKEN={token}\n"),
        "token-exposed",
        EDIT,
        forms=("sed, comment out", RECREATED),
    ),
    "tracked by git": Fault(Scenario(prepare=_in_git), "token-exposed", ("env.untrack", *PUT_TOKEN), forms=("git rm", RECREATED)),
    "UTF-16": Fault(Scenario(after=_in_utf16), "env-unreadable", ("env.reencode", "worker.recreate"), forms=("iconv", RECREATED)),
    "the word set": Fault(Scenario(after=_with_set), "env-unreadable", EDIT, forms=("sed, drop set", RECREATED)),
    "a folder": Fault(Scenario(after=_as_a_folder), "env-unreadable", forms=("rmdir, cp", RECREATED)),
    "paused": Fault(Scenario(after=_engine("pause")), "worker-down", ("worker.unpause",), forms=("unpause",)),
    "killed": Fault(
        Scenario(after=_engine("kill")), "worker-down", ("worker.start",), forms=("compose up --no-recreate --pull never",)
    ),
    "removed": Fault(
        Scenario(after=_removed), "worker-down", ("worker.start",), forms=("compose up --no-recreate --pull missing",)
    ),
    "unhealthy": Fault(
        Scenario(
            extra='    healthcheck: {test: "test ! -e /tmp/ill", interval: 0.2s, retries: 1}\n',
            after=_ill,
        ),
        "worker-down",
        ("worker.recreate",),
        forms=(RECREATED,),
    ),
    "made by hand": Fault(Scenario(after=_not_of_compose), "worker-down", ("worker.restart",), forms=("restart",)),
    "a cache of root": Fault(Scenario(after=_of_root), "cache-permission", ("cache.own",), forms=("run chown in a bind",)),
    "a cache without modes": Fault(
        Scenario(after=_without_modes),
        "cache-permission",
        ("cache.own", "cache.chmod"),
        forms=("run chown in a bind", "run chmod in a bind"),
    ),
    "models in the wrong place": Fault(
        Scenario(after=_in_the_wrong_place), "cache-incomplete", ("cache.move",), forms=("run sh in a bind",)
    ),
    "a cache made anew": Fault(Scenario(after=_made_anew), "cache-incomplete", ("worker.restart",), forms=("restart",)),
    "models that are cut off": Fault(
        Scenario(after=_cut_off), "model-corrupt", ("cache.quarantine",), forms=("run rm in a bind",)
    ),
}
FIXED: Mapping[str, Fault] = {
    "edited after the start": Fault(Scenario(after=_edited), "stale-worker-env", ("worker.recreate",)),
    "an empty duplicate": Fault(_token("{token}\nHUGGINGFACE_TOKEN="), "env-shadowed", EDIT),
    "no token": Fault(Scenario(env="MAX_SPEAKERS=20\n", cache="absent", log=FAILED_401), "token-missing", PUT_TOKEN),
    "a placeholder": Fault(_token("your_token_here"), "token-placeholder", PUT_TOKEN),
    "half a token": Fault(_token(TOKEN[:20]), "token-malformed", PUT_TOKEN),
    "a token that is revoked": Fault(_token(UNKNOWN_TOKEN), "token-invalid", PUT_TOKEN),
    "a .env that all can read": Fault(
        Scenario(after=_for_all_to_read), "token-exposed", ("env.mode",), ("--select", "token-exposed")
    ),
    "a cache elsewhere": Fault(
        Scenario(env="HUGGINGFACE_TOKEN={token}\nHF_HOME=/elsewhere\n", cache="absent", log=FAILED_401), "cache-not-mounted", EDIT
    ),
    "a GPU in a broken state": Fault(
        Scenario(log=logs.v04_failure(["RuntimeError: CUDA error: unspecified launch failure"], "CUDA error")),
        "gpu-library",
        ("worker.recreate",),
    ),
    "a GPU's memory that only a start frees": Fault(
        Scenario(
            log=[
                *v05.job(*v05.failed("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1.2 GiB free."), end="'error'"),
                *v05.job(*v05.failed("CUDA error: invalid device ordinal"), end="'error'", start=20),
            ]
        ),
        "gpu-out-of-memory",
        ("worker.recreate",),
    ),
}
GUIDED: Mapping[str, Sequence[Fault]] = {
    "neither permission nor terms": (
        Fault(Scenario(), "token-scope", ("guide.allow-gated",)),
        Fault(Scenario(), "gated-not-accepted", ("guide.accept-terms",)),
    ),
    "a request that is not granted": (Fault(Scenario(), "gated-pending", ("guide.accept-terms",)),),
}
ONE_OF_EACH = list({fault.actions: fault for fault in (*FIXED.values(), *REMEDIES.values())}.values())
_PASTED_TWICE: set[str] = set()  # one of each form is enough
ALLOWED = ("--yes", "--allow", "changes-files,restarts,removes")


@pytest.fixture(scope="module")
def stack(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One database for all: only the worker, and what it reads, is made anew for each."""
    with hub_for(None) as hub_:
        first = Scenario(extra=EXTRA, services=POSTGRES, up=UP)
        yield first.build(engine, hub_, tmp_path_factory.mktemp("stack"))
    engine.clear()


@pytest.fixture
def new_token(tmp_path: Path) -> Sequence[str]:
    """Where a token is that the Hub knows, for what asks for one."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return "--token-file", str(tmp_path / "token")


def broken(world: World, fault: Fault) -> None:
    scenario = fault.scenario

    def printed(world: World) -> None:
        """Its log is emptied soon."""
        last = (world.folder / "recorded.log").read_text().rstrip("\n").rpartition("\n")[2]
        until = time.monotonic() + 15
        while last not in world.engine.run("docker", "logs", "--tail", "1", WORKER).stderr:
            assert time.monotonic() < until, "the worker has not printed its log"
            time.sleep(0.05)
        if scenario.after:
            scenario.after(world)

    rebuilt(world, replace(scenario, extra=EXTRA + scenario.extra, services=POSTGRES, after=printed))
    world.bundled = False  # the same faults are, in the other scenarios


def fixed_and_taken_back(world: World, fault: Fault, *more: str) -> None:
    """What was found is gone by ``fix --yes --allow``, nothing else is there, the database is the same; then all is undone.

    Of faults with the same actions one is: what undo gives back does not depend on the cause.
    """
    (world.folder / "recorded.log").write_text("")
    database, before = containers(world, "postgres"), state(world)
    told = fix(world, *ALLOWED, *fault.options, *more)
    assert actions(told) == [(fault.cause, name) for name in fault.actions], told
    assert {one["state"] for one in told["causes"]} == {"gone"}, told
    assert (told["left"], told["exit_code"]) == ([], 0), told
    assert holding_a_token(world) == []
    if fault in ONE_OF_EACH:
        undo(world, told["run"])
        assert state(world) == before, "undo gives all back as it was"
    assert containers(world, "postgres") == database


def state(world: World) -> object:
    """All files, but for what is put away; owners and modes of the models; git's index."""
    put_away = ".ot-doctor-removed"
    found = {name: fact for name, fact in facts(world.models).items() if put_away not in name}
    index = world.engine.run("git", "ls-files", cwd=world.folder, check=False).stdout
    return [one for one in contents(world) if put_away not in one[0]], world.env_path.stat().st_mode, found, index


@pytest.mark.parametrize("name", REMEDIES)
def test_fixed_taken_back_and_obeyed_as_printed(stack: World, name: str, new_token: Sequence[str]) -> None:
    fault = REMEDIES[name]
    broken(stack, fault)
    report = stack.report()
    assert report.causes == [fault.cause], report.summary()
    steps = report.diagnosis[0]["remedy"]["steps"]
    assert forms(step["command"] for step in steps if step["command"] and step["risk"] != "safe") == set(fault.forms)
    if fault.actions:
        fixed_and_taken_back(stack, fault, *new_token)
        if fault not in ONE_OF_EACH:
            broken(stack, fault)
    (stack.folder / "recorded.log").write_text("")
    others = containers(stack, "postgres")
    assert stack.obey(report), "the remedy has no command"
    assert containers(stack, "postgres") == others
    files = state(stack)
    stack.obey(report, without=_PASTED_TWICE)
    _PASTED_TWICE.update(fault.forms)
    assert state(stack) == files, "a second paste changes a file"
    assert containers(stack, "postgres") == others
    again = stack.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


@pytest.mark.parametrize("name", FIXED)
def test_fixed_and_taken_back(stack: World, name: str, new_token: Sequence[str]) -> None:
    """What has no command that could be pasted, or has its test elsewhere."""
    broken(stack, FIXED[name])
    fixed_and_taken_back(stack, FIXED[name], *new_token)


def test_what_is_not_allowed_is_not_done(stack: World) -> None:
    broken(stack, REMEDIES["models that are cut off"])
    before = state(stack)
    told = fix(stack, "--yes", "--allow", "changes-files")
    assert outcomes(told) == {"model-corrupt": ["not-allowed"]} and told["exit_code"] == 1 and state(stack) == before


def test_a_person_is_guided_until_the_hub_says_yes(stack: World) -> None:
    broken(stack, Fault(Scenario(cache="absent", log=[""]), ""))
    database, worker = containers(stack, "postgres"), containers(stack, "celery-worker")
    repo, good = stack.hub.repos[hub.COMMUNITY_1], stack.hub.tokens[TOKEN]

    def grant() -> None:
        repo.pending.clear()
        repo.accepted.add("ada")

    deeds: Mapping[str, Callable[[], object]] = {"guide.accept-terms": grant, "guide.allow-gated": lambda: stack.hub.add(good)}
    for name, faults in GUIDED.items():
        repo.accepted.clear()
        if name == "a request that is not granted":
            repo.pending.add("ada")
        else:
            stack.hub.add(Token(TOKEN, good.account, "fineGrained", can_read_gated=False))
        terminal = Terminal("fix", environ=stack.shell(), folder=stack.folder)
        for fault in faults:
            terminal.expect(f"({fault.cause})")
            terminal.answer("Do it now? [y/N/d/s/q]", "y")
            terminal.answer("[Enter, or q to give up]", "")
            terminal.expect("The Hub still does not give")
            terminal.expect("[Enter, or q to give up]")
            deeds[fault.actions[0]]()
            terminal.type("")
            terminal.expect("Done, and verified.")
            terminal.expect(f"{fault.cause} is gone")
        terminal.answer("Try it now with two generated voices? [y/N]", "n")
        assert terminal.end() == 0, terminal.shown
    assert (containers(stack, "postgres"), containers(stack, "celery-worker")) == (database, worker)
