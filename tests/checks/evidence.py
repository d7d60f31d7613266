"""Evidence as the gatherers deliver it, with the values of a healthy v0.4 installation unless a test says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from ot_doctor.check import Check, Finding, Status
from ot_doctor.evidence import (
    Answer,
    Attempt,
    CacheAccess,
    CachedFile,
    CachedModel,
    CacheRoot,
    CacheView,
    ComposeConfig,
    ComposeLabels,
    ComposeService,
    ComposeSetting,
    Deployment,
    Engine,
    EnvEntry,
    EnvFile,
    FileAnswer,
    FileState,
    GpuGrant,
    Hit,
    Host,
    Hub,
    Identity,
    ImportTest,
    Ladder,
    LogSource,
    ModelCache,
    Mount,
    Outcome,
    ProcessEnvironment,
    Purpose,
    Record,
    ReleaseLine,
    Role,
    Rung,
    SeenGpu,
    Space,
    Stage,
    Worker,
    WorkerCuda,
    WorkerImports,
    WorkerLog,
    WorkerProbe,
    Workers,
    WorkerToken,
    models,
)
from ot_doctor.redaction.names import keep
from ot_doctor.redaction.secret import Secret

HOME = Path("/srv/ot")
ENV_PATH = HOME / ".env"
COMPOSE_PATH = HOME / "docker-compose.yml"
WORKER = "opentranscribe-celery-worker"
TOKEN = "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
OTHER_TOKEN = "hf_" + "ZyXwVuTsRqPoNmLkJiHgFeDcBa76543210"
CREATED = datetime(2026, 11, 20, 12, 0, tzinfo=timezone.utc)
EARLIER = datetime(2026, 11, 20, 11, 0, tzinfo=timezone.utc)
LATER = datetime(2026, 11, 20, 13, 0, tzinfo=timezone.utc)
GIGABYTE = 10**9

ENGINE = Engine("unix:///var/run/docker.sock", "the default socket", version="28.2.2", operating_system="Debian GNU/Linux 13")
MODELS = "/srv/ot/models"
MOUNTS = (
    Mount("bind", f"{MODELS}/huggingface", "/home/appuser/.cache/huggingface", True),
    Mount("bind", f"{MODELS}/torch", "/home/appuser/.cache/torch", True),
)


def kept(values: Mapping[str, str]) -> dict[str, str | Secret]:
    """Settings as evidence carries them: secrets as ``Secret``."""
    return {name: keep(name, value) for name, value in values.items()}


def worker(
    name: str = WORKER, *, service: str = "celery-worker", role: Role = Role.DIARIZER, env: Mapping[str, str] | None = None,
    **changes: Any,
) -> Worker:
    """A running diarizing container; ``env`` is its whole environment, the token alone by default."""
    healthy = Worker(
        engine=ENGINE, id=f"id-of-{name}", name=name, role=role, image="davidamacey/opentranscribe-backend:v0.4.1",
        compose=ComposeLabels("opentranscribe", service, str(HOME), (str(COMPOSE_PATH),)),
        status="running", health="healthy", created_at=CREATED, started_at=CREATED, user="appuser",
        env=kept({"HUGGINGFACE_TOKEN": TOKEN} if env is None else env), mounts=MOUNTS,
        image_env_names=frozenset({"PATH"}), gpu=GpuGrant(requested=True, device_ids=("0",)),
    )  # fmt: skip
    return replace(healthy, **changes)


def sed(script: str, path: str = "/srv/ot/.env") -> str:
    """The command that edits a file with a script."""
    return f"t=$(mktemp) && LC_ALL=C sed -E '{script}' {path} > \"$t\" && cat \"$t\" > {path} && rm \"$t\""


def celery(name: str = "opentranscribe-celery-cpu-worker", *, service: str = "celery-cpu-worker", **changes: Any) -> Worker:
    """A celery container that does not diarize."""
    return worker(name, service=service, role=Role.CELERY, **changes)


def workers(*containers: Worker) -> Workers:
    """The deployment's containers; one healthy worker by default. ``Workers(ENGINE, ())`` is the empty one."""
    return Workers(ENGINE, containers or (worker(),))


def deployment(line: ReleaseLine = ReleaseLine.V0_4, **changes: Any) -> Deployment:
    usual = Deployment(
        directory=HOME, found_by="the working folder", env_path=ENV_PATH, project="opentranscribe", running_dir=HOME,
        compose_files=(COMPOSE_PATH,), version="v0.4.1", line=line,
        line_reason=f"TRANSFORMERS_CACHE is not set in {WORKER}",
    )  # fmt: skip
    return replace(usual, **changes)


