"""Reports built by hand, as runs of several kinds would make them; times are fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from ot_doctor.check import (
    Cause,
    Check,
    Confidence,
    Family,
    Finding,
    Result,
    Risk,
    Seen,
    Step,
    failed,
    passed,
    skipped,
    unknown,
    warned,
)
from ot_doctor.diagnosis.ranking import diagnose
from ot_doctor.evidence import (
    COMMUNITY_1,
    ComposeLabels,
    Deployment,
    Engine,
    Host,
    Hub,
    ModelCache,
    Outcome,
    Unavailable,
    WorkerLog,
    Workers,
)
from ot_doctor.redaction.redactor import Hidden
from ot_doctor.report.facts import facts_of
from ot_doctor.report.model import Facts, Report, Section
from tests.checks.evidence import TOKEN, WORKER, attempt, cache, deployment, host, hub, record, worker, worker_log, workers

STARTED = datetime(2026, 11, 21, 1, 0, tzinfo=timezone.utc)
ENV = "/srv/ot/.env"
COMPOSE = "docker compose -p opentranscribe --project-directory /srv/ot -f /srv/ot/docker-compose.yml"
RECREATE = Step(
    "Recreate the worker, so that it gets the .env as it is now ('docker compose restart' keeps the old values).",
    command=f"{COMPOSE} up -d --force-recreate celery-worker",
    risk=Risk.RESTARTS,
)
CHECKS = {
    "env-lines": (Family.ENV, "The lines of .env mean what they seem to"),
    "env-shadowed": (Family.ENV, "No other value wins over the one in .env"),
    "token-present": (Family.TOKEN, "The worker has a Hugging Face token"),
    "token-accepted": (Family.TOKEN, "The Hub knows the token"),
    "token-exposure": (Family.TOKEN, "The token is not where others can read it"),
    "model-access": (Family.ACCESS, "The account may download the models"),
    "cache-permissions": (Family.CACHE, "The worker's user may use the model cache"),
    "worker-running": (Family.WORKER, "A worker that diarizes is running"),
    "worker-gpu": (Family.WORKER, "The worker has the GPU that is configured"),
    "last-attempt": (Family.LOGS, "The last diarization succeeded"),
    "speaker-limits": (Family.SPEAKERS, "The speaker limits are usable"),
    "docker-engine": (Family.HOST, "The Docker engine can be asked"),
}
GOOD: Mapping[str, tuple[Finding, ...]] = {
    "env-lines": (passed(f"every line of {ENV} is read alike by all"),),
    "env-shadowed": (passed(f"nothing wins over the settings in {ENV}"),),
    "token-present": (
        passed("the worker has a token: hf_…(37)", evidence=[Seen("container", f"the environment of {WORKER}", "hf_…(37)")]),
    ),
    "token-accepted": (passed("the Hub knows the token 'OpenTranscribe' of the account 'ana'"),),
    "token-exposure": (passed("nothing shows the token to others"),),
    "model-access": (
        passed(f"{COMMUNITY_1} may be downloaded", subject=COMMUNITY_1, evidence=[Seen("hub", COMMUNITY_1, "HTTP 200")]),
        passed("pyannote/segmentation-3.0 may be downloaded", subject="pyannote/segmentation-3.0"),
    ),
    "cache-permissions": (passed("appuser (1000) may read and write /srv/ot/models/huggingface/hub"),),
    "worker-running": (passed(f"{WORKER} is running"),),
    "worker-gpu": (passed("the container has GPU 0"),),
    "last-attempt": (passed("the last attempt found 2 speakers"),),
    "speaker-limits": (passed("MIN_SPEAKERS=1, MAX_SPEAKERS=20"),),
    "docker-engine": (passed("Docker 28.2.2 answers at unix:///var/run/docker.sock"),),
}


def report(changes: Mapping[str, tuple[Finding, ...]] | None = None, **more: object) -> Report:
    """The healthy report, with other findings of some checks."""
    results = []
    for number, (name, findings) in enumerate({**GOOD, **(changes or {})}.items()):
        family, title = CHECKS[name]
        check = Check(name, title, family, lambda: (), "Because.")
        results.append(Result(check, findings, number / 1000))
    usual = Report(
        STARTED, 0.412, tuple(results), diagnose(results), deployment(), workers(), hub(), worker_log(attempt(speakers=2))
    )
    made = replace(usual, **more)  # type: ignore[arg-type]
    return made if made.facts else replace(made, facts=lambda: _facts(made))


def _facts(made: Report) -> Facts:
    gone = Unavailable("No Docker engine answers at unix:///var/run/docker.sock.")
    known = {
        Deployment: made.deployment, Workers: made.workers, ModelCache: made.workers and cache(), Hub: made.hub,
        WorkerLog: made.log, Host: host(),
    }  # fmt: skip
    return facts_of({kind: value or gone for kind, value in known.items()}, made.started_at)


def healthy() -> Report:
    return report()


def warnings() -> Report:
    open_file = warned(
        f"every user of this machine can read {ENV} (mode 0644), and it holds the token",
        cause=Cause.TOKEN_EXPOSED,
        subject=ENV,
        expected="mode 0600",
        evidence=[Seen(".env", ENV, "mode 0644")],
        remedy=[Step("Leave the file to its owner.", command=f"chmod o-rwx {ENV}", risk=Risk.CHANGES_FILES)],
    )
    unusual = warned("MAX_SPEAKERS=500 is unusually large", subject="MAX_SPEAKERS")
    return report({"token-exposure": (open_file,), "speaker-limits": (unusual,)})


def one_root_cause() -> Report:
    shadowed = failed(
        Cause.ENV_SHADOWED,
        f"line 9 of {ENV} (HUGGINGFACE_TOKEN is empty) wins over the token on line 2",
        subject="HUGGINGFACE_TOKEN",
        expected="one line with the token",
        evidence=[
            Seen(".env", f"{ENV}:2", "HUGGINGFACE_TOKEN is hf_…(37)"),
            Seen(".env", f"{ENV}:9", "HUGGINGFACE_TOKEN is empty"),
        ],
        remedy=[Step(f"Delete line 9 of {ENV}.", command=f"sed -i '9d' {ENV}", risk=Risk.CHANGES_FILES), RECREATE],
    )
    missing = failed(
        Cause.TOKEN_MISSING, "the worker has no Hugging Face token: HUGGINGFACE_TOKEN is empty",
        subject="HUGGINGFACE_TOKEN", remedy=[Step("Write a token.")],
    )  # fmt: skip
    after = skipped("not checked, because token-present did not pass (fail)")
    return report(
        {"env-shadowed": (shadowed,), "token-present": (missing,), "token-accepted": (after,), "model-access": (after,)}
    )


def _gated(repo: str, log_says: str = "") -> Finding:
    evidence = [Seen("hub", f"{repo} config.yaml", "HTTP 403: Access to model is restricted")]
    return failed(
        Cause.GATED_NOT_ACCEPTED,
        f"the account 'ana' has not accepted the agreement of {repo}",
        subject=repo,
        expected="the Hub gives the file to the worker's token",
        evidence=evidence + ([Seen("log", f"{WORKER}:1841", log_says)] if log_says else []),
        remedy=[
            Step(
                f"Log in at huggingface.co as 'ana' and accept the agreement of {repo}. No new token and no restart is needed.",
                url=f"https://huggingface.co/{repo}",
            ),
            Step("Run the transcription again (a short file with two voices is enough), then ot-doctor."),
        ],
    )


def three_causes() -> Report:
    denied = failed(
        Cause.CACHE_PERMISSION,
        "appuser (1000) may not write to /srv/ot/models/huggingface/hub, and a model must be downloaded",
        subject="/srv/ot/models/huggingface/hub",
        evidence=[
            Seen("cache", "/srv/ot/models/huggingface/hub", "owner 0:0, mode 0755"),
            *(Seen("cache", f"/srv/ot/models/huggingface/hub/.locks/{n}", "owner 0:0, mode 0644") for n in range(4)),
        ],
        remedy=[
            Step(
                "Give the folder to the worker's user (appuser (1000)), not to your own.",
                command="sudo chown -R 1000:1000 /srv/ot/models/huggingface/hub",
                risk=Risk.CHANGES_FILES,
            ),
            Step("Run the transcription again (a short file with two voices is enough), then ot-doctor."),
        ],
    )
    said = failed(
        Cause.GATED_NOT_ACCEPTED, "the last attempt failed: the model is gated", subject=COMMUNITY_1,
        evidence=[Seen("log", f"{WORKER}:1841", "Could not download " + "a long line of the log " * 30)],
        confidence=Confidence.LIKELY, remedy=[Step("Accept it.")],
    )  # fmt: skip
    limits = failed(
        Cause.SPEAKERS_CONFIG,
        "MAX_SPEAKERS is no whole number for the worker: '20  # can be raised'",
        subject="MAX_SPEAKERS",
        evidence=[Seen("container", f"the environment of {WORKER}", "MAX_SPEAKERS='20  # can be raised'")],
        confidence=Confidence.LIKELY,
        remedy=[Step(f"Write line 3 of {ENV} as MAX_SPEAKERS=20.", risk=Risk.CHANGES_FILES), RECREATE],
    )
    access = (_gated(COMMUNITY_1), passed("pyannote/segmentation-3.0 may be downloaded", subject="pyannote/segmentation-3.0"))
    failed_attempt = attempt(
        Outcome.FAILED, cause=Cause.GATED_NOT_ACCEPTED.value, subject=COMMUNITY_1, lines=(1841, 1902),
        started_at=STARTED - timedelta(seconds=110), ended_at=STARTED - timedelta(seconds=89),
    )  # fmt: skip
    switched_off = attempt(Outcome.DISABLED)
    return report(
        {"cache-permissions": (denied,), "model-access": access, "last-attempt": (said,), "speaker-limits": (limits,)},
        log=worker_log(failed_attempt, switched_off, attempt(Outcome.UNFINISHED, task="", started_at=None, ended_at=None)),
    )


def unknown_docker() -> Report:
    reason = "No Docker engine answers at unix:///var/run/docker.sock (the default socket): there is no such socket."
    step = Step("Docker is not started, or not installed, or it is at another address (DOCKER_HOST, 'docker context ls').")
    gone = unknown(reason, remedy=[step])
    behind = unknown(f"where the worker keeps its models is not known: {reason}", remedy=[step])
    refused = unknown(
        "https://hub.lan could not be reached: connection refused or cut", cause=Cause.NETWORK_REFUSED,
        evidence=[Seen("hub", "https://hub.lan", "Connection refused")],
        remedy=[Step("Look whether the Hub answers from here.", command="curl -sSI https://hub.lan")],
    )  # fmt: skip
    return report(
        {
            "token-accepted": (refused,), "model-access": (refused,), "cache-permissions": (behind,), "worker-running": (gone,),
            "worker-gpu": (gone,), "last-attempt": (gone,), "docker-engine": (gone,),
        },
        workers=None, log=None, deployment=deployment(version=None, project=None),
        hub=hub(endpoint="https://hub.lan", endpoint_from="the doctor's environment"),
        notices=("The plug-in acme 2.1 (acme.checks) could not be loaded: SyntaxError: invalid syntax (checks.py, line 3)",),
    )  # fmt: skip


def everything_skipped() -> Report:
    docker, net = skipped("Docker was left out (--no-docker)."), skipped("the Hub was left out (--offline)")
    of_the_hub = ("token-accepted", "model-access")
    changes = {name: (net,) if name in of_the_hub else (docker,) for name in CHECKS}
    changes["worker-gpu"] = (skipped("the GPU is read from the container: Docker was left out (--no-docker)."),)
    return report(changes, deployment=None, workers=None, hub=None, log=None)


def forty_attempts() -> Report:
    """Two workers over five days: all was well, then a token expired, then a model was gated; one attempt is still running."""
    begun = STARTED - timedelta(days=5)
    made = []
    for n in range(39):
        at = begun + timedelta(hours=2.9 * n, minutes=7 * (n % 5))
        outcome, cause = Outcome.SUCCEEDED, None
        if n > 30:
            outcome, cause = Outcome.FAILED, Cause.GATED_NOT_ACCEPTED.value
        elif n > 18 and n % 3:
            outcome, cause = Outcome.FAILED, Cause.TOKEN_INVALID.value
        elif n % 7 == 3:
            outcome = Outcome.RECOVERED
        made.append(
            attempt(
                outcome, cause=cause, worker=WORKER if n % 4 else f"{WORKER}-gpu-scaled-2", lines=(100 * n, 100 * n + 60),
                started_at=at, ended_at=at + timedelta(minutes=3 + n % 9), task=f"task-{n}",
            )
        )  # fmt: skip
    running = attempt(Outcome.UNFINISHED, started_at=STARTED - timedelta(minutes=9), ended_at=None, lines=(4100, 4130))
    newest = replace(made.pop(), decisive=(record("pyannote: 403 Client Error.\nCannot access gated repo."),))
    return report(
        {"model-access": (_gated(COMMUNITY_1),)}, log=worker_log(running, newest, *reversed(made)),
    )  # fmt: skip


HOSTILE = (  # tries to break out of every format for machines
    "::error::one\n  ::set-output name=x::two\n\u200b:\u200b:warning::three ##[add-mask]four #\u200b#[group]five\r\n"
    "</failure></testcase><testcase name='x'/>]]>&amp;<!-- \"quoted\" 'single' \\ \\n {0} {{ }} ${{ secrets.X }}\n"
    'ot_doctor_exit_code 0\n# TYPE ot_doctor_exit_code counter\n"} 5\n'
    "OK | fail=0\n[a link](https://evil.example) %0A::error::six %25 \x00 \x1b[31m \x0b \x85 \u2028 \ufffe \udce9 \ud800 話 😀"
)


def everywhere(text: str) -> Report:
    """The text in every place of a report that takes one from outside."""
    seen = [Seen(text, text, text), Seen("log", "log", f"several\nlines\n{text}")]
    steps = [Step(text, command=text or None, url=text or None, risk=risk) for risk in Risk]
    steps.append(Step(text, url=f"https://huggingface.co/{text}"))
    findings = (
        failed(Cause.TOKEN_INVALID, text or "-", remedy=steps, subject=text, expected=text, evidence=seen),
        warned(text or "-", cause=Cause.TOKEN_EXPOSED, remedy=steps, subject=text, expected=text, evidence=seen),
        unknown(text or "-", cause=Cause.NETWORK_DNS, remedy=steps, subject=text, evidence=seen),
        skipped(text or "-", subject=text, evidence=seen), passed(text or "-", subject=text, evidence=seen),
    )  # fmt: skip
    names = ("token-accepted", "token-exposure", "model-access", "worker-gpu", "worker-running")
    plug_in = Check("acme-check", text, Family.HOST, lambda: (), text)
    results = [*report(dict(zip(names, ((f,) for f in findings), strict=True))).results, Result(plug_in, findings, 0.1)]
    broken = attempt(
        Outcome.FAILED, worker=text, cause=text or None, subject=text, task=text, settings=text,
        started_at=STARTED - timedelta(minutes=2), ended_at=STARTED, decisive=(record(text), record(f"\n{text}\n")),
    )  # fmt: skip
    odd_worker = worker(
        text, image=text, status=text, compose=ComposeLabels(text, text, text, (text,), (text,), text),
        image_labels={"org.opencontainers.image.version": text}, image_env={"PYTHON_VERSION": text},
        engine=Engine(text, text, text, text, data_root=text, api_version=text),
    )  # fmt: skip
    return report(
        results=tuple(results), diagnosis=diagnose(results), hub=hub(endpoint=text, endpoint_from=text), notices=(text, text),
        deployment=deployment(directory=Path(text), project=text, version=text, line_reason=text),
        facts=lambda: Facts(STARTED, (Section(text, ((text, text),)), Section("x", missing=text))),
        workers=Workers(odd_worker.engine, (odd_worker,)), hidden=(Hidden(text, 2),),
        log=worker_log(
            broken, replace(broken, started_at=None, ended_at=None),
            source={"name": text, "release_signs": (text,), "device": text, "problem": text},
        ),
    )  # fmt: skip


REPORTS = {
    "healthy": healthy,
    "warnings": warnings,
    "one-root-cause": one_root_cause,
    "three-causes": three_causes,
    "unknown-docker": unknown_docker,
    "everything-skipped": everything_skipped,
}
__all__ = ["HOSTILE", "REPORTS", "TOKEN", "everywhere", "forty_attempts", "report"]
