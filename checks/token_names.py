"""Two tokens under two names, and which of them wins."""

from __future__ import annotations

from collections.abc import Iterator

from ot_doctor.check import Family, Finding, Seen, Step, check, passed, skipped, warned
from ot_doctor.evidence import TOKEN_NAME, Deployment, ReleaseLine, Secret, Unavailable, Worker, Workers

from ._remedies import recreate

LIBRARY_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")  # in the order in which huggingface_hub takes them


@check("token-names", title="One token is set, not two different ones", family=Family.TOKEN)
def token_names(workers: Workers, deployment: Deployment | Unavailable) -> Iterator[Finding]:
    """OpenTranscribe reads HUGGINGFACE_TOKEN and hands it to PyAnnote itself. The Hugging Face library reads HF_TOKEN, and
    HUGGING_FACE_HUB_TOKEN where that is not set, whenever nobody hands a token over.

    v0.5 sets HF_TOKEN from HUGGINGFACE_TOKEN, unless one of the two others is set already: then the operator's own wins, for
    the export of the native engine's models among others. With two different tokens the one may be good and the other refused.
    """
    if workers.lite:
        yield skipped("This is a lite installation: a cloud provider does the diarization.")
        return
    line = ReleaseLine.UNKNOWN if isinstance(deployment, Unavailable) else deployment.line
    looked_at = (*workers.diarizers[:1], *workers.of("exporter")[:1])
    findings = [found for worker in looked_at if (found := _different(worker, line, deployment, workers))]
    if findings:
        yield from findings
    elif looked_at:
        yield passed("There are no two different tokens under different names.")
    else:
        yield skipped("There is no worker whose tokens could be compared.")


def _different(worker: Worker, line: ReleaseLine, deployment: Deployment | Unavailable, workers: Workers) -> Finding | None:
    own = worker.env.get(TOKEN_NAME)
    name = next((n for n in LIBRARY_NAMES if isinstance(t := worker.env.get(n), Secret) and not t.blank), None)
    if name is None or not isinstance(own, Secret) or own.blank or worker.env[name] == own:
        return None
    for_what = "the export of the native engine's models and for " if line is ReleaseLine.V0_5 else ""
    return warned(
        f"{worker.name} has two different tokens. {name} wins for {for_what}everything where the Hugging Face library takes the "
        f"token from the environment. {TOKEN_NAME} wins for PyAnnote in the worker.",
        subject=name,
        expected="one token",
        evidence=[Seen("container", worker.where, f"{key} is {worker.env[key]}") for key in (TOKEN_NAME, name)],
        remedy=[
            Step(f"Remove {name} where it is set (.env, or 'environment:' of the Compose file), or give both the same value."),
            recreate(deployment, workers, sorted({w.compose.service for w in (*workers.celery, worker) if w.compose.service})),
        ],
    )
