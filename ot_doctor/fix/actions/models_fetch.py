"""``models.fetch``: with the worker's own libraries, its own token and its own settings, into its own cache."""

from __future__ import annotations

from pathlib import Path

from ot_doctor.actions import FetchModels, QuarantineModels
from ot_doctor.evidence import CachedModel, Host, ModelCache, Purpose, Unavailable, Worker, Workers
from ot_doctor.fix.actions.cache_files import CacheQuarantine
from ot_doctor.fix.actions.container import or_else
from ot_doctor.fix.actions.host_folder import away_of
from ot_doctor.fix.procedure import Irrevocable, NotDone, NotPossible, Preview, Saved, Site
from ot_doctor.sources.docker import alterations
from ot_doctor.sources.docker.alterations import FOLDER

_NEEDED = 200_000_000  # bytes; the models of every release are smaller together
_LONGEST = 1800  # seconds
# It ends by itself, also where the doctor is killed: an exec goes on when nobody listens any more. The folder that it starts in
# is no place for modules. Errors are printed like what was done: their last line says what was wrong.
_SCRIPT = """
import sys
sys.path[:] = [place for place in sys.path if place]
import os, signal, threading
signal.alarm(int(sys.argv[1]))
sys.stderr = sys.stdout
def watch():
    if os.read(0, 1) and not os.read(0, 1):
        os._exit(75)
threading.Thread(target=watch, daemon=True).start()
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
from huggingface_hub import hf_hub_download
token = os.environ.get("HUGGINGFACE_TOKEN") or os.environ.get("HF_TOKEN") or None
cache, words = sys.argv[2], sys.argv[3:]
while words:
    repo, count = words[0], int(words[1])
    names, words = words[2 : 2 + count], words[2 + count :]
    for name in names:
        folder, _, last = name.rpartition("/")
        path = hf_hub_download(repo, last, subfolder=folder or None, cache_dir=cache, token=token)
        print(f"{repo}: {name}, {os.path.getsize(path):,} bytes", flush=True)
"""


class ModelsFetch:
    """``models.fetch``"""

    def __init__(self, action: FetchModels, site: Site) -> None:
        self.action = action
        self.site = site
        workers, cache = site.store.get(Workers), site.store.get(ModelCache)
        if isinstance(workers, Unavailable):
            raise NotPossible(workers.reason)
        if isinstance(cache, Unavailable):
            raise NotPossible(cache.reason)
        self.cache = cache
        worker = next((one for one in workers.diarizers if one.name == action.container and one.running), None)
        if worker is None:
            raise NotPossible(f"{action.container} is not a diarization worker that is running.")
        self.worker: Worker = worker
        self.models = [_model(repo, cache) for repo in action.repos]

    def precondition(self) -> bool:
        if all(model.complete for model in self.models):
            return False
        if self.cache.offline:
            raise NotPossible(f"{self.cache.offline} forbids the worker to download anything.")
        if self.site.store.request.no_exec:
            raise NotPossible("Commands inside containers are off (--no-exec).")
        host = self.site.store.get(Host)
        for space in () if isinstance(host, Unavailable) else host.spaces:
            if space.purpose is Purpose.MODEL_CACHE and space.free < _NEEDED:
                raise NotPossible(f"Only {space.free // 1_000_000} MB are free at {space.path}.")
        return True

    def preview(self) -> Preview:
        lines = [f"{model.repo}: {len(_wanting(model))} of {len(model.files)} files" for model in self.models]
        place = self.cache.root.path or self.cache.root.container_path
        does = f"Downloads models with the libraries and the token of {self.worker.name}, into {place} (at most about 50 MB)."
        rests = {f"container {self.worker.name}": self.worker.id, f"cache {place}": ", ".join(lines)}
        return Preview(does, "Download them now?", tuple(lines), rests)

    def save(self, files: Path) -> Saved:
        return {
            "cache": self.cache.root.path or "", "container": self.worker.name,
            "absent": [_folder(model) for model in self.models if not model.present],
            "away": away_of(FOLDER, files),
        }  # fmt: skip

    def apply(self) -> None:
        words = [str(_LONGEST), self.cache.root.container_path]
        for model in self.models:
            # All files: with a new version of the model the client looks for each of them there. What it has is not loaded again.
            words += [model.repo, str(len(model.files)), *(file.name for file in model.files)]
        with or_else(NotDone):
            alterations.python_in(self.site.store.request, self.worker, _SCRIPT, words, self.site.person.tell, _LONGEST + 10.0)

    def verify(self) -> None:
        """The script ended well only with every file in its place; the next look judges what is in them."""

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """Models that were not there at all go out of the way; of others it is not known which files are new."""
        cache, absent = str(saved["cache"]), tuple(map(str, saved["absent"]))
        if not absent:
            raise Irrevocable("Files were added to models that were there, and it is not known which. They do no harm.")
        if not cache:
            raise Irrevocable("The cache is in the container alone, and goes with it.")
        quarantine = CacheQuarantine(QuarantineModels(cache, absent, str(saved["container"])), site)
        if not quarantine.precondition():
            return False
        quarantine._away = str(saved["away"])
        quarantine.apply()
        quarantine.verify()
        return True


def _model(repo: str, cache: ModelCache) -> CachedModel:
    found = next((model for model in cache.models if model.repo == repo), None)
    if found is None:
        raise NotPossible(f"{repo} is not a model of this release.")
    return found


def _wanting(model: CachedModel) -> list[str]:
    """All of it where the client would not find what is there."""
    whole = bool(model.problem) or not model.present
    missing = {file.name for file in (*model.missing, *model.corrupt)}
    return [file.name for file in model.files if whole or file.name in missing]


def _folder(model: CachedModel) -> str:
    return f"models--{model.repo.replace('/', '--')}"
