"""The way to the Hub, and the Hub itself."""

from __future__ import annotations

from . import faults
from .case import V3, Run, Truth

_HUB = "huggingface.co"
_DNS = Truth("failed", "network-dns", _HUB)
_REFUSED = Truth("failed", "network-refused", _HUB)
_CUT = Truth("failed", "network-refused")
_TIMEOUT = Truth("failed", "network-timeout", _HUB)
_TLS = Truth("failed", "network-tls")
_PROXY = Truth("failed", "network-proxy")
_LIMITED = Truth("failed", "rate-limited")
_DOWN = Truth("failed", "hub-unavailable")
_PAGE = b"<html><body><h1>Something went wrong</h1></body></html>"
_VAGUE = "v0.3 logs the client's own sentence alone, and this version of the client does not say what it tried"

NETWORK: tuple[Run, ...] = (
    Run("v4-dns-silent-hub-0.23.5", _DNS, venv="hub-0.23.5", prepare=faults.no_name_server),
    Run("v4-dns-silent-hub-0.30.2", _DNS, venv="hub-0.30.2", prepare=faults.no_name_server),
    Run("v4-no-such-name-hub-0.36.2", _DNS, prepare=faults.no_such_name, seconds=80),
    Run("v4-no-such-name-hub-2.4.0", _DNS, venv="hub-2.4.0", prepare=faults.no_such_name, seconds=80),
    Run("v3-dns-hub-0.36.2", _DNS, V3, prepare=faults.no_such_name, seconds=60),
    Run(
        "v3-dns-hub-0.26.5",
        Truth("failed", "unrecognised", also=("network-dns",), why=_VAGUE),
        V3,
        venv="hub-0.26.5",
        prepare=faults.no_such_name,
    ),
    Run(
        "v4-large-files-name-hub-0.30.2",
        Truth("failed", "network-dns", "cdn-lfs.hf.co"),
        venv="hub-0.30.2",
        prepare=faults.both(faults.large_files_at(""), faults.name_server_without_names),
    ),
    Run("v4-refused-hub-0.26.5", _REFUSED, venv="hub-0.26.5", prepare=faults.hub_at("127.0.0.2")),
    Run("v4-refused-hub-2.4.0", _REFUSED, venv="hub-2.4.0", prepare=faults.hub_at("127.0.0.2"), seconds=80),
    Run("v4-unreachable-hub-0.30.2", _REFUSED, venv="hub-0.30.2", prepare=faults.hub_at("203.0.113.7")),
    Run("v4-reset-hub-0.26.5", _CUT, venv="hub-0.26.5", prepare=faults.connections_reset),
    Run("v3-refused-hub-0.36.2", _REFUSED, V3, prepare=faults.hub_at("127.0.0.2"), seconds=60),
    Run(
        "v4-large-files-refused-hub-0.30.2",
        Truth("failed", "network-refused", "cdn-lfs.hf.co"),
        venv="hub-0.30.2",
        prepare=faults.large_files_at("127.0.0.3"),
    ),
    Run("v4-read-timeout-hub-0.23.5", _TIMEOUT, venv="hub-0.23.5", prepare=faults.hub_fault("blackhole")),
    Run("v4-read-timeout-hub-0.30.2", _TIMEOUT, venv="hub-0.30.2", prepare=faults.hub_fault("blackhole")),
    Run("v4-connect-timeout-hub-0.26.5", _TIMEOUT, venv="hub-0.26.5", prepare=faults.connections_ignored),
    Run("v3-read-timeout-hub-0.36.2", _TIMEOUT, V3, prepare=faults.hub_fault("blackhole"), seconds=80),
    *(
        Run(f"v4-tls-untrusted-hub-{hub}", _TLS, venv=f"hub-{hub}", prepare=faults.untrusted, seconds=80)
        for hub in ("0.26.5", "0.36.2", "2.4.0")
    ),
    Run("v4-tls-other-host-hub-0.36.2", _TLS, prepare=faults.other_host, seconds=80),
    Run(
        "v4-certificate-file-missing",
        Truth(
            "failed",
            "network-tls",
            also=("unrecognised",),
            why=("SSL_CERT_FILE names no file; only the frames of the traceback tell that it is about certificates"),
        ),
        venv="hub-2.4.0",
        env={"SSL_CERT_FILE": "/etc/ssl/company.pem"},
    ),
    Run("v3-tls-untrusted", _TLS, V3, venv="hub-0.30.2", prepare=faults.untrusted),
    Run("v4-proxy-refused-hub-0.36.2", _PROXY, prepare=faults.proxy(), seconds=80),
    Run(
        "v4-proxy-refused-hub-2.4.0",
        Truth(
            "failed",
            "network-proxy",
            also=("network-refused",),
            why=("this client says no more than that a connection was refused; only the frames of the traceback know of a proxy"),
        ),
        venv="hub-2.4.0",
        prepare=faults.proxy(),
        seconds=80,
    ),
    Run(
        "v4-proxy-403-hub-0.36.2",
        _PROXY,
        prepare=faults.proxy(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
        seconds=80,
    ),
    Run(
        "v4-proxy-407-hub-0.30.2",
        _PROXY,
        venv="hub-0.30.2",
        prepare=faults.proxy(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        ),
    ),
    Run(
        "v4-proxy-407-hub-2.4.0",
        _PROXY,
        venv="hub-2.4.0",
        seconds=80,
        prepare=faults.proxy(
            b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"
        ),
    ),
    Run("v4-portal-hub-0.36.2", _PROXY, prepare=faults.hub_fault("portal")),
    Run("v4-portal-hub-2.4.0", _PROXY, venv="hub-2.4.0", prepare=faults.hub_fault("portal")),
    Run("v4-policy-403-hub-0.36.2", _PROXY, prepare=faults.hub_fault("proxy403")),
    Run("v4-rate-limited-hub-0.30.2", _LIMITED, venv="hub-0.30.2", prepare=faults.hub_fault("429", 52)),
    Run("v4-rate-limited-hub-2.4.0", _LIMITED, venv="hub-2.4.0", prepare=faults.hub_fault("429", 1), seconds=80),
    Run("v4-hub-500-hub-0.30.2", _DOWN, venv="hub-0.30.2", prepare=faults.hub_answers(500, _PAGE)),
    Run("v4-hub-503-hub-0.26.5", _DOWN, venv="hub-0.26.5", prepare=faults.hub_fault("503")),
    Run("v4-hub-503-hub-2.4.0", _DOWN, venv="hub-2.4.0", prepare=faults.hub_fault("503"), seconds=80),
    Run("v4-hub-504-hub-0.36.2", _DOWN, prepare=faults.hub_answers(504, _PAGE), seconds=80),
    Run("v4-cut-transfer-hub-0.30.2", _CUT, venv="hub-0.30.2", prepare=faults.hub_fault("cut", only="^/lfs/"), seconds=60),
    Run("v4-cut-transfer-hub-2.4.0", _CUT, venv="hub-2.4.0", prepare=faults.hub_fault("cut", only="^/lfs/"), seconds=80),
    Run(
        "v4-endpoint-that-is-not",
        Truth("failed", "network-dns", "hub.example.org"),
        venv="hub-0.30.2",
        env={"HF_ENDPOINT": "https://hub.example.org"},
        prepare=faults.name_server_without_names,
    ),
    Run(
        "v4-transfer-package-missing",
        Truth("failed", "lib-mismatch", also=("unrecognised",), why="a setting wants a package that is not in the image"),
        venv="hub-0.30.2",
        env={"HF_HUB_ENABLE_HF_TRANSFER": "1"},
    ),
    Run("v4-healthy-slow-hub", Truth("succeeded"), venv="hub-2.4.0", prepare=faults.hub_fault("slow", 0.5)),
)
