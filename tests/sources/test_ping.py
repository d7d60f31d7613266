"""A service that watches timers is told how a run ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ot_doctor.redaction.secret import Secret
from ot_doctor.sources import ping as module
from ot_doctor.sources.ping import ping, problem_of, request_of

KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize(
    "address, code, url, method",
    [
        (f"https://hc.example/ping/{KEY}", 0, f"https://hc.example/ping/{KEY}/0", "GET"),
        (f"https://hc.example/ping/{KEY}/", 3, f"https://hc.example/ping/{KEY}/3", "GET"),
        ("https://kuma.example/api/push/a1?status=up&msg=OK&ping=", 1,
         "https://kuma.example/api/push/a1?status=down&msg=The+disk+is+full", "GET"),
        ("https://kuma.example/api/push/a1", 0, "https://kuma.example/api/push/a1?status=up&msg=The+disk+is+full", "GET"),
        ("https://gatus.example/api/v1/endpoints/a_b/external", 1,
         "https://gatus.example/api/v1/endpoints/a_b/external?success=false&error=The+disk+is+full", "POST"),
        ("https://gatus.example/api/v1/endpoints/a_b/external", 0,
         "https://gatus.example/api/v1/endpoints/a_b/external?success=true", "POST"),
    ],
)  # fmt: skip
def test_the_request_by_the_addresss_shape(address: str, code: int, url: str, method: str) -> None:
    assert request_of(address, code, "The disk is full") == (url, method)


@pytest.mark.parametrize("address", ["hc.example", "ftp://hc.example", "https://", "https://h:x/", "https://\u24db.example"])
def test_an_address_that_is_none(address: str) -> None:
    assert problem_of(address)


class Service(HTTPServer):
    def __init__(self, status: int, delay: float = 0.0) -> None:
        self.paths: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:
                self.paths.append(handler.path)
                time.sleep(delay)
                handler.send_response(status)
                if status == 302:
                    handler.send_header("Location", f"{self.url}/elsewhere")
                handler.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield


def test_it_is_told_once() -> None:
    service = Service(200)
    assert ping(Secret(f"{service.url}/ping/{KEY}", "OT_DOCTOR_PING"), 1, "x") == ""
    assert service.paths == [f"/ping/{KEY}/1"]


@pytest.mark.parametrize("status", [302, 404, 503])
def test_an_answer_that_is_no_thanks_is_said_and_nobody_else_is_told(status: int) -> None:
    service = Service(status)
    assert ping(Secret(f"{service.url}/ping/{KEY}", "OT_DOCTOR_PING"), 0, "x") == f"the service answered HTTP {status}"
    assert len(service.paths) == 1


def test_a_service_that_is_not_there_or_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    said = ping(Secret(f"http://127.0.0.1:9/{KEY}", "OT_DOCTOR_PING"), 0, "x")
    assert said == "the service could not be reached (ConnectionRefusedError)"
    monkeypatch.setattr(module, "SECONDS", 0.3)
    began = time.monotonic()
    assert "could not be reached" in ping(Secret(f"{Service(200, delay=3).url}/{KEY}", "OT_DOCTOR_PING"), 0, "x")
    assert time.monotonic() - began < 2
