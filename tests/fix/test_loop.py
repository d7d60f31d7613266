"""The loop: one attempt a cause, a new look after each, and the first finding stays where an action lies, fails or is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest

from ot_doctor.actions import Action, EditEnv, LineChange, LineEdit, PutToken, RecreateServices, Risk, StartServices
from ot_doctor.check import Cause, Step
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.evidence import Deployment, Request
from ot_doctor.fix import catalogue, loop
from ot_doctor.fix.consent import Consent
from ot_doctor.fix.journal import Journal, stored
from ot_doctor.fix.loop import Examination, Fixing
from ot_doctor.fix.outcome import Became, State
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Site
from ot_doctor.run.plan import Plan
from ot_doctor.run.session import Examined
from ot_doctor.sources.store import Store
from tests.fix.site import Script

EDIT = EditEnv("/srv/ot/.env", (LineEdit(3, LineChange.COMMENT_OUT, "HUGGINGFACE_TOKEN"),))
OTHER_EDIT = EditEnv("/srv/ot/.env", (LineEdit(9, LineChange.COMMENT_OUT, "MAX_SPEAKERS"),))
RECREATE = RecreateServices(("celery-worker",))


@dataclass
class World:
    """What is wrong, and what each action does about it."""

    wrong: dict[Cause, Sequence[Action]]
    cures: Mapping[Action, set[Cause]] = field(default_factory=dict)
    brings: Mapping[Action, dict[Cause, Sequence[Action]]] = field(default_factory=dict)
    does: list[str] = field(default_factory=list)
    state: int = 0
    meanwhile: Callable[[], None] | None = None
    risks: frozenset[Risk] = frozenset()
    fails: Exception | None = None

    def look(self) -> Examination:
        self.does.append("look")
        roots = [self.root(cause, actions) for cause, actions in self.wrong.items()]
        store = Store(Request())
        now = datetime.now(timezone.utc)
        return Examination(Examined(Plan(Request()), now, 0.0, (), tuple(sorted(roots, key=lambda r: r.cause.rank))), store)

    @staticmethod
    def root(cause: Cause, actions: Sequence[Action]) -> RootCause:
        from ot_doctor.check import Confidence

        steps = tuple(Step("Do it.", risk=action.risk, action=action) for action in actions)
        return RootCause(cause, "it", f"{cause.value} is so.", Confidence.CERTAIN, (), steps, ("a-check",))


WORLD: World


class Pretended:
    """Stands in for every procedure: what it does is in the world."""

    def __init__(self, action: Action, site: Site) -> None:
        self.action = action

    def precondition(self) -> bool:
        return True

    def preview(self) -> Preview:
        return Preview(f"Does {self.action.name}.", "Do it?", (), {"the state": str(WORLD.state)}, WORLD.risks)

    def save(self, files: Path) -> dict[str, str]:
        WORLD.does.append(f"save {self.action.name}")
        return {}

    def apply(self) -> None:
        WORLD.does.append(self.action.name)
        if WORLD.fails:
            raise WORLD.fails
        for cause in WORLD.cures.get(self.action, ()):
            WORLD.wrong.pop(cause, None)
        WORLD.wrong.update(WORLD.brings.get(self.action, {}))

    def verify(self) -> None:
        """It believes itself."""

    @classmethod
    def undo(cls, saved: object, files: Path, site: Site) -> bool:
        return True


class Asked(Script):
    def asks(self, preview: Preview):  # type: ignore[no-untyped-def]
        choice = super().asks(preview)
        if WORLD.meanwhile:
            WORLD.meanwhile()
        return choice


@pytest.fixture(autouse=True)
def pretended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "procedure", lambda name: Pretended)
    monkeypatch.setattr(loop, "procedure_of", lambda action, site: Pretended(action, site))


def fixing(
    world: World,
    tmp_path: Path,
    *answers: str,
    consent: Consent | None = None,
    present: bool = True,
    warnings: Sequence[RootCause] = (),
) -> Fixing:
    global WORLD
    WORLD = world
    run = Fixing(
        world.look, lambda: Store(Request()), lambda: Journal.begin(tmp_path / "s", "/srv/ot"),
        Asked(answers=list(answers), present=present), consent or Consent(), lambda root: True, lambda found: warnings,
    )  # fmt: skip
    run.run(world.look())
    return run


def became(run: Fixing) -> list[tuple[str, str, list[str]]]:
    return [(one.root.cause.value, one.state.value, [deed.became.value for deed in one.deeds]) for one in run.attended]


def test_the_default_answer_is_no_and_nothing_is_noted(tmp_path: Path) -> None:
    run = fixing(World({Cause.ENV_SHADOWED: [EDIT, RECREATE]}), tmp_path)
    assert became(run) == [("env-shadowed", "not-tried", ["declined"])]
    assert WORLD.does == ["look"] and not (tmp_path / "s").exists()


def test_one_restart_serves_all_causes_and_comes_last(tmp_path: Path) -> None:
    world = World(
        {Cause.SPEAKERS_CONFIG: [OTHER_EDIT, RECREATE], Cause.ENV_SHADOWED: [EDIT, RECREATE], Cause.STALE_WORKER_ENV: [RECREATE]},
        {RECREATE: {Cause.SPEAKERS_CONFIG, Cause.ENV_SHADOWED, Cause.STALE_WORKER_ENV}},
    )
    run = fixing(world, tmp_path, "y", "y", "y")
    assert [does for does in world.does if not does.startswith("save")] == [
        "look",
        "env.edit",
        "env.edit",
        "worker.recreate",
        "look",
    ]
    assert {one.state for one in run.attended} == {State.GONE}
    assert run.attended[0].root.cause is Cause.ENV_SHADOWED


def test_what_is_there_only_until_the_restart_is_no_new_cause(tmp_path: Path) -> None:
    """A look in between finds the old values that the worker has yet."""
    stale: dict[Cause, Sequence[Action]] = {Cause.STALE_WORKER_ENV: [RECREATE]}
    world = World(
        {Cause.TOKEN_INVALID: [EDIT, RECREATE], Cause.DISK_FULL: [OTHER_EDIT]},
        {OTHER_EDIT: {Cause.DISK_FULL}, RECREATE: {Cause.TOKEN_INVALID, Cause.STALE_WORKER_ENV}}, {EDIT: stale},
    )  # fmt: skip
    run = fixing(world, tmp_path, "y", "y", "y")
    assert [one[0] for one in became(run)] == ["token-invalid", "disk-full"]
    assert {one.state for one in run.attended} == {State.GONE} and not world.wrong
    told = run.talk.told  # type: ignore[attr-defined]
    assert [line for line in told if " of " in line] == ["1 of 2 token-invalid", "2 of 2 disk-full"]


def test_a_cause_that_shows_up_only_now_is_new(tmp_path: Path) -> None:
    world = World(
        {Cause.ENV_UNREADABLE: [EDIT]}, {EDIT: {Cause.ENV_UNREADABLE}, OTHER_EDIT: {Cause.SPEAKERS_CONFIG}},
        {EDIT: {Cause.SPEAKERS_CONFIG: [OTHER_EDIT]}},
    )  # fmt: skip
    run = fixing(world, tmp_path, "y", "y")
    assert [(one.root.cause.value, one.new, one.state) for one in run.attended] == [
        ("env-unreadable", False, State.GONE), ("speakers-config", True, State.GONE),
    ]  # fmt: skip


def test_an_action_that_lies_did_not_help_and_is_tried_once(tmp_path: Path) -> None:
    run = fixing(World({Cause.ENV_UNREADABLE: [EDIT]}), tmp_path, "y", "y", "y")
    assert became(run) == [("env-unreadable", "still-there", ["did-not-help"])]
    assert WORLD.does.count("env.edit") == 1 and run.latest and run.latest.found.diagnosis
    assert stored(tmp_path / "s")[0].entries[0].outcome == "did-not-help"


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(NotDone("It is not so."), "failed"), (NotPossible("It cannot be."), "refused"), (RuntimeError("boom"), "failed")],
)
def test_an_action_that_fails_leaves_the_rest_undone_and_the_finding_there(
    tmp_path: Path, error: Exception, outcome: str
) -> None:
    run = fixing(World({Cause.ENV_SHADOWED: [EDIT, RECREATE]}, fails=error), tmp_path, "y", "y")
    assert became(run) == [("env-shadowed", "still-there", [outcome])] and "worker.recreate" not in WORLD.does
    assert str(error).rstrip(".") in run.attended[0].deeds[0].reason


def test_one_that_makes_another_check_fail_is_told(tmp_path: Path) -> None:
    world = World({Cause.ENV_SHADOWED: [EDIT]}, {EDIT: {Cause.ENV_SHADOWED}}, {EDIT: {Cause.TOKEN_INVALID: []}})
    run = fixing(world, tmp_path, "y")
    assert run.latest and [root.cause for root in run.latest.found.diagnosis] == [Cause.TOKEN_INVALID]


def test_what_changes_while_the_question_stands_is_refused(tmp_path: Path) -> None:
    def meanwhile() -> None:
        WORLD.state += 1

    run = fixing(World({Cause.ENV_SHADOWED: [EDIT]}, meanwhile=meanwhile), tmp_path, "y")
    assert became(run)[0][2] == ["refused"] and "the state" in run.attended[0].deeds[0].reason
    assert WORLD.does == ["look"] and not (tmp_path / "s").exists()


def test_what_would_do_more_than_was_agreed_to_is_refused(tmp_path: Path) -> None:
    def meanwhile() -> None:
        WORLD.risks = frozenset({Risk.INTERRUPTS})

    run = fixing(World({Cause.STALE_WORKER_ENV: [RECREATE]}, meanwhile=meanwhile), tmp_path, "y")
    assert became(run)[0][2] == ["refused"] and "interrupts" in run.attended[0].deeds[0].reason


def test_a_question_that_stood_long_takes_no_time_from_the_next_step(tmp_path: Path) -> None:
    """The evidence is that of the look, the time is new."""
    known = Deployment(Path("/srv/ot"), "--dir", Path("/srv/ot/.env"))
    store = Store(Request(timeout=5.0, started=time.monotonic() - 60), {Deployment: known})
    store.get(Deployment)
    assert store.request.remaining() == 0 and loop.renewed(store).request.remaining() > 4
    assert loop.renewed(store).get(Deployment) is known


def test_where_a_later_step_is_declined_the_earlier_one_is_looked_at(tmp_path: Path) -> None:
    world = World({Cause.TOKEN_EXPOSED: [EDIT, PutToken("/srv/ot/.env"), RECREATE]}, {EDIT: {Cause.TOKEN_EXPOSED}})
    run = fixing(world, tmp_path, "y", "n")
    assert became(run) == [("token-exposed", "gone", ["applied", "declined"])] and "worker.recreate" not in world.does


def test_a_failure_and_a_warning_of_one_cause_and_subject_are_two(tmp_path: Path) -> None:
    """Git tracks the file, and others can read it."""
    world = World({Cause.TOKEN_EXPOSED: [EDIT]}, {EDIT: {Cause.TOKEN_EXPOSED}})
    run = fixing(world, tmp_path, "y", "y", warnings=[world.root(Cause.TOKEN_EXPOSED, [OTHER_EDIT])])
    assert became(run) == [("token-exposed", "gone", ["applied"]), ("token-exposed", "still-there", ["did-not-help"])]


def test_what_was_started_is_given_time_to_be_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker tries its broker again after some seconds. No other action waits."""
    monkeypatch.setattr(loop, "_BETWEEN_LOOKS", 0.01)
    start = StartServices(("redis",))
    world = World({Cause.BROKER_UNREACHABLE: [start]})
    looks = world.look

    def look() -> Examination:
        if world.does.count("look") == 3:
            world.wrong.clear()
        return looks()

    world.look = look  # type: ignore[method-assign]
    run = fixing(world, tmp_path, "y")
    assert became(run) == [("broker-unreachable", "gone", ["applied"])] and world.does.count("look") == 4
    told = [line for line in run.talk.told if "reached" in line]  # type: ignore[attr-defined]
    assert told == ["    Waiting until what was started is reached, 60 s at most."]


