from __future__ import annotations

import shlex
from typing import Any

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import Answer, Deployment, ModelCache, Unavailable, Workers
from ot_doctor_checks._network import WHY
from ot_doctor_checks.hub_reachable import hub_reachable
from tests.checks.evidence import WORKER, cache, deployment, everything_said, hub, only, worker, workers


def judge(
    answer: Answer,
    *,
    model_cache: ModelCache | None = None,
    containers: Workers | Unavailable | None = None,
    where: Deployment | Unavailable | None = None,
    **changes: Any,
) -> Finding:
    evidence = hub(public=answer, **changes)
    return only(hub_reachable, evidence, containers or workers(), where or deployment(), model_cache or cache(complete=False))


def test_it_answers() -> None:
    assert judge(Answer.OK).status is Status.PASS


def test_another_endpoint_is_named() -> None:
    finding = judge(Answer.OK, endpoint="https://mirror.lan", endpoint_from=f"the environment of {WORKER}")
    assert "https://mirror.lan (set by the environment of opentranscribe-celery-worker)" in finding.message


def test_an_endpoint_without_the_file_answers_all_the_same() -> None:
    finding = judge(Answer.NOT_FOUND)
    assert finding.status is Status.PASS and "does not have the public file" in finding.message


def test_not_asked_is_skipped() -> None:
    assert judge(Answer.NOT_ASKED).status is Status.SKIP


@pytest.mark.parametrize("answer", [Answer.OK, Answer.DNS])
def test_what_this_machine_reaches_tells_nothing_of_another_one(answer: Answer) -> None:
    finding = judge(answer, where=deployment(machine="ssh://me@srv"))
    assert finding.status is Status.SKIP and "tells nothing of ssh://me@srv" in finding.message


@pytest.mark.parametrize(
    "answer, cause",
    [
        (Answer.DNS, Cause.NETWORK_DNS), (Answer.REFUSED, Cause.NETWORK_REFUSED), (Answer.TIMEOUT, Cause.NETWORK_TIMEOUT),
        (Answer.TLS, Cause.NETWORK_TLS), (Answer.PROXY, Cause.NETWORK_PROXY), (Answer.RATE_LIMITED, Cause.RATE_LIMITED),
        (Answer.UNAVAILABLE, Cause.HUB_UNAVAILABLE),
    ],
)  # fmt: skip
def test_unreachable_is_unknown_and_a_warning_with_a_complete_cache(answer: Answer, cause: Cause) -> None:
    finding = judge(answer)
    assert (finding.status, finding.cause) == (Status.UNKNOWN, cause)
    assert WHY[answer] in finding.message and finding.remedy
    spared = judge(answer, model_cache=cache())
    assert (spared.status, spared.cause) == (Status.WARN, cause) and "does not need the Hub now" in spared.message


@pytest.mark.parametrize("answer, call", [(Answer.DNS, "gethostbyname"), (Answer.TLS, "urlopen"), (Answer.REFUSED, "urlopen")])
def test_the_container_is_asked(answer: Answer, call: str) -> None:
    words = shlex.split(judge(answer).remedy[0].command or "")
    assert words[:5] == ["docker", "exec", WORKER, "python3", "-c"] and call in words[5]
    compile(words[5], "probe", "exec")


def test_no_command_where_no_worker_runs() -> None:
    assert judge(Answer.DNS, containers=workers(worker(status="exited"))).remedy[0].command is None
    assert judge(Answer.DNS, containers=Unavailable("no engine")).remedy[0].command is None


def test_without_a_deployment() -> None:
    assert "docker exec" in everything_said(judge(Answer.DNS, where=Unavailable("none")))


def test_an_outage_has_a_status_page_and_a_rate_limit_has_none() -> None:
    assert judge(Answer.UNAVAILABLE).remedy[0].url == "https://status.huggingface.co"
    assert judge(Answer.UNAVAILABLE, endpoint="https://mirror.lan").remedy[0].url is None
    assert judge(Answer.RATE_LIMITED).remedy[0].url is None
