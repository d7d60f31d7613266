"""Asks the Hub again, with a token that may be newer than the worker's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from ot_doctor.evidence import Answer, Deployment, FileAnswer, Hub, ReleaseLine, Unavailable, Workers, WorkerToken, models
from ot_doctor.fix.procedure import NotPossible, Site
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.hub import client

_SECONDS = 20.0


def ask(site: Site, token: WorkerToken) -> Hub:
    """What the Hub answers now. Raises ``NotPossible`` where it cannot be asked, or gives no answer to the token."""
    request = replace(site.store.request, timeout=_SECONDS, started=time.monotonic())
    try:
        hub = client.gather(request, site.store.get(Deployment), site.store.get(Workers), token)
    except Unavailable as reason:
        raise NotPossible(f"The Hub cannot be asked: {reason}") from reason
    if not hub.token_sent:
        raise NotPossible(f"The Hub was not asked with the token: {hub.not_sent_reason}.")
    if hub.identity.answer.unreachable:
        raise NotPossible(f"The Hub could not be asked ({hub.identity.answer.words}), so nothing can be told of the token.")
    return hub


def ask_typed(site: Site, secret: Secret) -> Hub:
    """The same with a token that was typed in."""
    return ask(site, WorkerToken(secret, "typed in", from_container=False))


def refused(hub: Hub, site: Site) -> Iterator[FileAnswer]:
    """The answers about models that the release needs and does not get; of an unknown release about none."""
    deployment = site.store.get(Deployment)
    line = ReleaseLine.UNKNOWN if isinstance(deployment, Unavailable) else deployment.line
    for model in models(line):
        answer = hub.of(model.repo)
        if model.required and answer is not None and answer.answer not in (Answer.OK, Answer.NOT_ASKED):
            yield answer


def page(hub: Hub, repo: str) -> str:
    return f"{hub.endpoint}/{repo}"
