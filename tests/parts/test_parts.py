"""The parts themselves: a scenario is only worth what the engine, the hub and the caches under it are."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.parts import images, models
from tests.parts.engine import Engine
from tests.parts.hub import (
    COMMUNITY_1,
    DIARIZATION_31,
    WESPEAKER,
    Fault,
    LocalHub,
    Repo,
    Token,
    make_certificate,
    pyannote_hub,
)

TOKEN = "hf_" + "Ab3dEf7hIj" * 3 + "Kl9m"  # the one of pyannote_hub

COMPOSE = """
services:
  celery-worker:
    image: davidamacey/opentranscribe-backend:v0.4.1
    container_name: opentranscribe-celery-worker
    network_mode: none
    env_file: .env
    command: celery -A app.core.celery worker -Q gpu
    volumes:
      - ./models/huggingface:/home/appuser/.cache/huggingface
      - ./worker.log:/recorded.log:ro
"""


# -- the engine ------------------------------------------------------------------------------------


@pytest.mark.engine
class TestEngine:
    def test_compose_brings_up_a_worker_as_a_user_would(self, clean_engine: Engine, tmp_path: Path) -> None:
        (tmp_path / "compose.yaml").write_text(COMPOSE)
        (tmp_path / ".env").write_text("HUGGINGFACE_TOKEN=hf_abc  # mine\n")
        (tmp_path / "worker.log").write_text("[2026-11-01 10:00:00] worker ready\n")
        clean_engine.run("sh", "-c", "docker compose up -d", cwd=tmp_path)
        container = "opentranscribe-celery-worker"
        state = json.loads(clean_engine.docker("inspect", container))[0]
        assert state["State"]["Running"]
        assert state["Config"]["User"] == "appuser"
        assert "HUGGINGFACE_TOKEN=hf_abc" in state["Config"]["Env"]
        assert "PYTHONWARNINGS=ignore::UserWarning:pyannote.audio.core.io" in state["Config"]["Env"]
        assert state["Config"]["Labels"]["com.docker.compose.service"] == "celery-worker"
        assert _soon(lambda: "worker ready" in clean_engine.run("docker", "logs", container).stderr)
        assert clean_engine.docker("exec", container, "sh", "-c", "id -u; id -g").split() == ["1000", "998"]
        # The engine made the missing folder, as root: the usual beginning of permission trouble.
        assert (tmp_path / "models/huggingface").stat().st_uid == 0
        refused = clean_engine.run("docker", "exec", container, "touch", "/home/appuser/.cache/huggingface/x", check=False)
        assert "Permission denied" in refused.stderr
        volume = f"{tmp_path}/models:/m"
        clean_engine.run("docker", "run", "--rm", "-v", volume, "busybox", "chown", "-R", "1000:1000", "/m")
        clean_engine.docker("exec", container, "touch", "/home/appuser/.cache/huggingface/x")

    def test_a_container_over_its_memory_limit_is_killed(self, clean_engine: Engine) -> None:
        image = f"{images.BACKEND}:v0.4.1"
        limits = ("--network=none", "--memory=16m")
        clean_engine.run("docker", "run", "--name=oom", *limits, image, "sh", "-c", images.EAT_MEMORY, check=False)
        clean_engine.until_oom_killed("oom")
        state = json.loads(clean_engine.docker("inspect", "--format={{json .State}}", "oom"))
        assert (state["OOMKilled"], state["ExitCode"]) == (True, 137)

    def test_release_lines_differ_in_their_variables(self, engine: Engine) -> None:
        def variables(tag: str) -> str:
            return engine.docker("inspect", "--format={{json .Config.Env}}", f"{images.BACKEND}:{tag}")

        assert "TRANSFORMERS_CACHE" in variables("v0.3.3") and "python3.13" in variables("v0.3.3")
        assert "TRANSFORMERS_CACHE" in variables("v0.1.0") and "python3.12" in variables("v0.1.0")
        assert "TRANSFORMERS_CACHE" not in variables("v0.4.1") and "PYTHONWARNINGS" in variables("v0.4.1")

    def test_an_image_keeps_odd_values_and_its_health_check(self, engine: Engine) -> None:
        env = {"ODD": 'a "b" $c \\d', "EMPTY": ""}
        engine.import_image("odd:1", env=env, user=None, labels={"a b": "c$d"}, exec_healthcheck=["true"])
        config = json.loads(engine.docker("inspect", "--format={{json .Config}}", "odd:1"))
        assert set(config["Env"]) >= {'ODD=a "b" $c \\d', "EMPTY="}
        assert config["Labels"] == {"a b": "c$d"}
        assert config["Healthcheck"]["Test"] == ["CMD", "true"]
        assert config["User"] == ""

    def test_a_second_engine_beside_it_leaves_nothing_behind(self, engine: Engine) -> None:
        second = Engine()
        with second:
            home = second.home
            second.import_busybox()
            second.docker("run", "--detach", "--name=other", "busybox", "sleep", "1000")
            assert engine.docker("ps", "--quiet", "--filter=name=^other$") == ""
        second.stop()
        assert not home.exists()
        assert not list(Path("/sys/fs/cgroup").glob(f"**/{home.name}"))
        assert home.name not in Path("/proc/self/mounts").read_text()
        assert engine.docker("info", "--format={{.ServerVersion}}")


# -- the hub, without a client ---------------------------------------------------------------------


def _ask(
    hub: LocalHub,
    path: str,
    token: str | None = None,
    method: str = "GET",
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(hub.url + path, method=method)
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
    try:
        with opener.open(request, timeout=5) as response:
            return response.status, dict(response.headers), response.read()
    except urllib.error.HTTPError as answer:
        return answer.code, dict(answer.headers), answer.read()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


CONFIG = f"/{COMMUNITY_1}/resolve/main/config.yaml"


class TestHubAnswers:
    def test_the_gate(self, hub: LocalHub) -> None:
        repo = hub.repos[COMMUNITY_1]
        status, headers, body = _ask(hub, CONFIG)
        assert (status, headers["X-Error-Code"]) == (401, "GatedRepo")
        assert b"Please log in." in body and "WWW-Authenticate" in headers
        assert _ask(hub, CONFIG, TOKEN)[0] == 200
        repo.accepted.clear()
        status, headers, body = _ask(hub, CONFIG, TOKEN)
        assert (status, headers["X-Error-Code"]) == (403, "GatedRepo")
        assert b"not in the authorized list" in body and "WWW-Authenticate" not in headers
        repo.pending.add("ada")
        assert b"awaiting a review" in _ask(hub, CONFIG, TOKEN)[2]
        assert _ask(hub, f"/{COMMUNITY_1}/resolve/main/README.md")[0] == 200
        assert _ask(hub, f"/api/models/{COMMUNITY_1}")[0] == 200
        assert _ask(hub, f"/api/models/{COMMUNITY_1}/auth-check", TOKEN)[0] == 403

    def test_tokens(self, hub: LocalHub) -> None:
        token = hub.tokens[TOKEN]
        public = f"/{WESPEAKER}/resolve/main/config.yaml"
        status, headers, body = _ask(hub, public, "hf_wrong")
        assert (status, body) == (401, b"Invalid credentials in Authorization header")
        assert "X-Error-Code" not in headers
        token.expired = True
        assert 'Token "opentranscribe" is expired' in json.loads(_ask(hub, "/api/whoami-v2", TOKEN)[2])["error"]
        token.expired, token.role, token.can_read_gated = False, "fineGrained", False
        status, headers, body = _ask(hub, CONFIG, TOKEN)
        assert status == 403 and "X-Error-Code" not in headers and b"fine-grained token settings" in body
        who = json.loads(_ask(hub, "/api/whoami-v2", TOKEN)[2])
        assert who["auth"]["accessToken"]["fineGrained"]["canReadGatedRepos"] is False
        assert [request.token for request in hub.requests] == ["unknown", *["opentranscribe"] * 3]

    def test_repositories(self, hub: LocalHub) -> None:
        assert _ask(hub, "/no/such/resolve/main/x")[::2] == (401, b"Invalid username or password.")
        status, headers, _ = _ask(hub, "/no/such/resolve/main/x", TOKEN)
        assert (status, headers["X-Error-Code"]) == (404, "RepoNotFound")
        hub.add(Repo("old/name", renamed_to=WESPEAKER))
        status, headers, _ = _ask(hub, "/old/name/resolve/main/config.yaml")
        assert (status, headers["Location"]) == (307, f"/{WESPEAKER}/resolve/main/config.yaml")
        status, headers, _ = _ask(hub, f"/{WESPEAKER}/resolve/main/pytorch_model.bin", method="HEAD")
        assert (status, headers["X-Linked-Size"]) == (302, "1200000") and len(headers["X-Linked-ETag"]) == 66
        assert _ask(hub, f"/{WESPEAKER}/resolve/v9/config.yaml")[1]["X-Error-Code"] == "RevisionNotFound"
        assert _ask(hub, f"/{WESPEAKER}/resolve/main/none.yaml")[1]["X-Error-Code"] == "EntryNotFound"

    def test_faults(self, hub: LocalHub) -> None:
        hub.fault = Fault("429", seconds=52)
        status, headers, _ = _ask(hub, CONFIG, TOKEN)
        assert status == 429 and "t=52" in headers["RateLimit"] and "Retry-After" not in headers
        hub.fault = Fault("503", only="whoami")
        assert _ask(hub, "/api/whoami-v2", TOKEN)[0] == 503
        assert _ask(hub, CONFIG, TOKEN)[0] == 200
        hub.fault = Fault("portal")
        status, headers, _ = _ask(hub, CONFIG, TOKEN)
        assert status == 200 and "X-Repo-Commit" not in headers and headers["Content-Type"] == "text/html"
        hub.fault = Fault("proxy403")
        assert _ask(hub, CONFIG, TOKEN)[0] == 403
        hub.fault = Fault("cut")
        with pytest.raises(Exception, match="IncompleteRead"):
            _ask(hub, CONFIG, TOKEN)
        hub.fault = Fault("slow", seconds=0.3)
        began = time.monotonic()
        assert _ask(hub, CONFIG, TOKEN)[0] == 200 and time.monotonic() - began >= 0.3

    def test_a_black_hole_accepts_and_never_answers(self, hub: LocalHub) -> None:
        hub.fault = Fault("blackhole")
        address = ("127.0.0.1", int(hub.url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=0.5) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                connection.recv(1)


# -- the hub, through the real client --------------------------------------------------------------


class TestHubThroughItsClient:
    @pytest.fixture(autouse=True)
    def _client(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.client = pytest.importorskip("huggingface_hub")
        self.errors = pytest.importorskip("huggingface_hub.errors")
        self.cache = tmp_path / "cache"
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)

    def _head(self, hub: LocalHub, repo: str, token: str | bool = TOKEN) -> Any:
        url = self.client.hf_hub_url(repo, "config.yaml", endpoint=hub.url)
        return self.client.get_hf_file_metadata(url, token=token, timeout=5)

    def test_download_and_who_am_i(self, hub: LocalHub) -> None:
        for name in hub.repos[COMMUNITY_1].files:
            path = self.client.hf_hub_download(COMMUNITY_1, name, token=TOKEN, cache_dir=self.cache, endpoint=hub.url)
            assert Path(path).read_bytes() == hub.repos[COMMUNITY_1].content(name)
        who = self.client.HfApi(endpoint=hub.url).whoami(token=TOKEN)
        assert (who["name"], who["auth"]["accessToken"]["role"]) == ("ada", "read")
        # The token stays with the Hub: the storage on the other host does not get it.
        assert all(request.token is None for request in hub.requests if request.path.startswith("/lfs/"))

    def test_a_gate_is_a_gate(self, hub: LocalHub) -> None:
        assert self._head(hub, COMMUNITY_1).commit_hash == hub.repos[COMMUNITY_1].commit
        hub.repos[COMMUNITY_1].accepted.clear()
        with pytest.raises(self.errors.GatedRepoError):
            self._head(hub, COMMUNITY_1)
        with pytest.raises(self.errors.GatedRepoError):
            self.client.HfApi(endpoint=hub.url).auth_check(COMMUNITY_1, token=TOKEN)
        assert self.client.HfApi(endpoint=hub.url).model_info(COMMUNITY_1, token=TOKEN).gated == "auto"

    def test_other_refusals(self, hub: LocalHub) -> None:
        with pytest.raises(self.errors.HfHubHTTPError) as caught:
            self._head(hub, WESPEAKER, "hf_wrong")
        assert not isinstance(caught.value, self.errors.RepositoryNotFoundError)
        with pytest.raises(self.errors.RepositoryNotFoundError):
            self._head(hub, "no/such")
        hub.add(Token("hf_narrow", hub.tokens[TOKEN].account, "fineGrained", can_read_gated=False))
        with pytest.raises(self.errors.HfHubHTTPError) as caught:
            self._head(hub, DIARIZATION_31, "hf_narrow")
        assert caught.value.response.status_code == 403
        assert not isinstance(caught.value, self.errors.GatedRepoError)

    @pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
    def test_over_tls_a_401_without_a_code_is_a_repository_not_found(self, tmp_path: Path) -> None:
        with pyannote_hub(certificate=make_certificate(tmp_path)) as hub:
            hub.tokens[TOKEN].expired = True
            environment = os.environ | hub.client_environment() | {"HF_HUB_DISABLE_TELEMETRY": "1"}
            # In a process of its own: the client reads its endpoint and its authorities once.
            code = (
                "import huggingface_hub as h\n"
                f"url = h.hf_hub_url({WESPEAKER!r}, 'config.yaml')\n"
                "for token in (False, 'hf_wrong', %r):\n"
                "    try: print(type(h.get_hf_file_metadata(url, token=token)).__name__)\n"
                "    except Exception as error: print(type(error).__name__)\n" % TOKEN
            )
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert done.stdout.split() == ["HfFileMetadata", "HfHubHTTPError", "RepositoryNotFoundError"], done.stderr

    def test_a_cache_of_ours_is_as_good_as_the_clients_own(self, hub: LocalHub, tmp_path: Path) -> None:
        ours, theirs = tmp_path / "ours", tmp_path / "theirs"
        known = hub.repos[WESPEAKER]
        names = ("config.yaml", "pytorch_model.bin")
        for name in names:
            self.client.hf_hub_download(WESPEAKER, name, cache_dir=theirs, endpoint=hub.url)
        models.hub_repo(ours, WESPEAKER, {name: known.content(name) for name in names}, commit=known.commit)
        assert _tree(ours) == _tree(theirs)
        found = self.client.try_to_load_from_cache(WESPEAKER, "pytorch_model.bin", cache_dir=ours)
        assert isinstance(found, str)


def _tree(root: Path) -> dict[str, str]:
    """Every file and link under a folder, without the client's own bookkeeping."""
    return {
        str(path.relative_to(root)): os.readlink(path) if path.is_symlink() else str(path.stat().st_size)
        for path in sorted(root.rglob("*"))
        if not path.is_dir() and ".locks" not in path.parts and path.name not in ("CACHEDIR.TAG", ".gitignore")
    }


