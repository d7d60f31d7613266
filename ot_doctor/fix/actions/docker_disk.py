"""``disk.free``: what Docker can make or fetch again, and nothing uses. No container, no volume, no image with a name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ot_doctor.actions import DockerWaste, FreeDisk
from ot_doctor.evidence import Unavailable, Workers
from ot_doctor.fix.actions.container import or_else
from ot_doctor.fix.procedure import Irrevocable, NotDone, NotPossible, Preview, Saved, Site
from ot_doctor.sources.docker import alterations


class DiskFree:
    """``disk.free``"""

    def __init__(self, action: FreeDisk, site: Site) -> None:
        workers = site.store.get(Workers)
        if isinstance(workers, Unavailable):
            raise NotPossible(workers.reason)
        self.what = action.what
        self.request, self.engine = site.store.request, workers.engine
        self._waste = self._now()

    def _now(self) -> Mapping[str, int]:
        """Bytes, by what there is."""
        with or_else(NotPossible):
            if self.what is DockerWaste.UNTAGGED_IMAGES:
                return alterations.untagged_images(self.request, self.engine)
            size = alterations.build_cache(self.request, self.engine)
            return {"the build cache": size} if size else {}

    def precondition(self) -> bool:
        return bool(self._waste)

    def preview(self) -> Preview:
        total = f"{sum(self._waste.values()) / 1e6:,.1f} MB"
        if self.what is DockerWaste.BUILD_CACHE:
            does, question = f"Deletes Docker's build cache ({total}); the next build makes it again.", "Delete it?"
        else:
            does, question = f"Deletes images that have no name and no container ({total} at most).", "Delete them?"
        sizes = [(name.rpartition(":")[2][:12], size) for name, size in self._waste.items() if ":" in name]
        lines = tuple(f"{name}: {size / 1e6:,.1f} MB" for name, size in sizes)
        return Preview(does, f"{question} It cannot be taken back.", lines, {name: "there" for name in self._waste})

    def save(self, files: Path) -> Saved:
        return {"deleted": dict(self._waste)}

    def apply(self) -> None:
        with or_else(NotDone):
            if self.what is DockerWaste.BUILD_CACHE:
                alterations.prune_build_cache(self.request, self.engine)
            for name in self._waste if self.what is DockerWaste.UNTAGGED_IMAGES else ():
                alterations.remove_image(self.request, self.engine, name)

    def verify(self) -> None:
        left = self._now().keys() & self._waste.keys()
        if self.what is DockerWaste.UNTAGGED_IMAGES and left:
            raise NotDone(f"{len(left)} images are still there.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        raise Irrevocable("What Docker deleted is gone. It makes or fetches it again when it is needed.")
