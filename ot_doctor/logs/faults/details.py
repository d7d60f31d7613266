"""Facts in the text of an error: numbers of the operating system, HTTP, addresses, paths, devices, signals."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

_POSIX = {
    1: "EPERM", 2: "ENOENT", 5: "EIO", 8: "ENOEXEC", 12: "ENOMEM", 13: "EACCES", 17: "EEXIST", 20: "ENOTDIR", 21: "EISDIR",
    23: "ENFILE", 24: "EMFILE", 27: "EFBIG", 28: "ENOSPC", 30: "EROFS", 32: "EPIPE", 36: "ENAMETOOLONG", 39: "ENOTEMPTY",
    40: "ELOOP", 49: "EADDRNOTAVAIL", 51: "ENETUNREACH", 54: "ECONNRESET", 60: "ETIMEDOUT", 61: "ECONNREFUSED",
    64: "EHOSTDOWN", 65: "EHOSTUNREACH", 69: "EDQUOT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 100: "ENETDOWN",
    101: "ENETUNREACH", 103: "ECONNABORTED", 104: "ECONNRESET", 110: "ETIMEDOUT", 111: "ECONNREFUSED", 112: "EHOSTDOWN",
    113: "EHOSTUNREACH", 116: "ESTALE", 122: "EDQUOT",
    -2: "EAI", -3: "EAI", -4: "EAI", -5: "EAI", -8: "EAI",
}  # fmt: skip
_WINDOWS = {
    2: "ENOENT", 3: "ENOENT", 5: "EACCES", 8: "ENOMEM", 14: "ENOMEM", 19: "EROFS", 32: "EBUSY", 39: "ENOSPC", 112: "ENOSPC",
    126: "ELIBBAD", 127: "ELIBBAD", 182: "ELIBBAD", 193: "ENOEXEC", 1114: "ELIBBAD", 1295: "EDQUOT", 1455: "ENOMEM",
    10013: "EACCES", 10050: "ENETDOWN", 10051: "ENETUNREACH", 10053: "ECONNABORTED", 10054: "ECONNRESET", 10060: "ETIMEDOUT",
    10061: "ECONNREFUSED", 10065: "EHOSTUNREACH", 11001: "EAI", 11002: "EAI", 11004: "EAI",
}  # fmt: skip
_WORDS = (
    ("EACCES", r"permission denied|access is denied|operation not permitted"),
    ("EROFS", r"read-only file ?system"),
    ("ENOSPC", r"no space left on device|not enough (?:free )?(?:disk )?space|disk is full"
        r"|no usable temporary directory.{0,40}space"),
    ("EDQUOT", r"quota exceeded"),
    ("EMFILE", r"too many open files"),
    ("ENOMEM", r"cannot allocate memory|not enough memory resources|paging file is too small"),
    ("ECONNREFUSED", r"connection refused|actively refused"),
    ("ECONNRESET", r"connection reset|forcibly closed"),
    ("ECONNABORTED", r"connection aborted|software caused connection abort"),
    ("ENETUNREACH", r"network is unreachable|network is down"),
    ("EHOSTUNREACH", r"no route to host|host is unreachable|host is down"),
    ("ETIMEDOUT", r"connection timed out"),
    ("EAI", r"name or service not known|temporary failure in name resolution|nodename nor servname|no address associated with"
            r"|getaddrinfo failed|failed to lookup address|no such host\b|could not resolve host|getaddrinfo (?:enotfound"
            r"|eai_again)"),
)  # fmt: skip
_BY_TYPE = {
    "PermissionError": "EACCES", "FileNotFoundError": "ENOENT", "ConnectionRefusedError": "ECONNREFUSED",
    "ConnectionResetError": "ECONNRESET", "ConnectionAbortedError": "ECONNABORTED", "BrokenPipeError": "EPIPE",
    "gaierror": "EAI",
    "MemoryError": "ENOMEM", "NameResolutionError": "EAI",
}  # fmt: skip
_WORDED = [(name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _WORDS]
_NUMBER = re.compile(
    r"\[Errno (?P<a>-?\d{1,6})\]|\(?os error (?P<b>\d{1,6})\)?|\[WinError (?P<w>\d{1,6})\]|\berrno[ =:]{1,3}(?P<c>-?\d{1,6})\b"
    r"|\bError (?P<d>-?\d{1,6}) (?:connecting|while) |\bOs \{ code: (?P<e>\d{1,6})\b"
    r"|\b(?!SSL)[A-Za-z]{0,40}Error\((?P<f>-?\d{1,6}), ['\"]"
)
_GAI = re.compile(r"gaierror|getaddrinfo|name resolution|NameResolution|Failed to resolve", re.IGNORECASE)

_TYPE = re.compile(
    r"\b(?:[A-Za-z_]\w{0,40}\.){0,6}([A-Za-z]\w{0,60}?(?:Error|Exception|Exceeded|Timeout|Disconnected|IsEnabled|NotFound"
    r"|IncompleteRead"
    r"|Interrupt))\b(?!\()|\b([A-Z]\w{2,50}(?:Error|Exception|Timeout|Exceeded|Disconnected|Read))\(|\b(gaierror)\b"
)
_STATUS = re.compile(
    r"\b(\d{3}) (?:Client|Server) Error|\bHTTPError:? (\d{3})\b|\bHTTP Error (\d{3})\b|\b(?:Client|Server) error '(\d{3})\b"
    r"|\brequested URL returned error: ([45]\d\d)\b"
    r"|\(([45]\d\d) [A-Z][\w ]{2,30}\) for url"
    r"|\bstatus(?:[ _]?code)?(?: is)?[:= ]{1,3}\(?([1-5]\d\d)\b|\b([45]\d\d), message=|\bTunnel connection failed: (\d{3})"
    r"|\bHTTP/[12](?:\.\d)?\"? (?:\d{3} )?\(?([45]\d\d)\b|\b(?:returned|responded(?: with)?|answered(?: with)?|got|received)"
    r" (?:an? )?(?:HTTP )?(?:error )?(?:status )?(?:code )?([45]\d\d)\b|^\W{0,3}(?:\w+: )?([45]\d\d)(?: [A-Z][a-z]+){1,3}(?:$"
    r"|:|\.)"
    r"|\bHTTP(?: status)?(?: code)?:? ([45]\d\d)\b|\b(?:proxy|server|hub|mirror)[^\n.]{0,40}? (?:with |code )([45]\d\d)\b"
    r"|[:(] ?([45]\d\d)(?: |: )(?:Unauthorized|Forbidden|Not Found|Too Many|Internal Server|Bad Gateway|Service |Gateway"
    r"|Proxy Auth)",
    re.IGNORECASE | re.MULTILINE,
)
_URL = re.compile(r"\b(?:https?|rediss?|amqps?|sentinel|tcp|wss?)://[^\s'\"<>()\[\],]{1,600}", re.IGNORECASE)
_POOL = re.compile(
    r"\bHTTPS?Connection(?:Pool)?\(host='([^']{1,200})', port=(\d{1,5})\)"
    r"(?:[^\n]{0,60} with url: (/[^\s'\"()]{0,500}))?"
)
_HOST_PORT = re.compile(r"(?:connecting to|connect to host|dial tcp:?|connect to|to address"
    r"|lookup) \(?'?([A-Za-z0-9.-]{1,200}):(\d{1,5})\b")
_NAMED_HOST = re.compile(r"(?:Failed to resolve|resolve host:?|lookup"
    r"|getaddrinfo E\w+) '?([A-Za-z0-9-]{1,60}(?:\.[A-Za-z0-9-]{1,60}){1,6})'?")
_HUB_PATH = re.compile(
    r"^/(?:api/)?(?P<kind>models|datasets|spaces)?/?(?P<repo>[^/?#]{1,100}(?:/(?!resolve/|raw/|blob/|tree/|revision/"
    r"|commits/)[^/?#]{1,100})?)"
    r"(?:/(?:resolve|raw|blob|tree|revision|commits)/(?P<rev>[^/?#]{1,100})(?:/(?P<file>[^?#]{1,300}))?)?"
)
_NO_OWNER = {"docs", "models", "api", "settings", "blog", "join", "login", "whoami-v2", "papers", "pricing", "organizations"}
_HUB = re.compile(r"(?:^|\.)(?:huggingface\.co|hf\.co|hf-mirror\.com|xethub\.hf\.co)$", re.IGNORECASE)
_PUBLIC_DOT = re.compile(r"\.[A-Za-z]{2,}$|^\d{1,3}(?:\.\d{1,3}){3}$")
_LOCAL = re.compile(r"^(?:localhost|127\.|10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|0\.0\.0\.0|host\.docker\.internal)")

_QUOTED_PATH = re.compile(r"['\"`]((?:[A-Za-z]:\\|\\\\|\.{0,2}/|~)[^'\"`\n]{1,400})['\"`]")
_BARE_PATH = re.compile(r"(?<![\w/.:])(/(?:[\w.@+-]{1,120}/){0,12}[\w.@+-]{1,160}|[A-Za-z]:\\[^\s'\":*?<>|]{1,300})")
_AFTER_ERRNO = re.compile(r"(?:\[(?:Errno|WinError) \d+\] [^'\"\n]{1,120}): ['\"]([^'\"\n]{1,400})['\"]")
_CACHE = re.compile(
    r"models--|datasets--|\.locks|[/\\.]cache(?:[/\\]|$)|cache|hugging_?face|[/\\]hub(?:[/\\]|$)|[/\\]torch(?:[/\\]|$)"
    r"|pyannote|[/\\]models?(?:[/\\]|$)"
    r"|nltk_data|sentence.transformers|\bxet\b|\bweights?\b|checkpoints?|\.incomplete|safetensors|whisper",
    re.IGNORECASE,
)
_SCRATCH = re.compile(r"scratch|diar-native|(?:^|[/\\])te?mp(?:orary)?(?:[/\\]|$)|[/\\]Temp[/\\]|shared-volume"
    r"|\bspool\b", re.IGNORECASE)

SIGNALS = {
    "SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGILL": 4, "SIGTRAP": 5, "SIGABRT": 6, "SIGBUS": 7, "SIGFPE": 8, "SIGKILL": 9,
    "SIGSEGV": 11, "SIGPIPE": 13, "SIGTERM": 15,
}  # fmt: skip
_SIGNAL_WORDS = (
    (4, re.compile(r"\bIllegal instruction\b|\btrap invalid opcode\b|\btraps: \S+ trap invalid opcode", re.IGNORECASE)),
    (11, re.compile(r"\bSegmentation fault\b|\bsegfault at\b|\bEXCEPTION_ACCESS_VIOLATION\b"
        r"|\baccess violation\b", re.IGNORECASE)),
    (6, re.compile(r"\bAborted\b(?: +\(core dumped\)|$| {2,})|Fatal Python error: Aborted")),
    (7, re.compile(r"\bBus error\b")),
    (8, re.compile(r"\bFloating point exception\b")),
    (9, re.compile(r"\bline \d+: +\d+ +Killed\b|(?:^|[:\s])Killed$|^Killed {2,}|\bzsh: killed\b", re.MULTILINE)),
)
_SIGNAL = re.compile(
    r"\b(SIG(?:HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|SEGV|PIPE|TERM))\b|\bsignal:? \(?(\d{1,2})\b"
    r"|\bstatus=\d{1,3}/(HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|SEGV|PIPE|TERM)\b|\bsignal: (killed|aborted"
    r"|segmentation fault|illegal)"
    r"|\bcode=killed, signal=(\w+)",
    re.IGNORECASE,
)
_EXIT = re.compile(
    r"\b(?:exit(?:ed)?|return(?:ed)?|terminated|stopped|died|finished|quit|ended|completed?)"
    r"(?:[ -](?:with|by|status|code|on))*(?: \w{1,20}){0,2}? ?(?:non-zero )?(?:exit )?(?:code|status)[ :=(]{0,3}(-?\d{1,10}"
    r"|0x[0-9A-Fa-f]{8})\b"
    r"|\b(?:exit|return) ?(?:code|status)(?: is| was)?[:= ]{0,3}\(?(-?\d{1,10}|0x[0-9A-Fa-f]{8})\b|\bexit status (\d{1,3})\b"
    r"|\bexited \((\d{1,3})\)"
    r"|\breturned (-\d{1,2})\b|\bexitcode[=: ]{1,3}(-?\d{1,10})|\bdied with <Signals\.\w+: (\d+)>|\bexited with (-?\d{1,10})\b",
    re.IGNORECASE,
)
_WINDOWS_EXIT = {0xC0000005: 11, 0xC000001D: 4, 0xC00000FD: 11, 0xC0000409: 6, 0xC0000374: 11, 0xC0000017: 9}
_DEVICE = re.compile(r"\b(cuda:\d{1,2}|mps|xpu:\d|hip:\d)\b|\bGPU (\d{1,2}) has\b|\bcuda device (\d{1,2})\b", re.IGNORECASE)
_LIBRARY = re.compile(r"(?:site|dist)-packages[/\\]([A-Za-z_]\w*)")
_STDLIB = re.compile(r"[/\\]lib(?:64)?[/\\]python3[\d.]*[/\\]([a-z_]\w*)")


@dataclass(frozen=True)
class Address:
    """Where a request went. The parts after ``port`` are those of a Hub's address."""

    scheme: str
    host: str
    port: int | None
    path: str = ""
    repository: str = ""  # "pyannote/segmentation-3.0"
    revision: str = ""
    file: str = ""

    @property
    def on_hub(self) -> bool:
        """Whether it is the Hub, a mirror of it, or one of the hosts that it sends files from."""
        return bool(_HUB.search(self.host)) or (bool(self.repository) and "/resolve/" in self.path)

    @property
    def internal(self) -> bool:
        """Whether it is a service of the own network: a name without a dot, or a private number."""
        return not _PUBLIC_DOT.search(self.host) or bool(_LOCAL.match(self.host))


