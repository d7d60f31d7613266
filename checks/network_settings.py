"""Proxy, certificate and Hub settings of the worker, beside those of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import Deployment, Host, Unavailable, Worker, Workers

from ._remedies import recreate

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
_SYSTEMS_OWN = re.compile(  # where systems and packages keep the public certificates
    r"(?:/private)?/etc/ssl/(?:certs(?:/ca-certificates\.crt|/ca-bundle\.(?:crt|trust\.crt))?|cert\.pem|ca-bundle\.pem)"
    r"|/etc/pki/(?:tls/(?:certs(?:/ca-bundle(?:\.trust)?\.crt)?|cert\.pem)|ca-trust/extracted/(?:pem|openssl)/[\w.-]+)"
    r"|/etc/ca-certificates/extracted/[\w.-]+|/usr/(?:lib|local|share)/(?:etc/)?(?:ssl|openssl|ca-certificates)[\w@./-]*"
    r"|/opt/homebrew/etc/(?:openssl|ca-certificates)[\w@./-]*|/nix/store/\w+-nss-cacert-[\w./-]+"
    r"|.*/(?:certifi/cacert\.pem|(?:mini|ana|micro|mini?forge|mambaforge)\w*(?:/envs/[^/]+)?/ssl/(?:cacert|cert)\.pem)"
)
URL = re.compile(r"(https?|socks[45]h?a?)://[^\s'\"]+")


@check(
    "network-settings",
    title="Worker and host use the same proxy and CA settings",
    family=Family.HOST,
    causes=(Cause.NETWORK_PROXY, Cause.NETWORK_TLS),
)
def network_settings(host: Host, workers: Workers, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    """If this machine needs a proxy, the worker's container needs it too: it does not inherit the settings of the shell.

    The proxy and certificate variables of the worker's container are compared with those of the shell that runs ot-doctor, and
    checked for values that are not addresses. Without NO_PROXY a proxy also gets the requests for OpenTranscribe's own services.
    A variable that names the certificates which the system trusts anyway is not a difference.

    Nothing here fails by itself: hub-reachable finds out whether the Hub answers. To fix it, write the variables to .env and
    recreate the worker; a certificate file must also be mounted into the container.
    """
    if not workers.diarizers:
        yield skipped("There is no worker to check settings of.")
        return
    worker = workers.diarizers[0]
    again = recreate(deployment, workers)
    inside, outside = _upper(host.worker_network), _upper(host.doctor_network)
    if host.worker_elsewhere:
        where = f"{worker.name} runs on {host.worker_elsewhere}, whose own settings cannot be seen from here."
        yield from list(_odd_addresses(worker, inside, again)) or [skipped(where)]
        return
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
                f"{name} of {worker.name} is not an address: '{value}'.", cause=Cause.NETWORK_PROXY, subject=name,
                expected="http://host:port", evidence=[Seen("container", worker.where, f"{name} is '{value}'")],
                remedy=[_to_env(f"Either write {name} as http://host:port, or leave it out."), again],
            )  # fmt: skip


def _differences(worker: Worker, inside: Mapping[str, str], outside: Mapping[str, str], again: Step) -> Iterator[Finding]:
    proxy_outside = next((name for name in PROXIES if outside.get(name)), None)
    proxy_inside = next((name for name in PROXIES if inside.get(name)), None)
    if proxy_outside and not proxy_inside:
        yield warned(
            f"This machine uses a proxy ({proxy_outside}), but {worker.name} has none.", cause=Cause.NETWORK_PROXY,
            subject=proxy_outside, expected=f"{proxy_outside} in the container too, if it is needed to reach the Hub",
            evidence=[Seen("host", "the shell's environment", f"{proxy_outside} is {outside[proxy_outside]}"),
                      Seen("container", worker.where, "no proxy variable")],
            remedy=[_to_env(
                f"If the worker cannot reach the Hub without the proxy, add {proxy_outside} and NO_PROXY to "
                ".env."), again],
        )  # fmt: skip
    if proxy_inside and not inside.get("NO_PROXY"):
        yield warned(
            f"{worker.name} has {proxy_inside} but no NO_PROXY, so requests for OpenTranscribe's own services go to the "
            "proxy too.",
            cause=Cause.NETWORK_PROXY, subject="NO_PROXY", evidence=[Seen("container", worker.where, "NO_PROXY is not set")],
            remedy=[_to_env("Add NO_PROXY=localhost,127.0.0.1,minio,opensearch,redis,postgres,backend to .env."), again],
        )  # fmt: skip
    bundle = next((name for name in CERTIFICATES if outside.get(name) and not _of_the_system(outside[name])), None)
    if bundle and not any(inside.get(name) for name in CERTIFICATES):
        yield warned(
            f"This machine trusts additional certificates ({bundle}), but {worker.name} does not.",
            cause=Cause.NETWORK_TLS, subject=bundle,
            evidence=[Seen("host", "the shell's environment", f"{bundle} is {outside[bundle]}")],
            remedy=[_to_env(
                "If a proxy inspects TLS here, mount the file, and set REQUESTS_CA_BUNDLE and SSL_CERT_FILE in .env to "
                "its path."), again],
        )  # fmt: skip


def _of_the_system(path: str) -> bool:
    """Whether a certificate variable only names what the system trusts anyway."""
    return _SYSTEMS_OWN.fullmatch(path.rstrip("/")) is not None


def _to_env(text: str) -> Step:
    return Step(text, risk=Risk.CHANGES_FILES)


def _summary(inside: Mapping[str, str]) -> str:
    proxy = next((f"{name} is {inside[name]}" for name in PROXIES if name in inside), "")
    return f"The worker uses a proxy: {proxy}." if proxy else "Neither the worker nor this machine uses a proxy."
