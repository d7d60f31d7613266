"""What the Hub says about the worker's token."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import (
    TOKEN_NAME,
    Answer,
    Deployment,
    EnvFile,
    Hub,
    ModelCache,
    ReleaseLine,
    Unavailable,
    WorkerProbe,
    Workers,
    WorkerToken,
    models,
)

from ._network import CAUSES, WHY, tries
from ._remedies import TOKEN_SETTINGS, recreate, replace_token
from ._severity import fault, unanswered
from ._tokens import fixed_in_file, seen_token
from ._worker_view import NOT_LOOKED, as_worker

REFUSED = (Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN, Answer.NO_TOKEN)
KNOWN_TO_THE_HUB = (Answer.NOT_ACCEPTED, Answer.PENDING, Answer.REJECTED, Answer.SCOPE)  # a stranger's request gets 401


@check(
    "token-accepted",
    title="Hugging Face accepts the token",
    family=Family.TOKEN,
    causes=(Cause.TOKEN_INVALID, *dict.fromkeys(CAUSES.values())),
    after=("token-present", "token-format"),
)
def token_accepted(
    hub: Hub,
    token: WorkerToken,
    env: EnvFile | Unavailable,
    workers: Workers | Unavailable,
    deployment: Deployment | Unavailable,
    cache: ModelCache | Unavailable,
    probe: WorkerProbe | Unavailable = NOT_LOOKED,
) -> Iterator[Finding]:
    """A well-formed token can still be one that the Hub does not know: revoked, deleted, expired, mistyped or cut off.

    The Hub is asked which account the worker's token belongs to (whoami), with the value from the container and never with the
    login of the person who runs ot-doctor. That account must accept the models' terms; having two accounts is the usual reason
    for "but I did accept".

    A refusal here has nothing to do with the models' terms. To fix it, create a new token (type: Read), write it to .env and
    recreate the worker.
    """
    hub = as_worker(hub, probe)
    who = hub.identity
    where = f"{hub.endpoint} (whoami)"
    seen = [Seen("hub", where, who.text or who.answer.words)]
    if not hub.token_sent:
        yield skipped(f"The token was not sent to the Hub: {hub.not_sent_reason or 'it is not usable'}.")
    elif who.answer in REFUSED:
        state = "has expired" if who.answer is Answer.EXPIRED_TOKEN else "is not known to the Hub (revoked, deleted or mistyped)"
        remedy = replace_token(token, env, deployment, workers)
        if fixed_in_file(token, env):
            remedy = (recreate(deployment, workers),)
        yield fault(
            cache, Cause.TOKEN_INVALID, f"The worker's token {state}.", subject=TOKEN_NAME,
            expected="a token that the Hub accepts", evidence=[seen_token(token), *seen],
            remedy=remedy,
        )  # fmt: skip
    elif who.answer is Answer.OK:
        account = f"{who.account_type or 'user'} '{who.account}'"
        name = f", token '{who.token_name}'" if who.token_name else ""
        yield passed(
            f"Hugging Face accepts the token ({account}{name}).", evidence=[Seen("hub", where, f"{account}{name}, {who.role}")]
        )
        if who.account_type not in ("", "user"):
            yield warned(
                f"The token belongs to the {who.account_type} '{who.account}', not to a user, but only users can accept "
                "model terms.",
                evidence=seen,
                remedy=[Step("Create a token (type: Read) in the account that accepted the model terms.", url=TOKEN_SETTINGS)],
            )
    elif _proven(hub):
        yield passed(
            f"Hugging Face accepts the token, as its answers for the models show (whoami: {who.answer.words}).", evidence=seen
        )
    elif who.answer.unreachable:
        cause = CAUSES[who.answer]
        message = f"It is not known whether Hugging Face accepts the token: {hub.endpoint} was asked, and {WHY[who.answer]}."
        yield unanswered(cache, message, cause=cause, evidence=seen, remedy=tries(hub, who.answer, workers, deployment))
    elif who.answer is Answer.NOT_ASKED:
        yield skipped("The Hub was not asked about the token.")
    else:
        message = f"{hub.endpoint} does not say which account the token belongs to: {who.answer.words}."
        yield unanswered(cache, message, cause=None, evidence=seen, remedy=[_look()])


def _look() -> Step:
    return Step("Check the token in the settings of your account.", url=TOKEN_SETTINGS)


def _proven(hub: Hub) -> bool:
    """Whether an answer for a gated model shows that the Hub knows the token; whoami alone is limited more strictly."""
    gated = {model.repo for model in models(ReleaseLine.UNKNOWN) if model.gated}
    return any(f.answer in KNOWN_TO_THE_HUB or (f.answer is Answer.OK and f.repo in gated) for f in hub.files)


@check(
    "token-role",
    title="The token is read-only",
    family=Family.TOKEN,
    causes=(Cause.TOKEN_TOO_POWERFUL,),
    after=("token-accepted",),
)
def token_role(hub: Hub) -> Iterator[Finding]:
    """Downloading models needs only a read token. A write token can also change and delete your repositories.

    Every container of OpenTranscribe has .env in its environment, even the database, so a token that can do less is better.
    The role comes from the Hub (whoami). A fine-grained token is as good as a read token if "Read access to contents of
    all public gated repos you can access" is ticked; the check model-access finds out whether it is enough.

    To fix it, create a token (type: Read), write it to .env, recreate the worker, and delete the old token.
    """
    who = hub.identity
    seen = [Seen("hub", f"{hub.endpoint} (whoami)", f"role {who.role}")]
    name = f"'{who.token_name}' " if who.token_name else ""
    if who.answer is not Answer.OK or not who.role:
        yield skipped("The Hub did not say which rights the token has.")
    elif who.role == "write":
        yield warned(
            f"The token {name}has write access; a read-only token is enough.",
            cause=Cause.TOKEN_TOO_POWERFUL, subject=who.token_name or TOKEN_NAME,
            expected="a token of the type Read", evidence=seen,
            remedy=[Step(
                "Create a token (type: Read), write it to .env, recreate the worker and delete this "
                "one.", url=TOKEN_SETTINGS)],
        )  # fmt: skip
    elif who.role == "fineGrained" and who.can_read_gated is False:
        yield passed(
            f"The token {name}is fine-grained, without access to public gated repositories (see model-access).",
            evidence=seen,
        )
    else:
        yield passed(
            f"The token {name}is "
            f"{'read-only' if who.role == 'read' else 'fine-grained' if who.role == 'fineGrained' else who.role}.",
            evidence=seen,
        )
