"""Installations with nothing to mend: no failure may be reported."""

from __future__ import annotations

import html
import json
from pathlib import Path

import jsonschema
import pytest

from tests.parts import hub, models, ready_doctor
from tests.scenarios import logs
from tests.scenarios.scenario import TOKEN, BringUp, Report, Scenario, World

pytestmark = pytest.mark.engine
FACTS = json.loads((Path(__file__).parents[2] / "docs" / "facts.schema.json").read_text(encoding="utf-8"))


def _assert_healthy(world: World) -> None:
    report = world.report()
    assert report.causes == [], report.summary()
    assert report.exit_code == 0, report.summary()
    assert report.document["summary"]["pass"] >= 12


def _assert_facts(world: World) -> None:
    """``facts`` knows what there is, and the page of a run says the same."""
    done = ready_doctor.run("facts", "--format", "json", cwd=world.folder, env=world.shell())
    assert (done.returncode, done.stderr) == (0, "") and TOKEN[3:] not in done.stdout
    document = json.loads(done.stdout)
    jsonschema.Draft202012Validator(FACTS).validate(document)
    world.doctor("--output", str(world.home / "page.html"))
    page = (world.home / "page.html").read_text(encoding="utf-8")
    shown = page.partition('id="facts"')[2].partition('class="ticket"')[0]
    assert shown and TOKEN[3:] not in page
    for section in document["sections"]:
        if section["title"] in ("Engine", "Containers", "Settings of the worker", "Mounts of the worker", "Model cache", "Hub"):
            assert section["facts"], section["title"]
            for fact in section["facts"]:
                name, value = (html.escape(fact[key], quote=False) for key in ("name", "value"))
                assert f"<dt>{name}</dt>\n<dd>{value}</dd>" in shown, fact


@pytest.mark.parametrize("line", ["v0.4", "v0.3"])
def test_healthy(bring_up: BringUp, line: str) -> None:
    world = bring_up(Scenario(line=line))
    _assert_healthy(world)
    by_the_script = ready_doctor.script("--format", "json", cwd=world.folder, env=world.shell())
    assert (by_the_script.returncode, by_the_script.stderr) == (0, "")
    report = Report(json.loads(by_the_script.stdout), world)
    assert report.document["deployment"]["dir"] == str(world.folder)
    assert report.document["deployment"]["line"] == {"v0.4": "v0.4", "v0.3": "v0.1-0.3"}[line]
    assert report.document["attempts"][0]["outcome"] == "succeeded"
    assert report.status("last-attempt") == "pass"
    assert report.status("model-access") == "pass"
    if line == "v0.4":
        _assert_facts(world)


@pytest.mark.parametrize(
    "written",
    [
        '"{token}"',
        "'{token}'",
        " {token}",
        "{token}   ",
        "{token}  # my token",
    ],
    ids=["double quotes", "single quotes", "space before", "spaces behind", "comment"],
)
def test_harmless_ways_to_write_the_token(bring_up: BringUp, written: str) -> None:
    _assert_healthy(bring_up(Scenario(env=f"HUGGINGFACE_TOKEN={written}\nMAX_SPEAKERS=20\n")))


@pytest.mark.parametrize("key", ["export HUGGINGFACE_TOKEN=", "HUGGINGFACE_TOKEN = "])
def test_harmless_ways_to_write_the_key(bring_up: BringUp, key: str) -> None:
    _assert_healthy(bring_up(Scenario(env=key + "{token}\nMAX_SPEAKERS=20\n")))


@pytest.mark.parametrize("how", ["CRLF", "BOM"])
def test_harmless_encodings(bring_up: BringUp, how: str) -> None:
    def rewrite(world: World) -> None:
        text = world.env_path.read_text()
        data = text.replace("\n", "\r\n").encode() if how == "CRLF" else b"\xef\xbb\xbf" + text.encode()
        world.env_path.write_bytes(data)

    _assert_healthy(bring_up(Scenario(prepare=rewrite)))


def test_only_community_1_accepted_on_v04(bring_up: BringUp) -> None:
    _assert_healthy(bring_up(Scenario(accepted=[hub.COMMUNITY_1])))


def test_cache_readable_but_owned_by_another(bring_up: BringUp) -> None:
    world = bring_up(Scenario(prepare=lambda world: models.own(world.models, (4242, 4242))))
    report = world.report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert report.status("cache-permissions") in ("pass", "warn")


def test_success_after_an_error(bring_up: BringUp) -> None:
    error = logs.v04_failure(*logs.gated_403(hub.COMMUNITY_1))
    _assert_healthy(bring_up(Scenario(log=[*error, *logs.v04_success()])))


def test_success_with_one_speaker_says_so(bring_up: BringUp) -> None:
    world = bring_up(Scenario(log=logs.v04_success(speakers=1)))
    _assert_healthy(world)
    text = world.report().text_of("last-attempt")
    assert "1 speaker" in text or "one speaker" in text
    assert "max_speakers" in text


def test_complete_cache_with_a_revoked_token_only_warns(bring_up: BringUp) -> None:
    def revoke(local: hub.LocalHub) -> None:
        local.tokens[TOKEN].revoked = True

    report = bring_up(Scenario(hub_setup=revoke)).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert "token-invalid" in report.warned_causes()


def test_agreement_accepted_after_the_failure(bring_up: BringUp) -> None:
    world = bring_up(Scenario(cache="absent", log=logs.v04_failure(*logs.gated_403(hub.COMMUNITY_1))))
    report = world.report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert report.status("last-attempt") == "warn"
    assert "again" in report.text_of("last-attempt")


def test_no_attempt_yet(bring_up: BringUp) -> None:
    report = bring_up(Scenario(log=["[2026-11-21 01:37:01,804: INFO/MainProcess] celery@gpu-transcription ready."])).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert report.status("last-attempt") == "skip"
    assert report.document["attempts"] == []


def test_lite_install_is_skipped(bring_up: BringUp) -> None:
    cloud = """\
  celery-cloud-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    network_mode: host
    env_file: .env
"""
    report = bring_up(Scenario(services=cloud, extra="    scale: 0\n", cache="none")).report()
    assert report.causes == [] and report.exit_code == 0, report.summary()
    assert report.status("worker-running") == "skip"


def test_only_the_scaled_worker(bring_up: BringUp) -> None:
    scaled = """\
  celery-worker-gpu-scaled:
    image: davidamacey/opentranscribe-backend:v0.4.1
    container_name: opentranscribe-celery-worker-gpu-scaled
    network_mode: host
    env_file: .env
    volumes:
      - ./models/huggingface:/home/appuser/.cache/huggingface
      - ./models/torch:/home/appuser/.cache/torch
      - ./recorded.log:/recorded.log:ro
"""
    world = bring_up(Scenario(services=scaled, extra="    scale: 0\n"))
    _assert_healthy(world)
    assert world.report().document["deployment"]["workers"] == ["opentranscribe-celery-worker-gpu-scaled"]


def test_found_from_any_folder(bring_up: BringUp, tmp_path: Path) -> None:
    world = bring_up(Scenario())
    report = world.report(cwd=tmp_path)
    assert report.document["deployment"]["dir"] == str(world.folder)
    assert report.exit_code == 0, report.summary()
