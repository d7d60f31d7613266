"""Finds checks: the entry-point group ``ot_doctor.checks``, and folders named by the user."""

from __future__ import annotations

import importlib
import importlib.util
import os
import pkgutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from ot_doctor.check import Check
from ot_doctor.core import supervisor
from ot_doctor.core.deadline import TookTooLong, within
from ot_doctor.core.debug_log import said
from ot_doctor.core.printable import printable
from ot_doctor.run.containment import contain, unharmed

GROUP = "ot_doctor.checks"
BUILT_IN = "ot_doctor_checks"
_LONGEST_IMPORT = 10.0  # seconds
_LARGEST = 1_000_000  # bytes of a module in a folder

T = TypeVar("T")


@dataclass(frozen=True)
class FoundCheck:
    """A check and who provides it: ``ot-doctor 0.1.0 (ot_doctor_checks.token_format)``, ``/srv/checks/mine.py``."""

    check: Check
    owner: str


@dataclass(frozen=True)
class Broken:
    """A plug-in that could not be loaded, and why."""

    owner: str
    reason: str


@dataclass
class CheckCatalogue:
    """All checks in the order of their families and names."""

    checks: dict[str, FoundCheck] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)  # sentences that name both owners

    def add(self, found: FoundCheck) -> None:
        name = found.check.name
        if name in self.checks:
            if self.checks[name].check.function is not found.check.function:
                self.duplicates.append(f"two checks are named '{name}': {self.checks[name].owner} and {found.owner}")
            return
        self.checks[name] = found


def discover(folders: Iterable[Path] = (), seconds: float = 30.0) -> CheckCatalogue:
    """Load all checks. A broken plug-in is listed in ``broken``, and the others are there.

    The plug-ins have ``seconds`` together; those that there is no time left for are broken.
    """
    return _Discovery(time.monotonic() + seconds).all(folders)


def _order(found: FoundCheck) -> tuple[int, str]:
    return list(type(found.check.family)).index(found.check.family), found.check.name


class _Discovery:
    """One search, with what it found so far."""

    def __init__(self, until: float) -> None:
        self._until = until  # on the monotonic clock
        self._catalogue = CheckCatalogue()

    def all(self, folders: Iterable[Path]) -> CheckCatalogue:
        # The built-in checks first: what others do must not keep them away.
        for point in sorted(entry_points(group=GROUP), key=lambda p: (p.value != BUILT_IN, p.value, p.name)):
            package = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
            if point.value != BUILT_IN:
                contain()
            self._load_tree(point.value.partition(":")[0], package)
        for folder in dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders):
            contain()
            self._load_folder(folder)
        ordered = sorted(self._catalogue.checks.values(), key=_order)
        return replace(self._catalogue, checks={found.check.name: found for found in ordered})

    def _load_tree(self, name: str, package: str) -> None:
        """A module, or a package with each of its public modules: one that is broken does not take the others along."""
        module = self._import(name, package)
        for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
            if not info.name.startswith("_"):
                self._import(f"{name}.{info.name}", package)

    def _import(self, name: str, package: str) -> ModuleType | None:
        advice = f"Uninstall {package.partition(' ')[0]}, or ask its author."
        return self._loaded(f"{package} ({name})", name.split(".")[0] == BUILT_IN, advice, partial(importlib.import_module, name))

    def _load_folder(self, folder: Path) -> None:
        try:
            paths = within(self._left(), lambda: [path for path in sorted(folder.glob("*.py")) if path.name[0] != "_"])
        except Exception as error:
            self._catalogue.broken.append(Broken(str(folder), said(error)))
            return
        if not paths:
            self._catalogue.broken.append(Broken(str(folder), "there is no module (*.py) in this folder"))
        for path in paths:
            name = f"_ot_doctor_folder_{abs(hash(str(folder)))}_{path.stem}"
            self._loaded(str(path), False, "Leave out --checks-dir, or remove this module.", partial(_module_of, path, name))

    def _loaded(self, owner: str, built_in: bool, advice: str, load: Callable[[], ModuleType]) -> ModuleType | None:
        """What ``load`` imports, with its checks in the catalogue; ``None`` for what is broken."""
        if built_in:  # as trustworthy as this module, and as quick
            try:
                module = load()
            except Exception as error:
                self._catalogue.broken.append(Broken(owner, said(error)))
                return None
        else:
            supervisor.doing(printable(f"the plug-in {owner} was being loaded"), advice)
            try:
                with unharmed():
                    module = within(self._left(), load)
            except Exception as error:
                self._catalogue.broken.append(Broken(owner, said(error)))
                return None
            supervisor.doing("")
        for check in _checks_of(module):
            self._catalogue.add(FoundCheck(check, owner))
        return module

    def _left(self) -> float:
        """Seconds for the next import. Raises ``TookTooLong`` when there are none."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TookTooLong("no time was left for it: give it more with --timeout 120, or see what takes so long to load")
        return min(_LONGEST_IMPORT, left)


def _module_of(path: Path, name: str) -> ModuleType:
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):  # a pipe would be waited for, and a device never ends
        raise ImportError("it is not a regular file")
    if about.st_size > _LARGEST:
        raise ImportError(f"it has {about.st_size} bytes; a module of checks has {_LARGEST} at most")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _checks_of(module: ModuleType) -> Iterator[Check]:
    """The checks that a module defines; those that it merely imports belong to their own module."""
    for value in list(vars(module).values()):
        if isinstance(value, Check) and value.function.__module__ == module.__name__:
            yield value
