"""Steps that give a worker the way to the Hub that its machine has."""

from __future__ import annotations

from shlex import quote
from urllib.parse import urlsplit

from ot_doctor.check import Cause, Risk, Step
from ot_doctor.evidence import Deployment, Ladder, Unavailable, Workers

from ._remedies import engine_command, recreate

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_DNS = "https://docs.docker.com/engine/daemon/troubleshoot/#specify-dns-servers-for-docker"


def steps_for(
    cause: Cause, worker: str, inside: Ladder, here: Ladder | None, workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
) -> tuple[Step, ...]:  # fmt: skip
    """What to change about the worker, and the command that makes it count."""
    again = recreate(deployment, workers)
    host = urlsplit(inside.endpoint).hostname or ""
    if cause is Cause.NETWORK_TLS:
        return (*_certificates(inside, here), again)
    if host in _LOOPBACK and not inside.proxy:
        return (*_means_the_machine(inside.endpoint), again)
    if here is not None and here.proxy and not inside.proxy:
        text = f"Set HTTPS_PROXY={here.proxy} in .env, as this machine has it, and NO_PROXY for OpenTranscribe's own services."
        return _setting(text), again
    if inside.proxy:
        text = f"Either correct HTTPS_PROXY in .env, or remove it: the worker's proxy is {inside.proxy}."
        return _setting(f"{text} An answer 407 asks for http://USER:PASSWORD@HOST:PORT."), again
    if cause is Cause.NETWORK_DNS:
        return (
            _look(worker, deployment, "Look at the name servers that the container asks.", "cat /etc/resolv.conf"),
            _name_server(workers),
            again,
        )  # fmt: skip
    return (
        _look(worker, deployment, "Look at the routes of the container.", "cat /proc/net/route"),
        Step(
            "Let the firewall of this machine forward what comes from Docker's networks (the chain DOCKER-USER, ufw's forward "
            "policy), and check that Docker's networks do not use addresses of your own network.",
            url="https://docs.docker.com/engine/network/packet-filtering-firewalls/", risk=Risk.CHANGES_FILES,
        ),
        again,
    )  # fmt: skip


def _name_server(workers: Workers | Unavailable) -> Step:
    podman = isinstance(workers, Workers) and workers.engine.podman
    where = '"dns_servers" in containers.conf)' if podman else '"dns" in /etc/docker/daemon.json), and restart Docker'
    text = (
        f"Give the engine a DNS server that answers ({where}. A name that only this machine knows needs a line under "
        "extra_hosts of the service in the Compose file."
    )
    return Step(text, url=None if podman else _DNS, risk=Risk.CHANGES_FILES)


def _setting(text: str) -> Step:
    return Step(text, risk=Risk.CHANGES_FILES)


def _means_the_machine(endpoint: str) -> tuple[Step, ...]:
    parts = urlsplit(endpoint)
    named = f"{parts.scheme}://host.docker.internal{f':{parts.port}' if parts.port else ''}"
    return (
        _setting(f"Set HF_ENDPOINT={named} in .env: inside the container, {parts.hostname} is the container itself."),
        _setting('Add to the service in the Compose file: extra_hosts: ["host.docker.internal:host-gateway"].'),
        Step("Let the Hub's mirror listen on an address that containers reach, not on this machine's loopback alone."),
    )


def _certificates(inside: Ladder, here: Ladder | None) -> tuple[Step, ...]:
    whose = f" of '{inside.issuer}'" if inside.issuer else ""
    have = f" This machine trusts it by {here.trusted}." if here is not None and here.reached and here.trusted else ""
    return (
        _setting(f"Mount the CA certificate{whose} into the worker, in the Compose file: - /path/to/ca.pem:/ca.pem:ro.{have}"),
        _setting("Set SSL_CERT_FILE=/ca.pem and REQUESTS_CA_BUNDLE=/ca.pem in .env."),
    )


def _look(worker: str, deployment: Deployment | Unavailable, text: str, command: str) -> Step:
    arguments = f"exec {quote(worker)} {command}"
    return Step(text, command=engine_command(deployment, arguments))
