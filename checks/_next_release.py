"""What another release needs and does not find here: shared by the checks of 'preflight' and by next-release."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Finding, Risk, Seen, Step, failed, passed, skipped, unknown, warned
from ot_doctor.evidence import (
    TOKEN_NAME,
    Answer,
    EnvFile,
    Hub,
    Model,
    NextRelease,
    Unavailable,
    Workers,
    models,
)
from ot_doctor.evidence.releases import IgnoredSetting, OldTemplateLine, ignored_settings, release_of

from ._network import CAUSES, WHY
from ._refusals import REFUSED_TOKEN, refusal, seen_answer
from ._remedies import new_token
from ._template_lines import is_missing, reads_otherwise


def terms(upcoming: NextRelease, hub: Hub) -> Iterator[Finding]:
    """What the Hub says now of each model that the release needs, to the worker's token."""
    for model in models(upcoming.line):
        if model.required and (model.gated or hub.of(model.repo) is not None):
            yield _term(upcoming, hub, model)


def _term(upcoming: NextRelease, hub: Hub, model: Model) -> Finding:
    answer = hub.of(model.repo)
    what = f"{upcoming.name} needs {model.repo}"
    expected = f"{model.repo} can be downloaded: {model.purpose}"
    if answer is None or answer.answer is Answer.NOT_ASKED:
        return unknown(
            f"{what}, and the Hub was not asked about it: {hub.not_sent_reason or 'there was no time for it'}.",
            subject=model.repo, remedy=[Step("Run it again where the worker has a token and the Hub can be reached.")],
        )  # fmt: skip
    seen = [seen_answer(answer)]
    if answer.answer is Answer.OK:
        return passed(f"{what}, and the worker's token can download it.", subject=model.repo, evidence=seen)
    if answer.answer in REFUSED_TOKEN:
        return failed(
            Cause.TOKEN_INVALID, f"{what}, and the Hub rejects the worker's token ({answer.answer.words}).",
            subject=TOKEN_NAME, expected=expected, evidence=seen, remedy=[new_token()],
        )  # fmt: skip
    if answer.answer.unreachable:
        cause = CAUSES[answer.answer]
        again = Step("Run it again when the Hub can be reached.")
        return unknown(
            f"{what}. Whether it can be downloaded is not known: the Hub was asked, and {WHY[answer.answer]}.",
            cause=cause, subject=model.repo, evidence=seen, remedy=[again],
        )  # fmt: skip
    if answer.answer is Answer.NOT_FOUND:
        look = Step("Look for a newer ot-doctor, and at the model's page.", url=model.url)
        return unknown(f"{what}, which the Hub does not have.", subject=model.repo, evidence=seen, remedy=[look])
    cause, message, subject, steps = refusal(hub, model, model.repo, answer.answer)
    return failed(cause, f"{what}. {message}", subject=subject, expected=expected, evidence=seen, remedy=steps[:-1] or steps)


def settings(upcoming: NextRelease, env: EnvFile, workers: Workers | Unavailable) -> Iterator[Finding]:
    """Settings that the release does not start without, and lines that mean something else to it."""
    release = release_of(upcoming.line)
    lines = release.old_template if release else ()
    if missing := [line for line in lines if line.missing and is_missing(line, env)]:
        names = joined([line.setting for line in missing])
        yield failed(
            Cause.WORKER_DOWN,
            f"{upcoming.name} does not start without {names}: its service backend refuses to, and no worker starts after it.",
            subject=names, expected=f"a line for each of them in {env.path}",
            evidence=[Seen(".env", str(env.path), f"{line.setting} is not set") for line in missing],
            remedy=[_advice(line) for line in missing],
        )  # fmt: skip
    otherwise = (reads_otherwise(line, env, workers, _advice(line)) for line in lines if not line.missing)
    yield from filter(None, otherwise)


def _advice(line: OldTemplateLine) -> Step:
    """What to write, without the restart: the change of release brings one."""
    return Step(line.instead.partition(", and start the stack")[0].rstrip(".") + ".", risk=Risk.CHANGES_FILES)


def joined(names: list[str]) -> str:
    """``A, B and C``."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def newly_ignored(upcoming: NextRelease, present: tuple[IgnoredSetting, ...], env: EnvFile) -> Iterator[Finding]:
    """Settings that the present release reads, and the other one does not."""
    known = {rule.setting for rule in present if not rule.v0_1}
    for rule in ignored_settings(upcoming.line):
        entry = env.entry(rule.setting)
        value = entry.value if entry else None
        if entry is None or not isinstance(value, str) or not value or value.lower() in rule.harmless or rule.setting in known:
            continue
        yield warned(
            f"{rule.setting}={value} takes effect now. After the change it {rule.why}.",
            subject=rule.setting,
            evidence=[Seen(".env", env.where(entry.line), f"{rule.setting}={value}")],
            remedy=[Step(f"Remove {rule.setting} after the change of release.", risk=Risk.CHANGES_FILES)],
        )


def env_not_read(env: EnvFile | Unavailable) -> Finding | None:
    """Why the settings cannot be compared, if they cannot."""
    if isinstance(env, Unavailable):
        return skipped(str(env)) if env.switched_off else unknown(str(env), remedy=[Step(env.hint or "See env-readable.")])
    if env.problem is not None:
        return unknown(f"{env.path} cannot be read ({env.problem.value}).", remedy=[Step("Run 'ot-doctor', and fix that first.")])
    return None
