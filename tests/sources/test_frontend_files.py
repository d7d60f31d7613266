"""A real container with web pages, searched through a real engine."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ot_doctor.evidence import Frontend, Request, Unavailable, Workers
from ot_doctor.redaction.names import keep
from ot_doctor.sources.frontend_files import gather
from tests.checks.evidence import OTHER_TOKEN, TOKEN, compose, env_file, worker
from tests.parts.engine import Engine
from tests.parts.proxy import engine_proxy, switches

pytestmark = pytest.mark.engine

HTML = "/usr/share/nginx/html"


@dataclass
class Pages:
    engine: Engine
    folder: Path
    settings: Path
    container: str

    def search(self, endpoint: str = "", project: str = "opentranscribe") -> Frontend:
        keep("HUGGINGFACE_TOKEN", TOKEN)
        keep("JWT_SECRET_KEY", "Zq9Kw7xY1mN4pR8t")
        keep("POSTGRES_PASSWORD", "opentranscribe")
        at = replace(worker().engine, endpoint=endpoint or self.engine.host, found_by="DOCKER_HOST", api_version="1.43")
        one = worker(engine=at)
        one = replace(one, compose=replace(one.compose, project=project))
        request = Request(environ={"DOCKER_HOST": at.endpoint}, no_exec=True)
        return gather(request, Workers(at, (one,)), env_file(), compose())


@pytest.fixture(scope="module")
def made(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    top = tmp_path_factory.mktemp("pages")
    pages = Pages(engine, top / "html", top / "conf.d", "")
    for folder in (pages.folder / "assets", pages.settings):
        folder.mkdir(parents=True)
    labels = ("-l", "com.docker.compose.project=opentranscribe", "-l", "com.docker.compose.service=frontend")
    places = ((pages.folder, HTML), (pages.settings, "/etc/nginx/conf.d"), (pages.folder, "/srv/other"))
    binds = [word for source, destination in places for word in ("-v", f"{source}:{destination}")]
    pages.container = engine.docker("create", "--name", "pages", *labels, *binds, "-e", f"VITE_T={TOKEN}", "busybox", "true")
    yield pages
    engine.clear()


@pytest.fixture
def pages(made: Pages) -> Pages:
    for path in (*made.folder.rglob("*"), *made.settings.iterdir()):
        if not path.is_dir():
            path.unlink()
    (made.folder / "index.html").write_text("<script src=assets/index-1a2b3c.js></script> opentranscribe")
    (made.folder / "assets/index.js").write_text("x(1);" * 40_000)
    return made


def hits(found: Frontend) -> list[tuple[str, str]]:
    return [(secret.path, secret.name) for secret in found.secrets]


def test_pages_without_a_secret(pages: Pages) -> None:
    found = pages.search()
    assert (found.container, found.service, found.folder, found.files) == ("pages", "frontend", HTML, 2)
    assert (found.secrets, found.not_searched) == ((), "")
    assert set(found.env) >= {"VITE_T"} and TOKEN not in repr(found)


def test_secrets_in_scripts_maps_and_settings(pages: Pages) -> None:
    (pages.folder / "assets/index.js").write_text("x(1);" * 500_000 + f"t='{TOKEN}'")
    (pages.folder / "assets/index.js.map").write_text(base64.b64encode(f"key: {TOKEN}\n".encode()).decode())
    (pages.folder / "config.json").write_text('{"jwt": "Zq9Kw7xY1mN4pR8t"}')
    (pages.folder / "logo.png").write_text(TOKEN)
    keep("VITE_HF_TOKEN", OTHER_TOKEN)
    (pages.folder / "other.js").write_text(OTHER_TOKEN)
    found = pages.search()
    names = [(f"{HTML}/assets/index.js", "HUGGINGFACE_TOKEN"), (f"{HTML}/assets/index.js.map", "HUGGINGFACE_TOKEN")]
    assert hits(found) == [*names, (f"{HTML}/config.json", "JWT_SECRET_KEY"), (f"{HTML}/other.js", "")]
    assert found.not_searched == "" and TOKEN not in repr(found)


def test_the_folder_that_the_settings_of_nginx_name(pages: Pages) -> None:
    (pages.settings / "default.conf").write_text("server {\n  root /srv/other;\n}\n")
    assert pages.search().folder == "/srv/other"
    (pages.settings / "default.conf").write_text("server {\n  root /nowhere;\n}\n")
    assert pages.search().folder == HTML


def test_what_is_too_large_is_told(pages: Pages) -> None:
    with (pages.folder / "assets/index.js").open("wb") as file:
        os.truncate(file.fileno(), 9 * 1024 * 1024)
    found = pages.search()
    assert found.not_searched == f"{HTML}/assets/index.js has more than 8 MB" and found.files == 1
    with (pages.folder / "a.bin").open("wb") as file:
        os.truncate(file.fileno(), 3 * 1024**3)
    assert pages.search().not_searched


def test_no_pages_and_no_access(pages: Pages) -> None:
    with pytest.raises(Unavailable) as caught:
        pages.search(project="another")
    assert caught.value.switched_off
    archive = switches("CONTAINERS", "IMAGES", "INFO")
    refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with engine_proxy(
        pages.engine.socket, lambda method, path: refused if "/archive" in path else archive(method, path)
    ) as proxy:
        found = pages.search(proxy.address)
    assert found.files == 0 and "403" in found.not_searched
    assert {endpoint.split()[0] for endpoint in proxy.endpoints()} == {"GET"}
