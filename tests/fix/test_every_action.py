"""Each action of the closed list: applied, applied again, taken back, and taken back again; and what actions leave alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.actions import ACTIONS, Action, FetchModels, MoveCache, OpenCache, OwnCache, OwnScratch, QuarantineModels
from ot_doctor.evidence import COMMUNITY_1, ModelCache, Workers
from ot_doctor.fix.actions import container
from ot_doctor.fix.catalogue import from_json, procedure, procedure_of, to_json
from ot_doctor.fix.journal import Entry, Journal, stored
from ot_doctor.fix.outcome import Became
from ot_doctor.fix.procedure import Irrevocable, NotDone, NotPossible, Site
from ot_doctor.fix.takeback import take_back, undoable
from ot_doctor.sources.store import Store
from tests.fix import on_the_engine
from tests.fix.cases import ENGINE, FILE, Case, File, Undo
from tests.fix.on_the_engine import MODEL, Somebody, with_new_cache
from tests.fix.site import TOKEN as TYPED
from tests.parts.engine import Engine
from tests.parts.hub import pyannote_hub
from tests.parts.models import leave_incomplete
from tests.scenarios.fixing import WORKER, Fault, actions, containers, fix, holding_a_token, undo
from tests.scenarios.scenario import TOKEN, UNKNOWN_TOKEN, Scenario, World

NAMES = [pytest.param(action.name, marks=[] if action.name in FILE else pytest.mark.engine, id=action.name) for action in ACTIONS]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ends at once ends sooner here than a real worker."""
    monkeypatch.setattr(container, "_LASTS", 0.3)


