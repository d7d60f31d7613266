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
    Workers,
    WorkerToken,
    models,
)

from ._network import CAUSES, tries
from ._remedies import TOKEN_SETTINGS, recreate, replace_token
from ._severity import fault, not_told
from ._tokens import mended_in_file, seen_token

REFUSED = (Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN, Answer.NO_TOKEN)
KNOWN_TO_THE_HUB = (Answer.NOT_ACCEPTED, Answer.PENDING, Answer.REJECTED, Answer.SCOPE)  # a stranger's request gets 401


@check(
    "token-accepted",
    title="The Hub knows the token",
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
) -> Iterator[Finding]:
    """A well-formed token can be one that the Hub does not know: revoked, deleted, expired, mistyped or cut off.

    The Hub is asked whom the worker's token belongs to (whoami), with the value from the container and never with the login of
    whoever runs the doctor. The answer names the account: it is the one that has to accept the models' agreements, and having two
    accounts is the usual reason for "but I did accept".

    A refusal here has nothing to do with agreements: create a new token of type Read, write it to .env and recreate the worker.
    """
    who = hub.identity
    where = f"{hub.endpoint} (whoami)"
    seen = [Seen("hub", where, who.text or who.answer.value)]
    if not hub.token_sent:
        yield skipped(f"the token was not shown to the Hub: {hub.not_sent_reason or 'no usable token'}")
    elif who.answer in REFUSED:
        state = "has expired" if who.answer is Answer.EXPIRED_TOKEN else "is not known to the Hub (revoked, deleted or mistyped)"
        remedy = replace_token(token, env, deployment, workers)
        if mended_in_file(token, env):
            remedy = (recreate(deployment, workers),)
        yield fault(
            cache, Cause.TOKEN_INVALID, f"the worker's token {state}", subject=TOKEN_NAME,
            expected="a token that the Hub accepts", evidence=[seen_token(token), *seen],
            remedy=remedy,
        )  # fmt: skip
    elif who.answer is Answer.OK:
        account = f"{who.account_type or 'user'} '{who.account}'"
        name = f", token '{who.token_name}'" if who.token_name else ""
        yield passed(f"the Hub knows the token: {account}{name}", evidence=[Seen("hub", where, f"{account}{name}, {who.role}")])
        if who.account_type not in ("", "user"):
            yield warned(
                f"the token belongs to the {who.account_type} '{who.account}', not to a user: agreements are accepted by users",
                evidence=seen,
                remedy=[Step("Create a token of type Read in the account that accepted the agreements.", url=TOKEN_SETTINGS)],
            )
    elif _proven(hub):
        yield passed(f"the Hub knows the token, by its answers for the models (whoami: {who.answer.value})", evidence=seen)
    elif who.answer.unreachable:
        cause = CAUSES[who.answer]
        message = f"whether the Hub knows the token could not be found out: {who.answer.value}"
        yield not_told(cache, message, cause=cause, evidence=seen, remedy=tries(hub, who.answer, workers, deployment))
    elif who.answer is Answer.NOT_ASKED:
        yield skipped("the Hub was not asked about the token")
    else:
        message = f"{hub.endpoint} does not say whom the token belongs to: {who.answer.value}"
        yield not_told(cache, message, cause=None, evidence=seen, remedy=[Step("Look at the token's page.", url=TOKEN_SETTINGS)])


def _proven(hub: Hub) -> bool:
    """Whether an answer for a gated model shows that the Hub knows the token; whoami alone is limited more strictly."""
    gated = {model.repo for model in models(ReleaseLine.UNKNOWN) if model.gated}
    return any(f.answer in KNOWN_TO_THE_HUB or (f.answer is Answer.OK and f.repo in gated) for f in hub.files)


@check(
    "token-role",
    title="The token may read and no more",
    family=Family.TOKEN,
    causes=(Cause.TOKEN_TOO_POWERFUL,),
    after=("token-accepted",),
)
def token_role(hub: Hub) -> Iterator[Finding]:
    """Downloading models needs a token of type Read. A write token can also change and delete your repositories.

    Every container of OpenTranscribe has .env in its environment, the database too: a token that can do less is the better one.
    The role comes from the Hub (whoami). A fine-grained token is as good as a Read token when "Read access to contents of
    all public gated repos you can access" is ticked; the check model-access finds out whether it is enough.

    To mend it, create a token of type Read, put it in .env, recreate the worker, and delete the old token.
    """
    who = hub.identity
    seen = [Seen("hub", f"{hub.endpoint} (whoami)", f"role {who.role}")]
    name = f"'{who.token_name}' " if who.token_name else ""
    if who.answer is not Answer.OK or not who.role:
        yield skipped("the Hub did not say what the token may do")
    elif who.role == "write":
        yield warned(
            f"the token {name}may write, and reading is enough",
            cause=Cause.TOKEN_TOO_POWERFUL, subject=who.token_name or TOKEN_NAME,
            expected="a token of type Read", evidence=seen,
            remedy=[Step("Create a Read token, put it in .env, recreate the worker and delete this one.", url=TOKEN_SETTINGS)],
        )  # fmt: skip
    elif who.role == "fineGrained" and who.can_read_gated is False:
        yield passed(
            f"the token {name}is fine-grained, without access to public gated repositories (see model-access)",
            evidence=seen,
        )
    else:
        yield passed(f"the token {name}may read ({who.role})", evidence=seen)
