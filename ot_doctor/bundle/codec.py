"""Evidence to plain JSON values and back, by the hints of its types: a new field or a new type needs no code here.

What is decoded comes from a stranger: nothing is converted, everything is compared with the type that it must have, and texts
lose what steers a terminal. A field that is new in a type needs a default, or bundles of older versions can no longer be read.
"""

from __future__ import annotations

import enum
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar, Union, get_args, get_origin

from ot_doctor.core.printable import printable
from ot_doctor.redaction.secret import Secret, Shape

T = TypeVar("T")
_LONGEST_TEXT = 500_000  # characters; a log record and an environment variable have fewer
_MOST = 50_000  # members of one list or mapping
_DIGITS = 19
_FINGERPRINT = re.compile(r"[0-9a-f]{8,64}")


class Malformed(ValueError):
    """Not what it must be. The text says where: ``spaces[0].free is not a whole number``."""


def encode(value: object) -> Any:
    """A value of evidence as JSON has it. Raises ``TypeError`` for a type that no evidence is made of."""
    if value is None or isinstance(value, (bool, int, float)) or type(value) is str:
        return value
    if isinstance(value, enum.Enum):
        return encode(value.value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Secret):
        return {"secret": _shown_name(value.name), "fingerprint": value.fingerprint, "shape": encode(value.shape)}
    if is_dataclass(value):
        return {field.name: encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(encode(item) for item in value)
    raise TypeError(f"{type(value).__name__} is not recorded")


def decode(kind: type[T], data: Any, where: str = "") -> T:
    """The value of type ``kind`` that ``data`` is, ``where`` being its name in messages.

    Fields that the type does not have are left out, and fields that are missing take their default. Raises ``Malformed``.
    """
    value: T = _decode(kind, data, where)
    return value


def dump(data: Any) -> bytes:
    """JSON in UTF-8, with a line end. File names that are no UTF-8 stay what they are, as escapes."""
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


def load(data: bytes) -> Any:
    """The JSON value. Raises ``Malformed`` for what is no JSON, and for names given twice."""
    try:
        return json.loads(data, object_pairs_hook=_unique, parse_int=_integer, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"it is not JSON ({error})" if isinstance(error, ValueError) else "it is nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is given twice")
    return found


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _DIGITS:
        raise ValueError("a number has too many digits")
    return int(digits)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


def _decode(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(get_args(kind), data, where)
    if origin is tuple:
        return _tuple(get_args(kind), data, where)
    if origin is frozenset:
        return frozenset(_items(get_args(kind)[0], data, where))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(get_args(kind)[1], data, where)
    if kind in _PRIMITIVES:
        return _PRIMITIVES[kind](data, where)
    if issubclass(kind, enum.Enum):
        return _member(kind, data, where)
    if is_dataclass(kind):
        return _dataclass(kind, data, where)
    raise TypeError(f"{where}: {kind} is not recorded")


def _union(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and types.NoneType in kinds:
        return None
    some = [kind for kind in kinds if kind is not types.NoneType]
    for kind in some[:-1]:  # str | Secret: identified by what JSON has them as
        try:
            return _decode(kind, data, where)
        except Malformed:
            continue
    return _decode(some[-1], data, where)


def _items(kind: Any, data: Any, where: str) -> list[Any]:
    if not isinstance(data, list):
        raise Malformed(f"{where} is not a list")
    _bounded(data, where)
    return [_decode(kind, item, f"{where}[{number}]") for number, item in enumerate(data)]


def _tuple(kinds: tuple[Any, ...], data: Any, where: str) -> tuple[Any, ...]:
    if len(kinds) == 2 and kinds[1] is Ellipsis:
        return tuple(_items(kinds[0], data, where))
    if not isinstance(data, list) or len(data) != len(kinds):
        raise Malformed(f"{where} is not a list of {len(kinds)}")
    return tuple(_decode(kind, item, f"{where}[{number}]") for number, (kind, item) in enumerate(zip(kinds, data, strict=True)))


def _mapping(kind: Any, data: Any, where: str) -> dict[str, Any]:
    _bounded(_object(data, where), where)
    return {_text(key, where): _decode(kind, item, f"{where}[{key[:40]!r}]") for key, item in data.items()}


def _dataclass(kind: Any, data: Any, where: str) -> Any:
    _object(data, where)
    values = {}
    for field in fields(kind):
        if field.name in data:
            place = f"{where}.{field.name}" if where else field.name
            values[field.name] = _decode(_hints(kind)[field.name], data[field.name], place)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise Malformed(f"{where or 'it'} has no '{field.name}'")
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _member(kind: type[enum.Enum], data: Any, where: str) -> enum.Enum:
    for member in kind:
        if type(data) is type(member.value) and data == member.value:
            return member
    raise Malformed(f"{where} is none of the values that there are: {', '.join(str(m.value) for m in kind)}")


def _object(data: Any, where: str) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise Malformed(f"{where or 'it'} is not an object")
    return data


def _bounded(data: list[Any] | dict[str, Any], where: str) -> None:
    if len(data) > _MOST:
        raise Malformed(f"{where} has more than {_MOST} entries")


def _text(data: Any, where: str) -> str:
    if not isinstance(data, str):
        raise Malformed(f"{where} is not a text")
    if len(data) > _LONGEST_TEXT:
        raise Malformed(f"{where} has more than {_LONGEST_TEXT} characters")
    return printable(data)


def _path(data: Any, where: str) -> Path:
    return Path(_text(data, where))


def _boolean(data: Any, where: str) -> bool:
    if not isinstance(data, bool):
        raise Malformed(f"{where} is neither true nor false")
    return data


def _whole(data: Any, where: str) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise Malformed(f"{where} is not a whole number")
    return data


def _number(data: Any, where: str) -> float:
    if not isinstance(data, (int, float)) or isinstance(data, bool) or not math.isfinite(data):
        raise Malformed(f"{where} is not a number")
    return float(data)


def _moment(data: Any, where: str) -> datetime:
    text = _text(data, where)
    try:
        moment = datetime.fromisoformat(f"{text[:-1]}+00:00" if text.endswith("Z") else text)
        if moment.tzinfo is None:
            raise ValueError("without a time zone")
        return moment.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise Malformed(f"{where} is not a time with a time zone") from None


def _secret(data: Any, where: str) -> Secret:
    """A secret as it was recorded: what may be said of it, and never its value."""
    known = _object(data, where)
    if not {"secret", "fingerprint", "shape"} <= set(known):
        raise Malformed(f"{where} is not a recorded secret")
    fingerprint = _text(known["fingerprint"], f"{where}.fingerprint")
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise Malformed(f"{where}.fingerprint is none")
    shape = decode(Shape, known["shape"], f"{where}.shape")
    return Secret.recorded(shape, fingerprint, _shown_name(_text(known["secret"], f"{where}.secret")))


def _shown_name(name: str) -> str:
    """The name of a secret goes into the redaction summary: one line, and nothing that steers a terminal."""
    return " ".join(printable(name).split())[:100]


_PRIMITIVES: Mapping[Any, Callable[[Any, str], Any]] = {
    str: _text,
    bool: _boolean,
    int: _whole,
    float: _number,
    Path: _path,
    datetime: _moment,
    Secret: _secret,
}
