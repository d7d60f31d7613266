"""Several machines, one row each. What they send is somebody else's: it is checked, and made printable."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Unavailable
from ot_doctor.remote.single_file import single_file
from ot_doctor.sources.sent_file import NotRunThere, RemoteAnswer, end_all, run_here, run_there
from ot_doctor.sources.ssh import SshAddress, address_of

T = TypeVar("T")
SCHEMA = "ot-doctor/report/1"
_SPARE = 25.0  # seconds beside the run's own: ssh, and sending the file
_WAKES = 0.2  # seconds
_LONGEST = 300  # characters of one text in a row
# From good to bad: a machine that was not reached, or not all of it, is worse than a good one and better than a broken one.
_FROM_GOOD_TO_BAD = (0, 3, 2, 4, 1)
_MOST_NAMED = 1000
_ONLY_THERE = ("--dir", "--env-file", "--context", "--no-docker")  # what they name is there, or it is not the engine


@dataclass(frozen=True)
class Machine:
    """A machine of the fleet."""

    name: str
    address: SshAddress

    @property
    def unnamed(self) -> bool:
        """It is called by its address."""
        return self.name == self.address.name


@dataclass(frozen=True)
class Row:
    """What came of one machine. Without a ``report`` it was not reached, and ``verdict`` says why."""

    host: Machine
    exit_code: int
    verdict: str
    hint: str = ""
    release: str = ""
    causes: tuple[str, ...] = ()
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Fleet:
    started_at: datetime  # aware, UTC
    duration: float  # seconds
    rows: tuple[Row, ...] = field(default=())  # the worst first

    @property
    def exit_code(self) -> int:
        """That of the worst machine."""
        return max((row.exit_code for row in self.rows), key=_badness, default=3)


def hosts_of(path: Path, content: Mapping[str, Any]) -> tuple[Machine, ...]:
    """The machines of an inventory: ``[[host]]`` with ``address`` and, if wanted, ``name``. Raises ``ValueError``."""
    tables = content.get("host")
    if set(content) - {"host"} or not isinstance(tables, list) or not tables:
        raise ValueError(f"{path} must have a table [[host]] for each machine, and nothing else")
    hosts = []
    for number, table in enumerate(tables[:_MOST_NAMED], 1):
        if not isinstance(table, dict) or set(table) - {"address", "name"}:
            raise ValueError(f"{path}: host {number} may have an address and a name, and nothing else")
        address, name = table.get("address"), table.get("name", "")
        if not isinstance(address, str) or not isinstance(name, str):
            raise ValueError(f'{path}: host {number} needs an address, such as "ssh://me@server/srv/opentranscribe"')
        hosts.append(host_of(address, name))
    return tuple(hosts)


def told_apart(hosts: Sequence[Machine]) -> list[Machine]:
    """The same with a name for each: two folders of a machine are called by their addresses. Raises ``ValueError``."""
    addresses, names = Counter(host.address.text for host in hosts), Counter(host.name for host in hosts)
    if twice := next((text for text, count in addresses.items() if count > 1), None):
        raise ValueError(f"{twice} is named twice")
    found = [replace(h, name=h.address.text.partition("://")[2]) if names[h.name] > 1 and h.unnamed else h for h in hosts]
    if twice := next((name for name, count in Counter(host.name for host in found).items() if count > 1), None):
        raise ValueError(f"two machines are called '{twice}'")
    return found


def host_of(address: str, name: str = "") -> Machine:
    """Raises ``ValueError`` with a sentence about the address."""
    try:
        parsed = address_of(address)
    except ValueError as error:
        raise ValueError(f"'{printable(address)}' {error}") from None
    return Machine(clipped(printable(name), 60) or parsed.name, parsed)


def examined(
    host: Machine, single_file: bytes, arguments: Sequence[str], environ: Mapping[str, str], seconds: float
) -> RemoteAnswer:
    """Run the doctor on a machine; where nothing there can run it, run it here for the engine there. Raises ``Unavailable``."""
    folder = ["--dir", host.address.folder] if host.address.folder else []
    until = time.monotonic() + seconds
    try:
        return run_there(host.address, single_file, ["run", *folder, *arguments], environ, seconds)
    except NotRunThere as reason:
        if any(word == name or word.startswith(f"{name}=") for word in arguments for name in _ONLY_THERE):
            raise
        answer = run_here(host.address, single_file, arguments, environ, until - time.monotonic())
        return replace(answer, note=f"{reason.reason} Only its Docker engine was examined, from here.")


def examine_all(
    hosts: Iterable[Machine], arguments: Sequence[str], environ: Mapping[str, str], timeout: float, jobs: int,
    ended: Callable[[Row], None] = lambda row: None,
) -> Fleet:  # fmt: skip
    """Run the doctor on every machine, ``jobs`` at a time; each has ``timeout`` seconds for its run."""
    started, began = datetime.now(timezone.utc), time.monotonic()
    data = single_file()

    def one(host: Machine) -> Row:
        try:
            asked = [*arguments, "--format", "json", "--timeout", f"{timeout:g}"]
            row = row_of(host, examined(host, data, asked, environ, timeout + _SPARE))
        except Unavailable as error:
            row = Row(host, 3, clipped(printable(error.reason), _LONGEST), error.hint)
        ended(row)
        return row

    rows = in_threads(one, hosts, jobs)
    rows.sort(key=lambda row: (-_badness(row.exit_code), row.host.name))
    return Fleet(started, time.monotonic() - began, tuple(rows))


def in_threads(call: Callable[[Machine], T], hosts: Iterable[Machine], jobs: int) -> list[T]:
    """What ``call`` makes of each machine, ``jobs`` at a time. An interruption ends what was sent.

    This thread alone runs handlers of signals: of one that comes as it falls asleep, when it wakes. So it wakes often.
    """
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        futures = [pool.submit(call, host) for host in hosts]
        try:
            while wait(futures, _WAKES).not_done:
                pass
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_all()
            raise


def row_of(host: Machine, answer: RemoteAnswer) -> Row:
    """The row that an answer makes; one that is no report is a machine that was not examined."""
    try:
        document = json.loads(answer.document)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or document.get("schema") != SCHEMA or document.get("exit_code") not in (0, 1, 2, 3, 4):
        said = next((line for line in reversed(answer.said.splitlines()) if line.strip()), "")
        return Row(host, 3, clipped(f"The doctor gave no report there. {said}".strip(), _LONGEST))
    document = _cleaned(document)
    causes = tuple(_text(root, "cause") for root in _list(document, "diagnosis"))
    deployment = document.get("deployment")
    release = _text(deployment, "version") or _text(deployment, "line") if isinstance(deployment, dict) else ""
    return Row(host, int(document["exit_code"]), _verdict(document), answer.note, release, causes, document)


def _verdict(document: Mapping[str, Any]) -> str:
    if error := document.get("error"):
        return clipped(str(error), _LONGEST)
    titles = [_text(root, "title") for root in _list(document, "diagnosis")]
    if titles:
        more = f" (and {len(titles) - 1} more)" if len(titles) > 1 else ""
        return f"{titles[0]}{more}"
    summary = document.get("summary")
    counts = summary if isinstance(summary, dict) else {}
    words = {"fail": "failed", "unknown": "could not be checked", "warn": "warned", "pass": "passed"}
    said = [f"{counts[key]} {words[key]}" for key in words if isinstance(counts.get(key), int) and counts[key]]
    return ", ".join(said) or "Nothing was checked"


def _badness(code: int) -> int:
    return _FROM_GOOD_TO_BAD.index(code)


def _cleaned(value: Any) -> Any:
    """The same without anything that steers a terminal."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {printable(str(key)): _cleaned(item) for key, item in value.items()}
    return value


def _text(table: Any, key: str) -> str:
    value = table.get(key) if isinstance(table, dict) else None
    return clipped(" ".join(value.split()), _LONGEST) if isinstance(value, str) else ""


def _list(document: Mapping[str, Any], key: str) -> list[Any]:
    value = document.get(key)
    return value if isinstance(value, list) else []
