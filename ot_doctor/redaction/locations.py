"""What ``strict`` hides: names of hosts, addresses, projects, folders and files, each behind a placeholder of its own."""

from __future__ import annotations

import ipaddress
import posixpath
import re
import socket
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from ot_doctor.redaction.common_words import WORDS

_PUBLIC = re.compile(
    r"(?i)(?:[\w-]+\.)*(?:huggingface\.co|hf\.co|hf-mirror\.com|github\.com|githubusercontent\.com|ghcr\.io|docker\.io|docker\.com"
    r"|pypi\.org|pythonhosted\.org|pyannote\.ai|pytorch\.org|nvidia\.com|nvcr\.io|python\.org|w3\.org|schema\.org|json-schema\.org)\.?"
)
_KNOWN_HOSTS_WORDS = """
    localhost host host.docker.internal gateway.docker.internal docker-proxy backend frontend postgres redis minio opensearch
    flower nginx celery-worker celery-beat celery-cpu-worker celery-nlp-worker celery-download-worker celery-embedding-worker
    celery-cloud-worker celery-worker-gpu-scaled celery-worker-gpu-diarize celery-worker-gpu-transcribe celery-cloud-asr-worker
    celery-redaction diar-native docs ollama vllm
"""
_KNOWN_HOSTS = frozenset(_KNOWN_HOSTS_WORDS.split())
_KNOWN_PARTS_WORDS = """
    ~ . .. home root user srv opt var lib lib64 etc usr run tmp mnt media data dev proc sys bin sbin local share docker
    volumes _data containers overlay2 library applications users models model huggingface hub torch pyannote nltk_data
    sentence-transformers opensearch-ml transcription transformers whisper xet assets cache .cache .locks snapshots blobs refs
    main .no_exist config.yaml pytorch_model.bin model.bin plda plda.npz xvec_transform.npz segmentation embedding
    opentranscribe appuser app backend frontend .env .env.example .docker contexts docker.sock docker-compose.yml
    docker-compose.yaml compose.yml compose.yaml opentr.sh opentranscribe.sh version checkpoints token version.txt config.json
    daemon.json ca.pem cert.pem key.pem ssl certs resolve api models whoami-v2 tree raw settings tokens null stdout stderr
    logs pyannote-models .netrc
"""
_KNOWN_PARTS = frozenset(_KNOWN_PARTS_WORDS.split())
_CODE = ("/usr/", "/app/app/", "/proc/", "/sys/", "/dev/", "/bin/", "/lib", "/sbin/", "/opt/venv/", "/opt/conda/")
_KNOWN_NAME = re.compile(
    r"models--[\w.-]+|docker-compose[\w.-]*\.ya?ml|[0-9a-f]{12,64}(?:\.\w+)?|python[\d.]*|site-packages|dist-packages|v?\d[\w.]{0,12}|"
    r"[\w-]+\.(?:py|so|so\.[\d.]+|sock|lock|incomplete)|(?:name|host|ip|project|account|token)-\d+(?:\.\w{1,8})?"
)
_KINDS = ("name", "host", "ip", "project", "account", "token")
_PLACEHOLDER = re.compile(rf"(?:{'|'.join(_KINDS)})-\d+")
_MEDIA = r"(?:mp3|mp4|m4a|m4v|wav|flac|ogg|oga|opus|aac|wma|webm|mkv|mov|avi|3gp|amr|aiff?|srt|vtt)"
_MEDIA_NAME = re.compile(
    rf"(?i)(?P<quote>[\"'])(?P<quoted>[^\"'/\n]{{1,200}}\.{_MEDIA})(?P=quote)"
    rf"|(?P<bare>[^\s/\"'=:,;()<>]{{1,200}}\.{_MEDIA})\b"
)
_SAID_NAME = re.compile(
    r"(?i)(?P<label>\b(?:file|file_?name|audio|video|media|title|recording)[\"']?\s?[:=]\s?[\"']?)"
    rf"(?P<name>[^\"'/\n]{{1,200}}\.{_MEDIA}\b)"
)
_TITLE = re.compile(
    r"\b[Tt]itle[\"']?\s?[:=]\s?(?:\"(?P<double>[^\"\n]{1,300})\"|'(?P<single>[^'\n]{1,300})'|(?P<bare>[^\s\"',][^\"',\n]{0,300}))"
)
_URL_HOST = re.compile(r"(?P<before>\w://(?:[^\s/@\"']{1,300}@)?)(?P<host>[A-Za-z0-9_][\w.-]{0,252})")
_SAID_HOST = re.compile(
    r"""(?P<before>\bhost(?:name)?=['"]?|\b(?:resolve|resolving|lookup)(?:\ host)?[:\ ]\ ?['"(]?|\bcelery@
            |\bssh\ (?:-\S+\ )*(?:\w+@)?)
        (?P<host>[A-Za-z0-9_](?:[\w-]|\.(?=\w)){1,252})""",
    re.VERBOSE,
)
_IN_A_SENTENCE = re.compile(r"(?:resolve|resolving|lookup)[: ] ?$")  # "does not resolve inside the container"
_LOCAL_NAME = re.compile(
    r"(?i)(?<![\w.@-])(?:[a-z0-9-]{1,63}\.){1,5}(?:lan|local|internal|intranet|corp|localdomain|home\.arpa)\b(?![\w-])"
)
# Host names in free text: three parts and more that end like a domain do; two parts only where a machine is spoken of.
_DOMAIN_ENDS = (
    r"(?:com|net|org|biz|edu|gov|mil|int|cloud|dev|tech|online|xyz|eu|de|at|ch|li|fr|it|es|pt|nl|be|lu|uk|ie|dk|se"
    r"|no|fi|pl|cz|sk|hu|ro|bg|gr|si|hr|ee|lv|lt|us|ca|mx|br|ar|cl|co|au|nz|jp|cn|tw|hk|kr|sg|th|vn|il|tr|za|ru|ua)"
)
_FREE_HOST = re.compile(rf"(?i)(?<![\w.@/-])(?:[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])?\.){{2,6}}{_DOMAIN_ENDS}\b(?![\w(-]|\.\w)")
_IPV4 = re.compile(r"(?<![\w.=-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9A-Fa-f.]{0,39}:[0-9A-Fa-f.]{0,39}:)[0-9A-Fa-f:.]{3,45}(?![\w:])")
_PACKAGE_BEFORE = re.compile(r"(?i)(?:version|cu\d\d|v|release|driver)\W{0,3}$")
# Paths with blanks: in quotes, or up to the name of a recording.
_QUOTED_PATH = re.compile(r"(?P<quote>[\"'`])(?P<path>/[^\"'`\n]{0,400} [^\"'`\n]{1,400})(?P=quote)")
_PATH_OF_MEDIA = re.compile(
    rf"(?i)(?<![\w.:/>~$-])(?P<path>(?:/[^/\n\"'`:;,=]{{1,100}}){{1,20}}/[^/\n\"'`:;,=]{{1,200}}\.{_MEDIA})\b"
)
_PATH = re.compile(r"(?<![\w.:/>~$-])(?:~|\$HOME|\"\$HOME\")?(?:/[^\s/\"'`:,;=()<>|&*?\[\]{}\\]{1,255})+")
_PATHS = ("directory", "running_dir", "working_dir", "source", "data_root", "env_path", "path", "name")  # a log's name may be one
_IMAGE = re.compile(r"^(?P<host>[\w-]+(?:\.[\w-]+)+(?::\d+)?)/")


