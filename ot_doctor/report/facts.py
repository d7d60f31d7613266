"""What the formats for people say alike: the verdict, what could not be checked, versions, what was hidden."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from ot_doctor import __version__
from ot_doctor.causes import title
from ot_doctor.check import Cause, Confidence, Finding, Status
from ot_doctor.diagnosis import Relation, RootCause
from ot_doctor.evidence import Attempt, Outcome, Worker
from ot_doctor.report.model import Report
from ot_doctor.report.relations import Relations
from ot_doctor.runner import Result

WORDS = {Status.PASS: "passed", Status.WARN: "warned", Status.FAIL: "failed", Status.SKIP: "skipped", Status.UNKNOWN: "unknown"}
_LIBRARY = re.compile(r"(?:PYTHON|PYTORCH|TORCH\w*|CUDA|NV_CUDNN|CUDNN|PYANNOTE\w*|WHISPERX|CTRANSLATE2)_VERSION")
_LABEL = "org.opencontainers.image."
_NAMED = 4  # checks that are named where they could not be run for one reason; more are counted


@dataclass(frozen=True)
class NotKnown:
    """Why checks could not be run, with what would make them known."""

    finding: Finding
    checks: tuple[str, ...]

    @property
    def who(self) -> str:
        return ", ".join(self.checks) if len(self.checks) <= _NAMED else f"{len(self.checks)} checks"


def tool() -> str:
    """The tool's name and version."""
    return f"ot-doctor {__version__}"


def counted(number: int, thing: str) -> str:
    """``1 check``, ``2 checks``."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def counts(report: Report) -> str:
    """``8 passed, 4 failed``."""
    found = [f"{count} {WORDS[status]}" for status, count in report.summary.items() if count]
    return ", ".join(found) or "no check was run"


def verdict(report: Report) -> str:
    """The outcome of the run in one sentence."""
    summary = report.summary
    if len(report.diagnosis) == 1:
        return title(report.diagnosis[0].cause)
    if report.diagnosis:
        return f"{len(report.diagnosis)} causes were found, to be mended in this order"
    if summary[Status.UNKNOWN]:
        return f"Nothing failed, but {counted(summary[Status.UNKNOWN], 'check')} could not be made"
    if not summary[Status.PASS] and not summary[Status.WARN]:
        return "Nothing was checked"
    if summary[Status.WARN]:
        return f"Nothing failed; {counted(summary[Status.WARN], 'check')} deserve{'s' * (summary[Status.WARN] == 1)} attention"
    return "Everything that was checked is as it should be"


def moment(at: datetime | None) -> str:
    """The time in UTC, to the second; empty for ``None``."""
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC" if at else ""


def sureness(root: RootCause) -> str:
    """``likely`` or ``possible``; empty where the cause is certain."""
    return "" if root.confidence is Confidence.CERTAIN else root.confidence.value


def relation(root: RootCause, relations: Relations) -> str:
    """What the cause has to do with the last failure; empty where there is none to speak of."""
    kind = relations.of_root(root)
    if not relations.any_failure or kind is None or root.cause is Cause.UNRECOGNISED:
        return ""
    if kind is Relation.EXPLAINS:
        at = f" ({moment(relations.failed_at)})" if relations.failed_at else ""
        return f"It explains the last failure{at}."
    if kind is Relation.WOULD_BREAK:
        return "The last failure did not come from it; it would break the next run too."
    return "It has nothing to do with the last failure."


def not_known(report: Report) -> list[NotKnown]:
    """What could not be checked: each reason once, the one that most checks share first."""
    groups: list[tuple[Finding, list[str]]] = []
    found = [(f, r.check.name) for r in report.results for f in r.findings if f.status is Status.UNKNOWN]
    for finding, name in sorted(found, key=lambda item: len(item[0].message)):
        names = next((names for reason, names in groups if _says(finding.message, reason.message)), None)
        if names is None:
            groups.append((finding, names := []))
        if name not in names:
            names.append(name)
    return [NotKnown(reason, tuple(names)) for reason, names in sorted(groups, key=lambda group: -len(group[1]))]


def _says(message: str, reason: str) -> bool:
    """Whether a message gives that reason, alone or behind words of its own."""
    return message == reason or (len(reason) > 20 and reason.rstrip(".") in message)


def worst(result: Result) -> Finding | None:
    """The finding that made the check's status."""
    return max(result.findings, key=lambda finding: finding.status.rank, default=None)


