"""Evidence to JSON and back: nothing is lost, and nothing is taken for what it is not."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ot_doctor.bundle.codec import Malformed, decode, dump, encode, load
from ot_doctor.core.printable import printable
from ot_doctor.evidence import (
    Attempt,
    EnvFile,
    EnvProblem,
    FileState,
    Host,
    Outcome,
    Purpose,
    Request,
    Space,
    Unavailable,
    WorkerLog,
    Workers,
    WorkerToken,
)
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import SOURCES
from tests.bundle.recordings import healthy
from tests.checks import evidence as e

RICH = healthy(
    EnvFile=e.env_file(
        f"HUGGINGFACE_TOKEN={e.TOKEN}\nEMPTY=\nBARE\nPOSTGRES_PASSWORD=\nMAX_SPEAKERS=20\n",
        problem=EnvProblem.REFUSED, problem_line=3, shell_wins=e.kept({"HF_TOKEN": e.OTHER_TOKEN, "PATH": "/bin"}),
        modified_at=datetime(2026, 11, 20, 11, 0, 0, 123456, timezone(timedelta(hours=5, minutes=30))),
    ),
    Workers=e.workers(
        e.worker(image_env_names=frozenset({"B", "A"}), finished_at=e.LATER, exit_code=-1),
        e.celery(env={}, mounts=()),
    ),
    WorkerLog=e.worker_log(
        e.attempt(Outcome.FAILED, cause="disk-full", speakers=0, hits=(e.hit("x", None, "a\nb\t \udcff"),)),
        e.attempt(started_at=None),
        stray=(e.hit("y", "token-invalid", subject="s"),),
    ),
)  # fmt: skip


def there_and_back(kind: type, value: object) -> Any:
    return decode(kind, load(dump(encode(value))))


@pytest.mark.parametrize("kind", SOURCES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("evidence", [healthy(), RICH], ids=["healthy", "rich"])
def test_evidence_comes_back_as_it_was(kind: type, evidence: Mapping[type, object]) -> None:
    assert there_and_back(kind, evidence[kind]) == evidence[kind]


def test_a_secret_comes_back_with_all_that_may_be_said_of_it_and_without_its_value() -> None:
    for value in (e.TOKEN, "", "  ", "hf_your_token_here", f"HUGGINGFACE_TOKEN={e.TOKEN}", f"“{e.TOKEN}” # mine", "p4ssw0rd!"):
        before = e.token(value)
        data = dump(encode(before))
        after = decode(WorkerToken, load(data))
        assert value.strip() == "" or value.encode() not in data
        assert isinstance(after.value, Secret) and before.value is not None
        assert (after.value.shape, after.value.fingerprint) == (before.value.shape, before.value.fingerprint)
        assert str(after.value) == str(before.value)
        assert (bool(after.value), len(after.value)) == (bool(before.value), len(before.value))
        assert (after.value.blank, after.usable) == (before.value.blank, before.usable)
        assert after == before and after.value != Secret("another")


def test_the_name_of_a_secret_cannot_steer_a_terminal() -> None:
    data = encode(e.token()) | {"value": SECRET | {"secret": "A\x1b[31m\n::error::B\u202e" + "x" * 5000}}
    value = decode(WorkerToken, data).value
    assert value is not None and value.name == ("A ::error::B" + "x" * 5000)[:100]
    assert encode(Secret(e.TOKEN, "A\x1b[2J\nB"))["secret"] == "A B"


def test_equal_secrets_stay_equal_and_different_ones_different() -> None:
    env = there_and_back(EnvFile, e.env_file(f"A_TOKEN={e.TOKEN}\nB_TOKEN={e.TOKEN}\nC_TOKEN={e.OTHER_TOKEN}\n"))
    a, b, c = (entry.value for entry in env.entries)
    assert a == b and a != c and len({a, b, c}) == 2


def test_why_something_could_not_be_had_comes_back() -> None:
    reason = Unavailable("Docker did not answer", hint="Start it.", command="docker ps", switched_off=True)
    back = there_and_back(Unavailable, reason)
    assert (back.reason, back.hint, back.command, back.switched_off) == ("Docker did not answer", "Start it.", "docker ps", True)


@cache  # resolving types takes longer than making values of them
def strategy_of(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a dataclass, its optional fields too."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: _of(hints[field.name]) for field in fields(kind)})


_SECRETS = [Secret(value) for value in (e.TOKEN, e.OTHER_TOKEN, "", " ", "hf_x", "a password of somebody")]
_TEXT = st.text(max_size=30).map(printable)
_SPECIAL: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: st.integers(-(10**18), 10**18),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Path: _TEXT.map(Path),
    Secret: st.sampled_from(_SECRETS),
    datetime: st.datetimes(timezones=st.just(timezone.utc)),
}


def _of(hint: Any) -> st.SearchStrategy[Any]:
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if hint in _SPECIAL:
        return _SPECIAL[hint]
    if is_dataclass(hint):
        return strategy_of(hint)  # type: ignore[arg-type]
    if origin is tuple and arguments[-1] is ...:
        return st.lists(_of(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(_of, arguments))
    if origin is frozenset:
        return st.frozensets(_of(arguments[0]), max_size=3)
    if origin is Mapping:
        return st.dictionaries(_of(arguments[0]), _of(arguments[1]), max_size=3)
    return st.one_of(*map(_of, arguments)) if arguments else st.from_type(hint)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [*SOURCES, Request], ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_evidence_holds_comes_back(kind: type, data: st.DataObject) -> None:
    value = data.draw(strategy_of(kind))
    assert there_and_back(kind, value) == value


def _host(**changes: Any) -> dict[str, Any]:
    space = encode(Space("/srv", Purpose.MODEL_CACHE, 10, 5, 0, 0))
    return {"spaces": [space | changes], "doctor_network": {}, "worker_network": {}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_host(free="5"), r"spaces\[0\]\.free is not a whole number"),
        (_host(free=True), r"spaces\[0\]\.free is not a whole number"),
        (_host(free=5.0), r"spaces\[0\]\.free is not a whole number"),
        (_host(free=None), r"spaces\[0\]\.free is not a whole number"),
        (_host(read_only=0), r"spaces\[0\]\.read_only is neither true nor false"),
        (_host(path=["/srv"]), r"spaces\[0\]\.path is not a text"),
        (_host(path="x" * 600_000), r"spaces\[0\]\.path has more than 500000 characters"),
        (_host() | {"spaces": {}}, "spaces is not a list"),
        (_host() | {"spaces": "ab"}, "spaces is not a list"),
        (_host() | {"spaces": [7]}, r"spaces\[0\] is not an object"),
        (_host() | {"spaces": [{}]}, r"spaces\[0\] has no 'path'"),
        (_host() | {"spaces": [0] * 50_001}, "spaces has more than 50000 entries"),
        (_host() | {"doctor_network": [1]}, "doctor_network is not an object"),
        (_host() | {"doctor_network": {"A": 1}}, r"doctor_network\['A'\] is not a text"),
        ({}, "it has no 'spaces'"),
        ([], "it is not an object"),
        (None, "it is not an object"),
    ],
)  # fmt: skip
def test_what_is_not_of_its_type_is_refused_with_its_place(data: Any, reason: str) -> None:
    with pytest.raises(Malformed, match=f"^{reason}$"):
        decode(Host, data)


@pytest.mark.parametrize("moment", ["2026-11-20T12:00:00", "yesterday", "", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z"])
def test_a_time_needs_its_zone(moment: str) -> None:
    with pytest.raises(Malformed, match="started_at is not a time with a time zone"):
        decode(Attempt, encode(e.attempt()) | {"started_at": moment})


def test_a_time_with_a_zulu_sign_is_utc() -> None:
    assert decode(Attempt, encode(e.attempt()) | {"started_at": "2026-11-20T13:00:00Z"}).started_at == e.LATER


@pytest.mark.parametrize("lines", [[1], [1, 2, 3], "12", [1, "2"], {"0": 1, "1": 2}])
def test_a_pair_is_a_pair(lines: Any) -> None:
    with pytest.raises(Malformed, match=r"^lines"):
        decode(Attempt, encode(e.attempt()) | {"lines": lines})


@pytest.mark.parametrize("state", ["fine", "OK", 0, None, ["ok"]])
def test_a_value_of_a_closed_vocabulary_is_one_of_it(state: Any) -> None:
    cache = encode(e.cache())
    cache["models"][0]["files"][0]["state"] = state
    with pytest.raises(Malformed, match=r"models\[0\]\.files\[0\]\.state is none of the values that there are: ok, missing"):
        decode(type(e.cache()), cache)
    assert FileState.OK.value == "ok"


SECRET = encode(e.token())["value"]


@pytest.mark.parametrize(
    "secret",
    [
        {}, "hf_", 7, [SECRET], SECRET | {"shape": None}, SECRET | {"shape": SECRET["shape"] | {"length": "37"}},
        SECRET | {"fingerprint": 12345678}, SECRET | {"fingerprint": "not hexadecimal"}, SECRET | {"secret": None},
        {key: value for key, value in SECRET.items() if key != "fingerprint"},
    ],
)  # fmt: skip
def test_what_is_no_recorded_secret_is_refused(secret: Any) -> None:
    with pytest.raises(Malformed, match=r"^value"):
        decode(WorkerToken, encode(e.token()) | {"value": secret})


def test_a_newer_field_is_left_out_and_a_missing_one_takes_its_default() -> None:
    data = encode(e.workers())
    data["containers"][0]["colour"] = {"of": ["a", "newer", "version"]}
    del data["containers"][0]["memory_limit"]
    assert decode(Workers, data) == e.workers()


def test_numbers_may_be_fractions_where_they_may() -> None:
    request = encode(Request(timeout=1.5))
    assert decode(Request, request).timeout == 1.5
    assert decode(Request, request | {"timeout": 2}).timeout == 2.0
    for wrong in ("2", True, None, 1e999):
        with pytest.raises(Malformed, match="timeout is not a number"):
            decode(Request, request | {"timeout": wrong})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b'{"a": 1, "a": 2}', "a name is given twice"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": -Infinity}', "-Infinity is not a number"),
        (b"1" * 5000, "too many digits"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"\xff\xfe\xfa", "it is not JSON"),
        (b'"\x00"', "it is not JSON"),
    ],
)
def test_what_is_no_json_is_refused(text: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        load(text)


def test_only_what_evidence_is_made_of_is_recorded() -> None:
    @dataclass(frozen=True)
    class Odd:
        what: object

    for value in (b"bytes", object(), {1, 2}, [1]):
        with pytest.raises(TypeError, match="is not recorded"):
            encode(Odd(value))
    with pytest.raises(TypeError, match="is not recorded"):
        decode(bytes, "x")


def test_a_file_name_that_is_no_utf8_stays_itself() -> None:
    env = replace(e.env_file(), path=Path("/srv/caf\udce9/.env"))
    assert dump(encode(env)).isascii()
    assert there_and_back(EnvFile, env) == env


def test_there_is_a_type_for_every_source() -> None:
    assert set(healthy()) == set(SOURCES)
    assert isinstance(RICH[WorkerLog], WorkerLog)


def test_what_steers_a_terminal_is_left_out() -> None:
    hostile = "a\x1b[31mb\x9bc\u202ed\u2028e\nf\tg"
    assert decode(Mapping[str, str], {hostile: hostile}) == {"abcde\nf\tg": "abcde\nf\tg"}  # type: ignore[type-abstract]
    assert decode(Path, hostile) == Path("abcde\nf\tg")