class Places:
    """The placeholders of one report: ``host-1``, ``ip-1``, ``project-1``, ``name-1``."""

    def __init__(self) -> None:
        self._placeholders: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
        self._counts: Counter[str] = Counter()
        self._learnt: re.Pattern[str] | None = None
        self._kinds: dict[str, str] = {}
        self._host(socket.gethostname())

    def learn(self, value: Any) -> None:
        """Take the names from the fields of evidence that hold nothing else, so that they are known in every text."""
        for name, text in _fields(value):
            if name == "project":
                self._remember("project", text)
            elif name == "account":
                self._remember("account", text)
            elif name == "token_name":
                self._remember("token", text)
            elif name in ("endpoint", "docker_host"):
                self._host(_host_of(text))
            elif name == "storage_host":
                self._host(text)
            elif name == "image" and (found := _IMAGE.match(text)):
                self._host(found["host"])
            elif name == "context":
                self._remember("name", text)
            elif name in _PATHS and text.startswith("/"):
                self._parts(text)
        known = sorted(self._kinds, key=len, reverse=True)
        self._learnt = re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(map(re.escape, known))})(?![A-Za-z0-9])") if known else None

    def hidden(self, text: str) -> tuple[str, Counter[str]]:
        """The text with placeholders, and how many of each kind were put in."""
        self._counts = Counter()
        if self._learnt:
            text = self._learnt.sub(lambda m: self._for(self._kinds[m[0]], m[0]), text)
        text = _QUOTED_PATH.sub(lambda m: m["quote"] + self._path(m) + m["quote"], text)
        text = _PATH_OF_MEDIA.sub(self._path, text)
        text = _SAID_NAME.sub(lambda m: m["label"] + self._file(m["name"]), text)
        text = _MEDIA_NAME.sub(self._media, text)
        text = _TITLE.sub(self._title, text)
        text = _URL_HOST.sub(lambda m: m["before"] + self._named_host(m["host"]), text)
        text = _SAID_HOST.sub(self._said_host, text)
        text = _LOCAL_NAME.sub(lambda m: self._named_host(m[0]), text)
        text = _FREE_HOST.sub(lambda m: self._named_host(m[0]), text)
        text = _IPV4.sub(self._address, text)
        text = _IPV6.sub(self._address, text)
        return _PATH.sub(self._path, text), self._counts

    def hidden_in(self, text: str) -> Iterator[str]:
        """What each placeholder in a text stands for: ``host name``, ``folder or file name``."""
        given = {name: _CALLED[kind] for kind, names in self._placeholders.items() for name in names.values()}
        return (given[found] for found in _PLACEHOLDER.findall(text) if found in given)

    def _for(self, kind: str, text: str) -> str:
        names = self._placeholders[kind]
        self._counts[_CALLED[kind]] += 1
        return names.setdefault(text, f"{kind}-{len(names) + 1}")

    def _remember(self, kind: str, text: str) -> None:
        if len(text) > 2 and not _is_standard(text):
            self._kinds.setdefault(text, kind)

    def _host(self, host: str) -> None:
        if len(host) > 2 and not _is_known_host(host) and not _ip(host):
            self._kinds.setdefault(host, "host")

    def _parts(self, path: str) -> None:
        """The folders of a path by themselves: those with spaces in them would not be told by a pattern."""
        for part in posixpath.normpath(path).split("/"):
            if len(part) > 2 and not _is_standard(part):
                self._kinds.setdefault(part, "name")

    def _named_host(self, host: str) -> str:
        name = host.rstrip(".")
        if _is_known_host(name) or _ip(name) or _PLACEHOLDER.fullmatch(name):
            return host
        return self._for("host", name) + host[len(name) :]

    def _said_host(self, match: re.Match[str]) -> str:
        if _IN_A_SENTENCE.search(match["before"]) and match["host"].isalpha():
            return match[0]
        return match["before"] + self._named_host(match["host"])

    def _file(self, name: str) -> str:
        stem, ending = _split(name)
        return name if _PLACEHOLDER.fullmatch(stem) else self._for("name", stem) + ending

    def _media(self, match: re.Match[str]) -> str:
        if match["quoted"]:
            return f"{match['quote']}{self._file(match['quoted'])}{match['quote']}"
        return self._file(match["bare"])

    def _title(self, match: re.Match[str]) -> str:
        said = match[match.lastgroup or 0].strip()
        if _PLACEHOLDER.fullmatch(posixpath.splitext(said)[0]):
            return match[0]
        start = match.start(match.lastgroup or 0) - match.start()
        return match[0][:start] + self._for("name", said) + match[0][start + len(said) :]

    def _address(self, match: re.Match[str]) -> str:
        address = _ip(match[0])
        if address is None or address.is_loopback or address.is_unspecified:
            return match[0]
        before = match.string[max(0, match.start() - 12) : match.start()]
        if address.version == 4 and not address.is_private and _PACKAGE_BEFORE.search(before):  # a library's version
            return match[0]
        return self._for("ip", match[0])

    def _path(self, match: re.Match[str]) -> str:
        path = match.groupdict().get("path") or match[0]
        if path.startswith(_CODE) or "-packages/" in path or _in_a_script(match):
            return path
        return "/".join(self._part(part) for part in path.split("/"))

    def _part(self, part: str) -> str:
        bare = part.rstrip(".…)")
        if not bare or _is_standard(bare) or bare in ("$HOME", '"$HOME"') or "…(" in part:
            return part
        stem, ending = _split(bare)
        if _is_standard(stem):
            return part
        return (self._for("name", stem) + ending if stem and len(ending) < 9 else self._for("name", bare)) + part[len(bare) :]


