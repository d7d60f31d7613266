from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Confidence, Finding, Status
from ot_doctor.evidence import Answer, Ladder, Stage, Unavailable, WorkerProbe
from ot_doctor_checks.worker_network import worker_network
from tests.checks.evidence import WORKER, cache, deployment, everything_said, ladder, only, probe, statuses, workers

NEEDED = cache(complete=False)
DNS = ladder(Answer.DNS, Stage.NAMES, "Temporary failure in name resolution")


def judge(seen: WorkerProbe | Unavailable, model_cache: object = NEEDED) -> Finding:
    return only(worker_network, seen, model_cache, workers(), deployment())


def test_a_worker_that_reaches_the_hub_passes() -> None:
    finding = judge(probe())
    assert finding.status is Status.PASS and finding.message == f"{WORKER} reaches https://huggingface.co."


def test_what_works_there_and_fails_here_makes_no_difference() -> None:
    finding = judge(probe(here=DNS))
    assert finding.status is Status.PASS and "This machine does not, which makes no difference" in finding.message


@pytest.mark.parametrize(
    ("answer", "stage", "cause"),
    [
        (Answer.DNS, Stage.NAMES, Cause.NETWORK_DNS), (Answer.REFUSED, Stage.CONNECT, Cause.NETWORK_REFUSED),
        (Answer.TIMEOUT, Stage.CONNECT, Cause.NETWORK_TIMEOUT), (Answer.TLS, Stage.TLS, Cause.NETWORK_TLS),
        (Answer.PROXY, Stage.CONNECT, Cause.NETWORK_PROXY),
    ],
)  # fmt: skip
def test_what_works_here_and_fails_there_is_a_failure_of_the_worker(answer: Answer, stage: Stage, cause: Cause) -> None:
    finding = judge(probe(ladder(answer, stage)))
    assert (finding.status, finding.cause) == (Status.FAIL, cause)
    assert "This machine reaches it." in finding.message and "--force-recreate" in (finding.remedy[-1].command or "")
    assert finding.confidence is (Confidence.LIKELY if answer is Answer.TIMEOUT else Confidence.CERTAIN)
    spared = judge(probe(ladder(answer, stage)), cache())
    assert (spared.status, spared.cause) == (Status.WARN, cause)


@pytest.mark.parametrize("here", [DNS, ladder(Answer.TIMEOUT)])
def test_what_fails_on_both_sides_is_unknown(here: Ladder) -> None:
    finding = judge(probe(DNS, here))
    assert (finding.status, finding.cause) == (Status.UNKNOWN, Cause.NETWORK_DNS) and "Nor does this machine." in finding.message
    assert judge(probe(DNS, here), cache()).status is Status.SKIP, "hub-reachable warns of it"


def test_a_worker_that_is_kept_from_asking_needs_no_way() -> None:
    assert judge(probe(DNS), cache(complete=False, offline="HF_HUB_OFFLINE=1")).status is Status.SKIP


@pytest.mark.parametrize("answer", [Answer.RATE_LIMITED, Answer.UNAVAILABLE])
def test_a_trouble_of_the_hub_is_not_the_workers(answer: Answer) -> None:
    assert judge(probe(ladder(answer, Stage.HUB))).status is Status.UNKNOWN


def test_two_different_hubs_are_not_compared() -> None:
    finding = judge(probe(ladder(Answer.REFUSED, endpoint="http://mirror.lan"), ladder()))
    assert finding.status is Status.UNKNOWN and "machine" not in finding.message


def test_a_loopback_address_means_the_container() -> None:
    inside = ladder(Answer.REFUSED, endpoint="http://localhost:8080")
    said = everything_said(judge(probe(inside, ladder(endpoint="http://localhost:8080"))))
    assert "HF_ENDPOINT=http://host.docker.internal:8080" in said and "extra_hosts" in said and "host-gateway" in said


def test_a_private_certificate_is_mounted_and_named() -> None:
    inside = ladder(Answer.TLS, Stage.TLS, "unable to get local issuer certificate", issuer="Corp Inspection CA")
    said = everything_said(judge(probe(inside, ladder(trusted="SSL_CERT_FILE=/etc/corp.pem"))))
    assert "'Corp Inspection CA'" in said and "SSL_CERT_FILE=/ca.pem and REQUESTS_CA_BUNDLE=/ca.pem" in said
    assert "SSL_CERT_FILE=/etc/corp.pem" in said


def test_a_proxy_that_only_this_machine_has_is_given_to_the_worker() -> None:
    finding = judge(probe(ladder(Answer.TIMEOUT), ladder(proxy="http://10.0.0.5:3128")))
    assert "Set HTTPS_PROXY=http://10.0.0.5:3128 in .env" in finding.remedy[0].text


def test_a_proxy_that_only_the_worker_has_is_named() -> None:
    finding = judge(probe(ladder(Answer.PROXY, text="the proxy answers HTTP 407", proxy="http://10.0.0.9:1")))
    assert "http://10.0.0.9:1" in finding.remedy[0].text and "407" in finding.message


@pytest.mark.parametrize("answer", [Answer.DNS, Answer.REFUSED])
def test_storage_that_cannot_be_reached_breaks_downloads(answer: Answer) -> None:
    blocked = ladder(storage_host="cdn.hf.co", storage=answer)
    reached = ladder(storage_host="cdn.hf.co", storage=Answer.OK)
    findings = worker_network(probe(blocked, reached), NEEDED, workers(), deployment())
    assert statuses(findings) == [Status.PASS, Status.FAIL] and findings[1].subject == "cdn.hf.co"
    both = worker_network(probe(blocked, blocked), NEEDED, workers(), deployment())
    assert statuses(both) == [Status.PASS, Status.UNKNOWN]


def test_what_was_not_looked_at_is_never_a_pass() -> None:
    assert judge(Unavailable("off", switched_off=True)).status is Status.SKIP
    little = Unavailable("too little memory", "Look again.")
    assert judge(little).status is Status.UNKNOWN and judge(little, cache()).status is Status.SKIP
    assert judge(replace(probe(), inside=None)).status is Status.SKIP
    ended = judge(replace(probe(), inside=None, incomplete=("It ended early.",)))
    assert ended.status is Status.UNKNOWN and ended.message == "It ended early."