def _address(scheme: str, host: str, port: int | None, path: str) -> Address:
    found = _HUB_PATH.match(unquote(path)) if _HUB.search(host) or "/resolve/" in path else None
    parts = found.groupdict() if found and found["repo"].split("/")[0] not in _NO_OWNER else {}
    return Address(scheme, host, port, path, parts.get("repo") or "", parts.get("rev") or "", parts.get("file") or "")


def addresses(text: str) -> tuple[Address, ...]:
    """Each address that is named, once, in the order of the text."""
    found: list[Address] = []
    for match in _URL.finditer(text):
        scheme, _, rest = match[0].rstrip(".:;").partition("://")
        authority, slash, path = rest.partition("/")
        host, _, port = authority.rpartition("@")[2].partition(":")
        if host:
            found.append(_address(scheme.lower(), host.lower(), int(port) if port.isdigit() else None, slash + path))
    for match in _POOL.finditer(text):
        found.append(_address("https", match[1].lower(), int(match[2]), match[3] or ""))
    for match in _HOST_PORT.finditer(text):
        found.append(_address("", match[1].lower(), int(match[2]), ""))
    for match in _NAMED_HOST.finditer(text):
        found.append(_address("", match[1].lower(), None, ""))
    return tuple(dict.fromkeys(found))