_CALLED = {
    "host": "host name", "ip": "IP address", "project": "project name", "name": "folder or file name", "account": "account name",
    "token": "token name",
}  # fmt: skip


def _split(name: str) -> tuple[str, str]:
    """The stem and the ending, ``.tar.gz`` for one."""
    stem, ending = posixpath.splitext(name)
    inner, before = posixpath.splitext(stem)
    return (inner, before + ending) if before == ".tar" else (stem, ending)


def _in_a_script(match: re.Match[str]) -> bool:
    """``s/.*/MAX_SPEAKERS=20/``: what sed is to write, and no path."""
    before, after = match.string[: match.start()], match.string[match.end() :]
    return bool(re.search(r"(?:^|[^A-Za-z])s/\S*$", before[-200:])) and after[:1] in ("=", "/", "") and match[0].count("/") == 1


def _fields(value: Any, name: str = "") -> Iterable[tuple[str, str]]:
    """The texts in evidence, each with the name of its field."""
    if isinstance(value, (str, PurePath)):
        yield name, str(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _fields(item, name)
    elif isinstance(value, (tuple, list, frozenset)):
        for item in value:
            yield from _fields(item, name)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from _fields(getattr(value, field.name), field.name)


def _host_of(address: str) -> str:
    try:
        return urlsplit(address).hostname or "" if "://" in address and not address.startswith("unix:") else ""
    except ValueError:
        return ""


def _is_known_host(host: str) -> bool:
    return host.lower() in _KNOWN_HOSTS or bool(_PUBLIC.fullmatch(host))


def _is_standard(part: str) -> bool:
    return part.lower() in _KNOWN_PARTS or part.casefold() in WORDS or bool(_KNOWN_NAME.fullmatch(part))


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
