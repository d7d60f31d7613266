"""Every check that is installed keeps to the contract; and the rules find what does not."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ot_doctor import testing
from ot_doctor.check import (
    Cause,
    Family,
    Finding,
    Risk,
    Seen,
    Status,
    Step,
    check,
    failed,
    passed,
    skipped,
    unknown,
    warned,
)
from ot_doctor.diagnosis import causes
from ot_doctor.evidence import Request, Unavailable, Workers
from ot_doctor.run.discovery import discover
from ot_doctor.run.explain import explanation_of
from ot_doctor.testing import (
    assert_conforms,
    assert_findings_conform,
    problems_of,
    problems_of_command,
    problems_of_findings,
    risk_of_command,
)
from tests.checks.evidence import TOKEN, worker, workers

CATALOGUE = discover()
SEEN = (Seen("container", "the environment of worker", "TZ=UTC"),)
LOOK = Step("Look at it.", command="docker ps")


def test_every_check_that_is_installed_could_be_loaded() -> None:
    assert len(CATALOGUE.checks) >= 20 and not CATALOGUE.broken and not CATALOGUE.duplicates


def test_every_family_has_a_check() -> None:
    assert {found.check.family for found in CATALOGUE.checks.values()} == set(Family)


def test_every_check_that_is_installed_conforms() -> None:
    problems = {name: problems_of(found.check, known=CATALOGUE.checks) for name, found in CATALOGUE.checks.items()}
    assert {name: said for name, said in problems.items() if said} == {}
    assert CATALOGUE.checks.keys().isdisjoint(family.value for family in Family)


def test_every_cause_is_reported_by_some_check_and_has_a_meaning() -> None:
    reported = {cause for found in CATALOGUE.checks.values() for cause in found.check.causes}
    assert set(Cause) - reported == set()
    assert [cause.value for cause in Cause if not (causes.title(cause) and causes.explanation(cause))] == []


def unbroken(text: str) -> str:
    """In one line: where lines break depends on the width."""
    return " ".join(text.split())


def test_every_check_has_an_explanation_on_the_command_line() -> None:
    wrong = []
    for name, found in CATALOGUE.checks.items():
        text = unbroken(explanation_of(name, CATALOGUE))
        wanted = (found.check.title, found.check.explanation, found.owner, *(cause.value for cause in found.check.causes))
        wrong += [(name, part) for part in wanted if unbroken(part) not in text]
    assert wrong == []


def test_every_cause_names_the_checks_that_report_it() -> None:
    texts = {cause: unbroken(explanation_of(cause.value, CATALOGUE)) for cause in Cause}
    wrong = [c.value for c, text in texts.items() if causes.title(c) not in text or "no check that is installed" in text]
    assert wrong == []


@check("worker-time-zone", title="The worker keeps to the site's time zone", family=Family.WORKER, causes=(Cause.WORKER_DOWN,))
def good(workers: Workers) -> Iterator[Finding]:
    """The times in the worker's log are those of its own time zone, and the site reads all its logs in one of them."""
    yield passed(f"{len(workers.containers)} keep to it")


def judged(workers: Workers | Unavailable) -> Iterator[Finding]:
    yield passed("whatever there is")


def crashing(workers: Workers | Unavailable) -> Iterator[Finding]:
    raise RuntimeError("no")


def asking_for_text(workers: str) -> Iterator[Finding]:
    yield passed("never run")


def asking_for_nothing() -> Iterator[Finding]:
    yield passed("always")


def without_advice(workers: Workers | Unavailable) -> Iterator[Finding]:
    off = isinstance(workers, Unavailable) and workers.switched_off
    yield skipped("it was left out") if off else unknown("nobody knows")


def test_a_good_check_conforms() -> None:
    assert problems_of(good) == () and problems_of(good, known=[good.name]) == ()
    assert_conforms(good)
    assert_findings_conform(good, good(workers()))


