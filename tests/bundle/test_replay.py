"""The same report from a bundle as from the run that it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ot_doctor.bundle.codec import decode, dump, encode, load
from ot_doctor.bundle.reading import read_bundle
from ot_doctor.check import Cause, Check, Status
from ot_doctor.evidence import (
    Answer,
    AskedEnvFile,
    CacheAccess,
    EnvFile,
    EnvProblem,
    FileState,
    GpuGrant,
    Hub,
    Installation,
    LogSource,
    ModelCache,
    OddLine,
    Outcome,
    Purpose,
    Reader,
    ReaderDifference,
    ReleaseLine,
    Request,
    Space,
    Unavailable,
    WorkerLog,
    Workers,
    models,
)
from ot_doctor.redaction.redactor import BUNDLE_HOME, Redactor
from ot_doctor.report.build import report_of
from ot_doctor.report.formats import json as json_format
from ot_doctor.report.model import Report
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import checks_of, examine
from ot_doctor.sources.store import SOURCES, Store
from tests.bundle.recordings import bundle_of, healthy
from tests.checks import evidence as e
from tests.corpus.cases_of import NAMES, case_of


@pytest.fixture(scope="module")
def checks() -> Mapping[str, Check]:
    return checks_of(Plan(Request()))[0]


def replayed(
    evidence: Mapping[type, object], request: Request, tmp_path: Path, checks: Mapping[str, Check], **bundle: Any
) -> Report:
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(bundle_of(evidence, request=request, **bundle).archive(".tar.gz"))
    store = read_bundle(path).store()
    return report_of(examine(Plan(store.request, home=BUNDLE_HOME), checks, store, ()))


def document(report: Report) -> dict[str, Any]:
    """The JSON report without what no two runs have in common."""
    content: dict[str, Any] = json.loads(json_format.render(report))
    for changing in ("started_at", "duration_ms", "recorded_at", "accessed", "hidden"):
        del content[changing]
    for check in content["checks"]:
        del check["duration_ms"]
    return content


def assert_agree(live: Report, again: Report) -> None:
    assert [(r.check.name, r.findings) for r in again.results] == [(r.check.name, r.findings) for r in live.results]
    assert again.diagnosis == live.diagnosis
    assert again.attempts == live.attempts
    assert document(again) == document(live)


def _cut(line: ReleaseLine, name: str) -> ModelCache:
    """A cache where one file is no model."""
    repo = next(model for model in models(line) if model.required)
    model = e.cached_model(repo.repo, repo.files)
    files = tuple(replace(file, state=FileState.LFS_POINTER) if file.name == name else file for file in model.files)
    return e.cache(models=(replace(model, files=files),))


_READONLY = replace(e.cache().root, set_by="HF_HOME", read_only=True)
_FAILED = e.attempt(
    Outcome.FAILED, cause="gated-not-accepted", subject="pyannote/speaker-diarization-community-1", certain=True,
    decisive=(e.record("401 Client Error. Cannot access gated repo"),),
    hits=(e.hit("gated-401", "gated-not-accepted"), e.hit("generic", None, "private or gated", generic=True)),
)  # fmt: skip
WORLDS: dict[str, dict[str, object]] = {
    "healthy": {},
    "no token": {"WorkerToken": e.token(None), "EnvFile": e.env_file("A=1\n")},
    "empty token": {"WorkerToken": e.token(""), "EnvFile": e.env_file("HUGGINGFACE_TOKEN=\n")},
    "blank token": {"WorkerToken": e.token("   ")},
    "placeholder": {"WorkerToken": e.token("hf_your_token_here"), "EnvFile": e.env_file("HUGGINGFACE_TOKEN=hf_your\n")},
    "quoted": {"WorkerToken": e.token(f"“{e.TOKEN}”")},
    "doubled": {"WorkerToken": e.token(e.TOKEN * 2)},
    "cut off": {"WorkerToken": e.token("hf_AbCd")},
    "organisation": {"WorkerToken": e.token("api_org_" + "A" * 34)},
    "pasted with its name": {"WorkerToken": e.token(f"HUGGINGFACE_TOKEN={e.TOKEN}")},
    "only under another name": {"WorkerToken": e.token(None, other_name="HF_TOKEN")},
    "stale": {"EnvFile": e.env_file(f"HUGGINGFACE_TOKEN={e.OTHER_TOKEN}\nMAX_SPEAKERS=3\n", modified_at=e.LATER)},
    "two workers disagree": {
        "Workers": e.workers(e.worker(), e.celery(env={"HUGGINGFACE_TOKEN": e.OTHER_TOKEN}))
    },
    "shadowed": {
        "EnvFile": e.env_file(f"HUGGINGFACE_TOKEN={e.TOKEN}\nHUGGINGFACE_TOKEN=\n"),
        "ComposeConfig": e.compose(("HUGGINGFACE_TOKEN", ""), ("MAX_SPEAKERS", "2"), references=("MAX_SPEAKERS",)),
    },
    "shell wins": {
        "EnvFile": e.env_file(shell_wins=e.kept({"HUGGINGFACE_TOKEN": e.OTHER_TOKEN})),
        "ComposeConfig": e.compose(("HUGGINGFACE_TOKEN", None)),
    },
    "exposed": {"EnvFile": e.env_file(mode=0o644, tracked_by_git=True), "WorkerLog": e.worker_log(source={"token_lines": (7,)})},
    "odd lines": {
        "EnvFile": e.env_file(
            odd_lines=(OddLine(1, "HUGGINGFACE_TOKEN", "U+200B ZERO WIDTH SPACE", True),),
            differences=(ReaderDifference(1, "HUGGINGFACE_TOKEN", Reader.BASH, "keeps the carriage return at its end", True),),
        )
    },
    "unreadable": {"EnvFile": EnvFile(e.ENV_PATH, EnvProblem.REFUSED, "line 3: unexpected character", 3)},
    "another folder": {
        "Deployment": e.deployment(directory=Path("/home/ana/other"), running_dir=e.HOME, docker_host="unix:///run/user/1/d.sock"),
        "AskedEnvFile": AskedEnvFile(e.env_file("MAX_SPEAKERS=1\n", path=Path("/home/ana/other/.env")), ("MAX_SPEAKERS",)),
    },
    "not accepted": {"Hub": e.hub({repo.repo: Answer.NOT_ACCEPTED for repo in models(ReleaseLine.V0_4)}),
                     "ModelCache": e.cache(False), "WorkerLog": e.worker_log(_FAILED, e.attempt(current=False))},
    "pending": {"Hub": e.hub({models(ReleaseLine.V0_4)[0].repo: Answer.PENDING}), "ModelCache": e.cache(False)},
    "revoked": {"Hub": e.hub(whoami=e.identity(Answer.BAD_TOKEN)), "ModelCache": e.cache(False)},
    "fine-grained": {"Hub": e.hub(whoami=e.identity(role="fineGrained", can_read_gated=False)), "ModelCache": e.cache(False)},
    "write token": {"Hub": e.hub(whoami=e.identity(role="write"))},
    "no name": {"Hub": e.hub(public=Answer.DNS, whoami=e.identity(Answer.DNS)), "ModelCache": e.cache(False)},
    "another Hub": {"Hub": e.hub(endpoint="http://mirror", token_sent=False, not_sent_reason="plain http")},
    "corrupt": {"ModelCache": _cut(ReleaseLine.V0_4, "plda/plda.npz")},
    "offline and not cached": {"ModelCache": e.cache(False, offline="HF_HUB_OFFLINE=1")},
    "read only": {"ModelCache": e.cache(False, root=_READONLY, writable=False)},
    "not readable": {"ModelCache": e.cache(access=CacheAccess("asked in the container", "root (0)", 0, False, False))},
    "misplaced": {"ModelCache": e.cache(False, misplaced=("/srv/ot/models/models--pyannote--x",))},
    "no room": {"Host": e.host(spaces=(Space("/srv/m", Purpose.MODEL_CACHE, 10**9, 10, 5, 0),)), "ModelCache": e.cache(False)},
    "speakers": {
        "EnvFile": e.env_file(f"HUGGINGFACE_TOKEN={e.TOKEN}\nMIN_SPEAKERS=9\nMAX_SPEAKERS=two\n"),
        "Workers": e.workers(e.worker(env={"HUGGINGFACE_TOKEN": e.TOKEN, "MIN_SPEAKERS": "9", "MAX_SPEAKERS": "two"})),
    },
    "killed": {"Workers": e.workers(e.worker(status="exited", oom_killed=True, exit_code=137, memory_limit=2**30))},
    "no GPU": {"Workers": e.workers(e.worker(gpu=GpuGrant(False), env={"HUGGINGFACE_TOKEN": e.TOKEN, "USE_GPU": "true"}))},
    "no container": {"Workers": Workers(e.ENGINE, ())},
    "v0.3": {"Deployment": e.deployment(ReleaseLine.V0_3, version="v0.3.3"), "ModelCache": e.cache(line=ReleaseLine.V0_3),
             "Hub": e.hub(line=ReleaseLine.V0_3)},
    "unknown line": {"Deployment": e.deployment(ReleaseLine.UNKNOWN, version=None, project=None)},
    "log not read to its end": {"WorkerLog": WorkerLog((LogSource(e.WORKER, 10, False, problem="slow", end_unread=True),), ())},
    "no Docker": {kind.__name__: Unavailable("Docker did not answer", "Start it.", "docker info") for kind in (Workers, Hub)},
    "everything left out": {
        kind.__name__: Unavailable("left out", switched_off=True) for kind in SOURCES if kind not in (Installation,)
    },
    "everything failed": {kind.__name__: Unavailable("it broke", "Mend it.") for kind in SOURCES if kind not in (Installation,)},
}  # fmt: skip


@pytest.mark.parametrize("world", WORLDS)
def test_the_report_on_a_bundle_is_that_of_the_run(world: str, tmp_path: Path, checks: Mapping[str, Check]) -> None:
    evidence = healthy(**WORLDS[world])
    request = Request(directory=e.HOME)
    live = report_of(examine(Plan(request), checks, Store(request, evidence), ()))
    assert_agree(live, replayed(evidence, request, tmp_path, checks))


def at_home(value: Any) -> Any:
    """The same evidence of an installation in somebody's home folder."""
    text = dump(encode(value)).replace(b"/srv/ot", b"/home/ana/ot")
    return decode(type(value), load(text)) if not isinstance(value, Unavailable) else value


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_a_hidden_home_folder_changes_nothing(world: str, tmp_path: Path, checks: Mapping[str, Check]) -> None:
    live, again = hidden("default", world, tmp_path, checks)
    assert "/home/ana" not in json_format.render(again) + json_format.render(live)
    assert_agree(live, again)


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
def test_hidden_names_change_no_judgement(world: str, tmp_path: Path, checks: Mapping[str, Check]) -> None:
    live, again = hidden("strict", world, tmp_path, checks)
    assert judged(again) == judged(live)
    assert [(root.cause, root.explains) for root in again.diagnosis] == [(root.cause, root.explains) for root in live.diagnosis]


