"""Whether the account can download what another release needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ot_doctor.check import Cause, Family, Finding, Seen, Status, Step, check, failed
from ot_doctor.evidence import TOKEN_NAME, Hub, NextRelease, Unavailable, WorkerProbe, WorkerToken

from ._network import CAUSES
from ._next_release import terms
from ._remedies import new_token
from ._worker_view import NOT_LOOKED, as_worker, own_token
from .model_access import REFUSALS


@check(
    "next-terms", title="The account can download the models of the next release", family=Family.ACCESS,
    causes=(Cause.TOKEN_MISSING, *REFUSALS, *CAUSES.values()),
)  # fmt: skip
def next_terms(
    upcoming: NextRelease, hub: Hub, token: WorkerToken, probe: WorkerProbe | Unavailable = NOT_LOOKED
) -> Iterator[Finding]:
    """Another release may need another gated model, whose terms nobody here has accepted yet: v0.4 and v0.5 need
    speaker-diarization-community-1, which v0.3 never asked for.

    'ot-doctor preflight --for RELEASE' asks the Hub now, with the worker's own token, for a real file of each model that the
    release needs. An optional model is not asked about. Where the worker itself was answered, from inside its container, that
    counts: it may reach the Hub where this machine does not, and its process may have another token than its settings say.

    To fix it, log in with the account that is named, open the model's page and click "Agree and access repository". Do it
    before the change of release: it takes effect at once, and needs no restart.
    """
    if (token.value is None or token.value.blank) and not own_token(probe):
        yield failed(
            Cause.TOKEN_MISSING,
            f"{upcoming.name} needs gated models, and the worker has no Hugging Face token.",
            subject=TOKEN_NAME,
            evidence=[Seen("container" if token.from_container else ".env", token.where, f"{TOKEN_NAME} is not set")],
            remedy=[new_token(), Step("Write it into the .env as HUGGINGFACE_TOKEN=hf_…")],
        )  # fmt: skip
        return
    theirs = as_worker(hub, probe)
    told = {answer.repo for answer in hub.files if answer.answer.unreachable} if theirs is not hub else set()
    for finding in terms(upcoming, theirs):
        if finding.status is Status.PASS and finding.subject in told:
            finding = replace(finding, message=f"{finding.message} The worker was asked: this machine does not reach the Hub.")
        yield finding
