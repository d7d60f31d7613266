from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.diagnosis.causes import explains
from ot_doctor.evidence import ComposeConfig, EnvEntry, EnvFile, EnvProblem, ReleaseLine, Unavailable, Workers
from ot_doctor_checks.speaker_limits import speaker_limits
from tests.checks.evidence import ENGINE, WORKER, compose, deployment, env_file, everything_said, sed, statuses, worker, workers

NO_WORKER = Workers(ENGINE, ())


def judged(env: dict[str, str], file: EnvFile | None = None, files: ComposeConfig | None = None) -> list[Finding]:
    text = "".join(f"{name}={value}\n" for name, value in env.items())
    return list(speaker_limits(workers(worker(env=env)), file or env_file(text), files or compose(), deployment()))


@pytest.mark.parametrize(
    "env",
    [{}, {"MIN_SPEAKERS": "2", "MAX_SPEAKERS": " 20 "}, {"MAX_SPEAKERS": "٢٠"}, {"NUM_SPEAKERS": ""}, {"NUM_SPEAKERS": "3"}],
)
def test_limits_that_the_worker_can_read_pass(env: dict[str, str]) -> None:
    assert statuses(judged(env)) == [Status.PASS]


@pytest.mark.parametrize("value", ["20.0", "20  # Can be raised", "", "twenty", "0x14"])
def test_what_is_no_whole_number_for_python_fails_with_the_line_to_write(value: str) -> None:
    (finding,) = judged({"A": "1", "MAX_SPEAKERS": value})
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.SPEAKERS_CONFIG, "MAX_SPEAKERS")
    assert finding.evidence[0].where == f"the environment of {WORKER}"
    assert finding.remedy[0].command == sed("2s/^[^#]*MAX_SPEAKERS.*/MAX_SPEAKERS=20/")
    assert "--force-recreate" in everything_said(finding)


def test_a_number_of_speakers_that_is_no_number_is_to_be_deleted() -> None:
    (finding,) = judged({"NUM_SPEAKERS": "two"})
    assert finding.remedy[0].command == sed('1s/^[^#]*NUM_SPEAKERS/# &/')


def test_min_above_max_fails() -> None:
    (finding,) = judged({"MIN_SPEAKERS": "5", "MAX_SPEAKERS": "3"})
    assert (finding.status, finding.subject) == (Status.FAIL, "MIN_SPEAKERS, MAX_SPEAKERS")
    assert finding.remedy[0].command == sed('1s/^[^#]*MIN_SPEAKERS.*/MIN_SPEAKERS=1/')
    (finding,) = judged({"MIN_SPEAKERS": "30"})
    assert "MAX_SPEAKERS=20" in finding.message


def test_a_number_outside_the_limits_fails() -> None:
    (finding,) = judged({"NUM_SPEAKERS": "25"})
    assert (finding.status, finding.subject) == (Status.FAIL, "MIN_SPEAKERS, MAX_SPEAKERS, NUM_SPEAKERS")
    assert finding.expected == "a number from 1 to 20, or no such line"


@pytest.mark.parametrize("name", ["MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS"])
def test_less_than_one_speaker_fails(name: str) -> None:
    findings = judged({name: "0"})
    assert all(finding.status is Status.FAIL for finding in findings)
    assert findings[0].subject == f"{name} below 1"


@pytest.mark.parametrize(
    ("env", "ends_it"),
    [
        ({"MAX_SPEAKERS": "twenty"}, True),
        ({"MIN_SPEAKERS": ""}, True),
        ({"NUM_SPEAKERS": "2.0"}, True),
        ({"MIN_SPEAKERS": "5", "MAX_SPEAKERS": "3"}, False),
        ({"NUM_SPEAKERS": "25"}, False),
        ({"MAX_SPEAKERS": "0", "MIN_SPEAKERS": "0"}, False),
    ],
)
def test_only_a_limit_that_is_no_number_explains_a_worker_that_is_down(env: dict[str, str], ends_it: bool) -> None:
    """The worker reads the limits with int() while it starts, and looks at what they mean in a job alone."""
    for finding in judged(env):
        assert finding.cause is not None
        assert explains(finding.cause, Cause.WORKER_DOWN, finding.subject, WORKER) is ends_it, finding.message


def test_a_stale_limit_explains_the_contradiction_with_the_other_one() -> None:
    (finding,) = judged({"MIN_SPEAKERS": "5", "MAX_SPEAKERS": "3"})
    for name, follows in (("MIN_SPEAKERS", True), ("MAX_SPEAKERS", True), ("HF_HOME", False)):
        assert explains(Cause.STALE_WORKER_ENV, Cause.SPEAKERS_CONFIG, name, finding.subject) is follows


def test_one_speaker_at_most_is_a_warning() -> None:
    (finding,) = judged({"MAX_SPEAKERS": "1"})
    assert (finding.status, finding.cause) == (Status.WARN, Cause.SPEAKERS_CONFIG)


def test_unusually_many_speakers_are_a_warning() -> None:
    (finding,) = judged({"MAX_SPEAKERS": "200"})
    assert finding.status is Status.WARN
    assert "unusually high" in finding.message


def test_every_bad_value_is_reported() -> None:
    assert statuses(judged({"MIN_SPEAKERS": "a", "MAX_SPEAKERS": "b"})) == [Status.FAIL, Status.FAIL]


