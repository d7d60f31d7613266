"""The end of a log that is no worker's: the backend's, the native engine's. No attempt is cut out of it."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ot_doctor.evidence.base import Request
from ot_doctor.evidence.worker_log import LogSource, Record
from ot_doctor.evidence.workers import Worker
from ot_doctor.logs.scanner import RecordScan
from ot_doctor.sources.docker.log_stream import LogProblem, container_lines, sdk_lines
from ot_doctor.sources.present_run import present_run

_TAIL = 20_000  # lines
_LONGEST = 5.0  # seconds


def telling_records(request: Request, container: Worker, marks: Sequence[bytes]) -> tuple[list[Record], LogSource]:
    """The records of the container's present run that hold one of the marks, the newest last, and how the log was read."""
    since = present_run(container)
    records: list[Record] = []
    scan = RecordScan(marks, (), records.append)
    until = time.monotonic() + min(_LONGEST, request.remaining() / 3)
    at_socket = container.engine.endpoint.startswith(("unix://", "http+unix://"))
    problem = ""
    try:
        lines = (
            container_lines(container.engine, container.id, _TAIL, until)
            if at_socket
            else sdk_lines(container.engine, container.id, _TAIL, request, until)
        )
        for block in lines:
            scan.feed(block)
    except LogProblem as error:
        problem = str(error)
    scan.close()
    source = LogSource(
        container.name, scan.lines, whole=not problem and scan.lines < _TAIL, since=since, problem=problem,
        end_unread=bool(problem), token_lines=tuple(scan.token_lines),
    )  # fmt: skip
    return [record for record in records if since is None or record.at is None or record.at >= since], source
