"""The steps of all root causes as one plan: the edits, then one restart, then one test run; nothing twice.

A remedy is complete by itself, so two of them one after the other would recreate the worker twice, try it while another cause is
still open, and name lines that the first one has moved.
"""

from __future__ import annotations

import enum
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ot_doctor.check import Cause, Risk, Step
from ot_doctor.diagnosis.causes import BREAKS_NO_JOB
from ot_doctor.diagnosis.ranking import RootCause

TRY = Step("Transcribe a short file with two voices, then run ot-doctor again.")
LOOK = Step("Run ot-doctor again.")
_TRIES = re.compile(r"(?i)(?=.*\bot-doctor\b)(?=.*(?:transcri|diariz))")  # a remedy's own words for the test run
_SED = re.compile(r"\d+(?:,\d+)?[a-z][^;]*(?:;\d+(?:,\d+)?[a-z][^;]*)*")
_ADDRESS = re.compile(r"(?:^|;)(\d+)(?:,(\d+))?([a-z])")
_LINES = re.compile(r"\blines? (\d+(?:(?:, | and |-| to )\d+)*)")
_DOES = (
    (re.compile(r"\bchown\b"), "changes the owner of files"), (re.compile(r"\bchmod\b"), "changes permissions of files"),
    (re.compile(r"\brm -r?f "), "deletes files"), (re.compile(r"> [\w.-]+\.log\b"), "writes a file"),
)  # fmt: skip


class _Stage(enum.IntEnum):
    EDIT = 0
    RESTART = 1
    BEHIND_RESTART = 2
    TRY = 3
    BEHIND_TRY = 4


@dataclass(frozen=True)
class Planned:
    """One step of the plan, and the causes that it is for, by their places in the diagnosis."""

    number: int
    step: Step
    serves: tuple[int, ...]


@dataclass
class _Item:
    step: Step
    stage: _Stage
    serves: list[int]


@dataclass(frozen=True)
class _Edit:
    """A command's edit of a file by line numbers."""

    file: str
    lines: frozenset[int]
    deleted: frozenset[int]


def plan(diagnosis: Sequence[RootCause], again: Step | None = None) -> tuple[Planned, ...]:
    """The steps of all remedies in the order in which they are to be done; ``again`` stands in for the test run at the end."""
    items: list[_Item] = []
    for number, root in enumerate(diagnosis):
        for step, stage in _staged(root.remedy):
            same = next((item for item in items if _same(item.step, step)), None)
            if same is None:
                items.append(_Item(step, stage, [number]))
            elif number not in same.serves:
                same.serves.append(number)
                same.stage = max(same.stage, stage)
    if any(root.cause is Cause.WORKER_DOWN for root in diagnosis):
        for item in items:  # nothing can be run in a container that is down
            if item.stage is _Stage.EDIT and "docker" in (item.step.command or "") and " exec " in (item.step.command or ""):
                item.stage = _Stage.BEHIND_RESTART
    edits = _by_line([item for item in items if item.stage is _Stage.EDIT])
    restarts = _merged([item for item in items if item.stage is _Stage.RESTART])
    others = [item for item in items if item.stage > _Stage.RESTART]
    ordered = sorted([*edits, *restarts, *others, *_test_run(diagnosis, again)], key=lambda item: item.stage)
    return tuple(Planned(number, item.step, tuple(item.serves)) for number, item in enumerate(ordered, 1))


def of_cause(planned: Sequence[Planned], number: int) -> tuple[Planned, ...]:
    """The steps of the plan that one cause needs, with their numbers in the plan."""
    return tuple(one for one in planned if number in one.serves)


def risk(step: Step) -> str:
    """What running the step does to the installation, in words; empty where that is nothing, or said by the step itself."""
    if step.risk is Risk.RESTARTS:
        up = _Up.of(step.command)
        said = f"restarts {', '.join(up.services)}" if up and up.services else "restarts containers"
        return said if "interrupt" in step.text else f"{said}; running jobs are interrupted"
    if step.risk is Risk.CHANGES_FILES and step.command:
        edit = _edit(step)
        if edit and edit.file in step.text:
            return "changes this file"
        if edit:
            return f"changes {edit.file}"
        return next((said for does, said in _DOES if does.search(step.command)), "changes files")
    return ""


def _staged(remedy: Sequence[Step]) -> Iterator[tuple[Step, _Stage]]:
    """A remedy's steps but the test run, in their order: what follows the last restart, or the test run, comes after it."""
    last = max((n for n, step in enumerate(remedy) if step.risk is Risk.RESTARTS), default=-1)
    tried = False
    for number, step in enumerate(remedy):
        if _is_test_run(step):
            tried = True
        elif tried:
            yield step, _Stage.BEHIND_TRY
        elif last < 0 or number < last:
            yield step, _Stage.EDIT
        else:
            yield step, _Stage.RESTART if number == last else _Stage.BEHIND_RESTART


def _is_test_run(step: Step) -> bool:
    return not (step.command or step.url) and step.risk is Risk.SAFE and bool(_TRIES.match(step.text))


def _test_run(diagnosis: Sequence[RootCause], again: Step | None) -> list[_Item]:
    """One at the end; a cause that breaks no job needs no transcription, and what nobody knows is not fixed by one."""
    tried = [n for n, root in enumerate(diagnosis) if root.cause is not Cause.UNRECOGNISED or any(map(_is_test_run, root.remedy))]
    if not tried:
        return []
    transcribe = any(diagnosis[n].cause not in BREAKS_NO_JOB for n in tried)
    return [_Item(again or (TRY if transcribe else LOOK), _Stage.TRY, tried)]