def test_quitting_ends_it_and_what_was_done_is_looked_at(tmp_path: Path) -> None:
    world = World({Cause.ENV_SHADOWED: [EDIT, RECREATE], Cause.SPEAKERS_CONFIG: [OTHER_EDIT]})
    run = fixing(world, tmp_path, "y", "q")
    assert became(run) == [("env-shadowed", "still-there", ["applied"]), ("speakers-config", "not-tried", ["declined"])]
    assert "worker.recreate" not in world.does and world.does[-1] == "look"


@pytest.mark.parametrize(
    ("allowed", "outcome"),
    [
        (frozenset[Risk](), ["not-allowed"]),
        ({Risk.RESTARTS}, ["not-allowed"]),
        ({Risk.CHANGES_FILES}, ["applied", "not-allowed"]),
        ({Risk.CHANGES_FILES, Risk.RESTARTS}, ["applied", "applied"]),
    ],
)  # fmt: skip
def test_yes_does_what_is_allowed_and_no_more(tmp_path: Path, allowed: set[Risk], outcome: list[str]) -> None:
    world = World({Cause.ENV_SHADOWED: [EDIT, RECREATE]}, {RECREATE: {Cause.ENV_SHADOWED}})
    run = fixing(world, tmp_path, consent=Consent(yes=True, allowed=frozenset(allowed)), present=False)
    assert became(run)[0][2] == outcome
    left = loop.hidden(run.attended)
    assert left == (
        {} if len(outcome) == 2 and outcome[1] == "applied" else {"restarts" if "applied" in outcome else "changes-files": 1}
    )


