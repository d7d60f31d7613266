"""The steps of several causes as one plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Confidence, Risk, Step
from ot_doctor.diagnosis.ranking import RootCause
from ot_doctor.report.advice import LOOK, TRY, of_cause, plan, risk
from tests.report.reports import COMPOSE, ENV, RECREATE, REPORTS

AGAIN = Step("Run the transcription again (a short file with two voices is enough), then ot-doctor.")
ACCEPT = Step("Log in and accept the terms.", url="https://huggingface.co/p/a")
OWN = Step("Give it to the worker.", command="sudo chown -R 1000:1000 /srv/ot/models", risk=Risk.CHANGES_FILES)


def sed(script: str, text: str = "Edit it.", file: str = ENV) -> Step:
    return Step(text, command=f"sed -i '{script}' {file}", risk=Risk.CHANGES_FILES)


def up(options: str) -> Step:
    return Step("Recreate the workers.", command=f"{COMPOSE} up -d {options}", risk=Risk.RESTARTS)


def root(*remedy: Step, cause: Cause = Cause.SPEAKERS_CONFIG) -> RootCause:
    return RootCause(cause, None, "broken", Confidence.CERTAIN, (), remedy, ())


def steps(*roots: RootCause) -> list[Step]:
    return [planned.step for planned in plan(roots)]


def test_all_edits_come_first_then_one_recreate_then_one_test_run() -> None:
    edit = sed("3s/.*/A=1/")
    found = plan([root(edit, RECREATE, AGAIN), root(OWN, AGAIN), root(ACCEPT, RECREATE)])
    assert [planned.step for planned in found] == [edit, OWN, ACCEPT, RECREATE, TRY]
    assert [planned.number for planned in found] == [1, 2, 3, 4, 5]
    assert [planned.serves for planned in found] == [(0,), (1,), (2,), (0, 2), (0, 1, 2)]
    assert [planned.number for planned in of_cause(found, 1)] == [2, 5]


@pytest.mark.parametrize("name", REPORTS)
def test_no_step_is_told_twice(name: str) -> None:
    found = steps(*REPORTS[name]().diagnosis)
    assert len({(step.text, step.command) for step in found}) == len(found)
    assert sum(step.risk is Risk.RESTARTS for step in found) <= 1
    assert sum(step == TRY for step in found) == bool(found) and (not found or found[-1] == TRY)


def test_the_steps_of_one_cause_stay_in_their_order() -> None:
    first, last = Step("Stop it.", command="docker stop x", risk=Risk.RESTARTS), Step("If it fails again, search.", url="https://x.example")
    assert steps(root(first, OWN, RECREATE, AGAIN, last)) == [first, OWN, RECREATE, TRY, last]
    lines = Step("If it stops again, its last lines say why.", command="docker logs x")
    assert steps(root(OWN), root(RECREATE, lines)) == [OWN, RECREATE, lines, TRY]


def test_lines_are_edited_from_the_bottom_up() -> None:
    delete2, delete9, write5 = sed("2d", "Delete line 2."), sed("9d", "Delete line 9."), sed("5s/.*/A=1/", "Write line 5.")
    assert steps(root(delete2), root(write5), root(delete9)) == [write5, delete9, delete2, TRY]
    text = Step(f"Write it on line 7 of {ENV} as A=1.", risk=Risk.CHANGES_FILES)
    assert steps(root(delete2), root(text)) == [text, delete2, TRY]


def test_lines_of_different_files_do_not_move_each_other() -> None:
    first, second = sed("2d"), sed("5s/.*/A=1/", file="/srv/other/.env")
    assert steps(root(first), root(second)) == [first, second, TRY]


def test_a_line_that_another_cause_deletes_is_not_written() -> None:
    delete = sed("9d", f"Delete line 9 of {ENV}.")
    create = Step("Create a token.", url="https://t.example")
    write = Step(f"Write it on line 9 of {ENV} as T=hf_…", risk=Risk.CHANGES_FILES)
    changed = replace(write, text=f"{write.text} (By then line 9 is deleted: use the line that is left.)")
    assert steps(root(delete, RECREATE), root(create, write, RECREATE)) == [delete, create, changed, RECREATE, TRY]
    assert steps(root(create, write, OWN), root(delete)) == [create, delete, changed, OWN, TRY]
    run, = (step for step in steps(root(delete), root(sed("9s/.*/T=1/", "Write line 9."))) if "line 9 is deleted" in step.text)
    assert run.command is None, "it would write over what is line 9 by then"


@pytest.mark.parametrize(("one", "other", "command"), [
    ("--force-recreate a", "--force-recreate a b", "--force-recreate a b"), ("a", "--force-recreate b", "--force-recreate b a"),
    ("--no-deps --pull never a", "--no-deps --pull never b", "--no-deps --pull never a b"),
])  # fmt: skip
def test_recreates_of_one_project_are_one(one: str, other: str, command: str) -> None:
    found = steps(root(up(one)), root(up(other)))
    assert [step.command for step in found] == [f"{COMPOSE} up -d {command}", None]


def test_another_project_is_recreated_by_itself() -> None:
    other = replace(RECREATE, command=(RECREATE.command or "").replace("/srv/ot", "/srv/other"))
    assert steps(root(RECREATE), root(other)) == [RECREATE, other, TRY]


def test_what_is_recreated_is_not_restarted_before() -> None:
    restart = Step("Restart it.", command="docker restart opentranscribe-celery-worker", risk=Risk.RESTARTS)
    assert steps(root(restart), root(RECREATE)) == [RECREATE, TRY]
    engine = Step("Restart it.", command="docker restart diar-native", risk=Risk.RESTARTS)
    assert steps(root(engine), root(RECREATE)) == [engine, RECREATE, TRY]


def test_nothing_is_run_in_a_container_that_is_down() -> None:
    inside = Step("Look.", command="docker exec worker true")
    assert steps(root(inside), root(RECREATE, cause=Cause.WORKER_DOWN)) == [RECREATE, inside, TRY]
    assert steps(root(inside), root(RECREATE)) == [inside, RECREATE, TRY]


def test_a_test_run_is_advised_where_it_can_tell_something() -> None:
    search = Step("Search for the line.", url="https://x.example")
    assert steps(root(search, cause=Cause.UNRECOGNISED)) == [search]
    assert steps(root(OWN, cause=Cause.TOKEN_EXPOSED)) == [OWN, LOOK]
    assert steps(root(OWN, cause=Cause.TOKEN_EXPOSED), root(ACCEPT)) == [OWN, ACCEPT, TRY]
    assert steps() == []


@pytest.mark.parametrize(("step", "said"), [
    (ACCEPT, ""), (RECREATE, "restarts celery-worker; running jobs are interrupted"), (OWN, "changes the owner of files"),
    (sed("2d"), f"changes {ENV}"), (sed("2d", f"Delete line 2 of {ENV}."), "changes this file"),
    (Step("Write it.", risk=Risk.CHANGES_FILES), ""), (Step("Copy.", command="cp a b", risk=Risk.CHANGES_FILES), "changes files"),
    (Step("Untrack it.", command="git -C /a rm --cached -- .env", risk=Risk.CHANGES_FILES), "changes files"),
    (Step("Remove it.", command="sudo rm -rf /a", risk=Risk.CHANGES_FILES), "deletes files"),
    (Step("Start it.", risk=Risk.RESTARTS), "restarts containers; running jobs are interrupted"),
    (Step("Recreate it (running jobs are interrupted).", risk=Risk.RESTARTS), "restarts containers"),
])  # fmt: skip
def test_a_risk_is_told_in_words(step: Step, said: str) -> None:
    assert risk(step) == said


@pytest.mark.parametrize("odd", [
    "", "sed", "sed -i '9d'", "sed 'x", "sed -i '9d;' /a", "up", "docker compose up", "compose up --pull", "1a" * 5000 + ";x",
    "sed " + "1d;" * 5000 + "- /a", "restart", "sed -i '1,999999999d' /a",
])  # fmt: skip
def test_odd_commands_do_no_harm(odd: str) -> None:
    made = [root(Step(odd or "x", command=odd, risk=kind)) for kind in Risk]
    assert len(steps(*made, root(sed("2d"), RECREATE))) >= 2


@pytest.mark.parametrize("program", ["docker-compose", "podman-compose", "podman compose"])
def test_one_recreate_for_two_services_whatever_the_program(program: str) -> None:
    commands = [f"{program} -p ot -f /srv/ot/docker-compose.yml up -d --force-recreate --no-deps {name}" for name in ("a", "b")]
    found = steps(*(root(Step("Recreate it.", command=command, risk=Risk.RESTARTS)) for command in commands))
    assert [step.command for step in found if step.command] == [f"{commands[0]} b"]