@pytest.fixture(scope="module")
def built(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with on_the_engine.stack(engine, tmp_path_factory.mktemp("stack")) as world:
        yield world


@pytest.fixture
def stack(built: World) -> World:
    return on_the_engine.running(built)


@pytest.mark.parametrize("name", NAMES)
def test_applied_applied_again_undone_and_undone_again(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    assert (name in FILE) is not (name in ENGINE), f"add {name} to tests/fix/cases.py"
    if name in ENGINE:
        world: World = request.getfixturevalue("stack")
        database = containers(world, "postgres")
        _walk(ENGINE[name], world, lambda person: on_the_engine.site(world, person), tmp_path)
        assert containers(world, "postgres") == database
        assert world.engine.containers("ot-doctor.helper") == [], "no helper stays"
        return
    env = tmp_path / "ot" / ".env"
    env.parent.mkdir()
    with pyannote_hub(token=TYPED) as hub:
        file = File(env, hub)
        file.written(f"HUGGINGFACE_TOKEN={TYPED}\n")
        _walk(FILE[name], file, lambda person: file.site(), tmp_path)


def _walk(case: Case[Any], place: Any, site: Any, folder: Path) -> None:
    action = case.breaks(place)
    assert from_json(json.loads(json.dumps(to_json(action)))) == action
    kind, files, person = procedure(action.name), folder / "20261128-1203-1" / "files" / "1", Somebody()
    files.mkdir(parents=True)

    def state() -> object:
        return case.state(place)

    def make() -> Any:
        here: Site = site(person)
        return procedure_of(action, here)

    before = state()
    doing = make()
    assert doing.precondition()
    preview = doing.preview()
    saved = json.loads(json.dumps(doing.save(files)))  # as the journal keeps it
    assert state() == before, "nothing is done before it is applied"
    doing.apply()
    doing.verify()
    done = state()
    assert done != before, "it has no effect that this test could see"
    assert make().precondition() is case.asks_again, "it is done already"
    case.looked_at(place, preview, person.said)
    for token in (TOKEN, UNKNOWN_TOKEN, TYPED):
        assert token[3:] not in f"{preview}{saved}{person.said}"

    case.before_undo(place)
    done = state()
    if case.undo is Undo.NEVER:
        for _ in range(2):
            with pytest.raises(Irrevocable):
                kind.undo(saved, files, site(person))
        assert state() == done
        return
    assert kind.undo(saved, files, site(person)) is (case.undo is Undo.WHOLE)
    assert state() == (before if case.undo is Undo.WHOLE else done)
    assert not kind.undo(saved, files, site(person)), "it is taken back already"
    assert state() == (before if case.undo is Undo.WHOLE else done)


# -- by the command itself -------------------------------------------------------------------------------

FETCHED: Mapping[str, Fault] = {
    "no model": Fault(Scenario(), "cache-missing", ("models.fetch",), ("--select", "cache-missing")),
    "a part of a model": Fault(Scenario(), "cache-incomplete", ("models.fetch",), ("--select", "cache-incomplete")),
}


@pytest.mark.engine
def test_models_are_fetched_by_the_command(stack: World) -> None:
    """That the next job would fetch them is a warning, so it is selected."""
    for name, fault in FETCHED.items():
        hub, database = with_new_cache(stack), containers(stack, "postgres")
        if name == "no model":
            shutil.rmtree(hub / MODEL)
        else:
            leave_incomplete(hub / MODEL, "config.yaml")
        told = fix(stack, "--yes", "--allow", "downloads", *fault.options)
        assert actions(told) == [(fault.cause, one) for one in fault.actions], told
        assert (told["left"], told["exit_code"]) == ([], 0), json.dumps(told["causes"], indent=1)
        assert told["causes"][0]["state"] == "gone" and containers(stack, "postgres") == database, told
        assert stack.report().status("cache-complete") == "pass" and holding_a_token(stack) == []
        if name == "no model":
            undo(stack, told["run"])
            assert not (hub / MODEL).exists()


# -- what is left alone, on the same stack ---------------------------------------------------------------


@pytest.mark.engine
def test_nothing_else_of_the_host_is_touched(stack: World) -> None:
    ENGINE["cache.move"].breaks(stack)  # a model in a wrong place opens no other folder
    above, here = str(stack.folder), on_the_engine.site(stack)
    actions: list[Action] = [
        OwnCache("/etc", WORKER), OwnCache("/", WORKER), OwnCache(above, WORKER), OpenCache(f"{above}/models/..", WORKER),
        QuarantineModels("/etc", ("models--a--b",), WORKER), OwnScratch("somebodys-volume", WORKER),
        MoveCache(("/etc/models--a--b",), "/etc/hub", WORKER), OwnCache(f"{above}/models", "somebodys-container"),
    ]  # fmt: skip
    for action in actions:
        with pytest.raises(NotPossible, match=r"left alone|not one of the containers"):
            procedure_of(action, here)
    for name in ("../models--x", "models--a/../b", "other"):
        with pytest.raises(NotPossible, match="not the folder of a model"):
            procedure_of(QuarantineModels(f"{above}/models/huggingface/hub", (name,), WORKER), here)
    (with_new_cache(stack) / "a\nb").touch()
    with pytest.raises(NotPossible, match="line break"):
        procedure_of(OwnCache(f"{above}/models", WORKER), here)


@pytest.mark.engine
def test_what_came_back_meanwhile_is_not_overwritten(stack: World, tmp_path: Path) -> None:
    action = ENGINE["cache.quarantine"].breaks(stack)
    doing, files = procedure_of(action, on_the_engine.site(stack)), tmp_path / "run" / "files" / "1"
    files.mkdir(parents=True)
    saved = doing.save(files)
    doing.apply()
    (stack.models / "huggingface/hub" / MODEL).mkdir()
    with pytest.raises(NotDone, match="is there again"):
        type(doing).undo(saved, files, on_the_engine.site(stack))


@pytest.mark.engine
def test_a_model_is_downloaded_where_the_worker_may_and_can(stack: World) -> None:
    action = ENGINE["models.fetch"].breaks(stack)
    hub, here = with_new_cache(stack), on_the_engine.site(stack)
    assert not procedure_of(action, here).precondition(), "all is there"
    (hub / MODEL / "refs" / "main").unlink()
    here = on_the_engine.site(stack)
    doing, cache, workers = procedure_of(action, here), here.store.get(ModelCache), here.store.get(Workers)
    assert doing.precondition(), "the client would not find it"
    tokens = dict(stack.hub.tokens)
    stack.hub.tokens.clear()
    with pytest.raises(NotDone, match=r"did not succeed in .*: Invalid credentials"):
        doing.apply()
    stack.hub.tokens |= tokens
    assert isinstance(cache, ModelCache) and isinstance(workers, Workers)
    offline = replace(cache, offline="HF_HUB_OFFLINE=1")
    with pytest.raises(NotPossible, match="HF_HUB_OFFLINE=1 forbids"):
        procedure_of(action, Site(Store(here.store.request, {Workers: workers, ModelCache: offline}), Somebody())).precondition()
    stopped = replace(workers, containers=tuple(replace(one, status="exited") for one in workers.containers))
    with pytest.raises(NotPossible, match="is running"):
        procedure_of(action, Site(Store(here.store.request, {Workers: stopped, ModelCache: cache}), Somebody()))


@pytest.mark.engine
def test_a_part_of_a_model_that_was_completed_stays_and_what_was_done_before_is_taken_back(stack: World, tmp_path: Path) -> None:
    """Neither images that were deleted nor files of a model that was there are in the way of the rest."""
    hub = with_new_cache(stack)
    (hub / MODEL / "refs" / "main").unlink()
    version = hub / "version.txt"
    version.write_text("1")
    version.chmod(0o400)
    log = Journal.begin(tmp_path, str(stack.folder))
    for number, action in enumerate((OpenCache(str(hub), WORKER), FetchModels((COMMUNITY_1,), WORKER)), 1):
        doing = procedure_of(action, on_the_engine.site(stack))
        assert doing.precondition()
        entry = Entry(number, to_json(action), doing.preview().does, doing.save(log.files(number)))
        log.doing(entry)
        doing.apply()
        log.done(entry, "applied")
    found = take_back(log.run, on_the_engine.site(stack), lambda entry: True)
    assert [(one.became, one.for_good) for one in found] == [(Became.REFUSED, True), (Became.UNDONE, False)]
    assert "They do no harm" in found[0].reason and version.stat().st_mode & 0o777 == 0o400
    (kept,) = stored(tmp_path)
    assert not undoable(kept) and [one.lasting for one in kept.entries] == [False, True]