def env_file(text: str = f"HUGGINGFACE_TOKEN={TOKEN}\n", **changes: Any) -> EnvFile:
    """A ``.env`` of plain ``KEY=value`` and bare ``KEY`` lines, older than the worker; no quoting, no comments."""
    entries = []
    for number, line in enumerate(text.splitlines(), 1):
        key, equals, value = line.partition("=")
        if key:
            entries.append(EnvEntry(key, keep(key, value) if equals else None, number))
    return replace(
        EnvFile(ENV_PATH, entries=tuple(entries), modified_at=EARLIER, mode=0o600, owner=1000, tracked_by_git=False), **changes
    )


def compose(
    *settings: tuple[str, str | None], service: str = "celery-worker", references: tuple[str, ...] = (), env_file: str = ".env"
) -> ComposeConfig:
    """Compose files with one service that has these ``environment:`` entries; ``None`` is a bare key."""
    entries = tuple(
        ComposeSetting(service, key, None if value is None else keep(key, value), COMPOSE_PATH, 20 + n, references)
        for n, (key, value) in enumerate(settings)
    )
    services = {service: ComposeService(service, COMPOSE_PATH, 10, env_files=(env_file,))}
    return ComposeConfig((COMPOSE_PATH,), services, entries)


def token(value: str | None = TOKEN, **changes: Any) -> WorkerToken:
    """The worker's token, from the container and with a line in the ``.env``; ``None``: not set."""
    secret = None if value is None else Secret(value)
    usual = WorkerToken(secret, f"the environment of {WORKER}", from_container=True, env_line=f"{ENV_PATH}:1")
    return replace(usual, **changes)


def identity(answer: Answer = Answer.OK, **changes: Any) -> Identity:
    if answer is not Answer.OK:
        return replace(Identity(answer), **changes)
    return replace(Identity(answer, account="ana", account_type="user", token_name="OpenTranscribe", role="read"), **changes)


def hub(
    answers: Mapping[str, Answer] | None = None, *, line: ReleaseLine = ReleaseLine.V0_4, whoami: Identity | None = None,
    public: Answer = Answer.OK, **changes: Any,
) -> Hub:
    """The Hub's answers for the release line's models: all OK but those in ``answers`` (repository to answer)."""
    files = tuple(
        FileAnswer(model.repo, file, (answers or {}).get(model.repo, Answer.OK))
        for model in models(line)
        for file in model.files[:2]
    )
    usual = Hub(
        endpoint="https://huggingface.co", endpoint_from="the default", identity=whoami or identity(), files=files,
        public=FileAnswer("pyannote/wespeaker-voxceleb-resnet34-LM", "config.yaml", public), token_sent=True,
    )  # fmt: skip
    return replace(usual, **changes)


def cached_model(
    repo: str, files: Iterable[str], *, state: FileState = FileState.OK, required: bool = True, **changes: Any
) -> CachedModel:
    """One model of the v0.4 layout with all its files in the given state."""
    folder = "models--" + repo.replace("/", "--")
    path = f"{MODELS}/huggingface/hub/{folder}"
    size = 2_000_000 if state is FileState.OK else 0
    usual = CachedModel(
        repo=repo, required=required, path=path, container_path=f"/home/appuser/.cache/huggingface/hub/{folder}",
        files=tuple(CachedFile(name, state, size, f"{path}/snapshots/c0ffee/{name}") for name in files),
        present=True, commit="c0ffee",
    )  # fmt: skip
    return replace(usual, **changes)


def cache(
    complete: bool = True, *, line: ReleaseLine = ReleaseLine.V0_4, readable: bool | None = True, writable: bool | None = True,
    **changes: Any,
) -> ModelCache:
    """The model cache of a release line: with every required file, or (``complete=False``) with none of them."""
    state = FileState.OK if complete else FileState.MISSING
    usual = ModelCache(
        worker=WORKER,
        root=CacheRoot("/home/appuser/.cache/huggingface/hub", f"{MODELS}/huggingface/hub", MOUNTS[0], exists=True),
        models=tuple(
            cached_model(m.repo, m.files, state=state, required=m.required, present=complete) for m in models(line) if m.required
        ),
        access=CacheAccess("asked in the container", "appuser (1000)", 1000, readable, writable),
        configured=MODELS, view=CacheView.WORKER, models_dir=MODELS,
    )  # fmt: skip
    return replace(usual, **changes)


