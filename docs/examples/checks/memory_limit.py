from ot_doctor.check import Family, check, passed, skipped, warned
from ot_doctor.evidence import Workers


@check("worker-memory-limit", title="Every worker has a memory limit", family=Family.WORKER)
def memory_limit(workers: Workers):
    """A worker without a limit can take all memory of the machine. The limit that Docker has for each worker is looked at."""
    for worker in workers.diarizers:
        limited = worker.memory_limit > 0
        yield passed(f"{worker.name} has a limit.") if limited else warned(f"{worker.name} has no memory limit.")
    if not workers.diarizers:
        yield skipped("There is no worker.")
