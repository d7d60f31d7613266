"""Proxy, certificate and Hub settings of the worker, beside those of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, Host, Unavailable, Worker, Workers

from ._remedies import recreate

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
URL = re.compile(r"(https?|socks[45]h?a?)://[^\s'\"]+")


@check(
    "network-settings",
    title="The worker's way to the Hub is set as this machine's",
    family=Family.HOST,
    causes=(Cause.NETWORK_PROXY, Cause.NETWORK_TLS),
)
def network_settings(host: Host, workers: Workers, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    """Where a proxy is needed, the worker's container needs it too: it does not inherit the settings of the machine's shell.

    The proxy and certificate variables of the worker's container are compared with those of the shell that runs ot-doctor, and
    looked at for values that are no addresses. A proxy without NO_PROXY also gets the requests for OpenTranscribe's own services.

    Nothing here fails by itself: hub-reachable finds out whether the Hub answers. To mend it, write the variables to .env and
    recreate the worker; a certificate file has to be mounted into the container as well.
    """
    if not workers.diarizers:
        yield skipped("there is no worker whose settings could be looked at")
        return
    worker = workers.diarizers[0]
    again = recreate(deployment, workers)
    inside, outside = _upper(host.worker_network), _upper(host.doctor_network)
    findings = [*_odd_addresses(worker, inside, again), *_differences(worker, inside, outside, again)]
    seen = [Seen("container", worker.where, f"{name} is {value}") for name, value in inside.items()]
    yield from findings or [passed(_summary(inside), evidence=seen)]


def _upper(settings: Mapping[str, str]) -> dict[str, str]:
    return {name.upper(): value for name, value in settings.items() if value}


def _odd_addresses(worker: Worker, inside: Mapping[str, str], again: Step) -> Iterator[Finding]:
    for name in (*PROXIES, "HF_ENDPOINT"):
        value = inside.get(name)
        if value and not URL.fullmatch(value):
            yield warned(
                f"{name} of {worker.name} is no address: '{value}'", cause=Cause.NETWORK_PROXY, subject=name,
                expected="http://host:port", evidence=[Seen("container", worker.where, f"{name} is '{value}'")],
                remedy=[_to_env(f"Write {name} as http://host:port, or leave it out."), again],
            )  # fmt: skip


def _differences(worker: Worker, inside: Mapping[str, str], outside: Mapping[str, str], again: Step) -> Iterator[Finding]:
    proxy_outside = next((name for name in PROXIES if outside.get(name)), None)
    proxy_inside = next((name for name in PROXIES if inside.get(name)), None)
    if proxy_outside and not proxy_inside:
        yield warned(
            f"this machine goes through a proxy ({proxy_outside}), and {worker.name} has none set", cause=Cause.NETWORK_PROXY,
            subject=proxy_outside, expected=f"{proxy_outside} in the container too, if it is needed to reach the Hub",
            evidence=[Seen("host", "the shell's environment", f"{proxy_outside} is {outside[proxy_outside]}"),
                      Seen("container", worker.where, "no proxy variable")],
            remedy=[_to_env(f"Add {proxy_outside} and NO_PROXY to .env, if the worker has no other way out."), again],
        )  # fmt: skip
    if proxy_inside and not inside.get("NO_PROXY"):
        yield warned(
            f"{worker.name} has {proxy_inside} and no NO_PROXY: requests for OpenTranscribe's own services go to the proxy too",
            cause=Cause.NETWORK_PROXY, subject="NO_PROXY", evidence=[Seen("container", worker.where, "NO_PROXY is not set")],
            remedy=[_to_env("Add NO_PROXY=localhost,127.0.0.1,minio,opensearch,redis,postgres,backend to .env."), again],
        )  # fmt: skip
    bundle = next((name for name in CERTIFICATES if outside.get(name)), None)
    if bundle and not any(inside.get(name) for name in CERTIFICATES):
        yield warned(
            f"this machine trusts certificates of its own ({bundle}), and {worker.name} does not",
            cause=Cause.NETWORK_TLS, subject=bundle,
            evidence=[Seen("host", "the shell's environment", f"{bundle} is {outside[bundle]}")],
            remedy=[_to_env("If TLS is inspected here, mount the file, and set REQUESTS_CA_BUNDLE and SSL_CERT_FILE."), again],
        )  # fmt: skip


def _to_env(text: str) -> Step:
    return Step(text, risk=Risk.CHANGES_FILES)


def _summary(inside: Mapping[str, str]) -> str:
    proxy = next((f"{name} is {inside[name]}" for name in PROXIES if name in inside), "")
    return f"the worker goes through a proxy: {proxy}" if proxy else "the worker has no proxy, and this machine needs none either"
