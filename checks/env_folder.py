"""Whether the folder that is examined is the one that the running stack came from."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, warned
from ot_doctor.evidence import AskedEnvFile, Deployment, Unavailable, Workers

from ._remedies import recreate

SHOWN = 8


@check("env-folder", title="This folder is the one that runs", family=Family.ENV, causes=(Cause.WRONG_FOLDER,))
def env_folder(asked: AskedEnvFile | Unavailable, deployment: Deployment, workers: Workers | Unavailable) -> Iterator[Finding]:
    """A stack reads the .env of the folder that it was started from, and no other. Editing another copy changes nothing.

    Compose writes its folder on every container (the label com.docker.compose.project.working_dir). It is compared with the
    folder that you named or stand in, and the effective settings of both .env files with each other. They differ: that is a
    failure. They do not: it is a warning, because the next edit would go to the wrong place.

    To mend it, make the change in the folder that runs, and recreate the worker.
    """
    if deployment.running_dir is None:
        yield skipped("there is no running stack to compare the folder with")
        return
    here, running = str(deployment.directory), str(deployment.running_dir)
    if not deployment.elsewhere:
        yield passed(f"the running stack was started from {running}")
        return
    seen = [
        Seen("container", "com.docker.compose.project.working_dir", running),
        Seen("host", deployment.found_by, here),
    ]
    look = Step("Examine the folder that runs.", command=f"ot-doctor --dir {quote(running)}")
    message = f"you asked about {here}, but the running stack was started from {running}"
    file = None if isinstance(asked, Unavailable) else asked.file
    differing = () if isinstance(asked, Unavailable) else asked.differing_keys
    if not differing and (file is None or file.problem is None):
        text = "nothing in its .env differs" if file else "both use the same .env"
        yield warned(f"{message}; {text}", cause=Cause.WRONG_FOLDER, subject=here, expected=running, evidence=seen, remedy=[look])
        return
    if differing:
        names = ", ".join(differing[:SHOWN]) + (" and others" if len(differing) > SHOWN else "")
        difference = f"what differs in its .env: {names}"
    else:
        difference = f"its .env is {file.problem.value}" if file and file.problem else ""
    edit = Step(f"Make your changes in {deployment.env_path}, not in {deployment.directory / '.env'}.", risk=Risk.CHANGES_FILES)
    yield failed(
        Cause.WRONG_FOLDER, f"{message}; {difference}", subject=here, expected=running, evidence=seen,
        remedy=[edit, recreate(deployment, workers), look],
    )  # fmt: skip
