from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from ot_doctor.check import Cause, Finding, Status
from ot_doctor.evidence import Workers
from ot_doctor_checks.network_settings import network_settings
from tests.checks.evidence import ENGINE, deployment, host, only, workers

PROXY = "http://…@proxy.lan:3128"


def judge(
    inside: Mapping[str, str] | None = None, outside: Mapping[str, str] | None = None, containers: Workers | None = None
) -> Finding:
    evidence = host(worker_network=inside or {}, doctor_network=outside or {})
    return only(network_settings, evidence, workers() if containers is None else containers, deployment())


@pytest.mark.parametrize(
    "inside, outside",
    [
        ({}, {}),
        ({"https_proxy": PROXY, "no_proxy": "localhost"}, {}),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "*"}, {"HTTPS_PROXY": PROXY}),
        ({"HF_ENDPOINT": "https://mirror.lan"}, {}),
        ({"SSL_CERT_FILE": "/ca.pem"}, {"REQUESTS_CA_BUNDLE": "/etc/ca.pem"}),
        ({}, {"NO_PROXY": "localhost", "HTTPS_PROXY": ""}),
    ],
)
def test_nothing_odd(inside: dict[str, str], outside: dict[str, str]) -> None:
    assert judge(inside, outside).status is Status.PASS


def test_the_settings_of_this_machine_are_not_those_of_another_one() -> None:
    far = host(doctor_network={"HTTPS_PROXY": PROXY}, worker_elsewhere="ssh://me@srv")
    finding = only(network_settings, far, workers(), deployment())
    assert finding.status is Status.SKIP and "runs on ssh://me@srv" in finding.message
    odd = replace(far, worker_network={"HF_ENDPOINT": "mirror.lan"})
    assert only(network_settings, odd, workers(), deployment()).status is Status.WARN


@pytest.mark.parametrize(
    "name, value", [("HTTPS_PROXY", "proxy.lan:3128"), ("http_proxy", '"http://proxy:1"'), ("HF_ENDPOINT", "mirror.lan")]
)
def test_no_address(name: str, value: str) -> None:
    finding = judge({name: value, "NO_PROXY": "x"})
    assert (finding.status, finding.cause, finding.subject) == (Status.WARN, Cause.NETWORK_PROXY, name.upper())
    assert value in finding.message and "--force-recreate" in (finding.remedy[-1].command or "")


def test_a_proxy_of_this_machine_alone() -> None:
    finding = judge({}, {"https_proxy": PROXY})
    assert (finding.status, finding.cause) == (Status.WARN, Cause.NETWORK_PROXY)
    assert "uses a proxy (HTTPS_PROXY)" in finding.message


def test_a_proxy_without_exceptions() -> None:
    finding = judge({"HTTPS_PROXY": PROXY})
    assert (finding.status, finding.subject) == (Status.WARN, "NO_PROXY")


def test_certificates_of_this_machine_alone() -> None:
    finding = judge({}, {"SSL_CERT_FILE": "/etc/corp.pem"})
    assert (finding.status, finding.cause, finding.subject) == (Status.WARN, Cause.NETWORK_TLS, "SSL_CERT_FILE")


def test_no_worker() -> None:
    assert judge(containers=Workers(ENGINE, ())).status is Status.SKIP
