"""The installation as it is, whether anything is wrong or not: what support asks for first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timezone
from typing import TypeVar

from ot_doctor.evidence import (
    CachedModel,
    Deployment,
    EnvFile,
    Host,
    Hub,
    ModelCache,
    NativeEngine,
    Outcome,
    Secret,
    Unavailable,
    Worker,
    WorkerLog,
    WorkerProbe,
    Workers,
)
from ot_doctor.report.model import Facts, Report, Section
from ot_doctor.report.versions import versions

E = TypeVar("E")
# What the facts are made of.
GATHERED = (Deployment, EnvFile, Workers, NativeEngine, ModelCache, Hub, WorkerLog, Host, WorkerProbe)
_MB = 1_000_000
_GB = 1_000_000_000
# The plain settings that decide how diarization works, by the beginnings of their names.
_SHOWN_SETTINGS = (
    "HF_", "TORCH_", "TRANSFORMERS_", "PYANNOTE_", "WHISPER", "ENGINE_", "DIAR", "ENABLE_DIARIZATION", "GPU_", "CUDA_", "NVIDIA_",
    "USE_GPU", "LOG_FORMAT", "LOG_LEVEL", "MIN_SPEAKERS", "MAX_SPEAKERS", "NUM_SPEAKERS", "DEPLOYMENT_MODE", "MODEL_CACHE_DIR",
    "COMPUTE_TYPE", "HUGGINGFACE_", "HUGGING_FACE_", "OMP_",
)  # fmt: skip


def facts_of(evidence: Mapping[type, object], now: datetime) -> Facts:
    """The facts in what was gathered by ``now``: a value or an ``Unavailable`` for each of ``GATHERED``."""
    return Facts(now, (
        Section("Versions", tuple(versions(_for_versions(evidence, now)))),
        _section("Engine", evidence, Workers, _engine),
        _section("Containers", evidence, Workers, _containers),
        _section("Settings of the worker", evidence, Workers, _settings),
        _section("Mounts of the worker", evidence, Workers, _mounts),
        _section("Model cache", evidence, ModelCache, _cache),
        _section("Native engine", evidence, NativeEngine, _native),
        _section("Hub", evidence, Hub, _hub),
        _section("Seen from inside the worker", evidence, WorkerProbe, _inside),
        _section("Space and network", evidence, Host, _host),
        _section("Last diarizations", evidence, WorkerLog, _attempts),
    ))  # fmt: skip


def _section(
    title: str, evidence: Mapping[type, object], kind: type[E], read: Callable[[E], Iterable[tuple[str, str]]]
) -> Section:
    value = evidence.get(kind)
    if isinstance(value, kind):
        return Section(title, tuple(read(value)))
    return Section(title, missing=str(value) if isinstance(value, Unavailable) else "It was not gathered.")


def _for_versions(evidence: Mapping[type, object], now: datetime) -> Report:
    def available(kind: type[E]) -> E | None:
        value = evidence.get(kind)
        return value if isinstance(value, kind) else None

    return Report(now, 0.0, (), (), available(Deployment), available(Workers), available(Hub), available(WorkerLog))


def _engine(workers: Workers) -> Iterator[tuple[str, str]]:
    engine = workers.engine
    yield "address", f"{engine.endpoint} (by {engine.found_by})"
    yield "system", _or_not(engine.operating_system)
    if engine.memory:
        yield "memory", f"{engine.memory / 2**30:.1f} GiB"
    yield "data", _or_not(engine.data_root)
    kinds = [word for word, so in (("Podman", engine.podman), ("rootless", engine.rootless),
                                   ("user ids remapped", engine.userns_remap), ("in a virtual machine", engine.in_vm),
                                   (f"{engine.swarm} of a Swarm", engine.swarm)) if so]  # fmt: skip
    yield "kind", ", ".join(kinds) or "ordinary"


def _containers(workers: Workers) -> Iterator[tuple[str, str]]:
    for worker in workers.containers:
        said = [worker.status + (f", {worker.health}" if worker.health else ""), worker.image]
        if not worker.running and worker.exit_code:
            said.append(f"exit code {worker.exit_code}")
        if worker.restart_count:
            said.append(f"{worker.restart_count} restarts")
        if worker.oom_killed:
            said.append("killed for memory")
        if worker.started_at:
            said.append(f"since {_time(worker.started_at)}")
        if worker.role.value == "diarizer":
            said += [f"user {worker.user or 'root'}", _gpu(worker)]
            said.append(f"memory limit {worker.memory_limit / 2**30:.1f} GiB" if worker.memory_limit else "no memory limit")
        yield worker.name, ", ".join(said)


def _gpu(worker: Worker) -> str:
    if not worker.gpu.requested:
        return "no GPU"
    return f"GPU {', '.join(worker.gpu.device_ids)}" if worker.gpu.device_ids else "GPU"


def _settings(workers: Workers) -> Iterator[tuple[str, str]]:
    for worker in workers.diarizers[:1]:
        for name, value in sorted(worker.env.items()):
            if not name.startswith(_SHOWN_SETTINGS):
                continue
            if isinstance(value, Secret):
                yield name, "empty" if value.blank else f"set, {value.shape.length} characters{_of_shape(value)}"
            else:
                yield name, value or "empty"


def _of_shape(value: Secret) -> str:
    if value.shape.placeholder:
        return ", a placeholder"
    return ", has the form of a token" if value.shape.well_formed else ", does not have the form of a token"


def _mounts(workers: Workers) -> Iterator[tuple[str, str]]:
    for worker in workers.diarizers[:1]:
        for mount in worker.mounts:
            yield mount.destination, f"{mount.kind} {mount.name or mount.source}, {'' if mount.writable else 'not '}writable"


def _cache(cache: ModelCache) -> Iterator[tuple[str, str]]:
    root = cache.root
    yield "folder", root.container_path + (f" ({root.path} on this machine)" if root.path else "")
    if root.set_by:
        yield "set by", root.set_by
    if cache.offline:
        yield "offline", cache.offline
    may = f"{_may(cache.access.readable, 'read')}, {_may(cache.access.writable, 'write')}"
    yield "worker's user", f"{cache.access.user or 'not known'}: {may}"
    yield "known from", cache.access.how
    for model in cache.models:
        yield model.repo, _model(model)


def _may(allowed: bool | None, what: str) -> str:
    return f"whether it can {what} is not known" if allowed is None else f"can{'' if allowed else 'not'} {what}"


def _model(model: CachedModel) -> str:
    size = sum(file.size for file in model.files)
    needed = "" if model.required else " (optional)"
    if model.complete:
        return f"complete, {size / _MB:.1f} MB, revision {model.commit or 'not known'}{needed}"
    if not model.present:
        return f"not there{needed}"
    states = ", ".join(f"{file.name} {file.state.value}" for file in model.files if file.state.value != "ok")
    return f"{model.problem or states}{needed}"


def _native(engine: NativeEngine) -> Iterator[tuple[str, str]]:
    yield "configured", f"{'yes' if engine.configured else 'no'}, {engine.configured_by}"
    yield "containers", ", ".join(f"{w.name} ({w.status})" for w in engine.sidecars) or "none"
    if engine.readiness:
        yield "ready", f"HTTP {engine.readiness.status}, models {engine.readiness.models_state or 'not known'}"
    if engine.models:
        yield "models", f"{engine.models.path}: {'complete' if engine.models.complete else 'not complete'}"


def _hub(hub: Hub) -> Iterator[tuple[str, str]]:
    yield "address", f"{hub.endpoint} (by {hub.endpoint_from})"
    yield "token", hub.identity.answer.words if hub.token_sent else f"not sent: {hub.not_sent_reason}"
    if hub.identity.account:
        yield "account", f"{hub.identity.account}, token '{hub.identity.token_name}', role {hub.identity.role or 'not known'}"
    for repo in dict.fromkeys(answer.repo for answer in hub.files):
        if answer := hub.of(repo):
            yield repo, answer.answer.words + (f" (HTTP {answer.status})" if answer.status else "")


def _inside(seen: WorkerProbe) -> Iterator[tuple[str, str]]:
    yield "worker", f"{seen.worker}, user {seen.user or 'without a name'} ({seen.uid}), Python {_or_not(seen.python)}"
    yield "memory", f"{seen.memory_used / _GB:.1f} GB used, " + (
        f"limit {seen.memory_limit / _GB:.1f} GB" if seen.memory_limit else "no limit"
    )
    yield "clock", f"{seen.clock:+.1f} s beside this machine's" if seen.clock else "agrees with this machine's"
    for whose, ladder in (("the worker", seen.inside), ("this machine", seen.here)):
        if ladder:
            rungs = "; ".join(f"{rung.stage.value}: {rung.text or rung.answer.words}" for rung in ladder.rungs)
            yield f"way of {whose} to the Hub", f"{ladder.endpoint}, {'reached' if ladder.reached else 'not reached'} ({rungs})"
    process = seen.process
    named = (("differ", process.differs), ("only there", process.added), ("missing there", process.removed))
    settings = "; ".join(f"{what}: {', '.join(names)}" for what, names in named if names) or "the same"
    yield "settings of its process, beside the container's", settings if process.readable else f"not known: {process.text}"
    if seen.gpu:
        names = ", ".join(f"{gpu.name} ({gpu.used / _GB:.1f} of {gpu.total / _GB:.1f} GB used)" for gpu in seen.gpu.gpus)
        yield "GPU", f"{names or seen.gpu.text or 'none'}, driver {_or_not(seen.gpu.driver)}"
    yield "libraries", ", ".join(f"{name} {version}" for name, version in sorted(seen.libraries.items())) or "none found"


def _host(host: Host) -> Iterator[tuple[str, str]]:
    for space in host.spaces:
        inodes = f", {space.inodes_free:,} of {space.inodes_total:,} inodes free" if space.inodes_total else ""
        read_only = ", read-only" if space.read_only else ""
        yield str(space.purpose), f"{space.path}: {space.free / _GB:.1f} of {space.total / _GB:.1f} GB free{inodes}{read_only}"
    for whose, settings in (("this machine", host.doctor_network), ("the worker", host.worker_network)):
        yield f"network settings of {whose}", ", ".join(f"{name}={value}" for name, value in settings.items()) or "none"


def _attempts(log: WorkerLog) -> Iterator[tuple[str, str]]:
    for source in log.sources:
        yield source.name, ". ".join(filter(None, [f"{source.lines_read:,} lines read", source.problem]))
    for attempt in [a for a in log.attempts if a.outcome is not Outcome.DISABLED][:5]:
        speakers = "" if attempt.speakers is None else f", {attempt.speakers} speakers"
        at = attempt.ended_at or attempt.started_at
        yield _time(at) if at else "at an unknown time", f"{attempt.outcome.value}{speakers}, {attempt.worker}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(timezone.utc):%Y-%m-%d %H:%M:%S} UTC"


def _or_not(text: str) -> str:
    return text or "not known"
