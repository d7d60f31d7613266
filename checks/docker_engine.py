"""Whether the Docker engine can be reached."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, unknown
from ot_doctor.evidence import Unavailable, Workers


@check("docker-engine", title="The Docker engine can be reached", family=Family.HOST)
def docker_engine(workers: Workers | Unavailable) -> Iterator[Finding]:
    """The containers show what the worker really has: environment, mounts, state and log. .env shows only what was intended.

    The engine is looked for where the docker command looks: DOCKER_HOST, the current context, the default socket, the socket of
    a rootless engine; then where the podman command does: CONTAINER_HOST, its sockets, its default connection. A missing
    engine, a socket that you are not allowed to use, and an engine that does not answer are different results.

    Without it the checks that need containers are unknown; .env, the cache on the disk and the Hub are still checked.

    To fix it, follow the step. To leave Docker out on purpose, use --no-docker.
    """
    if not isinstance(workers, Unavailable):
        engine = workers.engine
        system = engine.operating_system or "an unnamed system"
        where = f"{engine.endpoint} ({engine.found_by})"
        yield passed(
            f"{engine.kind} {engine.version or 'engine'} answers at {where}.",
            evidence=[Seen("host", engine.endpoint, f"{engine.kind} {engine.version} on {system}")],
        )
    elif workers.elsewhere:
        yield passed(f"The Docker engine answers. {workers.reason}")
    elif workers.switched_off:
        yield skipped(workers.reason)
    else:
        hint = workers.hint or "Either start the Docker engine, or name it with DOCKER_HOST."
        yield unknown(workers.reason, remedy=[Step(hint, command=workers.command)])
