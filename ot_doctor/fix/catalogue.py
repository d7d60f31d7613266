"""Which class carries out which action, and actions as JSON: the closed list."""

from __future__ import annotations

import enum
import importlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

from ot_doctor.actions import ACTIONS, Action, LineEdit
from ot_doctor.fix.procedure import Procedure, Site

BY_NAME: Mapping[str, type[Action]] = {action.name: action for action in ACTIONS}
_PROCEDURES: Mapping[str, str] = {
    "env.edit": "env:EnvEdit",
    "env.reencode": "env:EnvReencode",
    "env.mode": "env_place:EnvMode",
    "env.untrack": "env_place:EnvUntrack",
    "env.put-token": "env_token:EnvPutToken",
    "cache.own": "cache_files:CacheOwn",
    "cache.chmod": "cache_files:CacheOpen",
    "cache.quarantine": "cache_files:CacheQuarantine",
    "cache.move": "cache_files:CacheMove",
    "scratch.own": "cache_files:ScratchOwn",
    "models.fetch": "models_fetch:ModelsFetch",
    "worker.recreate": "container:WorkerRecreate",
    "worker.start": "container:WorkerStart",
    "worker.unpause": "container:WorkerUnpause",
    "worker.restart": "container:WorkerRestart",
    "disk.free": "docker_disk:DiskFree",
    "guide.accept-terms": "guided:TermsAccepted",
    "guide.allow-gated": "guided:GatedAllowed",
    "guide.install-toolkit": "guided:ToolkitInstalled",
}


def procedure(name: str) -> type[Procedure]:
    """The class that carries out the action of that name; imported when it is needed."""
    module, _, found = _PROCEDURES[name].partition(":")
    kind: type[Procedure] = getattr(importlib.import_module(f"ot_doctor.fix.actions.{module}"), found)
    return kind


def procedure_of(action: Action, site: Site) -> Procedure:
    return procedure(action.name)(action, site)


def to_json(action: Action) -> dict[str, Any]:
    return {"name": action.name, **{field.name: _plain(getattr(action, field.name)) for field in fields(action)}}


def from_json(data: Any) -> Action:
    """The action that ``to_json`` wrote. Raises ``ValueError`` for anything else."""
    try:
        kind = BY_NAME[data["name"]]
        hints = get_type_hints(kind)
        if set(data) != {"name", *(field.name for field in fields(kind))}:
            raise ValueError("other parameters")
        return kind(**{field.name: _typed(data[field.name], hints[field.name]) for field in fields(kind)})
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError("not an action that ot-doctor knows") from error


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, LineEdit):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return value


def _typed(value: Any, hint: Any) -> Any:
    if get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise TypeError(f"{value!r} is not a list")
        return tuple(_typed(item, get_args(hint)[0]) for item in value)
    if hint is LineEdit:
        hints = get_type_hints(LineEdit)
        return LineEdit(**{name: _typed(item, hints[name]) for name, item in dict(value).items()})
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    kinds = get_args(hint) or (hint,)
    if not any(type(value) is kind for kind in kinds):
        raise TypeError(f"{value!r} is not {hint}")
    return value
