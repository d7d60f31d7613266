"""Each action of the closed list on a fault of its own: how that is brought about, and what of the world the action changes.

What tests each action in one way or another goes over these, so that none is left out.
"""

from __future__ import annotations

import enum
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from ot_doctor.actions import (
    AcceptTerms,
    Action,
    AllowGated,
    DockerWaste,
    EditEnv,
    Encoding,
    FetchModels,
    FreeDisk,
    InstallToolkit,
    LineChange,
    LineEdit,
    MoveCache,
    OpenCache,
    OwnCache,
    OwnScratch,
    ProtectEnv,
    PutToken,
    QuarantineModels,
    RecreateServices,
    ReencodeEnv,
    RestartContainer,
    StartServices,
    UnpauseContainer,
    UntrackEnv,
)
from ot_doctor.evidence import COMMUNITY_1, WorkerToken
from ot_doctor.fix.procedure import Preview, Site
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import Store
from tests.fix import on_the_engine
from tests.fix.on_the_engine import MODEL, SERVICE, environment_of, facts, owners, with_new_cache
from tests.fix.site import TOKEN, Script, planted
from tests.parts.hub import LocalHub
from tests.parts.hub import Token as HubToken
from tests.scenarios.fixing import WORKER
from tests.scenarios.scenario import UNKNOWN_TOKEN, World

P = TypeVar("P", "File", World)
NAME = "HUGGINGFACE_TOKEN"


class Undo(enum.Enum):
    """What becomes of an action that is taken back."""

    WHOLE = "all is as it was before"
    NOTHING = "it has changed nothing that could be taken back"
    NEVER = "it is refused, for good"


@dataclass(frozen=True)
class Case(Generic[P]):
    """``state``: what the action changes, and all that it must leave alone beside that."""

    breaks: Callable[[P], Action]
    state: Callable[[P], object]
    looked_at: Callable[[P, Preview, str], None] = lambda place, preview, said: None  # when it is done
    asks_again: bool = False  # where it is done already, nobody knows that before somebody is asked
    undo: Undo = Undo.WHOLE
    before_undo: Callable[[P], None] = lambda place: None


# -- the .env, the Hub, and what a person does -----------------------------------------------------------