def test_a_job_that_runs_is_interrupted_only_where_that_is_allowed(tmp_path: Path) -> None:
    allowed = frozenset({Risk.RESTARTS})
    world = World({Cause.STALE_WORKER_ENV: [RECREATE]}, {RECREATE: {Cause.STALE_WORKER_ENV}}, risks=frozenset({Risk.INTERRUPTS}))
    assert became(fixing(world, tmp_path, consent=Consent(yes=True, allowed=allowed)))[0][2] == ["not-allowed"]
    more = Consent(yes=True, allowed=allowed | {Risk.INTERRUPTS})
    assert became(fixing(world, tmp_path, consent=more))[0][2] == ["applied"]


@pytest.mark.parametrize(
    ("consent", "present"), [(Consent(dry=True), True), (Consent(), False), (Consent(dry=True, yes=True), True)]
)
def test_a_dry_run_and_one_without_a_terminal_only_plan(tmp_path: Path, consent: Consent, present: bool) -> None:
    run = fixing(World({Cause.ENV_SHADOWED: [EDIT, RECREATE]}), tmp_path, "y", "y", consent=consent, present=present)
    assert became(run) == [("env-shadowed", "not-tried", ["planned", "planned"])]
    assert WORLD.does == ["look"] and not (tmp_path / "s").exists()


