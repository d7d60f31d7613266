"""What is seen of a worker in which nothing can be run, or behind a proxy before the engine's socket; and the web pages."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.parts import models
from tests.parts.engine import Engine
from tests.parts.hub import Fault
from tests.parts.proxy import EngineProxy, Rule, engine_proxy, everything, switches
from tests.rooms import ROOT
from tests.scenarios import logs
from tests.scenarios.scenario import APPUSER, TOKEN, Report, Scenario, World, hub_for

pytestmark = pytest.mark.engine

WORKER = "opentranscribe-celery-worker"
MODELS = "/home/appuser/.cache/huggingface"
_VOLUME = f"""\
      - models:{MODELS}
      - ./recorded.log:/recorded.log:ro
"""
_FRONTEND = """\
  frontend:
    image: busybox
    container_name: opentranscribe-frontend
    command: sleep 3600
    network_mode: host
    volumes:
      - ./html:/usr/share/nginx/html:ro
"""


def _fill(world: World) -> None:
    models.v04_cache(world.folder / "made", owner=APPUSER)
    world.engine.run("docker", "cp", "-a", f"{world.folder}/made/huggingface/.", f"{WORKER}:{MODELS}")
    world.engine.execute(WORKER, "chown", "1000:998", MODELS, user="0")
    (world.folder / "html/assets").mkdir(parents=True, exist_ok=True)
    (world.folder / "html/index.html").write_text("<script src=assets/index.js></script>")


@pytest.fixture(scope="module")
def kept(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One healthy stack for all tests that only look: its models are on a named volume, and it has web pages."""
    with hub_for(None) as hub:
        services = f"{_FRONTEND}volumes:\n  models:\n"
        scenario = Scenario(cache="none", volumes=_VOLUME, services=services, after=_fill)
        yield scenario.build(engine, hub, tmp_path_factory.mktemp("kept"))
    engine.clear()


@pytest.fixture
def behind(kept: World, tmp_path: Path) -> Iterator[Callable[[Rule], tuple[World, EngineProxy]]]:
    """The same stack, asked through a proxy with the rule."""
    with ExitStack() as stack:

        def through(rule: Rule) -> tuple[World, EngineProxy]:
            proxy = stack.enter_context(engine_proxy(kept.engine.socket, rule, at=tmp_path / "proxy.sock"))
            return World(kept.engine, kept.hub, kept.folder, kept.home, {"DOCKER_HOST": proxy.address}), proxy

        yield through
    kept.engine.revive(WORKER)


def _view(report: Report) -> str:
    views = ("worker itself", "engine's archive", "machine's disk")
    return next(view for view in views if view in report.text_of("cache-complete"))


def test_a_volume_is_seen_by_the_worker_and_without_running_anything(kept: World) -> None:
    report = kept.report()
    assert (report.exit_code, report.causes, _view(report)) == (0, [], "worker itself"), report.summary()
    kept.examined = False
    report = kept.report("--no-exec")
    assert (report.exit_code, report.causes, _view(report)) == (0, [], "engine's archive"), report.summary()
    assert report.status("cache-permissions") == report.status("browser-files") == "pass"


@pytest.mark.parametrize("state", ["running", "paused", "stopped"])
def test_behind_a_proxy_that_only_reads(behind: Callable[[Rule], tuple[World, EngineProxy]], state: str) -> None:
    """docker-socket-proxy with CONTAINERS=1 and nothing else: no command can be run, and the engine does not say what it is."""
    world, proxy = behind(switches("CONTAINERS"))
    if state != "running":
        world.engine.do(WORKER, "pause" if state == "paused" else "stop?t=0")
    report = world.report()
    assert _view(report) == "engine's archive", report.summary()
    assert report.statuses("unknown") == set(), report.summary()
    assert report.causes == ([] if state == "running" else ["worker-down"]), report.summary()
    assert report.status("cache-complete") == report.status("cache-permissions") == "pass"
    assert any(method == "POST" and path.endswith("/exec") for method, path in proxy.asked) is (state == "running")


def test_the_manual_lists_every_request(behind: Callable[[Rule], tuple[World, EngineProxy]]) -> None:
    """No more and no less than a run with commands in containers, and one without, really ask for."""
    world, proxy = behind(everything)
    world.examined = True
    report = world.report()
    asked = proxy.endpoints()
    assert {one["what"] for one in report.document["accessed"]["engine"]} == asked, "the report's own account"
    assert sum(one["times"] for one in report.document["accessed"]["engine"]) == len(proxy.asked)
    proxy.asked.clear()
    world.report("--no-exec")
    assert not [method for method, _ in proxy.asked if method not in ("GET", "HEAD")]
    table = (ROOT / "docs/privileges.md").read_text(encoding="utf-8")
    assert asked | proxy.endpoints() == set(re.findall(r"^\| `(\w+ /\S+)` \|", table, re.MULTILINE))


def test_behind_a_proxy_that_shows_no_container(behind: Callable[[Rule], tuple[World, EngineProxy]]) -> None:
    world, _ = behind(switches("INFO"))
    report = world.report()
    assert report.exit_code == 3 and report.status("docker-engine") == "unknown", report.summary()
    assert "CONTAINERS=1" in report.text_of("docker-engine")


def test_a_secret_in_the_web_pages(kept: World) -> None:
    script = kept.folder / "html/assets/index.js"
    script.write_text(f"const k=atob('{base64.b64encode(f'Bearer {TOKEN}'.encode()).decode()}')")
    kept.examined = False
    report = kept.report()
    assert (report.exit_code, report.causes) == (1, ["token-exposed"]), report.summary()
    assert "/usr/share/nginx/html/assets/index.js" in report.text_of("browser-files")
    script.write_text("x()")


def test_a_worker_that_restarts_and_a_cache_that_it_cannot_write(bring_up: Callable[[Scenario], World]) -> None:
    restarts, after = "    restart: always\n", World.until_restarting
    scenario = Scenario(cache="none", command="['false']", extra=restarts, log=logs.v04_success(), after=after)
    report = bring_up(scenario).report()
    assert {"worker-down", "cache-permission"} <= set(report.causes), report.summary()
    assert "unknown" not in (report.status("cache-permissions"), report.status("cache-complete"))


def test_an_unreadable_cache_of_a_stopped_worker(bring_up: Callable[[Scenario], World]) -> None:
    def prepare(world: World) -> None:
        models.own(world.models / "huggingface", (0, 0))
        (world.models / "huggingface/hub").chmod(0o700)

    report = bring_up(Scenario(prepare=prepare, up=("up", "--no-start"))).report()
    assert "cache-permission" in report.causes, report.summary()


@pytest.mark.parametrize("cache", ["complete", "absent"])
def test_a_hub_that_never_answers_is_waited_for_a_second(bring_up: Callable[[Scenario], World], cache: str) -> None:
    """The worker needs it in neither case: its cache is complete, or it must not ask."""
    environment = "" if cache == "complete" else "      - HF_HUB_OFFLINE=1\n"
    world = bring_up(Scenario(cache=cache, environment=environment, log=[]))
    world.hub.fault = Fault("blackhole")
    report = world.report()
    assert report.document["duration_ms"] < (1 + 4) * 1000, "ten seconds for a worker that needs it"
    assert report.status("hub-reachable") == "warn" and "no answer within 1 s" in report.text_of("hub-reachable")
    assert report.causes == ([] if cache == "complete" else ["offline-cache-missing"]), report.summary()
    assert report.statuses("unknown") == set(), report.summary()
