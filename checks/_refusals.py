"""What a refusal of the Hub means, and how much it matters."""

from __future__ import annotations

from ot_doctor.actions import AcceptTerms, AllowGated
from ot_doctor.check import Cause, Finding, Seen, Step, passed, warned
from ot_doctor.evidence import TOKEN_NAME, Answer, FileAnswer, Hub, Model, ModelCache, Unavailable

from ._remedies import TOKEN_SETTINGS, accept, run_again
from ._severity import fault

REFUSED_TOKEN = (Answer.NO_TOKEN, Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN)
GATED_SETTINGS = "https://huggingface.co/settings/gated-repos"
BOX = "Read access to contents of all public gated repos you can access"


def refusal(hub: Hub, model: Model, label: str, answer: Answer) -> tuple[Cause, str, str, tuple[Step, ...]]:
    """A 403's cause, message, subject and remedy."""
    account = hub.identity.account
    who = f"The account '{account}'" if account else "The token's account"
    whose = who[0].lower() + who[1:]
    if answer is Answer.SCOPE:
        name = hub.identity.token_name
        the_token = f"token '{name}'" if name else "token"
        tick = Step(f'Either edit the {the_token} and tick "{BOX}", or create a token (type: Read).', url=TOKEN_SETTINGS,
                    action=AllowGated(model.repo))  # fmt: skip
        look = Step(
            f"Check that {whose} has accepted the terms of {model.repo}: the page then says "
            '"You have been granted access to this model".', url=model.url,
        )  # fmt: skip
        message = f"The {the_token} is fine-grained and lacks permission for public gated repositories such as {label}."
        return Cause.TOKEN_SCOPE, message, name or TOKEN_NAME, (tick, look, run_again())
    if answer is Answer.PENDING:
        wait = Step("Wait until the authors grant the request; this page shows its state.", url=GATED_SETTINGS,
                    action=AcceptTerms(model.repo))  # fmt: skip
        message = f"{who} has requested access to {label}, and the request is not granted yet."
        return Cause.GATED_PENDING, message, model.repo, (wait, run_again())
    if answer is Answer.REJECTED:
        ask = Step(
            f"Either ask the authors of {model.repo} again, or use the token of an account that has access.", url=model.url
        )
        message = f"The request of {whose} for access to {label} was rejected."
        return Cause.GATED_NOT_ACCEPTED, message, model.repo, (ask, run_again())
    steps = [accept(model.repo, account)]
    if hub.identity.can_read_gated is False:
        also = f'The token is also fine-grained: edit it and tick "{BOX}".'
        steps.append(Step(also, url=TOKEN_SETTINGS, action=AllowGated(model.repo)))
    return Cause.GATED_NOT_ACCEPTED, f"{who} has not accepted the terms of {label}.", model.repo, (*steps, run_again())


def weighed(
    cache: ModelCache | Unavailable, needed: bool, optional: bool, model: Model, cause: Cause, message: str, subject: str,
    answer: FileAnswer, remedy: tuple[Step, ...],
) -> Finding:  # fmt: skip
    """A refusal weighs as much as the model does."""
    expected = f"{model.repo} can be downloaded: {model.purpose}"
    if needed:
        return fault(cache, cause, message, subject=subject, expected=expected, evidence=[seen_answer(answer)], remedy=remedy)
    if optional:
        text = f"{model.repo} is optional ({model.purpose}) and not accessible. {message}"
        return passed(text, subject=model.repo, evidence=[seen_answer(answer)])
    return warned(
        f"{message} It is not known whether your release needs it ({model.purpose}).",
        cause=cause, subject=subject, evidence=[seen_answer(answer)], remedy=remedy,
    )  # fmt: skip


def seen_answer(answer: FileAnswer) -> Seen:
    """The Hub's answer as evidence, in its own words."""
    return Seen("hub", f"{answer.repo}/{answer.file}", answer.text or answer.answer.words)
