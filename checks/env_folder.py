"""Whether the folder that is examined is the one that the running stack was started from."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped, warned
from ot_doctor.evidence import AskedEnvFile, Deployment, Unavailable, Workers

from ._remedies import recreate

SHOWN = 8


@check(
    "env-folder", title="This is the folder the running stack was started from", family=Family.ENV, causes=(Cause.WRONG_FOLDER,)
)
def env_folder(asked: AskedEnvFile | Unavailable, deployment: Deployment, workers: Workers | Unavailable) -> Iterator[Finding]:
    """A stack reads the .env of the folder that it was started from, and no other. Editing another copy changes nothing.

    Compose notes its folder on every container (the label com.docker.compose.project.working_dir). It is compared with the
    folder that you named or are in, and the settings of both .env files are compared. If they differ, that is a failure. If they
    do not, it is a warning, because the next edit would go to the wrong place.

    To fix it, make the change in the folder that the stack runs from, and recreate the worker.
    """
    if deployment.running_dir is None:
        yield skipped("There is no running stack to compare the folder with.")
        return
    here, running = str(deployment.directory), str(deployment.running_dir)
    if not deployment.elsewhere:
        yield passed(f"The running stack was started from {running}.")
        return
    seen = [
        Seen("container", "the labels of the running containers", running),
        Seen("host", deployment.found_by, here),
    ]
    look = Step(f"Examine the folder that the stack runs from, {running}.", command=f"ot-doctor --dir {quote(running)}")
    message = (
        f"You are in {here}, but the running stack was started from {running}"
        if deployment.found_by != "--dir"
        else (f"You named {here}, but the running stack was started from {running}")
    )
    file = None if isinstance(asked, Unavailable) else asked.file
    differing = () if isinstance(asked, Unavailable) else asked.differing_keys
    if not differing and (file is None or file.problem is None):
        text = "the settings in both .env files are the same" if file else "both use the same .env"
        message = f"{message}; {text}."
        yield warned(message, cause=Cause.WRONG_FOLDER, subject=here, expected=running, evidence=seen, remedy=[look])
        return
    if differing:
        names = ", ".join(differing[:SHOWN]) + (" and others" if len(differing) > SHOWN else "")
        difference = f"the .env files differ in {names}"
    else:
        difference = f"its .env is {file.problem.value}" if file and file.problem else ""
    edit = Step(f"Make your changes in {deployment.env_path}, not in {deployment.directory / '.env'}.", risk=Risk.CHANGES_FILES)
    yield failed(
        Cause.WRONG_FOLDER, f"{message}; {difference}.", subject=here, expected=running, evidence=seen,
        remedy=[edit, recreate(deployment, workers), look],
    )  # fmt: skip
