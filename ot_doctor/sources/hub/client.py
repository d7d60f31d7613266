"""Asks the Hub what it answers to the worker's token: ``whoami`` and a HEAD of real files, all at the same time."""

from __future__ import annotations

import importlib
import ipaddress
import logging
import threading
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import SplitResult, quote, urlsplit

from ot_doctor import __version__
from ot_doctor.core.deadline import start
from ot_doctor.core.receipt import note
from ot_doctor.evidence.base import LOG_ALONE, Request, Unavailable
from ot_doctor.evidence.deployment import WESPEAKER, Deployment, ReleaseLine, models
from ot_doctor.evidence.hub import Answer, FileAnswer, Hub, Identity
from ot_doctor.evidence.model_cache import ModelCache
from ot_doctor.evidence.token import WorkerToken
from ot_doctor.evidence.upcoming import NextRelease
from ot_doctor.evidence.workers import Workers
from ot_doctor.redaction.masking import holds_secret
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.hub.answers import (
    REDIRECTS,
    TELLING_HEADERS,
    Reply,
    clean,
    failure,
    file_answer,
    identity,
    plain_body,
)
from ot_doctor.sources.hub.plain_urls import origin, same_server
from ot_doctor.sources.soon import Soon

DEFAULT_ENDPOINT = "https://huggingface.co"
LONGEST_WAIT = 10.0  # seconds for all requests together, as they run at the same time
SPARED_WAIT = 1.0  # seconds where the worker does not need the Hub: a firewall that drops packets must not delay the report
_LOOK_AGAIN = 0.05  # seconds between two looks at whether it does
_MOST_REDIRECTS = 5
_PUBLIC_FILE = (WESPEAKER, "config.yaml")
# Behind the gate, unlike README.md: one small file and the weights, which come from another storage.
_TELLING_FILES = ("config.yaml", "pytorch_model.bin", "segmentation/pytorch_model.bin", "plda/plda.npz")

_NO_OTHER_RELEASE = Unavailable("no other release is asked about", switched_off=True)
_CACHE_NOT_LOOKED_AT: Soon[ModelCache] = Soon.of(Unavailable("The model cache was not looked at."))
_Result = TypeVar("_Result")


def gather(
    request: Request,
    deployment: Deployment | Unavailable,
    workers: Workers | Unavailable,
    token: WorkerToken | Unavailable,
    upcoming: NextRelease | Unavailable = _NO_OTHER_RELEASE,
    cache: Soon[ModelCache] = _CACHE_NOT_LOOKED_AT,
) -> Hub:
    """Ask the Hub that the worker uses. Raises ``Unavailable`` when it is left out, or its address is no address."""
    if request.offline:
        raise Unavailable("Hub checks are off (--offline).", switched_off=True)
    if request.log_alone:
        raise Unavailable(LOG_ALONE, switched_off=True)
    if not isinstance(workers, Unavailable) and workers.lite:
        raise Unavailable("In a lite install, a cloud provider does the diarization.", switched_off=True)
    endpoint, endpoint_from = _endpoint(request, workers)
    secret, not_sent_reason = _token_to_send(endpoint, token)
    client = _Client.load()
    wait = min(LONGEST_WAIT, request.remaining() * 0.9)
    if wait < 0.05:
        raise Unavailable("There was no time left to ask the Hub.", hint="Give ot-doctor more time with --timeout.")

    asking = _Asking(client, endpoint, wait, cache)
    wanted = _files(deployment.line if isinstance(deployment, Deployment) else ReleaseLine.UNKNOWN)
    if isinstance(upcoming, NextRelease):
        wanted = tuple(dict.fromkeys([*wanted, *_files(upcoming.line)]))
    public = asking.file(*_PUBLIC_FILE, None)
    if secret is None:
        nobody = Identity(Answer.NOT_ASKED, text=not_sent_reason)
        not_asked = tuple(FileAnswer(repo, name, Answer.NOT_ASKED, text=not_sent_reason) for repo, name in wanted)
        return Hub(endpoint, endpoint_from, nobody, not_asked, public(), False, not_sent_reason)
    who = asking.identity(secret)
    files = [asking.file(repo, name, secret) for repo, name in wanted]
    return Hub(endpoint, endpoint_from, who(), tuple(answer() for answer in files), public(), True)


def _files(line: ReleaseLine) -> tuple[tuple[str, str], ...]:
    """The files to ask for: ``config.yaml`` of every model, and its telling weights."""
    return tuple(
        (model.repo, name) for model in models(line) for name in _TELLING_FILES if name == "config.yaml" or name in model.files
    )


