"""What the Hub's answers mean when they say nothing about token or access, and how to find out more."""

from __future__ import annotations

from collections.abc import Mapping
from shlex import quote
from urllib.parse import urlsplit

from ot_doctor.check import Cause, Step
from ot_doctor.evidence import Answer, Deployment, Hub, Unavailable, Workers

from ._remedies import engine_command

CAUSES: Mapping[Answer, Cause] = {
    Answer.DNS: Cause.NETWORK_DNS,
    Answer.REFUSED: Cause.NETWORK_REFUSED,
    Answer.TIMEOUT: Cause.NETWORK_TIMEOUT,
    Answer.TLS: Cause.NETWORK_TLS,
    Answer.PROXY: Cause.NETWORK_PROXY,
    Answer.RATE_LIMITED: Cause.RATE_LIMITED,
    Answer.UNAVAILABLE: Cause.HUB_UNAVAILABLE,
}

# What happened, as the end of a sentence that says which request it was.
WHY: Mapping[Answer, str] = {
    Answer.DNS: "the name does not resolve",
    Answer.REFUSED: "the connection was refused or cut",
    Answer.TIMEOUT: "it did not answer in time",
    Answer.TLS: "the encrypted connection failed",
    Answer.PROXY: "a proxy or a policy answered instead",
    Answer.RATE_LIMITED: "it answered 429 (too many requests)",
    Answer.UNAVAILABLE: "it answered with a server error (5xx)",
}

_ADVICE: Mapping[Answer, str] = {
    Answer.DNS: "Check that the container resolves the name; if not, fix Docker's DNS server.",
    Answer.REFUSED: "Test the connection from inside the container; a firewall between this machine and the Hub may refuse it.",
    Answer.TIMEOUT: "Test the connection from inside the container; a firewall may drop the packets, or a proxy may be needed.",
    Answer.TLS: "Test the certificate from inside the container. If a proxy inspects TLS, give its CA to the worker "
    "(mount the file, and name it in REQUESTS_CA_BUNDLE and SSL_CERT_FILE in .env). Also check the machine's clock.",
    Answer.PROXY: "Find out what answers instead of the Hub: a proxy (HTTPS_PROXY of the container), a log-in page, or a policy.",
    Answer.RATE_LIMITED: "Wait a few minutes, then run ot-doctor again: the Hub limits the number of requests.",
    Answer.UNAVAILABLE: "Try again later: the Hub itself has a problem.",
}


def tries(hub: Hub, answer: Answer, workers: Workers | Unavailable, deployment: Deployment | Unavailable) -> tuple[Step, ...]:
    """What would make it known: a request from inside the worker's container, which ends by itself."""
    advice = _ADVICE[answer]
    if answer in (Answer.RATE_LIMITED, Answer.UNAVAILABLE):
        return (
            Step(advice, url=None if answer is Answer.RATE_LIMITED or not hub.is_default else "https://status.huggingface.co"),
        )
    return (Step(advice, command=_probe(hub, answer, workers, deployment)),)


def _probe(hub: Hub, answer: Answer, workers: Workers | Unavailable, deployment: Deployment | Unavailable) -> str | None:
    running = () if isinstance(workers, Unavailable) else tuple(w for w in workers.diarizers if w.running)
    if not running:
        return None
    if answer is Answer.DNS:
        code = f"import socket; print(socket.gethostbyname({(urlsplit(hub.endpoint).hostname or hub.endpoint)!r}))"
    else:
        code = f"import urllib.request as u; print(u.urlopen({hub.endpoint!r}, timeout=10).status)"
    arguments = f"exec {quote(running[0].name)} python3 -c {quote(code)}"
    return engine_command(deployment, arguments)