def host(**changes: Any) -> Host:
    plenty = Space(MODELS, Purpose.MODEL_CACHE, 500 * GIGABYTE, 200 * GIGABYTE, 1_000_000, 900_000)
    return replace(Host((plenty, replace(plenty, path="/var/lib/docker", purpose=Purpose.ENGINE_DATA))), **changes)


def record(text: str, *, line: int = 100, level: str = "ERROR", at: datetime | None = LATER) -> Record:
    return Record((line, line), at, level, text)


def hit(signature: str, cause: str | None, text: str = "", **changes: Any) -> Hit:
    return replace(Hit(signature, cause, None, certain=True, generic=False, record=record(text or signature)), **changes)


def attempt(outcome: Outcome = Outcome.SUCCEEDED, **changes: Any) -> Attempt:
    usual = Attempt(WORKER, outcome, (90, 110), task="8f2c", started_at=LATER, ended_at=LATER)
    return replace(usual, **changes)


def worker_log(*attempts: Attempt, source: Mapping[str, Any] | None = None, stray: tuple[Hit, ...] = ()) -> WorkerLog:
    """A worker's log; ``source`` changes fields of its one ``LogSource``."""
    origin = replace(LogSource(WORKER, lines_read=200, whole=True, since=CREATED), **(source or {}))
    return WorkerLog((origin,), attempts, stray)


def ladder(fallen: Answer | None = None, at: Stage = Stage.CONNECT, text: str = "it did not hold", **changes: Any) -> Ladder:
    """A way to the Hub on which all rungs hold; with ``fallen``, the one at ``at`` does not, and the rest is not reached."""
    stages = list(Stage)
    rungs = [Rung(stage, Answer.OK, f"{stage.value} held", 3) for stage in stages]
    if fallen is not None:
        rungs = [*rungs[: stages.index(at)], Rung(at, fallen, text, 3)]
    files = tuple(FileAnswer(m.repo, m.files[0], fallen or Answer.OK) for m in models(ReleaseLine.V0_4) if m.required)
    system = "the system's own certificates"
    usual = Ladder("https://huggingface.co", tuple(rungs), files, token_sent=True, trusted=system, clock=0.2)
    return replace(usual, **changes)


def probe(inside: Ladder | None = None, here: Ladder | None = None, **changes: Any) -> WorkerProbe:
    """A worker that was looked at from inside: with Config.Env's settings, and the way to the Hub open on both sides."""
    usual = WorkerProbe(
        worker=WORKER, user="appuser", uid=1000, python="3.13.5", devices=(), memory_limit=0, memory_used=GIGABYTE, clock=0.0,
        libraries={"torch": "2.8.0"}, process=ProcessEnvironment(readable=True), inside=inside or ladder(), here=here or ladder(),
    )  # fmt: skip
    return replace(usual, **changes)


def imports(*tests: ImportTest, **changes: Any) -> WorkerImports:
    """The worker's libraries, all of which can be imported but those in ``tests``."""
    fine = (ImportTest("torch", True, False, "2.8.0", "CUDA 12.8"), ImportTest("pyannote.audio", True, False, "4.0.5"))
    told = {test.name: test for test in (*fine, *tests)}
    return replace(WorkerImports(WORKER, "davidamacey/opentranscribe-backend:v0.4.1", tuple(told.values())), **changes)


def cuda(**changes: Any) -> WorkerCuda:
    """A calculation on the worker's GPU that went well."""
    before, during = (SeenGpu("NVIDIA RTX 4090", 24 * GIGABYTE, used * GIGABYTE) for used in (1, 2))
    usual = WorkerCuda(
        WORKER, "davidamacey/opentranscribe-backend:v0.4.1", True, "done", torch="2.8.0+cu128", built_for="12.8",
        device="NVIDIA RTX 4090", before=(before,), during=(during,),
    )  # fmt: skip
    return replace(usual, **changes)


def only(check: Check, *evidence: object) -> Finding:
    """The check's one finding."""
    findings = check(*evidence)
    assert len(findings) == 1, [(f.status, f.message) for f in findings]
    return findings[0]


def statuses(findings: Iterable[Finding]) -> list[Status]:
    return [finding.status for finding in findings]


def everything_said(finding: Finding) -> str:
    """All texts of a finding, for a look at what it says and at what it must not say."""
    parts = [finding.message, finding.subject or "", finding.expected or ""]
    parts += [f"{seen.where} {seen.text}" for seen in finding.evidence]
    parts += [f"{step.text} {step.command or ''} {step.url or ''}" for step in finding.remedy]
    return "\n".join(parts)
