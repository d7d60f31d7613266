"""Where a redirect of the Hub, of a mirror or of something in between may lead, with real servers and both request libraries."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ot_doctor.evidence import Answer, Deployment, Hub, ReleaseLine, Request, Unavailable, WorkerToken
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.hub import client as source
from ot_doctor.sources.hub.client import gather
from ot_doctor.sources.hub.plain_urls import origin, same_server

VALUE = "hf_" + "Kw7" * 11 + "Z"
COMMIT = {"X-Repo-Commit": "0" * 40}
Reply = tuple[int, dict[str, str]]


class Server:
    """Answers each path as ``answer`` says, and keeps what it was asked: the path and the Authorization header."""

    def __init__(self, answer: Callable[[str], Reply]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str | None]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.asked.append((self.path, self.headers.get("Authorization")))
                status, headers = server.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_HEAD = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Threads(ThreadingHTTPServer):
            request_queue_size = 64
            daemon_threads = True
            block_on_close = False

        self.running = Threads(("127.0.0.1", 0), Handler)
        self.at = f"127.0.0.1:{self.running.server_address[1]}"
        threading.Thread(target=self.running.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.running.shutdown()
        self.running.server_close()


@pytest.fixture
def mirror() -> Iterator[Server]:
    server = Server(lambda path: (200, COMMIT))
    yield server
    server.close()


@pytest.fixture
def other() -> Iterator[Server]:
    server = Server(lambda path: (200, COMMIT))
    yield server
    server.close()


@pytest.fixture(autouse=True, params=["installed", "requests"])
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session of the huggingface_hub that is installed, and the one of those before 1.0."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    if request.param == "requests":
        requests = importlib.import_module("requests")
        headers = source._Client.load().headers
        monkeypatch.setattr(source._Client, "load", staticmethod(lambda: source._Client(requests.Session, headers)))


def ask(mirror: Server) -> Hub:
    return gather(
        Request(environ={"HF_ENDPOINT": f"http://{mirror.at}"}, timeout=20.0),
        Deployment(Path("/srv/ot"), "--dir", Path("/srv/ot/.env"), line=ReleaseLine.V0_4),
        Unavailable("Docker was left out", switched_off=True),
        WorkerToken(Secret(VALUE), "x", True),
    )


def answers(hub: Hub) -> set[Answer]:
    return {hub.public.answer, *(f.answer for f in hub.files)}


# -- to another server ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    [
        "http://{other}/x", "//{other}/x", "///{other}/x", "HTTP://{other}/x", "http:{other}/x", "http:/{other}/x",
        "http:///{other}/x", "http://{other}\\@{hub}/x", "http://{other}\\\\@{hub}/x", "\\\\{other}\\x", "/\\{other}/x",
        "\\/{other}/x",
        "http://{hub}@{other}/x", "http://{hub}:@{other}/x", "http://{other}/@{hub}/", "http://{other}#@{hub}/",
        "http://{other}?@{hub}/",
        "http://{other};@{hub}/x", "http://{other}%2f@{hub}/x", "http://{other}%5c@{hub}/x", "http://{other}\t@{hub}/x",
        "http://{other} @{hub}/x", "ht\ttp://{other}/x", "/\t/{other}/x", " http://{other}/x", "http://{other}\x0b@{hub}/x",
        "http://{other}\x7f@{hub}/x", "http://localhost:{port}/x", "http://127.1:{port}/x", "http://2130706433:{port}/x",
        "http://[::ffff:127.0.0.1]:{port}/x", "http://{hub}.{other}/x", "https://{hub}/x", "http://[{other}]@{hub}/x",
        "http://127.0.0.1\xb7:{port}/x",
        "http://\xb9\xb27.0.0.1:{port}/x", "ftp://{hub}/x", "javascript:alert(1)", "http://", "http:",
        "",
        "https://huggingface.co/x",
    ],
)  # fmt: skip
def test_no_token_leaves_the_server(mirror: Server, other: Server, location: str) -> None:
    target = location.format(other=other.at, hub=mirror.at, port=other.at.rpartition(":")[2])
    mirror.answer = lambda path: (302, {"Location": target}) if "resolve" in path or "whoami" in path else (200, COMMIT)
    found = ask(mirror)
    assert other.asked == []  # not even without a token
    told = {Answer.REFUSED} if "\x0b" in location else set()  # a header that httpx does not take
    assert answers(found) <= {Answer.PROXY, *told}  # a name that does not resolve, say, would have been asked for
    assert mirror.asked
    assert VALUE not in repr(found)


def test_the_words_name_the_server_and_no_more(mirror: Server, other: Server) -> None:
    mirror.answer = lambda path: (302, {"Location": f"http://{other.at}/x?X-Amz-Signature=0123456789abcdef"})
    found = ask(mirror)
    assert answers(found) == {Answer.PROXY} and found.identity.answer is Answer.PROXY
    assert found.public.text == f"HTTP 302 redirects to http://{other.at}, another server, which was not asked"
    assert found.identity.text == found.public.text


# -- on the same server ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "location",
    ["/files{path}", "http://{hub}/files{path}", "//{hub}/files{path}", "HTTP://{hub}/files{path}#x", "/a/../files{path}"],
)
def test_a_redirect_on_the_same_server_is_followed_with_the_token(mirror: Server, location: str) -> None:
    def answer(path: str) -> Reply:
        if path.startswith("/pyannote"):
            return 307, {"Location": location.format(hub=mirror.at, path=path)}
        return 200, COMMIT

    mirror.answer = answer
    assert answers(ask(mirror)) == {Answer.OK}
    followed = [token for path, token in mirror.asked if path.startswith("/files/")]
    assert len(followed) > 4 and set(followed) == {f"Bearer {VALUE}", None}


@pytest.mark.parametrize("location", ["/files{path}", "http://{hub}/files{path}"])
def test_the_commit_may_stand_on_the_redirect_itself(mirror: Server, location: str) -> None:
    def answer(path: str) -> Reply:
        if path.startswith("/pyannote"):
            return 302, {"Location": location.format(hub=mirror.at, path=path), **COMMIT}
        return 200, {}

    mirror.answer = answer
    assert answers(ask(mirror)) == {Answer.OK}


def test_a_refusal_behind_the_redirect_counts(mirror: Server) -> None:
    refusal = {"X-Error-Code": "GatedRepo", "X-Error-Message": "you are not in the authorized list"}
    mirror.answer = lambda path: (302, {"Location": f"/files{path}", **COMMIT}) if path.startswith("/py") else (403, refusal)
    assert {f.answer for f in ask(mirror).files} == {Answer.NOT_ACCEPTED}


def test_a_portal_that_redirects_is_no_hub(mirror: Server) -> None:
    mirror.answer = lambda path: (200, {}) if path == "/login" else (302, {"Location": "/login"})
    found = ask(mirror)
    assert answers(found) == {Answer.PROXY}
    assert "something else answered" in found.public.text


def test_the_commit_may_stand_on_a_redirect_to_a_storage(mirror: Server, other: Server) -> None:
    mirror.answer = lambda path: (302, {"Location": f"http://{other.at}/x", **COMMIT})
    assert answers(ask(mirror)) == {Answer.OK}
    assert other.asked == []


# -- the rule alone -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/x", "https://Hub.example/x"),
        ("x?y=1#z", "https://Hub.example/a/x?y=1"),
        ("../../../x", "https://Hub.example/x"),
        ("?q", "https://Hub.example/a/b?q"),
        ("https://hub.example:443/x", "https://Hub.example/x"),
        ("https://hub.example", "https://Hub.example/"),
        ("//HUB.example?x", "https://Hub.example/?x"),
        ("https://hub.example//else.example/x", "https://Hub.example//else.example/x"),
        ("http://hub.example/x", None),
        ("https://hub.example:8443/x", None),
        ("https://hub.example./x", None),
        ("https://hub.example.evil/x", None),
        ("https://hub.example:0443x/", None),
        ("https://hub.example:99999/x", None),
        ("https://hub.example\uff0fx", None),
        ("https://hub\u3002example/x", None),
        ("/\u2028x", None),
        ("/x y", None),
        ("/x\n", None),
        ("", None),
    ],
)
def test_where_a_redirect_leads(location: str, target: str | None) -> None:
    assert same_server("https://Hub.example/a/b", location) == target


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hub", "https://hub"),
        ("HTTP://Hub:80/x", "http://hub"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]evil.example", None),
        ("http://a@b", None),
        ("http://a:0", None),
        ("http://a\n", None),
        ("//a", None),
    ],
)
def test_the_server_of_an_address(url: str, expected: str | None) -> None:
    found = origin(url)
    assert (str(found) if found else None) == expected
