"""What the report must not claim: a fix that nobody made, a cause that is only a lack of rights, a remedy for another folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from tests.parts import hub, models
from tests.scenarios import logs
from tests.scenarios.scenario import DOCTOR, BringUp, Scenario, World

pytestmark = pytest.mark.engine

UNKNOWN = logs.v04_failure(["ValueError: the moon is in the wrong phase"], "the moon is in the wrong phase")
STRANGER = (1234, 1234)
# Without these a process of root is allowed no more than owner, group and mode say.
NO_PRIVILEGE = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def test_an_unknown_error_under_a_complete_cache_is_a_failure(bring_up: BringUp) -> None:
    report = bring_up(Scenario(log=UNKNOWN)).report()
    assert (report.causes, report.exit_code) == (["unrecognised"], 1), report.summary()
    said = report.text_of("last-attempt")
    assert "the moon is in the wrong phase" in said and "you do not need a new token" in said
    assert "Run the job again" not in said and "is fine now" not in said


def test_the_same_error_is_over_when_the_models_were_copied_after_it(bring_up: BringUp) -> None:
    def complete(world: World) -> None:
        models.v04_cache(world.models)
        models.own(world.models, (1000, 998))

    report = bring_up(Scenario(log=UNKNOWN, cache="absent", after=complete)).report()
    assert report.exit_code == 0, report.summary()
    assert "The cached models were changed after that" in report.text_of("last-attempt")


@pytest.mark.parametrize("variable", ["HF_HOME", "HF_HUB_CACHE"])
def test_a_variable_that_moves_the_cache_into_the_container_is_the_cause_and_its_line_the_remedy(
    bring_up: BringUp, variable: str
) -> None:
    env = f"HUGGINGFACE_TOKEN={{token}}\n{variable}=/opt/hf\n"
    denied = logs.v04_failure(*logs.permission_denied("/opt/hf"))
    world = bring_up(Scenario(env=env, log=denied))
    report = world.report()
    assert report.causes == ["cache-not-mounted"], report.summary()
    assert "chown" not in report.remedy_text() and str(world.models) not in report.remedy_text()
    (world.folder / "recorded.log").write_text("")
    for _ in range(2):
        assert len(world.obey(report)) == 2
    assert world.env_path.read_text().count(f"# {variable}=/opt/hf") == 1
    again = world.report()
    assert again.causes == [] and again.exit_code == 0, again.summary()


def test_what_the_person_is_not_allowed_to_see_is_unknown_and_never_a_cause(bring_up: BringUp, tmp_path: Path) -> None:
    closed = tmp_path / "closed.sock"
    world = bring_up(Scenario())
    os.chown(world.env_path, *STRANGER)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(closed))
        listener.listen()
        os.chown(closed, *STRANGER)
        closed.chmod(0o600)
        env = world.shell() | {"DOCKER_HOST": f"unix://{closed}"}
        command = [*NO_PRIVILEGE, str(DOCTOR), "--offline", "--format", "json"]
        done = subprocess.run(command, cwd=world.folder, env=env, capture_output=True, text=True, timeout=120)
    report = json.loads(done.stdout)
    assert (done.returncode, report["diagnosis"]) == (3, []), done.stdout
    assert "checked: .env" not in done.stdout
    steps = {step["command"] for c in report["checks"] for f in c["findings"] for step in f["remedy"]["steps"]}
    assert {'sudo "$(command -v ot-doctor)"', f'sudo "$(command -v ot-doctor)" --dir {world.folder}'} <= steps, steps
    assert "recreate" not in done.stdout.lower()
    assert f"You are not allowed to read {world.env_path}." in done.stdout


def test_a_refusal_under_an_unreadable_cache_comes_from_it_and_nothing_is_fine(bring_up: BringUp) -> None:
    def closed(world: World) -> None:
        models.own(world.models, (0, 0))
        (world.models / "huggingface").chmod(0o700)

    report = bring_up(Scenario(log=logs.v04_failure(*logs.gated_401(hub.COMMUNITY_1)), prepare=closed)).report()
    assert report.causes == ["cache-permission"], report.summary()
    said = report.text_of("last-attempt")
    assert "Access is fine now" not in said and "Run the job again" not in said
    assert {f["relation"] for f in report.check("cache-permissions")["findings"]} == {"explains-the-failure"}


def test_a_refusal_above_a_cache_that_can_only_be_read_comes_from_it_and_nothing_is_fine(bring_up: BringUp) -> None:
    def roots(world: World) -> None:
        models.own(world.models, (0, 0))

    failed = logs.v04_failure(*logs.gated_401(hub.COMMUNITY_1))
    report = bring_up(Scenario(cache="absent", log=failed, prepare=roots)).report()
    assert report.causes == ["cache-permission"], report.summary()
    assert "cannot store it" in report.text_of("cache-permissions") and report.status("model-access") == "pass"
    said = report.text_of("last-attempt")
    assert "Access is fine now" not in said and "Run the job again" not in said
    assert {f["relation"] for f in report.check("cache-permissions")["findings"]} == {"explains-the-failure"}


def test_the_next_job_is_not_said_to_download_what_it_cannot(bring_up: BringUp) -> None:
    report = bring_up(Scenario(accepted=[], cache="absent")).report()
    assert "It cannot be downloaded now" in report.text_of("cache-complete"), report.summary()


@pytest.mark.parametrize(
    "name, value", [("SSL_CERT_DIR", "/etc/ssl/certs"), ("REQUESTS_CA_BUNDLE", "/etc/ssl/certs/ca-certificates.crt")]
)
def test_the_systems_own_certificates_are_no_difference(bring_up: BringUp, name: str, value: str) -> None:
    report = bring_up(Scenario(environ={name: value})).report()
    assert report.status("network-settings") == "pass", report.summary()


def test_an_optional_model_fails_no_strict_run(bring_up: BringUp) -> None:
    accepted = [hub.DIARIZATION_31, hub.SEGMENTATION_30]
    world = bring_up(Scenario(line="v0.3", accepted=accepted))
    assert world.report().status("model-access") == "pass"
    assert world.doctor("--strict").returncode == 0


def test_one_speaker_where_more_were_allowed_is_said_first(bring_up: BringUp) -> None:
    report = bring_up(Scenario(log=logs.v04_success(speakers=1))).report()
    assert report.exit_code == 0 and "but found only 1 speaker" in report.check("last-attempt")["findings"][0]["message"]