# -- model caches ----------------------------------------------------------------------------------


class TestModels:
    def test_complete_caches(self, tmp_path: Path) -> None:
        (community,) = models.v04_cache(tmp_path)
        assert community == tmp_path / "huggingface/hub/models--pyannote--speaker-diarization-community-1"
        weights = models.file_in(community, "segmentation/pytorch_model.bin")
        assert weights.is_symlink() and weights.stat().st_size >= 1_000_000
        assert weights.read_bytes()[:4] == models.file_in(community, "plda/plda.npz").read_bytes()[:4] == b"PK\x03\x04"
        assert len(models.v03_cache(tmp_path)) == 3
        assert (tmp_path / "torch/pyannote/models--pyannote--segmentation-3.0/refs/main").read_text() == models.COMMIT

    def test_damage(self, tmp_path: Path) -> None:
        (repo,) = models.v04_cache(tmp_path)
        dangling = models.make_dangling(repo, "plda/plda.npz")
        assert dangling.is_symlink() and not dangling.exists()
        assert models.make_html(repo, "config.yaml").read_text().startswith("<!DOCTYPE")
        pointer = models.make_lfs_pointer(repo, "segmentation/pytorch_model.bin").read_text()
        assert pointer.startswith("version https://git-lfs") and pointer.endswith("size 1200000\n")
        assert models.truncate(repo, "plda/xvec_transform.npz", 10).stat().st_size == 10
        part = models.leave_incomplete(repo, "embedding/pytorch_model.bin", client="1.x")
        assert part.suffix == ".incomplete" and len(part.suffixes) == 2
        assert not models.file_in(repo, "embedding/pytorch_model.bin").is_symlink()

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files to others")
    def test_owners(self, tmp_path: Path) -> None:
        (repo,) = models.v04_cache(tmp_path, owner=(1001, 1001))
        assert models.file_in(repo, "config.yaml").stat().st_uid == 1001
        assert models.file_in(repo, "config.yaml").lstat().st_uid == 1001
        assert models.lock_owned_by_root(repo).stat().st_uid == 0


def _soon(holds: Any, seconds: float = 5.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.05)
    return False
