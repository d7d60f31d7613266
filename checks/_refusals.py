"""What a refusal of the Hub means, and how much it matters."""

from __future__ import annotations

from ot_doctor.check import Cause, Finding, Seen, Step, passed, warned
from ot_doctor.evidence import TOKEN_NAME, Answer, FileAnswer, Hub, Model, ModelCache, ReleaseLine, Unavailable

from ._remedies import TOKEN_SETTINGS, accept, run_again
from ._severity import fault

GATED_SETTINGS = "https://huggingface.co/settings/gated-repos"
BOX = "Read access to contents of all public gated repos you can access"


def refusal(hub: Hub, model: Model, label: str, answer: Answer) -> tuple[Cause, str, str, tuple[Step, ...]]:
    """A 403's cause, message, subject and remedy."""
    account = hub.identity.account
    who = f"the account '{account}'" if account else "the token's account"
    if answer is Answer.SCOPE:
        name = hub.identity.token_name
        the_token = f"the token '{name}'" if name else "the token"
        tick = Step(f'Edit {the_token} and tick "{BOX}" (or create a token of type Read).', url=TOKEN_SETTINGS)
        look = Step(f"See that {who} has accepted the agreement of {model.repo}.", url=model.url)
        message = f"{the_token} is fine-grained and may not read public gated repositories such as {label}"
        return Cause.TOKEN_SCOPE, message, name or TOKEN_NAME, (tick, look, run_again())
    if answer is Answer.PENDING:
        wait = Step("Wait until the authors have granted it; this page shows the state.", url=GATED_SETTINGS)
        message = f"{who} has asked for access to {label}, and it is not granted yet"
        return Cause.GATED_PENDING, message, model.repo, (wait, run_again())
    if answer is Answer.REJECTED:
        ask = Step(f"Ask the authors of {model.repo} again, or use a token of another account that has access.", url=model.url)
        message = f"the request of {who} for access to {label} was rejected"
        return Cause.GATED_NOT_ACCEPTED, message, model.repo, (ask, run_again())
    steps = [accept(model.repo, account)]
    if hub.identity.can_read_gated is False:
        steps.append(Step(f'The token is fine-grained as well: edit it and tick "{BOX}".', url=TOKEN_SETTINGS))
    return Cause.GATED_NOT_ACCEPTED, f"{who} has not accepted the agreement of {label}", model.repo, (*steps, run_again())


def weighed(
    cache: ModelCache | Unavailable, needed: bool, line: ReleaseLine, model: Model, cause: Cause, message: str, subject: str,
    answer: FileAnswer, remedy: tuple[Step, ...],
) -> Finding:  # fmt: skip
    """A refusal weighs as much as the model does."""
    expected = f"{model.repo} may be downloaded: {model.purpose}"
    if needed:
        return fault(cache, cause, message, subject=subject, expected=expected, evidence=[seen_answer(answer)], remedy=remedy)
    if line in (ReleaseLine.V0_4, ReleaseLine.V0_5):
        text = f"not needed, and not accessible: {message} ({model.purpose})"
        return passed(text, subject=model.repo, evidence=[seen_answer(answer)])
    matter = "speakers are still separated" if line is ReleaseLine.V0_3 else "whether the release that runs needs it is not known"
    return warned(
        f"{message}; {matter} ({model.purpose})", cause=cause, subject=subject, evidence=[seen_answer(answer)], remedy=remedy
    )


def seen_answer(answer: FileAnswer) -> Seen:
    """The Hub's answer as evidence, in its own words."""
    return Seen("hub", f"{answer.repo}/{answer.file}", answer.text or answer.answer.value)