def hidden(level: str, world: str, tmp_path: Path, checks: Mapping[str, Check]) -> tuple[Report, Report]:
    """The report on a run, and the one on its bundle, of an installation in the home folder of whoever made them."""
    evidence = {kind: at_home(value) for kind, value in healthy(**WORLDS[world]).items()}
    request = Request(directory=Path("/home/ana/ot"))
    redactor = Redactor(level, "/home/ana", "ana")
    live = report_of(examine(Plan(request), checks, Store(request, evidence), ()), redactor)
    return live, replayed(evidence, request, tmp_path, checks, redactor=redactor, level=level)


def judged(report: Report) -> list[tuple[str, list[tuple[Status, Cause | None]]]]:
    return [(result.check.name, [(f.status, f.cause) for f in result.findings]) for result in report.results]


@pytest.mark.slow
def test_the_worlds_differ_from_each_other(checks: Mapping[str, Check]) -> None:
    request = Request(directory=e.HOME)
    stores = [Store(request, healthy(**world)) for world in WORLDS.values()]
    said = {repr(document(report_of(examine(Plan(request), checks, store, ())))) for store in stores}
    assert len(said) == len(WORLDS)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES[::3])  # a sample: what differs is the log alone
def test_a_log_alone_says_the_same_from_a_bundle(name: str, tmp_path: Path, checks: Mapping[str, Check]) -> None:
    request = Request(logs=(str(case_of(name).log),), log_alone=True, cwd=tmp_path)
    store = Store(request)
    live = report_of(examine(Plan(request), checks, store, ()))
    assert live.log is not None and live.log.sources
    assert_agree(live, replayed(store.given(), request, tmp_path, checks))


def test_the_age_of_a_bundle_changes_nothing(tmp_path: Path, checks: Mapping[str, Check]) -> None:
    long_ago = datetime.now(timezone.utc) - timedelta(days=4000)
    attempt = e.attempt(Outcome.FAILED, cause="disk-full", started_at=long_ago, ended_at=long_ago)
    old = e.worker(created_at=long_ago, started_at=long_ago)
    evidence = healthy(Workers=e.workers(old), WorkerLog=e.worker_log(attempt, source={"since": long_ago}))
    request = Request(directory=e.HOME)
    assert_agree(
        report_of(examine(Plan(request), checks, Store(request, evidence), ())), replayed(evidence, request, tmp_path, checks)
    )


def test_nothing_of_this_machine_is_looked_at(
    tmp_path: Path, checks: Mapping[str, Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ot_doctor.sources.store import Source

    def never(source: Source) -> Callable[..., Any]:
        raise AssertionError(f"{source.label} was gathered")

    monkeypatch.setattr(Source, "load", never)
    report = replayed(healthy(), Request(directory=e.HOME), tmp_path, checks)
    assert report.diagnosis == () and not report.summary[next(s for s in report.summary if s.value == "unknown")]
