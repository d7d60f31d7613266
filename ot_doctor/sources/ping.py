"""Tells a service that watches timers how a run ended: one request, and nothing about the installation in it but a sentence."""

from __future__ import annotations

import urllib.error
import urllib.request
from http.client import HTTPException
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ot_doctor import __version__
from ot_doctor.core.deadline import within
from ot_doctor.redaction.secret import Secret

SECONDS = 5.0
_LONGEST_SENTENCE = 200  # characters


def ping(address: Secret, exit_code: int, sentence: str) -> str:
    """Why it could not be told; empty where it was. It takes ``SECONDS`` at most."""
    url, method = request_of(address.reveal(), exit_code, sentence)
    request = urllib.request.Request(url, method=method, headers={"User-Agent": f"ot-doctor/{__version__}"})
    try:
        with within(SECONDS, lambda: _opener().open(request, timeout=SECONDS)) as response:
            return "" if response.status < 300 else f"the service answered HTTP {response.status}"
    except urllib.error.HTTPError as error:
        return f"the service answered HTTP {error.code}"
    except (OSError, HTTPException, ValueError) as error:  # a URLError is an OSError, and so is what came too late
        reason = getattr(error, "reason", None)
        return f"the service could not be reached ({type(reason if isinstance(reason, Exception) else error).__name__})"


def request_of(address: str, exit_code: int, sentence: str) -> tuple[str, str]:
    """The address and the method, by the address's shape.

    =====================================  ====================================================
    Uptime Kuma, ``/api/push/KEY``         ``?status=up|down&msg=…``
    Gatus, ``/api/v1/endpoints/KEY/…``     POST, ``?success=true|false&error=…``
    any other (Healthchecks and its like)  the exit code as the last part of the path
    =====================================  ====================================================
    """
    parts = urlsplit(address)
    well, said = exit_code == 0, sentence[:_LONGEST_SENTENCE]
    query = dict(parse_qsl(parts.query))
    if "/api/push/" in parts.path:
        query |= {"status": "up" if well else "down", "msg": said}
        return urlunsplit(parts._replace(query=urlencode(query))), "GET"
    if "/api/v1/endpoints/" in parts.path:
        query |= {"success": "true" if well else "false"} | ({} if well else {"error": said})
        return urlunsplit(parts._replace(query=urlencode(query))), "POST"
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{exit_code}")), "GET"


def problem_of(address: str) -> str:
    """Why the address cannot be used; empty where it can."""
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and address.isascii() and parts.port != 0
    except ValueError:
        usable = False
    return "" if usable else "it is not an address that begins with https://"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Nobody else gets the address."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_NoRedirect)
