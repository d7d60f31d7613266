"""Lines of ``.env`` that mean something else to another release than to the one whose template they are from."""

from __future__ import annotations

from ot_doctor.check import Finding, Seen, Step, warned
from ot_doctor.evidence import EnvFile, Unavailable, Workers
from ot_doctor.evidence.releases import OldTemplateLine


def is_missing(line: OldTemplateLine, env: EnvFile) -> bool:
    """Whether neither ``.env`` nor the shell has a value for it."""
    entry = env.entry(line.setting)
    return (entry is None or entry.empty) and line.setting not in env.shell_wins


def reads_otherwise(line: OldTemplateLine, env: EnvFile, workers: Workers | Unavailable, remedy: Step) -> Finding | None:
    """A warning where the line has one of the values that mean something else."""
    entry = env.entry(line.setting)
    value = entry.value if entry and isinstance(entry.value, str) else ""
    if entry is None or value.strip().lower() not in line.values or (line.only_without_gpu and not _without_gpu(workers)):
        return None
    return warned(
        f"{line.setting}={value} {line.does}", subject=line.setting,
        evidence=[Seen(".env", env.where(entry.line), f"{line.setting}={value}")], remedy=[remedy],
    )  # fmt: skip


def _without_gpu(workers: Workers | Unavailable) -> bool:
    """Whether there are workers, none of them has a GPU, and no native engine runs."""
    if isinstance(workers, Unavailable) or not workers.diarizers:
        return False
    return not any(w.gpu.requested for w in workers.diarizers) and not any(w.running for w in workers.of("engine"))
