"""Lines of the ``.env`` that a person should check, and who else reads them differently."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.actions import Encoding, ReencodeEnv
from ot_doctor.check import Family, Finding, Risk, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import EnvFile, Reader

from ._remedies import without_characters

SHOWN = 12  # lines a finding lists; a template saved with the wrong line ends has hundreds


@check("env-lines", title="The .env is parsed as intended", family=Family.ENV, after=("env-readable",))
def env_lines(env: EnvFile) -> Iterator[Finding]:
    """Several programs read .env, and not all in the same way. The containers get what Compose reads.

    Compose accepts straight quotes, spaces around the equals sign, CRLF line ends, a byte order mark and 'export': they do not
    break diarization. bash reads the same file for opentr.sh ('source .env') and accepts less, so MODEL_CACHE_DIR and the GPU
    settings can get lost there. Other tools use python-dotenv.

    Lines whose value is probably not what was intended (with a comment in the value, invisible characters or curly quotes) are
    warnings here. If they break the token or the speaker settings, the checks of those fail.

    To fix it, write the line as KEY=value with nothing around it, and comments on their own lines.
    """
    if env.problem is not None:
        yield skipped(f"{env.path} could not be read.")
        return
    findings = [*_odd(env), *_differences(env)]
    notes = [odd for odd in env.odd_lines if not odd.harmful]
    notes_seen = [Seen(".env", env.where(odd.line), f"{odd.key}: {odd.what}") for odd in notes[:SHOWN]]
    if notes:
        findings.append(
            passed(
                f"{env.path} has {len(notes)} unusual line{'s' if len(notes) > 1 else ''}, all read correctly by Compose.",
                evidence=notes_seen,
            )
        )
    yield from findings or [passed(f"Every tool reads {env.path} the same way.")]


def _odd(env: EnvFile) -> Iterator[Finding]:
    for odd in [odd for odd in env.odd_lines if odd.harmful][:SHOWN]:
        yield warned(
            f"{odd.key} on line {odd.line} of {env.path} is probably not what you intended: {odd.what}.", subject=odd.key,
            evidence=[Seen(".env", env.where(odd.line), odd.what)],
            remedy=[Step(f"Write line {odd.line} as {odd.key}=value with nothing around it.", risk=Risk.CHANGES_FILES)],
        )  # fmt: skip


def _differences(env: EnvFile) -> Iterator[Finding]:
    """One finding for each reader and difference, however many lines it concerns."""
    groups: dict[tuple[Reader, str, bool], list[tuple[int, str]]] = {}
    for difference in env.differences:
        group = groups.setdefault((difference.reader, difference.what, difference.carriage_return), [])
        group.append((difference.line, difference.key))
    for (reader, what, line_end), lines in groups.items():
        numbers = ", ".join(str(line) for line, _ in lines[:SHOWN]) + (", …" if len(lines) > SHOWN else "")
        place = f"{'line' if len(lines) == 1 else 'lines'} {numbers} of {env.path}"
        message = f"{reader.value} {what} ({place}); Compose reads it differently."
        seen = [Seen(".env", env.where(line), f"{key}: {reader.value} {what}") for line, key in lines[:SHOWN]]
        if reader is not Reader.BASH:
            yield passed(message, evidence=seen)
            continue
        yield warned(message, subject=reader.value, evidence=seen, remedy=[_tidy(env, line_end, numbers)])


def _tidy(env: EnvFile, line_end: bool, numbers: str) -> Step:
    if line_end:
        return without_characters(env, f"If you use opentr.sh, give {env.path} Unix line ends.", "\\r",
                                  ReencodeEnv(str(env.path), Encoding.CARRIAGE_RETURN))  # fmt: skip
    text = f"If you start OpenTranscribe with opentr.sh, write line {numbers} of {env.path} as KEY=value with nothing around it."
    return Step(text, risk=Risk.CHANGES_FILES)
