"""Finds checks: the entry-point group ``ot_doctor.checks``, and folders named by the user."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from ot_doctor.check import Check
from ot_doctor.deadline import within
from ot_doctor.limits import limit_reached
from ot_doctor.secrets import printable, redact

GROUP = "ot_doctor.checks"
_LONGEST_IMPORT = 10.0  # seconds


@dataclass(frozen=True)
class Found:
    """A check and who provides it: ``ot-doctor 0.1.0 (ot_doctor_checks.token_format)``, ``/srv/checks/mine.py``."""

    check: Check
    owner: str


@dataclass(frozen=True)
class Broken:
    """A plug-in that could not be loaded, and why."""

    owner: str
    reason: str


@dataclass
class Catalogue:
    """All checks in the order of their families and names."""

    checks: dict[str, Found] = field(default_factory=dict)
    broken: list[Broken] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)  # sentences that name both owners

    def add(self, found: Found) -> None:
        name = found.check.name
        if name in self.checks:
            if self.checks[name].check.function is not found.check.function:
                self.duplicates.append(f"two checks are named '{name}': {self.checks[name].owner} and {found.owner}")
            return
        self.checks[name] = found


def discover(folders: Iterable[Path] = ()) -> Catalogue:
    """Load all checks. A broken plug-in is listed in ``broken``, and the others are there."""
    catalogue = Catalogue()
    for point in sorted(entry_points(group=GROUP), key=lambda p: (p.value, p.name)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.name
        _load_tree(point.value.partition(":")[0], package, catalogue)
    for folder in dict.fromkeys(folder.resolve() for folder in folders):
        _load_folder(folder, catalogue)
    ordered = sorted(catalogue.checks.values(), key=_order)
    return replace(catalogue, checks={found.check.name: found for found in ordered})


def _order(found: Found) -> tuple[int, str]:
    return list(type(found.check.family)).index(found.check.family), found.check.name


def _load_tree(name: str, package: str, catalogue: Catalogue) -> None:
    """A module, or a package with each of its public modules: one that is broken does not take the others along."""
    module = _import(name, f"{package} ({name})", catalogue)
    if module is None:
        return
    _collect(module, f"{package} ({name})", catalogue)
    for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
        if not info.name.startswith("_"):
            full = f"{name}.{info.name}"
            inner = _import(full, f"{package} ({full})", catalogue)
            if inner is not None:
                _collect(inner, f"{package} ({full})", catalogue)


def _load_folder(folder: Path, catalogue: Catalogue) -> None:
    paths = [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]
    if not paths:
        catalogue.broken.append(Broken(str(folder), "there is no module (*.py) in this folder"))
    for path in paths:
        name = f"_ot_doctor_folder_{abs(hash(str(folder)))}_{path.stem}"
        try:
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise ImportError("not a Python module")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            within(_LONGEST_IMPORT, partial(spec.loader.exec_module, module))
        except Exception as error:
            sys.modules.pop(name, None)
            catalogue.broken.append(Broken(str(path), _reason(error)))
        else:
            _collect(module, str(path), catalogue)


def _import(name: str, owner: str, catalogue: Catalogue) -> ModuleType | None:
    try:
        return within(_LONGEST_IMPORT, partial(importlib.import_module, name))
    except Exception as error:
        catalogue.broken.append(Broken(owner, _reason(error)))
        return None


def _reason(error: BaseException) -> str:
    return limit_reached(error) or redact(printable(f"{type(error).__name__}: {error}"))[:300]


def _collect(module: ModuleType, owner: str, catalogue: Catalogue) -> None:
    for check in _checks_of(module):
        catalogue.add(Found(check, owner))


def _checks_of(module: ModuleType) -> Iterator[Check]:
    """The checks that a module defines; those that it merely imports belong to their own module."""
    for value in list(vars(module).values()):
        if isinstance(value, Check) and value.function.__module__ == module.__name__:
            yield value
