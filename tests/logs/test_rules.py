"""The rules over faults: each is reached, each names a cause that exists, and look-alikes are told apart."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ot_doctor.check import Cause
from ot_doctor.logs.faults import decide, faults_in, harmless, judge, named, unexplained
from ot_doctor.logs.faults.conditions import CONDITIONS, SUBJECTS
from ot_doctor.logs.faults.harmless import entries
from ot_doctor.logs.faults.rule import rules

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_TEXTS = tomllib.loads((Path(__file__).parent / "samples.toml").read_text(encoding="utf-8"))
SAMPLES = [(sample["rule"], sample["cause"], sample["text"]) for sample in _TEXTS["sample"]]
QUIET = [sample["text"] for sample in _TEXTS["quiet"]]
UNKNOWN = [sample["text"] for sample in _TEXTS["unknown"]]


def test_each_text_reaches_its_rule() -> None:
    decided = [(rule, cause, text, decide(faults_in(text))) for rule, cause, text in SAMPLES]
    wrong = [
        (rule, cause, text[:100], found and (found[1].rule, found[1].cause))
        for rule, cause, text, found in decided
        if found is None or (found[1].rule, found[1].cause) != (rule, cause)
    ]
    assert wrong == []


def test_every_rule_has_a_text_that_reaches_it() -> None:
    assert {rule.name for rule in rules()} == {rule for rule, *_ in SAMPLES}
    assert len(named()) == len(rules())


def test_each_rule_is_explained_and_names_what_exists() -> None:
    known = {cause.value for cause in Cause}
    wrong = [
        rule.name
        for rule in rules()
        if rule.cause not in known
        or not (rule.title and not rule.title.endswith(".") and rule.why.endswith("."))
        or not (set(rule.where) <= set(CONDITIONS) and rule.subject in {"", *SUBJECTS})
        or bool(rule.patterns) != bool(rule.words)  # patterns need words, and words patterns
        or not all(word == word.lower() for word in rule.words)
    ]
    assert wrong == []


def test_what_is_harmless_makes_no_verdict() -> None:
    assert [text[:100] for text in QUIET if decide(faults_in(text)) is not None or unexplained(text)] == []


def test_an_error_that_nobody_knows_is_not_passed_over() -> None:
    assert [text[:100] for text in UNKNOWN if decide(faults_in(text)) is not None or not unexplained(text)] == []


def test_the_decisive_line_is_the_exception() -> None:
    assert unexplained(UNKNOWN[0]) == ("ZeroDivisionError: division by zero",)


def test_what_is_explained_is_not_unexplained() -> None:
    assert unexplained("OSError: [Errno 28] No space left on device\nZeroDivisionError: division by zero") == ()


def test_what_is_harmless_is_explained() -> None:
    wrong = [
        entry.name
        for entry in entries()
        if not (entry.why.endswith(".") and entry.words and all(word == word.lower() for word in entry.words))
    ]
    assert wrong == [] and harmless("") is None


_GATE = (
    "403 Client Error.\n\nCannot access gated repo for url https://huggingface.co/pyannote/a/resolve/main/b.\n"
    "Access to model pyannote/a is restricted."
)
_ANSWER = "requests.exceptions.HTTPError: 403 Client Error: x for url: https://huggingface.co/pyannote/a/resolve/main/b"
SWAPS = (
    ("OSError: [Errno 28] x: '/home/u/.cache/huggingface/hub/a'", "[Errno 28]", "[Errno 13]", "cache-permission"),
    ("OSError: [Errno 28] x: '/home/u/.cache/huggingface/hub/a'", "[Errno 28]", "[Errno 30]", "cache-readonly"),
    ("RuntimeError: I/O error: x (os error 28)", "os error 28", "os error 30", "cache-readonly"),
    ("RuntimeError: I/O error: x (os error 28)", "os error 28", "os error 12", "out-of-memory"),
    (_GATE, "403", "401", "token-missing"),
    (_ANSWER, "403", "429", "rate-limited"),
    (_ANSWER, "403", "500", "hub-unavailable"),
    (_ANSWER, "403", "404", "repo-not-found"),
    (_ANSWER, "403", "401", "token-invalid"),
    ("Worker exited prematurely: signal 11 Job: 3.", "signal 11", "signal 9", "out-of-memory"),
    ("Worker exited prematurely: signal 11 Job: 3.", "signal 11", "signal 4", "hardware-unsupported"),
    ("worker-1 exited with code 139", "139", "137", "out-of-memory"),
    ("worker-1 exited with code 139", "139", "132", "hardware-unsupported"),
    ("OSError: Error 111 connecting to redis:6379. Connection refused.", "redis:6379", "huggingface.co:443", "network-refused"),
    ("PermissionError: [Errno 13] x: '/scratch/ot/a.wav'", "/scratch/ot/a.wav", "/models/hub/models--a--b", "cache-permission"),
    ("httpx.ConnectError: [Errno -2] x for https://huggingface.co/a/b", "[Errno -2]", "[Errno 110]", "network-timeout"),
    ("httpx.ConnectError: [Errno -2] x for https://huggingface.co/a/b", "[Errno -2]", "[Errno 104]", "network-refused"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "old", "new", "cause"), SWAPS)
def test_another_number_or_place_is_another_cause(text: str, old: str, new: str, cause: str) -> None:
    before, after = decide(faults_in(text)), decide(faults_in(text.replace(old, new, 1)))
    assert before is not None and after is not None
    assert after[1].cause == cause
    assert before[1].rule != after[1].rule


@pytest.mark.parametrize("character", ["a", " ", "/", "(", "'", "0", ": ", "Error ", "x.", "| ", "\n", "File ", "-"])
def test_no_pattern_takes_longer_than_the_text_is_long(character: str) -> None:
    text = "ERROR: failed with status " + character * (40_000 // len(character)) + " exit"
    for fault in faults_in(text):
        judge(fault)


def test_patterns_have_no_unbounded_repetition_of_anything() -> None:
    loose = re.compile(r"(?<!\\)\.[*+]|\[\^\\n\][*+]|\)[*+]")
    assert [(rule.name, pattern) for rule in rules() for pattern in (*rule.patterns, *rule.unless) if loose.search(pattern)] == []