def test_a_worker_that_is_down_is_started_before_anything_else(tmp_path: Path) -> None:
    start = StartServices(("celery-worker",))
    world = World(
        {Cause.ENV_SHADOWED: [EDIT, RECREATE], Cause.WORKER_DOWN: [start]},
        {start: {Cause.WORKER_DOWN}, RECREATE: {Cause.ENV_SHADOWED}},
    )
    fixing(world, tmp_path, "y", "y", "y")
    assert [d for d in world.does if d != "look" and "save" not in d] == ["worker.start", "env.edit", "worker.recreate"]


def test_where_an_earlier_step_was_refused_the_number_goes_on(tmp_path: Path) -> None:
    world = World({Cause.TOKEN_MISSING: [PutToken("/srv/ot/.env")], Cause.SPEAKERS_CONFIG: [OTHER_EDIT]})
    refusing = Pretended.save

    def save(self: Pretended, files: Path) -> dict[str, str]:
        if isinstance(self.action, PutToken):
            raise NotPossible("No token was given.")
        return refusing(self, files)

    Pretended.save = save  # type: ignore[method-assign]
    try:
        run = fixing(world, tmp_path, "y", "y")
    finally:
        Pretended.save = refusing  # type: ignore[method-assign]
    assert [one[2] for one in became(run)] == [["refused"], ["did-not-help"]]
    assert [one.became for attended in run.attended for one in attended.deeds] == [Became.REFUSED, Became.DID_NOT_HELP]