def test_a_check_of_the_request_alone_needs_no_evidence() -> None:
    def of_the_request(request: Request) -> Iterator[Finding]:
        yield passed(f"{request.timeout} seconds")

    assert problems_of(replace(good, function=of_the_request)) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "zone"}, "is not two or more lower-case words"),
        ({"family": "worker"}, "its family is none"),
        ({"title": "the worker keeps to the time zone"}, "begin with a capital"),
        ({"title": "Short"}, "is not 10 to 60 characters"),
        ({"title": "The worker keeps to the time zone."}, "without a full stop"),
        ({"title": "Checks the worker's time zone"}, "tells no desired state"),
        ({"title": "Is the worker's time zone right"}, "tells no desired state"),
        ({"explanation": "Because."}, "has fewer than 80 characters"),
        ({"explanation": "word " * 60}, "lines of more than 130 characters"),
        ({"explanation": "TODO: tell why.\n" * 10}, "is not finished"),
        ({"causes": ("worker-down",)}, "a cause that it declares"),
        ({"causes": (Cause.WORKER_DOWN, Cause.WORKER_DOWN)}, "declares a cause twice"),
        ({"after": ("worker-time-zone",)}, "comes after itself"),
        ({"after": ("no-such-check",)}, "it comes after no-such-check, which there is not"),
        ({"function": asking_for_text}, "what it asks for is no evidence"),
        ({"function": asking_for_nothing}, "it asks for no evidence"),
        ({"function": judged}, "where its evidence cannot be had, it says 'pass: whatever there is' and not skip or unknown"),
        ({"function": crashing}, "where its evidence cannot be had, it says 'unknown: the check worker-time-zone itself failed"),
        ({"function": without_advice}, "does not say what would make it known"),
    ],
)
def test_what_is_wrong_with_a_check_is_said(changes: dict[str, object], said: str) -> None:
    wrong = replace(good, **changes)  # type: ignore[arg-type]
    assert said in "\n".join(problems_of(wrong, known=["docker-engine"]))
    with pytest.raises(AssertionError, match=f"the check {wrong.name} does not conform"):
        assert_conforms(wrong, known=["docker-engine"])


