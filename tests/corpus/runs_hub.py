"""The Hub's newest clients outside any job: their own commands, Xet, and the other libraries that ask for an address."""

from __future__ import annotations

from . import faults, xet
from .case import OTHER_TOKEN, SEGMENTATION, TOKEN, Run, Truth
from .runs_programs import python_program

_HUB = "huggingface.co"
_NEW = "hub-2.4.0"
_SOME = "hub-1.33.0"
_LIBRARIES = "libraries"
_NO_TERMS = Truth("none", "gated-not-accepted")
_DNS = Truth("none", "network-dns")
_REFUSED = Truth("none", "network-refused")
_TIMEOUT = Truth("none", "network-timeout")
_TLS = Truth("none", "network-tls")
_PROXY = Truth("none", "network-proxy")
_INVALID = Truth("none", "token-invalid")
_407 = b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
_403 = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
_ALIKE = "the command says no more than that approval is needed"
_UNTOLD = "hf_xet says only that its request could not be sent"
_XET = {"HF_HUB_DISABLE_XET": "0", "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "1", "HF_XET_CLIENT_RETRY_BASE_DELAY": "100ms"}
_BY: dict[str, str] = {"requests": "by_requests", "httpx": "by_httpx", "urllib": "by_urllib", "aiohttp": "by_aiohttp"}


def _hf(*words: str) -> tuple[str, ...]:
    return ("/opt/venv/bin/python", "/opt/venv/bin/hf", *words)


def _download(repository: str = SEGMENTATION) -> tuple[str, ...]:
    return _hf("download", repository)


CLIENTS: tuple[Run, ...] = (
    # The client's own command.
    Run("h-cli-healthy", Truth("none"), venv=_NEW, command=_download(), env={"HF_TOKEN": TOKEN}),
    Run("h-cli-gated", _NO_TERMS, venv=_NEW, command=_download(), prepare=faults.nothing_accepted, env={"HF_TOKEN": TOKEN}),
    Run(
        "h-cli-no-token", Truth("none", "token-missing", also=("gated-not-accepted",), why=_ALIKE), venv=_NEW, command=_download()
    ),
    Run("h-cli-bad-token", _INVALID, venv=_NEW, command=_download(), env={"HF_TOKEN": OTHER_TOKEN}),
    Run("h-cli-whoami", _INVALID, venv=_NEW, command=_hf("auth", "whoami"), env={"HF_TOKEN": OTHER_TOKEN}),
    Run(
        "h-cli-not-logged-in",
        Truth("none", "token-missing", also=("unrecognised",), why="whoami says only that nobody is logged in"),
        venv=_NEW,
        command=_hf("auth", "whoami"),
    ),
    Run(
        "h-cli-pending",
        Truth("none", "gated-pending", also=("gated-not-accepted",), why=_ALIKE),
        venv=_NEW,
        command=_download(),
        env={"HF_TOKEN": TOKEN},
        prepare=faults.grant(SEGMENTATION, "pending"),
    ),
    Run(
        "h-cli-fine-grained",
        Truth("none", "token-scope"),
        venv=_NEW,
        command=_download(),
        env={"HF_TOKEN": TOKEN},
        prepare=faults.token(role="fineGrained", can_read_gated=False),
    ),
    Run(
        "h-cli-expired",
        Truth("none", "token-invalid", also=("repo-not-found",), why="the command says only that the model is not found"),
        venv=_NEW,
        command=_download(),
        env={"HF_TOKEN": TOKEN},
        prepare=faults.token(expired=True),
    ),
    Run(
        "h-cli-no-repository",
        Truth("none", "repo-not-found"),
        venv=_NEW,
        env={"HF_TOKEN": TOKEN},
        command=_download("pyannote/speaker-diarization-4.0"),
    ),
    Run(
        "h-cli-no-file",
        Truth("none", "repo-not-found"),
        venv=_NEW,
        env={"HF_TOKEN": TOKEN},
        command=_hf("download", SEGMENTATION, "model.safetensors"),
    ),
    Run(
        "h-cli-no-revision",
        Truth("none", "repo-not-found"),
        venv=_NEW,
        env={"HF_TOKEN": TOKEN},
        command=_hf("download", SEGMENTATION, "config.yaml", "--revision", "3.0"),
    ),
    Run("h-cli-offline", Truth("none", "offline-cache-missing"), venv=_NEW, command=_download(), env={"HF_HUB_OFFLINE": "1"}),
    Run("h-cli-dns", _DNS, venv=_NEW, command=_download(), prepare=faults.no_such_name, seconds=60),
    Run("h-cli-refused", _REFUSED, venv=_NEW, command=_download(), prepare=faults.hub_at("127.0.0.2"), seconds=60),
    Run("h-cli-tls", _TLS, venv=_NEW, command=_download(), prepare=faults.untrusted, seconds=60),
    Run("h-cli-proxy-407", _PROXY, venv=_NEW, command=_download(), prepare=faults.proxy(_407), seconds=60),
    Run("h-cli-proxy-403", _PROXY, venv=_NEW, command=_download(), prepare=faults.proxy(_403), seconds=60),
    Run(
        "h-cli-full", Truth("none", "disk-full"), venv=_NEW, command=_download(), prepare=faults.small(), env={"HF_TOKEN": TOKEN}
    ),
    Run(
        "h-cli-denied",
        Truth("none", "cache-permission"),
        venv=_NEW,
        command=_download(),
        prepare=faults.owned_by_root(""),
        env={"HF_TOKEN": TOKEN},
    ),
    Run(
        "h-cli-unavailable",
        Truth("none", "hub-unavailable"),
        venv=_NEW,
        command=_download(),
        prepare=faults.hub_fault("503"),
        seconds=90,
    ),
    # Calls of the client, outside any job.
    Run("h-snapshot-gated", _NO_TERMS, venv=_NEW, command=python_program("snapshot"), prepare=faults.nothing_accepted),
    Run(
        "h-snapshot-offline",
        Truth("none", "offline-cache-missing"),
        venv=_NEW,
        command=python_program("snapshot"),
        env={"HF_HUB_OFFLINE": "1"},
    ),
    Run("h-snapshot-no-token", Truth("none", "token-missing"), venv=_SOME, command=python_program("snapshot"), token=None),
    Run("h-snapshot-dns", _DNS, venv=_SOME, command=python_program("snapshot"), prepare=faults.no_such_name, seconds=60),
    Run("h-whoami", _INVALID, venv=_NEW, command=python_program("whoami"), token=OTHER_TOKEN),
    Run("h-whoami-expired", _INVALID, venv=_SOME, command=python_program("whoami"), prepare=faults.token(expired=True)),
    Run("h-whoami-tls", _TLS, venv=_NEW, command=python_program("whoami"), prepare=faults.untrusted, seconds=60),
    Run("h-whoami-proxy-407", _PROXY, venv=_SOME, command=python_program("whoami"), prepare=faults.proxy(_407), seconds=60),
    Run("h-info-no-repository", Truth("none", "repo-not-found"), venv=_NEW, command=python_program("model_info")),
    Run(
        "h-info-limited",
        Truth("none", "rate-limited"),
        venv=_SOME,
        command=python_program("model_info"),
        prepare=faults.hub_fault("429", 1),
        seconds=60,
    ),
    # Other libraries.
    *(
        Run(f"h-{by}-dns", _DNS, venv=_LIBRARIES, command=python_program(program), prepare=faults.no_such_name)
        for by, program in _BY.items()
    ),
    *(
        Run(f"h-{by}-tls", _TLS, venv=_LIBRARIES, command=python_program(program), prepare=faults.untrusted)
        for by, program in _BY.items()
    ),
    *(
        Run(f"h-{by}-timeout", _TIMEOUT, venv=_LIBRARIES, command=python_program(program), prepare=faults.hub_fault("blackhole"))
        for by, program in _BY.items()
    ),
    *(
        Run(f"h-{by}-reset", _REFUSED, venv=_LIBRARIES, command=python_program(program), prepare=faults.connections_reset)
        for by, program in _BY.items()
    ),
    *(
        Run(f"h-{by}-proxy-407", _PROXY, venv=_LIBRARIES, command=python_program(program), prepare=faults.proxy(_407))
        for by, program in list(_BY.items())[:3]
    ),
    Run("h-curl-dns", _DNS, command=("curl", "-fsS", f"https://{_HUB}/api/whoami-v2"), prepare=faults.no_such_name),
    Run(
        "h-curl-refused", _REFUSED, command=("curl", "-fsS", f"https://{_HUB}/api/whoami-v2"), prepare=faults.hub_at("127.0.0.2")
    ),
    Run("h-curl-tls", _TLS, command=("curl", "-fsS", f"https://{_HUB}/api/whoami-v2"), prepare=faults.other_host),
    Run(
        "h-curl-timeout",
        _TIMEOUT,
        command=("curl", "-fsS", "-m", "3", f"https://{_HUB}/api/whoami-v2"),
        prepare=faults.hub_fault("blackhole"),
    ),
    Run("h-curl-proxy", _PROXY, command=("curl", "-fsS", f"https://{_HUB}/api/whoami-v2"), prepare=faults.proxy(_407)),
    Run("h-git-dns", _DNS, command=("git", "clone", f"https://{_HUB}/{SEGMENTATION}", "/tmp/model"), prepare=faults.no_such_name),
    Run(
        "h-git-refused",
        _REFUSED,
        command=("git", "clone", f"https://{_HUB}/{SEGMENTATION}", "/tmp/model"),
        prepare=faults.hub_at("127.0.0.2"),
    ),
    Run(
        "h-wget-dns",
        _DNS,
        command=("wget", "-nv", f"https://{_HUB}/{SEGMENTATION}/resolve/main/config.yaml"),
        prepare=faults.no_such_name,
    ),
    Run("h-wget-refused", _REFUSED, command=("wget", "-nv", "-t1", f"https://{_HUB}/"), prepare=faults.hub_at("127.0.0.2")),
)

XET: tuple[Run, ...] = (
    Run(
        "x-xet-tls",
        Truth("none", "network-tls", also=("network-refused",), why=_UNTOLD),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(scheme="https"),
        seconds=90,
    ),
    Run("x-xet-healthy", Truth("none"), venv=_NEW, env=_XET, command=python_program("download"), prepare=faults.in_xet()),
    Run(
        "x-xet-cas-403",
        Truth("none", "unrecognised", also=("network-proxy",), why="storage that refuses after the gate let pass"),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(cas_status=403),
        seconds=90,
    ),
    Run(
        "x-xet-cas-401",
        Truth(
            "none",
            "unrecognised",
            also=("token-invalid",),
            why="the storage's own short-lived access is refused, not the user's token",
        ),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(cas_status=401),
        seconds=90,
    ),
    Run(
        "x-xet-cas-500",
        Truth("none", "hub-unavailable"),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(cas_status=500),
        seconds=90,
    ),
    Run(
        "x-xet-cas-503-hub-1.33.0",
        Truth("none", "hub-unavailable"),
        venv=_SOME,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(cas_status=503),
        seconds=90,
    ),
    Run(
        "x-xet-token-403",
        Truth(
            "none",
            "unrecognised",
            also=("gated-not-accepted", "network-proxy", "token-scope"),
            why="the Hub gives no access to the storage and does not say why",
        ),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(token_status=403),
        seconds=60,
    ),
    Run(
        "x-xet-token-401",
        _INVALID,
        venv=_SOME,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(token_status=401),
        seconds=60,
    ),
    Run(
        "x-xet-data-403",
        Truth(
            "none", "unrecognised", also=("network-proxy",), why="a signed address that is refused: its time is over, or a filter"
        ),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(data_status=403),
        seconds=90,
    ),
    Run(
        "x-xet-data-cut",
        _REFUSED,
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(data_is_cut=True),
        seconds=90,
    ),
    Run(
        "x-xet-data-cut-hub-1.33.0",
        _REFUSED,
        venv=_SOME,
        env=_XET,
        command=python_program("download"),
        prepare=faults.in_xet(data_is_cut=True),
        seconds=90,
    ),
    Run(
        "x-xet-refused",
        _REFUSED,
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.both(faults.in_xet(), faults.host_at(xet.CAS, "127.0.0.2")),
        seconds=90,
    ),
    Run(
        "x-xet-transfer-refused",
        _REFUSED,
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.both(faults.in_xet(), faults.host_at(xet.TRANSFER, "127.0.0.2")),
        seconds=90,
    ),
    Run(
        "x-xet-dns",
        Truth("none", "network-dns", also=("network-refused",), why=_UNTOLD),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.both(faults.in_xet(), faults.host_at(xet.CAS, ""), faults.name_server_without_names),
        seconds=90,
    ),
    Run(
        "x-xet-full",
        Truth("none", "disk-full"),
        venv=_NEW,
        env=_XET,
        command=python_program("download"),
        prepare=faults.both(faults.in_xet(), faults.small()),
        seconds=60,
    ),
    Run(
        "x-xet-in-job-refused",
        Truth("failed", "network-refused"),
        venv=_NEW,
        env=_XET,
        prepare=faults.both(faults.in_xet(), faults.host_at(xet.CAS, "127.0.0.2")),
        seconds=120,
    ),
    Run(
        "x-xet-in-job-cut",
        Truth("failed", "network-refused"),
        venv=_NEW,
        env=_XET,
        prepare=faults.in_xet(data_is_cut=True),
        seconds=120,
    ),
)