@dataclass
class File:
    """A planted ``.env`` that the Hub's token is in, and a person who does things elsewhere and presses Enter."""

    env: Path
    hub: LocalHub
    installed: bool = False
    deeds: list[Callable[[], object]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def site(self) -> Site:
        store = planted(self.env, HF_ENDPOINT=self.hub.url)
        worker = WorkerToken(Secret(TOKEN, NAME), "the container", True)
        return Site(Store(store.request, {**store._planted, WorkerToken: worker}), Clicks(self))

    def written(self, text: str) -> None:
        self.env.write_text(text)
        self.env.chmod(0o600)


class Clicks(Script):
    """Does something in the browser before pressing Enter."""

    def __init__(self, file: File) -> None:
        super().__init__(answers=["enter"] * len(file.deeds), tokens=list(file.tokens))
        self._file = file

    def waits(self, text: str) -> bool:
        if self._file.deeds:
            self._file.deeds.pop(0)()
        return super().waits(text)


def _content(file: File) -> object:
    return file.env.read_bytes(), file.env.stat().st_mode


def _edit(file: File) -> Action:
    file.written(f"A=1\n{NAME}={TOKEN}\n{NAME}=\n")
    return EditEnv(str(file.env), (LineEdit(3, LineChange.COMMENT_OUT, NAME),))


def _reencode(file: File) -> Action:
    file.written(f"{NAME}={TOKEN}\nA=\0b\n")
    return ReencodeEnv(str(file.env), Encoding.NUL)


def _protect(file: File) -> Action:
    file.env.chmod(0o644)
    return ProtectEnv(str(file.env))


def _git(file: File, *words: str) -> str:
    return subprocess.run(["git", "-C", str(file.env.parent), *words], capture_output=True, text=True, check=True).stdout


def _untrack(file: File) -> Action:
    _git(file, "init", "--quiet")
    _git(file, "add", "--force", ".env")
    return UntrackEnv(str(file.env))


def _put_token(file: File) -> Action:
    file.written(f"A=1\n{NAME}=your_token_here\n")
    file.tokens = [TOKEN]
    return PutToken(str(file.env))


def _accept(file: File) -> Action:
    repo = file.hub.repos[COMMUNITY_1]
    repo.accepted.clear()
    file.deeds = [lambda: repo.accepted.add("ada")]
    return AcceptTerms(COMMUNITY_1)


def _allow(file: File) -> Action:
    known = file.hub.tokens[TOKEN]
    file.hub.add(HubToken(TOKEN, known.account, "fineGrained", can_read_gated=False))
    file.deeds = [lambda: setattr(file.hub.tokens[TOKEN], "can_read_gated", True)]
    return AllowGated(COMMUNITY_1)


def _install(file: File) -> Action:
    file.deeds = [lambda: setattr(file, "installed", True)]
    return InstallToolkit()


FILE: Mapping[str, Case[File]] = {
    "env.edit": Case(_edit, _content),
    "env.reencode": Case(_reencode, _content),
    "env.mode": Case(_protect, _content),
    "env.untrack": Case(_untrack, lambda file: (_git(file, "ls-files", "--stage"), _content(file))),
    "env.put-token": Case(_put_token, _content, asks_again=True),
    "guide.accept-terms": Case(_accept, lambda file: sorted(file.hub.repos[COMMUNITY_1].accepted), undo=Undo.NOTHING),
    "guide.allow-gated": Case(_allow, lambda file: file.hub.tokens[TOKEN].can_read_gated, undo=Undo.NOTHING),
    "guide.install-toolkit": Case(_install, lambda file: file.installed, asks_again=True, undo=Undo.NOTHING),
}


# -- the cache and the volume for audio ------------------------------------------------------------------


def _cache(world: World) -> on_the_engine.Facts:
    return facts(world.models)


def _own(world: World) -> Action:
    """Some of it is root's: an odd name, a link out of the cache, and a folder in a model."""
    hub = with_new_cache(world)
    outside = world.home / "outside"
    outside.write_text("not the worker's")
    odd = hub / "a b's \udcff é\\\\n $(x)"
    odd.write_bytes(b"x")
    (hub / "link").symlink_to(outside)
    many = [hub / MODEL / f"{number:03}" for number in range(300)]  # so that there is a middle
    for path in many:
        path.touch()
    for path in (odd, hub / "link", hub / MODEL / "blobs", *many):
        os.chown(path, 0, 0, follow_symlinks=False)
    return OwnCache(str(world.models), WORKER, 1000, 1000)


def _owned(world: World, preview: Preview, said: str) -> None:
    assert owners(_cache(world)) == {(1000, 1000)} and preview.lines[-2].startswith("… and 3")
    assert (world.home / "outside").stat().st_uid == os.geteuid(), "what a link leads to is left alone"


def _open(world: World) -> Action:
    version = with_new_cache(world) / "version.txt"
    version.write_text("1")
    version.chmod(0o400)
    return OpenCache(str(version.parent), WORKER)


def _opened(world: World, preview: Preview, said: str) -> None:
    assert (world.models / "huggingface" / "hub" / "version.txt").stat().st_mode & 0o777 == 0o600


def _quarantine(world: World) -> Action:
    return QuarantineModels(str(with_new_cache(world)), (MODEL,), WORKER)


def _put_away(world: World, preview: Preview, said: str) -> None:
    hub = world.models / "huggingface" / "hub"
    assert not (hub / MODEL).exists() and len(list(hub.glob(f".ot-doctor-removed/*/{MODEL}"))) == 1


def _move(world: World) -> Action:
    """The models are in a folder where no release looks; in their place is a part of them."""
    hub, lost = with_new_cache(world), world.models / "old"
    lost.mkdir()
    (hub / MODEL).rename(lost / MODEL)
    (hub / MODEL).mkdir()
    (hub / MODEL / "partial").write_text("x")
    return MoveCache((str(lost / MODEL),), str(hub), WORKER, 1000, 1000)


def _moved(world: World, preview: Preview, said: str) -> None:
    hub = world.models / "huggingface" / "hub"
    assert (hub / MODEL / "snapshots").is_dir() and owners(facts(hub / MODEL)) == {(1000, 1000)}


def _scratch(world: World) -> Action:
    world.engine.execute(WORKER, "sh", "-c", "cd /scratch/opentranscribe && touch a.wav && chown -R 0:0 .", user="0")
    return OwnScratch("opentranscribe_audio", WORKER)


def _scratch_owners(world: World) -> object:
    return world.engine.execute(WORKER, "sh", "-c", "cd /scratch/opentranscribe && stat -c '%u:%g %n' . *")


def _fetch(world: World) -> Action:
    with_new_cache(world)
    subprocess.run(["rm", "-r", str(world.models / "huggingface" / "hub" / MODEL)], check=True)
    return FetchModels((COMMUNITY_1,), WORKER)


def _model(world: World) -> object:
    folder = world.models / "huggingface" / "hub" / MODEL
    return folder.exists(), facts(folder).keys()


def _fetched(world: World, preview: Preview, said: str) -> None:
    assert preview.lines == (f"{COMMUNITY_1}: 5 of 5 files",) and f"{COMMUNITY_1}: config.yaml, " in said
    assert (world.models / "huggingface" / "hub" / MODEL).stat().st_uid == 1000


# -- containers, and what Docker keeps -------------------------------------------------------------------


def _status(world: World) -> str:
    told = world.engine.inspect(WORKER)
    return f"{told['Id']} {told['State']['Status']}"


def _recreate(world: World) -> Action:
    world.environ["B"] = "b"
    written = world.env_path.read_text() + f"MAX_SPEAKERS=10\nHUGGINGFACE_TOKEN={UNKNOWN_TOKEN}\nA=with $$ and ${{B}}\n"
    world.env_path.with_name("env.before").write_bytes(world.env_path.read_bytes())
    world.env_path.write_text(written)
    return RecreateServices((SERVICE,))


def _environment(world: World) -> object:
    return environment_of(world, WORKER)


def _recreated(world: World, preview: Preview, said: str) -> None:
    shown = "\n".join(preview.lines)
    assert f"{WORKER}: MAX_SPEAKERS: 20 becomes 10" in preview.lines and "HUGGINGFACE_TOKEN: hf_…" in shown
    assert "unexpected" not in shown and not preview.risks


def _env_taken_back(world: World) -> None:
    os.replace(world.env_path.with_name("env.before"), world.env_path)


def _stopped(action: Callable[[], Action], how: str) -> Callable[[World], Action]:
    def breaks(world: World) -> Action:
        world.engine.revive(WORKER)
        world.engine.do(WORKER, how)
        return action()

    return breaks


def _waste(world: World) -> Action:
    """Two images without a name, one of which a container uses."""
    world.engine.docker("volume", "create", "kept")
    container = world.engine.docker("create", "busybox")
    used, _ = (world.engine.docker("commit", f"--message={n}", container) for n in (1, 2))
    world.engine.docker("create", used)
    return FreeDisk(DockerWaste.UNTAGGED_IMAGES)


def _untagged(world: World) -> object:
    images, volumes = ("images", "--quiet", "--filter=dangling=true"), ("volume", "ls", "--quiet")
    return [sorted(world.engine.docker(*listed).split()) for listed in (images, volumes)]


def _one_is_left(world: World, preview: Preview, said: str) -> None:
    assert len(preview.lines) == 1
    used = world.engine.docker("images", "--quiet", "--filter=dangling=true").split()
    assert len(used) == 1, "a container uses it"
    world.engine.docker("rm", *world.engine.docker("ps", "-aq", "--filter=status=created").split())
    world.engine.docker("rmi", *used)


ENGINE: Mapping[str, Case[World]] = {
    "cache.own": Case(_own, _cache, _owned),
    "cache.chmod": Case(_open, _cache, _opened),
    "cache.quarantine": Case(_quarantine, _cache, _put_away),
    "cache.move": Case(_move, _cache, _moved),
    "scratch.own": Case(_scratch, _scratch_owners),
    "models.fetch": Case(_fetch, _model, _fetched),
    "worker.recreate": Case(_recreate, _environment, _recreated, before_undo=_env_taken_back),
    "worker.start": Case(_stopped(lambda: StartServices((SERVICE,)), "kill"), _status),
    "worker.unpause": Case(_stopped(lambda: UnpauseContainer(WORKER), "pause"), _status),
    "worker.restart": Case(_stopped(lambda: RestartContainer(WORKER), "kill"), _status, undo=Undo.NOTHING),
    "disk.free": Case(_waste, _untagged, _one_is_left, undo=Undo.NEVER),
}
