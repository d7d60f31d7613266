"""What a rule may ask of a fault beyond texts, numbers and classes; a rule's ``where`` and ``subject`` name them."""

from __future__ import annotations

import re
from collections.abc import Callable

from ot_doctor.logs.faults.details import SIGNALS, role
from ot_doctor.logs.faults.fault import Fault

_BROKER_PORTS = {6379, 6380, 26379, 5672, 5671}
_BROKER_SCHEMES = {"redis", "rediss", "amqp", "amqps", "sentinel"}
_SIGNAL_NAMES = {number: name for name, number in SIGNALS.items()}
_HUB_WORDS = re.compile(
    r"hugging ?face|\bHub\b|hf[_-]xet|CAS service|xethub|Local ?Entry ?Not ?Found|snapshot|from_pretrained|download|pypi"
    r"|github", re.IGNORECASE
)
_OWN_SERVICES = re.compile(
    r"postgres|psycopg|asyncpg|sqlalchemy|minio|opensearch|elasticsearch|ollama|rabbitmq|redis|flower|nginx|mysql|mongo"
    r"|kafka", re.IGNORECASE
)
_ASKED_OF_HUB = re.compile(r"hugging ?face|Hf\w*Error|GatedRepo|\bHub\b|pyannote|whoami", re.IGNORECASE)
_REPOSITORY = re.compile(
    r"(?:Access to (?:model|dataset) |access (?:the )?(?:model|repo|repository) |to (?:model|dataset) |Repo model "
    r"|Could not download '?"
    r"|failed for |Could not download (?:Pipeline|Model) from |\brepo(?:sitory)?(?:_id)?[ :=]+['\"]?)"
    r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}?)(?=[\s'\":,]|\.(?:\s|$)|$)"
)
_GATE = re.compile(
    r"gated repo|\bis gated\b|GatedRepo|\bis restricted\b|\bauthorized list\b|\bask for access\b"
    r"|\baccept(?:ed|ing)? (?:the )?(?:user )?(?:conditions|agreement|terms|license)|\brequest access\b|access to (?:it"
    r"|this (?:model|repo))",
    re.IGNORECASE,
)
_ADVICE = re.compile(r"If you are trying to access a private or gated repo[^\n.]{0,80}")  # said of every unknown repository
_ANONYMOUS = re.compile(
    r"must be authenticated|be authenticated to access|please log ?in|have to be logged in|need to be (?:logged in"
    r"|authenticated)"
    r"|make sure (?:you are|to be) (?:logged in|authenticated)",
    re.IGNORECASE,
)
_BAD_TOKEN = re.compile(
    r"Invalid credentials|\btoken\b[^\n]{0,60}\b(?:is |has |was )?(?:expired|revoked)\b|\bexpired token\b|Invalid user token"
    r"|\btoken (?:is |seems )?(?:invalid|not valid)|\binvalid (?:hf |hugging ?face |access |auth\w* |user |api )?token\b"
    r"|\bbad credentials\b|\bthe token (?:in|from|is)[^\n]{0,40} invalid|\binvalid_token\b"
    r"|\bauthentication token[^\n]{0,30}invalid",
    re.IGNORECASE,
)
_PUBLIC = re.compile(  # owners of repositories that workers ask for; none of them is private
    r"^(?:pyannote|Systran|openai|facebook|microsoft|speechbrain|guillaumekln|mobiuslabsgmbh|deepdml|distil-whisper"
    r"|jonatasgrosman|BAAI"
    r"|sentence-transformers|intfloat|rhasspy|Revai|google|hexgrad|nvidia|mistralai|meta-llama|google-bert|FacebookAI|Qwen"
    r"|unsloth)/",
    re.IGNORECASE,
)
_UNSET = re.compile(r"^(?:None|null|undefined|nan|true|false|your[-_ ].*|<.*)(?:/|$)", re.IGNORECASE)
_ASKS_BY_HTTP = frozenset(("aiohttp", "httpx", "httpx2", "httpcore", "httpcore2", "requests", "urllib3"))
_LIBRARIES = frozenset((
    "torch", "torchaudio", "torchvision", "torchcodec", "pyannote", "whisperx", "whisper", "faster_whisper", "ctranslate2",
    "huggingface_hub",
    "transformers", "speechbrain", "lightning", "pytorch_lightning", "lightning_fabric", "numpy", "scipy", "pandas",
    "onnxruntime", "tokenizers",
    "numba", "llvmlite", "sklearn", "einops", "omegaconf", "asteroid_filterbanks", "safetensors", "hf_xet", "celery",
    "kombu", "billiard",
    "redis", "nltk", "librosa", "soundfile", "av", "pkg_resources", "setuptools", "tensorflow", "keras", "PIL", "accelerate",
    "httpx",
    "requests", "urllib3", "pydantic", "matplotlib",
))  # fmt: skip
_CLASSES = (
    r"DiarizeOutput|Annotation|SpeakerDiarization\w*|Pipeline|Segment|SlidingWindow\w*|Inference|DiarizationPipeline"
    r"|FasterWhisper\w*"
    r"|WhisperModel|TranscriptionOptions|AudioMetaData|HfFolder|HfApi|PretrainedConfig|\w*Tokenizer\w*|Trainer|Specifications"
    r"|Audio\w+|Tensor"
)
_READS_WEIGHTS = re.compile(r"[/\\]torch[/\\](?:serialization|_weights_only_unpickler)\.py$")
_IN_LIBRARY = re.compile(rf"\b(?:{'|'.join(sorted(_LIBRARIES))})\b|\b(?:{_CLASSES})(?:['.]| object)")


def outside(fault: Fault) -> bool:
    """Whether it may be about the internet: no service of the own network is named, or the Hub is."""
    if fault.addresses:
        return any(not one.internal for one in fault.addresses)
    return not _OWN_SERVICES.search(fault.text) or bool(_HUB_WORDS.search(fault.text))


def on_hub(fault: Fault) -> bool:
    """Whether the Hub, and nobody else, was asked: by an address, or by words or frames where there is none."""
    if fault.addresses:
        return any(one.on_hub for one in fault.addresses)
    return bool(_REPOSITORY.search(fault.text) or _ASKED_OF_HUB.search(fault.text)) or "huggingface_hub" in fault.libraries


def repository(fault: Fault) -> str | None:
    """The repository that it is about: by its address, or by the Hub's sentence."""
    named = next((one.repository for one in fault.addresses if one.repository), None)
    match = _REPOSITORY.search(fault.text) if named is None else None
    return match["repo"] if match else named


def _gate(fault: Fault) -> bool:
    return bool(_GATE.search(_ADVICE.sub("", fault.text))) or "GatedRepoError" in fault.types


def _gate_anonymous(fault: Fault) -> bool:
    """A gate that says the request carried no token. With 403 it did, whatever else is said."""
    if not _gate(fault) or fault.status == 403:
        return False
    return fault.status == 401 or (bool(_ANONYMOUS.search(_ADVICE.sub("", fault.text))) and "authorized list" not in fault.text)


def _gate_closed(fault: Fault) -> bool:
    refused = fault.status in (None, 403, 404) or "GatedRepoError" in fault.types
    return refused and _gate(fault) and (on_hub(fault) or not fault.addresses)


def _token_refused(fault: Fault) -> bool:
    return bool(_BAD_TOKEN.search(fault.text)) and (on_hub(fault) or not fault.addresses)


def _broker(fault: Fault) -> bool:
    return any(
        one.scheme in _BROKER_SCHEMES or one.port in _BROKER_PORTS or one.host in ("redis", "rabbitmq") for one in fault.addresses
    )


def _sidecar(fault: Fault) -> bool:
    named = any(one.port == 8701 or one.host == "diar-native" for one in fault.addresses)
    return named or "DiarSidecarUnavailableError" in fault.types


def _address_built_in(fault: Fault) -> bool:
    """Whether the address comes from a library's source: of whisperX's old voice detector, or on a retired bucket."""
    if any(one.on_hub for one in fault.addresses):
        return False
    by_frame = any("whisperx" in frame.path or frame.function == "load_vad_model" for frame in fault.frames)
    by_host = any("amazonaws" in one.host or "public.blob" in one.host for one in fault.addresses)
    return by_frame or by_host or bool(fault.libraries & {"whisperx", "whisper", "torchaudio"})


def path(fault: Fault) -> str | None:
    """The path that it is about: one of the cache before any other."""
    return next((one for one in fault.paths if role(one) == "cache"), fault.paths[0] if fault.paths else None)


def role_of(fault: Fault) -> str:
    """What the file system's error is about: ``"cache"``, ``"scratch"``, ``"elsewhere"``; nothing where no path is named."""
    named = path(fault)
    if named is not None:
        return role(named)
    return "cache" if fault.libraries & {"huggingface_hub", "filelock"} or "hf-xet" in fault.text else ""


def _host(fault: Fault) -> str | None:
    return next((one.host for one in fault.addresses if not one.internal), None)


def _address(fault: Fault) -> str | None:
    return next((f"{one.host}:{one.port}" if one.port else one.host for one in fault.addresses), None)


CONDITIONS: dict[str, Callable[[Fault], bool]] = {
    "outside": outside,
    "hub": on_hub,
    "not-internal": lambda fault: not any(one.internal for one in fault.addresses),
    "repository-public": lambda fault: bool(_PUBLIC.match(repository(fault) or "")),
    "repository-gated": lambda fault: (repository(fault) or "").lower().startswith("pyannote/"),
    "name-unset": lambda fault: bool(_UNSET.match(repository(fault) or "")),
    "token-refused": _token_refused,
    "gate-anonymous": _gate_anonymous,
    "gate-closed": _gate_closed,
    "address-built-in": _address_built_in,
    "broker": _broker,
    "sidecar": _sidecar,
    "reads-weights": lambda fault: any(_READS_WEIGHTS.search(frame.path) for frame in fault.frames),
    "cached-file": lambda fault: any("models--" in one or "/snapshots/" in one for one in fault.paths),
    "asks-by-http": lambda fault: bool(fault.libraries & _ASKS_BY_HTTP),
    "library": lambda fault: bool(_IN_LIBRARY.search(fault.text) or fault.libraries & _LIBRARIES),
}
SUBJECTS: dict[str, Callable[[Fault], str | None]] = {
    "path": path,
    "host": _host,
    "repository": repository,
    "device": lambda fault: fault.device,
    "address": _address,
    "signal": lambda fault: _SIGNAL_NAMES.get(fault.signal or 0),
}