def test_a_line_that_was_mended_already_is_not_written_again() -> None:
    (finding,) = judged({"MAX_SPEAKERS": "x"}, env_file("MAX_SPEAKERS=8\n"))
    assert ["--force-recreate" in (step.command or "") for step in finding.remedy] == [True]


def test_a_value_that_is_not_in_the_env_file_has_no_command() -> None:
    (finding,) = judged({"MAX_SPEAKERS": "x"}, env_file("A=1\n"))
    assert finding.remedy[0].command is None
    (finding,) = judged({"NUM_SPEAKERS": "x"}, env_file("A=1\n"))
    assert finding.remedy[0].text.startswith("Remove NUM_SPEAKERS")


def test_an_entry_of_a_compose_file_is_named_and_not_the_line_that_it_overrides() -> None:
    file, files = env_file("MIN_SPEAKERS=1\n"), compose(("MIN_SPEAKERS", "9"), ("MAX_SPEAKERS", "2"))
    (finding,) = judged({"MIN_SPEAKERS": "9", "MAX_SPEAKERS": "2"}, file, files)
    assert "MIN_SPEAKERS=9 (/srv/ot/docker-compose.yml:20) is above" in finding.message
    write, recreate = finding.remedy
    assert write.command is None and "--force-recreate" in (recreate.command or "")
    assert write.text == (
        "Set MIN_SPEAKERS to 1, or to another whole number that suits you, at /srv/ot/docker-compose.yml:20: "
        "this 'environment:' entry of celery-worker wins over the .env."
    )
    (finding,) = judged({"NUM_SPEAKERS": "x"}, file, compose(("NUM_SPEAKERS", "x")))
    assert finding.remedy[0].text.startswith("Leave no NUM_SPEAKERS, at /srv/ot/docker-compose.yml:20")


def test_an_entry_that_was_mended_already_needs_only_a_new_container() -> None:
    (finding,) = judged({"MIN_SPEAKERS": "9", "MAX_SPEAKERS": "2"}, files=compose(("MIN_SPEAKERS", "1")))
    assert ["--force-recreate" in (step.command or "") for step in finding.remedy] == [True]


@pytest.mark.parametrize("files", [compose(("MAX_SPEAKERS", None)), compose(("MAX_SPEAKERS", "x"), references=("MAX_SPEAKERS",))])
def test_an_entry_without_a_value_of_its_own_is_not_where_the_value_is(files: ComposeConfig) -> None:
    (finding,) = judged({"MAX_SPEAKERS": "x"}, files=files)
    assert finding.remedy[0].command == sed("1s/^[^#]*MAX_SPEAKERS.*/MAX_SPEAKERS=20/")


def test_without_a_container_the_env_file_tells() -> None:
    (finding,) = speaker_limits(NO_WORKER, env_file("MAX_SPEAKERS=x\n"), compose(), deployment())
    assert finding.evidence[0].where == "/srv/ot/.env:1"
    gone = Unavailable("no engine")
    assert statuses(speaker_limits(gone, env_file("MAX_SPEAKERS=4\n"), gone, gone)) == [Status.PASS]


def test_with_neither_it_is_skipped() -> None:
    gone = Unavailable("not there")
    assert statuses(speaker_limits(gone, gone, compose(), deployment())) == [Status.SKIP]
    assert statuses(speaker_limits(NO_WORKER, env_file("", problem=EnvProblem.MISSING), compose(), deployment())) == [Status.SKIP]


def test_v0_1_ignores_them_and_v0_4_users_have_their_own() -> None:
    bad = workers(worker(env={"MAX_SPEAKERS": "x"}))
    (finding,) = speaker_limits(bad, env_file(), compose(), deployment(ReleaseLine.V0_3, v0_1=True))
    assert finding.status is Status.SKIP
    assert "ignores" in finding.message
    assert "own settings override" in judged({})[0].message
    (old,) = speaker_limits(workers(), env_file(), compose(), deployment(ReleaseLine.V0_3))
    assert "own settings override" not in old.message


def test_a_value_that_spans_lines_is_written_anew_or_deleted_as_a_whole() -> None:
    rest = "2s/^[^#]/# &/;3s/^[^#]/# &/"
    written = "1s/^[^#]*MAX_SPEAKERS.*/MAX_SPEAKERS=20/"
    for name, script in (("MAX_SPEAKERS", f"{written};{rest}"), ("NUM_SPEAKERS", f"1s/^[^#]*NUM_SPEAKERS/# &/;{rest}")):
        file = replace(env_file(""), entries=(EnvEntry(name, "2\n\nx", 1, 3),))
        (finding,) = judged({name: "2\n\nx"}, file)
        assert finding.remedy[0].command == sed(script)


def test_the_limits_of_a_worker_on_another_node_are_not_those_of_the_env_here() -> None:
    elsewhere = Unavailable("It is on node-3.", elsewhere=True)
    with pytest.raises(Unavailable) as caught:
        list(speaker_limits(elsewhere, env_file("MAX_SPEAKERS=20\n"), compose(), deployment()))
    assert caught.value is elsewhere
    (finding,) = speaker_limits(elsewhere, env_file("MAX_SPEAKERS=x\n"), compose(), deployment())
    assert finding.status is Status.FAIL, "what is wrong in the .env is wrong on each node"
