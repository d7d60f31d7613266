"""Whether the web pages hold a secret: everybody who opens them gets it."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Cause, Family, Finding, Risk, Seen, Step, check, failed, passed, skipped
from ot_doctor.evidence import TOKEN_NAME, Deployment, Frontend, ServedSecret, Unavailable, Workers

from ._remedies import new_token, recreate
from ._tokens import usable
from .token_exposure import BROWSER_PREFIXES

_MEANT_FOR_BROWSERS = ("PUBLIC", "PUBLISHABLE", "SITE_KEY", "SITEKEY")
_TOKEN_NAMES = ("", TOKEN_NAME, "HF_TOKEN")


@check("browser-files", title="The web pages contain no secret", family=Family.TOKEN, causes=(Cause.TOKEN_EXPOSED,))
def browser_files(
    frontend: Frontend, workers: Workers | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """The models are gated, and Hugging Face supports such models on servers only: a token in a web page is everybody's.

    The files that the container of the web pages serves (scripts, pages, settings, source maps) are searched for the token and
    for every other secret of .env and of the containers, also as hex, base64 and as addresses and JSON write it. They are read
    through the engine, up to 48 MB and for three seconds; nothing is run. Words, short values and placeholders are not looked
    for, because they would be found by chance. The container's environment is looked at as well: what has a browser's name
    (VITE_…, NEXT_PUBLIC_…) is built into the pages. The token under its own name there is no fault: OpenTranscribe's Compose file
    gives .env to that container, too, and a web server does not send its environment.

    To fix it, remove the value from what the pages are built from, build them again, and replace the secret: it is known now.
    """
    findings = [*_in_files(frontend), *_in_environment(frontend, workers, deployment)]
    yield from findings
    if frontend.not_searched:
        what = "Some files of the web pages were" if frontend.files else "The files of the web pages were"
        yield skipped(f"{what} not searched ({frontend.container}): {frontend.not_searched.rstrip('.')}.")
    elif not findings:
        where = f"{frontend.folder} of {frontend.container}"
        yield passed(
            f"The web pages contain no secret that is known here ({frontend.files} files in {where}).{_unserved(frontend)}"
        )


def _in_files(frontend: Frontend) -> Iterator[Finding]:
    served = [secret for secret in frontend.secrets if _is_secret(secret)]
    for path in dict.fromkeys(secret.path for secret in served):
        names = [_called(secret) for secret in served if secret.path == path]
        is_token = any(secret.name in _TOKEN_NAMES for secret in served if secret.path == path)
        where = f"{frontend.container}:{path}"
        yield failed(
            Cause.TOKEN_EXPOSED,
            f"{where} is sent to every visitor of the web pages, and contains {', '.join(names)}.",
            subject=where,
            expected="no secret in what browsers get",
            evidence=[Seen("container", where, f"contains {name}") for name in names],
            remedy=[
                Step(
                    "Remove it from what the pages are built from (a variable such as VITE_…, a settings file, the source), "
                    "build the pages again, and recreate the container.",
                    risk=Risk.RESTARTS,
                ),
                *([new_token(f", write it to .env as {TOKEN_NAME}, and delete the exposed one")] if is_token else []),
                *([] if is_token else [Step(f"Replace the secret ({', '.join(names)}): whoever opened the pages may have it.")]),
            ],
        )


def _is_secret(secret: ServedSecret) -> bool:
    """What somebody named for browsers is meant for them, unless it is the token."""
    meant = secret.name.startswith(BROWSER_PREFIXES) or any(word in secret.name.upper() for word in _MEANT_FOR_BROWSERS)
    return secret.name in _TOKEN_NAMES or not meant


def _called(secret: ServedSecret) -> str:
    return f"the value of {secret.name}" if secret.name else "a Hugging Face token"


def _in_environment(
    frontend: Frontend, workers: Workers | Unavailable, deployment: Deployment | Unavailable
) -> Iterator[Finding]:
    """Variables that are built into the pages by their names; what any other holds is not served."""
    again = recreate(deployment, workers, [frontend.service]) if frontend.service else None
    for name, value in frontend.env.items():
        if name.startswith(BROWSER_PREFIXES) and usable(value):
            yield failed(
                Cause.TOKEN_EXPOSED, f"{name} of {frontend.container} contains a token, and a variable with such a name is built "
                "into the web pages.", subject=name, expected=f"the token only in {TOKEN_NAME} of the workers",
                evidence=[Seen("container", f"{frontend.container} Config.Env", f"{name} is {value}")],
                remedy=[
                    Step(f"Remove {name} from the service that serves the web pages.", risk=Risk.CHANGES_FILES),
                    *([again] if again else []), new_token(", write it to .env, and delete the exposed one"),
                ],
            )  # fmt: skip


def _unserved(frontend: Frontend) -> str:
    """The token in a variable that no browser gets, as an end of a sentence; empty where there is none."""
    names = ", ".join(name for name, value in frontend.env.items() if usable(value))
    return f" Its container has the token in {names}, like each service that is given .env; no page holds it." if names else ""