def follows_from(result: Result, finding: Finding, report: Report) -> RootCause | None:
    """The root cause that brought a failure about, where the diagnosis does not show the failure itself."""
    roots = [root for root in report.diagnosis if result.check.name in root.explains]
    shown = any(root.cause is finding.cause and finding.subject in (None, root.subject) for root in roots)
    return roots[0] if roots and not shown and finding.status is Status.FAIL else None


def attempts(report: Report) -> tuple[Attempt, ...]:
    """The attempts, the newest first; a job with diarization switched off is none."""
    return tuple(attempt for attempt in report.attempts if attempt.outcome is not Outcome.DISABLED)


def last_failure(report: Report) -> Attempt | None:
    """The newest attempt that ended, where it failed and the log shows why."""
    newest = report.log.newest_ended if report.log else None
    return newest if newest and newest.outcome is Outcome.FAILED and newest.decisive else None


def decisive(attempt: Attempt) -> str:
    """The log's records that decided what the attempt failed of."""
    return "\n".join(record.text for record in attempt.decisive)


def is_evidence(text: str, report: Report) -> bool:
    """Whether the diagnosis shows the text already."""
    return any(text in item.text for root in report.diagnosis for item in root.evidence)


def lines(attempt: Attempt) -> str:
    """``line 7`` or ``lines 7 to 9``, of the log."""
    first, last = attempt.lines
    return f"line {first}" if first == last else f"lines {first} to {last}"


def place(report: Report) -> list[str]:
    """What was examined: the folder, the release, when the evidence was recorded if before the run, the workers."""
    deployment, found = report.deployment, []
    if deployment:
        found += [str(deployment.directory), deployment.version or f"release line {deployment.line.value}"]
    found += [f"recorded {moment(report.recorded_at)}"] if report.recorded_at else []
    return found + [worker.name for worker in (report.workers.diarizers if report.workers else ())]


def versions(report: Report) -> list[tuple[str, str]]:
    """Names and versions of everything that a supporter asks for first, as far as the evidence knows them."""
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    found = [("ot-doctor", f"{__version__}, {machine}")]
    if report.deployment:
        line = report.deployment.line_reason and f" ({report.deployment.line_reason})"
        found.append(("OpenTranscribe", f"{report.deployment.version or 'version not known'}, release line "
                                        f"{report.deployment.line.value}{line}"))  # fmt: skip
    for worker in report.workers.diarizers if report.workers else ():
        found += _of_worker(worker)
    if report.workers:
        engine = report.workers.engine
        about = [engine.operating_system, engine.api_version and f"API {engine.api_version}", engine.rootless and "rootless"]
        found.append(("Docker Engine", _with(engine.version or "version not known", [str(a) for a in about if a])))
        compose = dict.fromkeys(worker.compose.version for worker in report.workers.containers if worker.compose.version)
        found.append(("Docker Compose", ", ".join(compose) or "version not known"))
    for source in report.log.sources if report.log else ():
        signs = [*(f"release line {sign}" for sign in source.release_signs), source.device and f"device {source.device}"]
        if any(signs):
            found.append((f"By the log of {source.name}", ", ".join(filter(None, signs))))
    if report.hub:
        found.append(("Hugging Face Hub", report.hub.endpoint))
    return found


def _of_worker(worker: Worker) -> list[tuple[str, str]]:
    labels = [worker.image_labels.get(_LABEL + name, "") for name in ("version", "revision", "created")]
    found = [(f"Image of {worker.name}", _with(worker.image, [label for label in labels if label]))]
    libraries = [(name, value) for name, value in sorted(worker.image_env.items()) if _LIBRARY.fullmatch(name)]
    if libraries:
        found.append((f"Libraries of {worker.name}", ", ".join(f"{name}={value}" for name, value in libraries)))
    return found


def _with(text: str, more: Sequence[str]) -> str:
    return f"{text} ({', '.join(more)})" if more else text


def hidden(report: Report) -> str:
    """How many values were redacted, by name."""
    total = sum(item.count for item in report.hidden)
    if not total:
        return "No value had to be hidden."
    names = ", ".join(f"{item.name} ({item.count})" for item in report.hidden)
    return f"{counted(total, 'value')} {'was' if total == 1 else 'were'} hidden: {names}."
