"""The way to the Hub, as its client goes it: names, connection, proxy, TLS, and what the Hub answers.

A part of what is sent to a worker's Python, so the standard library alone and Python 3.8 and later; the doctor itself goes the
same way for this machine's view.
"""

from __future__ import annotations

import _thread
import base64
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

_LONGEST = 300  # characters of a text
_MOST_ADDRESSES, _MOST_REDIRECTS = 4, 3
_TELLING = ("x-error-code", "x-error-message", "x-repo-commit", "content-type", "ratelimit", "date")
_ON = ("1", "true", "yes", "on")
_CA_OF_REQUESTS, _CA_OF_HTTPX = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"), ("SSL_CERT_FILE", "SSL_CERT_DIR")


def text_of(value: object) -> str:
    return str(value)[:_LONGEST]


def ms_since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)


def versions(sites: Iterable[str], packages: Sequence[str]) -> dict[str, str]:
    """The versions of packages by the names of their folders: nothing is imported."""
    wanted = {re.sub(r"[-_.]+", "_", name).lower(): name for name in packages}
    found: dict[str, str] = {}
    for folder in sites:
        for entry in os.listdir(folder):
            named = re.fullmatch(r"(.+?)-([0-9][^-]*)\.(?:dist-info|egg-info)", entry)
            name = wanted.get(re.sub(r"[-_.]+", "_", named[1]).lower()) if named else None
            if named and name:
                found.setdefault(name, text_of(named[2]))
    return found


class _Fell(Exception):
    """A rung did not hold: ``kind`` is ``dns``, ``refused``, ``timeout``, ``tls`` or ``proxy``."""

    def __init__(self, kind: str, text: object) -> None:
        super().__init__(kind)
        self.kind, self.text = kind, text_of(text)