def down(*remedy: Step, **changes: object) -> Finding:
    return replace(failed(Cause.WORKER_DOWN, "it is down", remedy=remedy or [LOOK], evidence=SEEN), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("finding", [down(), warned("odd", remedy=[LOOK]), unknown("who knows", remedy=[LOOK]), skipped("off")])
def test_a_good_finding_conforms(finding: Finding) -> None:
    assert problems_of_findings(good, [finding]) == ()


@pytest.mark.parametrize(
    ("finding", "said"),
    [
        (down(cause=Cause.DISK_FULL), "the cause disk-full is not declared"),
        (down(evidence=()), "it fails and does not show what was seen"),
        (unknown("who knows"), "does not say what would make it known"),
        (Finding(Status.SKIP, "left out", remedy=(LOOK,)), "it is a skip and has a cause or a remedy"),
        (down(message=f"the token is {TOKEN}"), "a text holds a secret"),
        (down(evidence=(Seen("log", "worker:1", f"--token={TOKEN}"),)), "a text holds a secret"),
        (down(Step("Write it.", command=f"hf download x --token {TOKEN}")), "a text holds a secret"),
        (warned("\x1b[31mred"), "a text holds control characters"),
        (down(Step(" ")), "a step of the remedy has no sentence"),
        (down(Step("See there.", url="huggingface.co")), "is no address"),
        (down(Step("Follow it.", command="docker logs -f worker")), "does not end by itself (docker)"),
        (down(Step("Start it.", command="docker restart worker")), "is called safe and must be Risk.RESTARTS"),
        (down(Step("Mend it.", command="sudo chown -R 1000:1000 /srv/ot")), "is called safe and must be Risk.CHANGES_FILES"),
    ],
)
def test_what_is_wrong_with_a_finding_is_said(finding: Finding, said: str) -> None:
    problems = "\n".join(problems_of_findings(good, [passed("good"), finding]))
    assert said in problems and TOKEN not in problems
    with pytest.raises(AssertionError, match="worker-time-zone does not conform"):
        assert_findings_conform(good, [finding])


def test_a_check_that_returns_nothing_is_told_so() -> None:
    assert problems_of_findings(good, []) == ("it returned no finding: say that it passed, or why there is nothing to check",)


@pytest.mark.parametrize(
    ("command", "risk"),
    [
        ("docker compose -p ot --project-directory /srv/ot -f /srv/ot/docker-compose.yml up -d --force-recreate", Risk.RESTARTS),
        ("DOCKER_HOST=unix:///run/d.sock docker logs --tail 50 worker", Risk.SAFE),
        ("docker compose -f /srv/ot/docker-compose.yml logs --tail 5 celery-worker", Risk.SAFE),
        ("docker exec worker sh -c 'test -w /models'", Risk.SAFE),
        ("sed -i '9d' /srv/ot/.env", Risk.CHANGES_FILES),
        ("sed -n '9p' /srv/ot/.env", Risk.SAFE),
        ("docker run --rm --user 0:0 --entrypoint chown -v /srv/ot/models:/models ot -R 1000:1000 /models", Risk.CHANGES_FILES),
        ("cd /srv/ot && ls -l .env", Risk.SAFE),
        ("git -C /srv/ot rm --cached --quiet -- .env", Risk.CHANGES_FILES),
        ("sudo sh -c 'rm -rf /srv/ot/models'", Risk.CHANGES_FILES),
        ("curl -sSI https://huggingface.co", Risk.SAFE),
        ("docker system prune -f", Risk.SAFE),
        ("ping -c 3 huggingface.co", Risk.SAFE),
        ("apt-get install -y chrony && systemctl restart chrony", Risk.RESTARTS),
    ],
)
def test_a_command_that_is_as_it_should_be(command: str, risk: Risk) -> None:
    assert problems_of_command(command) == () and risk_of_command(command) is risk


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("docker logs -f worker", "does not end"),
        ("docker logs --tail 5 --follow worker", "does not end"),
        ("docker compose -f /srv/ot/docker-compose.yml up", "does not end"),
        ("docker stats", "does not end"),
        ("tail -F /var/log/syslog", "does not end"),
        ("watch docker ps", "does not end"),
        ("ls /srv && ping huggingface.co", "does not end"),
        ("docker exec worker sh -c 'tail -f /log'", "does not end"),
        ("docker exec -it worker bash", "asks something"),
        ("docker run -t image", "asks something"),
        ("nano /srv/ot/.env", "asks something"),
        ("sudo apt-get install chrony", "asks something"),
        ("hf auth login", "asks something"),
        ("docker system prune", "asks something"),
        ("bash", "asks something"),
        ("docker compose up -d", "from one folder"),
        ("docker compose -p ot up -d", "from one folder"),
        ("./opentr.sh start", "from one folder"),
        ("cd models", "from one folder"),
        ("chmod 600 .env", "from one folder"),
        ("docker exec <container> env", "fill in"),
        ("export HUGGINGFACE_TOKEN=hf_…", "fill in"),
        ("echo 'abc", "a quote that is not closed"),
    ],
)
def test_a_command_that_is_not(command: str, said: str) -> None:
    assert said in " ".join(problems_of_command(command))


def test_the_old_name_still_works_and_warns() -> None:
    sys.modules.pop("ot_doctor.conformance", None)
    with pytest.warns(DeprecationWarning, match=r"ot_doctor\.conformance is now ot_doctor\.testing"):
        old = importlib.import_module("ot_doctor.conformance")
    assert {name: getattr(old, name) for name in old.__all__} == {name: getattr(testing, name) for name in old.__all__}
    assert {"assert_conforms", "assert_findings_conform", "problems_of", "problems_of_findings"} <= set(old.__all__)
def test_the_first_example_of_the_manual_is_a_good_check() -> None:
    folder = Path(__file__).parents[2] / "docs" / "examples" / "checks"
    (found,) = [f for f in discover([folder]).checks.values() if f.owner.startswith(str(folder))]
    assert_conforms(found.check)
    for limit, status in ((0, Status.WARN), (2**30, Status.PASS)):
        findings = found.check(workers(worker(memory_limit=limit)))
        assert_findings_conform(found.check, findings)
        assert [finding.status for finding in findings] == [status]
    assert [finding.status for finding in found.check(replace(workers(), containers=()))] == [Status.SKIP]