# -- where, and with which token -----------------------------------------------------------------------


def _endpoint(request: Request, workers: Workers | Unavailable) -> tuple[str, str]:
    """The worker's Hub, else the doctor's own setting, else the public one; and where that was said."""
    if isinstance(workers, Workers) and workers.diarizers and "HF_ENDPOINT" in workers.diarizers[0].env:
        worker = workers.diarizers[0]
        return _checked(worker.setting("HF_ENDPOINT"), worker.where), worker.where
    if own := request.environ.get("HF_ENDPOINT"):
        return _checked(own, "the doctor's environment"), "the doctor's environment"
    return DEFAULT_ENDPOINT, "the default"


def _checked(value: str | None, where: str) -> str:
    """The address without a slash at its end. Raises ``Unavailable`` when no client could use it."""
    problem = _problem(value)
    if value is None or problem:
        raise Unavailable(
            f"HF_ENDPOINT in {where} {problem}, so the Hub was not asked.",
            hint=f"Either remove HF_ENDPOINT, or set it to an address such as {DEFAULT_ENDPOINT}.",
        )
    return value.rstrip("/")


def _problem(value: str | None) -> str:
    if value is None:
        return "is not an address"
    if not value:
        return "is set to nothing"
    shown = f"is not an http or https address ('{clean(value)}')"
    try:
        parts = urlsplit(value)
        if (parts.scheme in ("http", "https") and "@" in parts.netloc) or holds_secret(value):
            return "holds a user name, a password or a token"
        if parts.scheme in ("http", "https") and not value.isascii():
            return f"has letters beyond ASCII, which not every client reads the same way ('{clean(value)}')"
        (parts.hostname or "").encode("idna")
    except ValueError:  # also UnicodeError
        return shown
    return "" if origin(value) and not parts.query and not parts.fragment and value[-1] not in "?#" else shown


def _token_to_send(endpoint: str, token: WorkerToken | Unavailable) -> tuple[Secret | None, str]:
    """The token, or why it is not sent."""
    if isinstance(token, Unavailable):
        return None, f"the worker's token is not known: {token.reason}"
    if token.value is None or token.value.blank:
        return None, "the worker has no token"
    if not token.usable:
        return None, "the worker's value is not a token"
    if not may_carry_token(endpoint):
        return None, f"{clean(endpoint)} is plain http to another machine, which anyone on the way can read"
    return token.value, ""


def may_carry_token(endpoint: str) -> bool:
    """Encrypted, or not leaving this machine: plain http to a loopback address, and no proxy between."""
    parts = urlsplit(endpoint)
    if parts.scheme == "https":
        return True
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return loopback and _proxy_for(parts) is None


def _proxy_for(parts: SplitResult) -> str | None:
    """The host and port of the proxy that a client takes by this process's environment; without any password in it."""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    return clean(proxy.rpartition("@")[2].rpartition("//")[2])


# -- asking --------------------------------------------------------------------------------------------


class _Asking:
    """Requests that run beside each other until one common deadline; what comes later is nobody's business any more.

    Each method starts one, and returns the function that waits for its answer.
    """

    def __init__(self, client: _Client, endpoint: str, wait: float, cache: Soon[ModelCache]) -> None:
        self._client = client
        self._endpoint = endpoint
        self._proxy = _proxy_for(urlsplit(endpoint))
        self._cache = cache
        self._wait = wait
        self._began = time.monotonic()
        self._timeout = wait * 0.95  # the client's: a little earlier, so that its own words come in

    @property
    def _patience(self) -> float:
        """Seconds for all requests, by what is known of the cache now."""
        cache = self._cache.known()
        return min(self._wait, SPARED_WAIT) if cache is not None and cache.spares_the_hub else self._wait

    def _too_late(self) -> str:
        return f"no answer within {self._patience:.{0 if self._patience >= 1 else 1}f} s"

    def file(self, repo: str, name: str, secret: Secret | None) -> Callable[[], FileAnswer]:
        """HEAD of a file; anonymous without a secret."""

        def ask() -> FileAnswer:
            try:
                url = f"{self._endpoint}/{repo}/resolve/main/{quote(name)}"
                reply = self._client.ask("HEAD", url, secret, self._timeout)
            except Exception as error:
                answer, text = failure(error, proxy=self._proxy)
                return FileAnswer(repo, name, answer, text=text)
            answer, text = file_answer(reply, with_token=secret is not None)
            return FileAnswer(repo, name, answer, reply.status, text)

        return self._start(ask, lambda: FileAnswer(repo, name, Answer.TIMEOUT, text=self._too_late()))

    def identity(self, secret: Secret) -> Callable[[], Identity]:
        """``whoami``."""

        def ask() -> Identity:
            try:
                reply = self._client.ask("GET", f"{self._endpoint}/api/whoami-v2", secret, self._timeout)
            except Exception as error:
                answer, text = failure(error, proxy=self._proxy)
                return Identity(answer, text=text)
            return identity(reply)

        return self._start(ask, lambda: Identity(Answer.TIMEOUT, text=self._too_late()))

    def _start(self, ask: Callable[[], _Result], too_late: Callable[[], _Result]) -> Callable[[], _Result]:
        answers: list[_Result] = []
        # A daemon: neither a hung name lookup nor a trickling answer may keep the process alive.
        thread = threading.Thread(target=lambda: answers.append(ask()), name="hub-request", daemon=True)
        start(thread)

        def result() -> _Result:
            while thread.is_alive() and (left := self._began + self._patience - time.monotonic()) > 0:
                thread.join(min(left, _LOOK_AGAIN))
            return answers[0] if answers else too_late()

        return result