def os_errors(text: str, types: frozenset[str]) -> frozenset[str]:
    """Names of operating system errors. A number decides; words and classes count where there is none."""
    found: set[str] = set()
    for match in _NUMBER.finditer(text):
        if match["w"]:
            found.add(_WINDOWS.get(int(match["w"]), ""))
            continue
        number = int(match["a"] or match["b"] or match["c"] or match["d"] or match["e"] or match["f"])
        if number in (7, 8, 11) and _GAI.search(text):
            found.add("EAI")
        elif number > 10_000:
            found.add(_WINDOWS.get(number, ""))
        else:
            found.add(_POSIX.get(number, ""))
    found.discard("")
    if not found:
        found.update(name for name, pattern in _WORDED if pattern.search(text))
        found.update(_BY_TYPE[name] for name in types if name in _BY_TYPE)
    return frozenset(found)


def types_in(text: str) -> frozenset[str]:
    """Exceptions' classes that a text quotes, without their modules."""
    return frozenset(match[1] or match[2] or match[3] for match in _TYPE.finditer(text))


def status(text: str) -> int | None:
    """The first HTTP status that a text names as one."""
    match = _STATUS.search(text)
    return int(next(filter(None, match.groups()))) if match else None


def paths(text: str) -> tuple[str, ...]:
    """Paths of files: what follows an error's number first, then what stands in quotation marks, then what is bare."""
    bare = _URL.sub(" ", text)
    found = [match[1] for match in _AFTER_ERRNO.finditer(text)]
    found += [match[1] for match in _QUOTED_PATH.finditer(text)]
    found += [match[1] for match in _BARE_PATH.finditer(bare) if match[1].count("/") + match[1].count("\\") > 1 or "'" in text]
    return tuple(dict.fromkeys(path.rstrip(".") or path for path in found))