def climb(
    files: Sequence[Sequence[str]], environ: Mapping[str, str], sites: Sequence[str], token_name: str, seconds: float
) -> Callable[[], dict[str, Any]]:
    """Ask for a HEAD of each file (repository, name) as the Hub's client would; returns the function that waits for the answers.

    All at the same time, as far as there may be threads, and with the token that ``environ`` has, where nobody can read it on
    the way. ``seconds`` are for everything together; a worker that is kept from asking the Hub is waited for a second at most.
    """
    offline = environ.get("HF_HUB_OFFLINE", "").strip().lower() in _ON
    until = time.monotonic() + (min(1.0, seconds) if offline else seconds)
    endpoint = (environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    token = environ.get(token_name, "").strip() if token_name else ""
    version = versions(sites, ["huggingface_hub"]).get("huggingface_hub", "")
    token = token if _may_carry_token(endpoint, environ) and token.isascii() and token.isprintable() else ""
    ways = [_Way(f"{endpoint}/{repo}/resolve/main/{name}", environ, sites, version, token, until) for repo, name in files]
    for way in ways:
        _begin(way.go)

    def wait() -> dict[str, Any]:
        for way in ways:
            way.over.wait(max(0.0, until - time.monotonic()) + 0.05)
        storage = next((way.storage for way in ways if way.storage), None)
        reports = [{"repo": repo, "file": name, **way.report()} for (repo, name), way in zip(files, ways)]  # noqa: B905
        return {"endpoint": _origin(endpoint), "token_sent": bool(token), "files": reports, "storage": storage}

    return wait


def _begin(work: Callable[[], None]) -> None:
    try:
        _thread.start_new_thread(work, ())  # nobody waits for one that hangs, not even the interpreter's end
    except RuntimeError:  # no more processes may be started here: one after the other, then
        work()


def _may_carry_token(endpoint: str, environ: Mapping[str, str]) -> bool:
    parts = urlsplit(endpoint)
    return parts.scheme == "https" or (
        (parts.hostname or "") in ("localhost", "127.0.0.1", "::1") and not _proxy(endpoint, environ)
    )


def _origin(url: str) -> str:
    """Scheme, host and port: the rest of an address may hold a key."""
    parts = urlsplit(url)
    return text_of(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}") if parts.netloc else ""


def _proxy(url: str, environ: Mapping[str, str]) -> str:
    """The proxy that a client takes for the address, with its credentials. A name in small letters wins."""
    names = sorted(name for name in environ if name.lower().endswith("_proxy") and environ[name])
    proxies = {name.lower()[: -len("_proxy")]: environ[name] for name in names}
    parts = urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all") or ""
    return "" if not proxy or proxy_bypass_environment(parts.netloc.rpartition("@")[2], proxies) else proxy


class _Way:
    """The way to one file: each rung is kept when it is reached, so that what hangs is known for what it is."""

    def __init__(
        self, url: str, environ: Mapping[str, str], sites: Sequence[str], version: str, token: str, until: float
    ) -> None:
        self.over = threading.Event()
        self.storage: dict[str, Any] | None = None
        self._url, self._environ, self._sites, self._version = url, environ, sites, version
        self._token, self._until = token, until
        self._step, self._began = "names", time.monotonic()
        self._rungs: list[dict[str, Any]] = []
        self._known: dict[str, Any] = {"proxy": "", "issuer": "", "ca": "", "status": 0, "headers": {}}

    def report(self) -> dict[str, Any]:
        """What is known by now; a rung that nothing came of has timed out."""
        rungs = list(self._rungs)
        if not self.over.is_set():
            kind = "dns" if self._step == "names" else "timeout"
            rungs.append({"step": self._step, "kind": kind, "text": "no answer in time", "ms": ms_since(self._began)})
        return {**self._known, "rungs": rungs}

    def go(self) -> None:
        try:
            self._go()
        except _Fell as fell:
            self._rungs.append({"step": self._step, "kind": fell.kind, "text": fell.text, "ms": ms_since(self._began)})
        except Exception as error:
            kind = "timeout" if isinstance(error, socket.timeout) else "tls" if self._step == "tls" else "refused"
            said = text_of(getattr(error, "strerror", None) or error or type(error).__name__)
            self._rungs.append({"step": self._step, "kind": kind, "text": said, "ms": ms_since(self._began)})
        self.over.set()

    def _go(self) -> None:
        url, target = self._url, ""
        for _ in range(_MOST_REDIRECTS):
            del self._rungs[:]
            status, headers = self._head(url)
            kept = {name: text_of(headers[name]) for name in _TELLING if headers.get(name)}
            target = urljoin(url, headers.get("location", "")) if 300 <= status < 400 and headers.get("location") else ""
            self._known.update(status=status, headers={**self._known["headers"], **kept, "location": _origin(target)})
            if "date" in kept:
                self._known["clock"] = _ahead(kept["date"])
            if not target or _origin(target) != _origin(url):
                break
            url = target
        if target and _origin(target) != _origin(url):
            self._look_at_storage(target)

    def _head(self, url: str) -> tuple[int, dict[str, str]]:
        import http.client

        parts = urlsplit(url)
        connection: Any = self._connected(url)
        headers = {"User-Agent": "ot-doctor-probe", "Accept-Encoding": "identity", "Connection": "close"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        path = urlunsplit(("", "", parts.path, parts.query, ""))
        if self._known["proxy"] and parts.scheme == "http":
            path = url
            headers.update(_credentials(_proxy(url, self._environ)))
        if parts.scheme == "https":
            self._at("tls")
            connection = self._encrypted(connection, url)
        self._at("hub")
        asking = http.client.HTTPConnection(parts.netloc.rpartition("@")[2])
        asking.sock = connection
        connection.settimeout(self._left())
        asking.request("HEAD", path, headers=headers)
        answer = asking.getresponse()
        asking.close()
        self._reached(f"HTTP {answer.status} {answer.reason}")
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}

    def _connected(self, url: str) -> socket.socket:
        """A connection to the server of the address, through the proxy where there is one."""
        proxy = _proxy(url, self._environ)
        via = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        self._known["proxy"] = text_of(f"{via.scheme or 'http'}://{via.hostname}:{_port(via)}") if proxy else ""
        if via.scheme not in ("", "http"):
            raise _Fell("proxy", f"a proxy that speaks {via.scheme} is not looked through")
        there = via if proxy else urlsplit(url)
        self._at("names")
        try:
            addresses = socket.getaddrinfo(there.hostname, _port(there), type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            said = f"{there.hostname}: {getattr(error, 'strerror', None) or error}"
            raise _Fell("proxy" if proxy else "dns", f"the proxy's name, {said}" if proxy else said) from None
        self._reached(", ".join(dict.fromkeys(str(address[4][0]) for address in addresses[:_MOST_ADDRESSES])))
        self._at("connect")
        try:
            connection = self._dialled(addresses)
            target = urlsplit(url)
            if proxy and target.scheme == "https":
                _tunnel(connection, f"{target.hostname}:{_port(target)}", _credentials(proxy))
        except OSError as error:
            kind = "timeout" if isinstance(error, socket.timeout) else "refused"
            raise _Fell("proxy" if proxy else kind, error.strerror or "no answer in time") from None
        self._reached(f"through the proxy {self._known['proxy']}" if proxy else f"port {_port(there)}")
        return connection

    def _dialled(self, addresses: Sequence[Any]) -> socket.socket:
        problem: OSError = OSError("no address")
        for number, (family, kind, protocol, _, address) in enumerate(addresses[:_MOST_ADDRESSES]):
            connection = socket.socket(family, kind, protocol)
            more = min(len(addresses), _MOST_ADDRESSES) - number
            connection.settimeout(self._left() / more)
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                problem = error
                continue
            connection.settimeout(self._left())
            return connection
        raise problem

    def _encrypted(self, connection: socket.socket, url: str) -> Any:
        import ssl

        host = urlsplit(url).hostname or ""
        context, self._known["ca"] = _trusting(self._environ, self._sites, self._version)
        try:
            wrapped = context.wrap_socket(connection, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            self._known["issuer"] = self._issuer_of(url, host)
            raise _Fell("tls", error.verify_message) from None
        certificate: Any = wrapped.getpeercert() or {}
        names = dict(pair for part in certificate.get("issuer", ()) for pair in part)
        self._known["issuer"] = text_of(names.get("organizationName") or names.get("commonName") or "")
        self._reached(f"issued by '{self._known['issuer']}'")
        return wrapped

    def _issuer_of(self, url: str, host: str) -> str:
        """Who signed a certificate that is not trusted: looked at once more, and nothing is sent there."""
        import ssl

        rungs, step, began = list(self._rungs), self._step, self._began
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            with context.wrap_socket(self._connected(url), server_hostname=host) as wrapped:
                return text_of(_issuer(wrapped.getpeercert(binary_form=True) or b""))
        except Exception:
            return ""
        finally:
            self._rungs[:], self._step, self._began = rungs, step, began

    def _look_at_storage(self, url: str) -> None:
        """Whether the server that large files come from can be reached; nothing is asked there."""
        rungs, self._rungs, proxy = self._rungs, [], self._known["proxy"]
        found = {"host": text_of(urlsplit(url).hostname or ""), "kind": "ok", "text": ""}
        try:
            self._connected(url).close()
        except _Fell as fell:
            found.update(kind=fell.kind, text=fell.text)
        self.storage = found
        self._rungs, self._known["proxy"] = rungs, proxy

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0.01:
            raise socket.timeout("no answer in time")  # noqa: UP041
        return left

    def _at(self, step: str) -> None:
        self._step, self._began = step, time.monotonic()

    def _reached(self, text: str) -> None:
        self._rungs.append({"step": self._step, "kind": "ok", "text": text_of(text), "ms": ms_since(self._began)})


def _port(parts: Any) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _credentials(proxy: str) -> dict[str, str]:
    user = urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc.rpartition("@")[0]
    return {"Proxy-Authorization": "Basic " + base64.b64encode(unquote(user).encode()).decode()} if user else {}


def _tunnel(connection: socket.socket, target: str, headers: Mapping[str, str]) -> None:
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", *(f"{name}: {value}" for name, value in headers.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii", "replace"))
    said = b""
    while b"\r\n\r\n" not in said and len(said) < 16384:
        more = connection.recv(1)  # no byte of what comes after it may be taken
        if not more:
            break
        said += more
    status = re.match(rb"HTTP/1\.[01] (\d{3})([^\r\n]*)", said)
    if not status or status[1] != b"200":
        words = (status[1] + status[2]).decode("ascii", "replace") if status else ""
        raise _Fell("proxy", f"the proxy answers HTTP {words}" if words else "the proxy's answer is not HTTP")


def _trusting(environ: Mapping[str, str], sites: Sequence[str], version: str) -> tuple[Any, str]:
    """The context of TLS that the Hub's client would use, and the file of certificates that it trusts.

    Up to 0.x it is that of requests, then that of httpx: each reads variables of its own, and then certifi's file.
    """
    import ssl

    names = _CA_OF_REQUESTS + _CA_OF_HTTPX if not version else _CA_OF_REQUESTS if version.startswith("0.") else _CA_OF_HTTPX
    for name in names:
        path = environ.get(name, "")
        if path and not os.path.exists(path):
            raise _Fell("tls", f"{name} names {path}, which is not there")
        if path:
            folder = os.path.isdir(path)
            return ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None), f"{name}={path}"
    bundle = next((path for folder in sites if os.path.isfile(path := f"{folder}/certifi/cacert.pem")), None)
    return ssl.create_default_context(cafile=bundle), bundle or "the system's own certificates"


def _issuer(certificate: bytes) -> str:
    """The issuer's organisation, else its common name, in a certificate (DER) that was not verified."""

    def parts(data: bytes) -> list[tuple[int, bytes]]:
        found, at = [], 0
        while at + 2 <= len(data):
            kind, size, start = data[at], data[at + 1], at + 2
            if size & 0x80:
                start += size & 0x7F
                size = int.from_bytes(data[at + 2 : start], "big")
            found.append((kind, data[start : start + size]))
            at = start + size
        return found

    signed = parts(parts(parts(certificate)[0][1])[0][1])
    issuer = signed[3 if signed[0][0] == 0xA0 else 2][1]
    names = {}
    for _, group in parts(issuer):
        oid, value = parts(parts(group)[0][1])[:2]
        names[oid[1]] = value[1].decode("utf-8", "replace")
    return names.get(b"\x55\x04\x0a") or names.get(b"\x55\x04\x03") or ""


def _ahead(date: str) -> float | None:
    """Seconds by which this clock is ahead of the one that wrote the date."""
    from email.utils import parsedate_to_datetime

    try:
        return round(time.time() - parsedate_to_datetime(date).timestamp(), 1)
    except (ValueError, TypeError, IndexError):
        return None
