"""Running a small POSIX shell script in a worker's container, as the container's own user."""

from __future__ import annotations

from collections.abc import Sequence

from ot_doctor.core.deadline import within
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.engine import asking, reconnect
from ot_doctor.sources.docker.transport import LARGEST_ANSWER, NotDockers, text_of

_LONGEST = 10.0  # seconds; what is asked takes a tenth of one


class Unresponsive(Unavailable):
    """It did not answer in time: what it looked at may hang, and would hang for anybody else."""


def run_in(request: Request, worker: Worker, script: str, arguments: Sequence[str]) -> bytes:
    """What ``script`` prints; its arguments reach it as ``$1``, ``$2``, … and are never read as code.

    Raises ``Unavailable`` when nothing may be run there, and when it is not running; ``Unresponsive`` when no answer comes.
    """
    if request.no_exec:
        raise Unavailable("Commands inside containers are off (--no-exec).", switched_off=True)
    if not worker.running:
        raise Unavailable(f"{worker.name} is not running.")
    deadline = min(_LONGEST, request.remaining() / 2)
    try:
        return within(deadline, lambda: _run(request, worker, ["sh", "-c", script, "ot-doctor", *arguments]))
    except TimeoutError:
        raise Unresponsive(f"{worker.name} did not answer within {deadline:.1f} s.") from None


def _run(request: Request, worker: Worker, command: list[str]) -> bytes:
    from docker.errors import NotFound

    client = reconnect(worker.engine, request)
    try:
        with asking(client, worker.engine, request):
            created = client.api.exec_create(worker.id, command, stderr=False)
            output = bytearray()
            for piece in client.api.exec_start(text_of(created, "Id"), stream=True):
                output += piece
                if len(output) > LARGEST_ANSWER:
                    raise NotDockers(f"a command in {worker.name} printed more than {LARGEST_ANSWER // (1024 * 1024)} MB")
            return bytes(output)
    except NotFound:
        raise Unavailable(f"{worker.name} no longer exists.") from None
    finally:
        client.close()