def role(path: str) -> str:
    """What a path is for: ``"cache"``, ``"scratch"``, or ``"elsewhere"``."""
    if _SCRATCH.search(path) and not re.search(r"models--|huggingface|[/\\]\.cache", path, re.IGNORECASE):
        return "scratch"
    return "cache" if _CACHE.search(path) else "elsewhere"


def exit_code(text: str) -> int | None:
    match = _EXIT.search(text)
    if match is None:
        return None
    return int(next(filter(None, match.groups())), 0)


def signal(text: str) -> int | None:
    """The signal that ended a process, by name, by number, or by the exit code of a shell, of Python or of Windows."""
    match = _SIGNAL.search(text)
    if match is not None:
        name = match[1] or match[3] or match[5]
        if name:
            return SIGNALS.get(f"SIG{name.upper().removeprefix('SIG')}")
        if match[2]:
            return int(match[2])
        return {"k": 9, "a": 6, "s": 11, "i": 4}[match[4][0].lower()]
    code = exit_code(text)
    if code is not None:
        if 128 < code < 160:
            return code - 128
        if -64 < code < 0:
            return -code
        if code & 0xFFFFFFFF in _WINDOWS_EXIT:
            return _WINDOWS_EXIT[code & 0xFFFFFFFF]
    return next((number for number, pattern in _SIGNAL_WORDS if pattern.search(text)), None)


def device(text: str) -> str | None:
    match = _DEVICE.search(text)
    if match is None:
        return None
    return match[1].lower() if match[1] else f"cuda:{match[2] or match[3]}"


def library_of(path: str) -> str:
    match = _LIBRARY.search(path) or _STDLIB.search(path)
    return match[1] if match else ""