@dataclass(frozen=True)
class _Client:
    """The session and the headers of ``huggingface_hub``, without its retries: those sleep longer than a doctor may.

    The session is one of requests up to version 0.36, of httpx from 1.0 on, of httpx2 from 2.4 on.
    """

    session: Callable[[], Any]
    headers: Callable[..., dict[str, str]]

    @staticmethod
    def load() -> _Client:
        """Import the client, silent and without what the doctor's own environment says about logins and offline mode."""
        warnings.filterwarnings("ignore", module="huggingface_hub")
        try:
            constants: Any = importlib.import_module("huggingface_hub.constants")
            utils: Any = importlib.import_module("huggingface_hub.utils")
            client = _Client(utils.get_session, utils.build_hf_headers)
        except (ImportError, ValueError) as error:  # ValueError: a setting such as HF_HUB_ETAG_TIMEOUT that is no number
            raise Unavailable(f"The huggingface_hub library cannot be loaded: {clean(str(error))}.") from None
        settings = {
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_TELEMETRY": True,
            "HF_HUB_DISABLE_IMPLICIT_TOKEN": True,
            "HF_DEBUG": False,
        }
        for name, value in settings.items():
            setattr(constants, name, value)
        logging.getLogger("huggingface_hub").setLevel(logging.CRITICAL + 1)
        return client

    def ask(self, method: str, url: str, secret: Secret | None, timeout: float) -> Reply:
        """One request. Redirects are followed on the very same server alone; others carry the answer in themselves."""
        note("hosts", urlsplit(url).netloc)
        token = secret.reveal() if secret else False
        headers = self.headers(token=token, library_name="ot-doctor", library_version=__version__)
        headers["Accept-Encoding"] = "identity"
        session = self.session()
        telling: dict[str, str] = {}
        for _ in range(_MOST_REDIRECTS):
            reply = _send(session, method, url, headers, timeout)
            telling |= {name: reply.headers[name] for name in TELLING_HEADERS if name in reply.headers}
            target = same_server(url, reply.headers.get("location", "")) if reply.status in REDIRECTS else None
            if target is None:
                break
            url = target
        return replace(reply, headers={**telling, **reply.headers}) if reply.status < 400 else reply


def _send(session: Any, method: str, url: str, headers: Mapping[str, str], timeout: float) -> Reply:
    if hasattr(session, "build_request"):  # httpx
        prepared = session.build_request(method, url, headers=headers, timeout=timeout)
        response = session.send(prepared, stream=True, auth=_as_it_is, follow_redirects=False)
    else:
        response = session.request(
            method, url, headers=headers, timeout=timeout, stream=True, auth=_as_it_is, allow_redirects=False
        )
    try:
        headers = {name.lower(): value for name, value in response.headers.items()}
        body = b"" if method == "HEAD" else plain_body(_undecoded(response), headers.get("content-encoding", ""))
        return Reply(response.status_code, headers, body)
    finally:
        response.close()


def _as_it_is(request: Any) -> Any:
    """Leaves the Authorization header alone; without it requests would put a login from ~/.netrc in its place."""
    return request


def _undecoded(response: Any) -> Iterator[bytes]:
    """The pieces of a body as they were sent: the client would unpack without a bound."""
    if hasattr(response, "iter_raw"):  # httpx
        yield from response.iter_raw(65_536)
    else:
        yield from response.raw.stream(65_536, decode_content=False)