def _same(one: Step, other: Step) -> bool:
    if one.command or other.command:
        return one.command == other.command
    return (one.text, one.url) == (other.text, other.url)


@dataclass(frozen=True)
class _Up:
    """``docker compose … up OPTIONS SERVICES``."""

    project: tuple[str, ...]  # the words before "up"
    options: frozenset[str]
    services: tuple[str, ...]

    @classmethod
    def of(cls, command: str | None) -> _Up | None:
        words = (command or "").split()
        if not any(word in words for word in ("compose", "docker-compose", "podman-compose")) or "up" not in words:
            return None
        at = words.index("up")
        rest = [word for n, word in enumerate(words[at + 1 :], at + 1) if words[n - 1] != "--pull"]
        options = frozenset(word for word in rest if word.startswith("-"))
        return cls(tuple(words[:at]), options, tuple(word for word in rest if word not in options))


def _merged(restarts: Iterable[_Item]) -> list[_Item]:
    """One ``docker compose up`` for all services of a project; a plain restart of what it recreates is left out."""
    kept: list[_Item] = []
    for item in restarts:
        if not any(_join(one, item) for one in kept):
            kept.append(item)
    ups = [(item, up) for item in kept if (up := _Up.of(item.step.command))]
    for item in list(kept):
        for other, up in ups:
            if item is not other and _is_one_of(_restarted(item.step.command), up.services):
                other.serves = sorted({*other.serves, *item.serves})
                kept = [one for one in kept if one is not item]
    return kept


def _join(one: _Item, other: _Item) -> bool:
    """Make one item of two that are the same command for some services each."""
    first, second = _Up.of(one.step.command), _Up.of(other.step.command)
    if first is None or second is None or first.project != second.project:
        return False
    if not (first.options <= second.options or second.options <= first.options):
        return False
    step, has = (one.step, first) if first.options >= second.options else (other.step, second)
    more = [name for name in dict.fromkeys(first.services + second.services) if name not in has.services]
    one.step = replace(step, command=" ".join([step.command or "", *more]))
    one.serves = sorted({*one.serves, *other.serves})
    return True


def _restarted(command: str | None) -> str:
    """The container of a ``docker restart`` or ``docker start``."""
    words = (command or "").split()
    return words[-1] if len(words) > 1 and words[-2] in ("restart", "start") else ""


def _is_one_of(container: str, services: Iterable[str]) -> bool:
    return any(re.fullmatch(rf"(?:.*[-_])?{re.escape(name)}(?:[-_]\d+)?", container) for name in services)


def _by_line(items: list[_Item]) -> list[_Item]:
    """The edits in an order in which each line number holds: a deletion comes after the edits of what is below it.

    A line that one cause deletes and another one writes is deleted first, and the other step says so.
    """
    edits = [(item, edit) for item in items if (edit := _edit(item.step)) and edit.deleted]
    moving = [(item, edit) for item, edit in edits if _moves_others(edit, item, items)]
    late: list[_Item] = []
    for number, item in enumerate(items):
        gone: set[int] = set()
        for one, edit in edits:
            if not _share(one, item) and (lines := edit.deleted & _named(item, edit)):
                gone |= lines
                if items.index(one) > number or any(one is other for other, _ in moving):
                    late.append(item)
        if gone:
            said = f"line {min(gone)} is" if len(gone) == 1 else f"lines {', '.join(map(str, sorted(gone)))} are"
            text = f"{item.step.text} (By then {said} deleted: use the line that is left.)"
            item.step = replace(item.step, text=text, command=None)
        if any(_share(one, item) for one in late):  # what follows it in its remedy
            late.append(item)
    last = [item for item, _ in sorted(moving, key=lambda pair: -max(pair[1].deleted))]
    last += [item for number, item in enumerate(late) if not any(item is one for one in late[:number])]
    return [*(item for item in items if not any(item is one for one in last)), *last]


def _share(one: _Item, other: _Item) -> bool:
    return bool(set(one.serves) & set(other.serves))


def _moves_others(edit: _Edit, item: _Item, items: Iterable[_Item]) -> bool:
    """Whether the deletion moves lines that a step for another cause names."""
    below = (_named(other, edit) - edit.deleted for other in items if not _share(item, other))
    return any(line > min(edit.deleted) for lines in below for line in lines)


def _named(item: _Item, edit: _Edit) -> frozenset[int]:
    """The lines of the edited file that a step names, in its command or in its text."""
    own = _edit(item.step)
    if own is not None:
        return own.lines if own.file == edit.file else frozenset()
    if edit.file not in item.step.text:
        return frozenset()
    return frozenset(int(n) for found in _LINES.findall(item.step.text) for n in re.findall(r"\d+", found))


def _edit(step: Step) -> _Edit | None:
    if not step.command or "sed" not in step.command:
        return None
    try:
        words = shlex.split(step.command)
    except ValueError:
        return None
    script = next((n for n, word in enumerate(words) if _SED.fullmatch(word)), None)
    file = next((word for word in words[script + 1 :] if "/" in word), None) if script is not None else None
    if script is None or file is None:
        return None
    lines: set[int] = set()
    deleted: set[int] = set()
    for first, last, what in _ADDRESS.findall(words[script]):
        named = range(int(first), min(int(last or first), int(first) + 1000) + 1)
        lines.update(named)
        deleted.update(named if what == "d" else ())
    return _Edit(file.replace("$HOME/", "~/"), frozenset(lines), frozenset(deleted))
