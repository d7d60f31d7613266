"""Regular expressions that can take for ever are told from those that cannot."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ot_doctor.logs.pattern_cost import fault
from ot_doctor.logs.signatures import Signature, catalogue

BUILT_IN = catalogue().signatures
SECONDS = 0.5  # of a search in a text of 8,000 characters


@pytest.mark.parametrize(
    "pattern, part",
    [
        ("^boom (a+)+$", "(a+)+"),
        ("(a|a)*$x", "(a|a)*"),
        ("(?:a|ab|b)*c", "(?:a|ab|b)*"),
        ("(?:a|b|.)*z", "(?:a|b|.)*"),
        (r"boom (\w+\s*)*x", r"(\w+\s*)*"),
        ("(a?b?)*c", "(a?b?)*"),
        ("((?:a?)?b)*c", "((?:a?)?b)*"),
        ("boom(?=(a+)+b)x", "(?=(a+)+b)"),
        ("boom(?!(a+)+b)x", "(?!(a+)+b)"),
        ("(a{1,100}){1,100}x", "(a{1,100}){1,100}"),
        (r"(?:\d*){40}x", r"(?:\d*){40}"),
        ("a.*.*.*.*x", "a.*.*"),
        ("(.*?,){11}P", "(.*?,){11}"),
        ("x*" * 10 + "y", "x*x*"),
        ("a?" * 30 + "a" * 30, "a?" * 8 + "a"),
        ("(a|a)" * 30, "(a|a)" * 14),
        (r"(\w+)\1", r"(\w+)\1"),
        (r"(?:([ab])\1)+", r"(?:([ab])\1)+"),
    ],
)
def test_what_can_take_for_ever_is_refused_with_the_part_at_fault(pattern: str, part: str) -> None:
    assert fault(pattern).startswith(f"its part {part!r} ")


@pytest.mark.parametrize("pattern", ["x" * 3_000, "(?:" + "|".join(f"a{n}x*" for n in range(300)) + ")+", "(?:x?y?)" * 200])
def test_what_is_too_large_to_be_looked_at_is_refused_in_time(pattern: str) -> None:
    begun = time.process_time()
    assert fault(pattern)
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    "pattern",
    [
        "boom",
        "foo.*bar.*baz",
        r"\bSiteProxy: refused (?P<subject>[\w.-]+)",
        r"(?:\w+\.)*\w+Error: ",
        r"^\S+ \S+ \S+ failed",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"(\d{3})+x",
        r"(?:ab|ac)+x",
        r"(?:\d+ms|\d+s)+x",
        r"""(['"])boom\1""",
        r'(?:\\.|[^"\\])*"x',
        "^.*error.*$",
        "(?:[0-9a-f]{2}:){5}[0-9a-f]{2}",
        r"[A-Z]\w+(?: [A-Z]\w+)* boom",
        r"(?i)proxy (?:refused|denied).*host",
        r"\s*boom\s*:\s*(\d+)\s*",
        r"(?:/[\w.-]+)+/models--",
        r"^\[.*\] .*: failed .* after",
        r"failed after (\d+)(?:\.\d+)? ?s(?:ec(?:onds)?)?",
        r"boom(?! (?:a|b))",
        "(?<!no )boom.*x",
        r"(?s)boom.*end",
    ],
)
def test_ordinary_patterns_are_accepted(pattern: str) -> None:
    assert fault(pattern) == ""


def test_every_built_in_pattern_is_accepted() -> None:
    patterns = {pattern for signature in BUILT_IN for pattern in (*signature.patterns, *signature.excludes)}
    assert {pattern: fault(pattern) for pattern in patterns if fault(pattern)} == {}
    assert len(patterns) > 200


def hostile(signature: Signature) -> list[str]:
    """Texts that nearly match, over and over; what loops like to eat; and nearly a match behind each."""
    texts = []
    for sample in signature.matches:
        for part in (sample, sample[:-1], sample[: len(sample) // 2], *signature.words):
            texts.append((part.replace("\n", " ") * 8_000)[:8_000])
        for filling in ("a", "0", " ", ".", "-", "/", "\n", "a.", "hf", "a/", "\\", "'"):
            texts.append(sample[:-1] + (filling * 4_000)[:4_000] + "\x00")
            texts.append((filling * 4_000)[:4_000] + sample[:-1] + "\x00" + sample[len(sample) // 2 : -1])
    return texts


def test_no_built_in_pattern_takes_long_in_a_hostile_text() -> None:
    slow = []
    for signature in BUILT_IN:
        for text in hostile(signature):
            begun = time.process_time()
            signature.search(text)
            taken = time.process_time() - begun
            if taken > SECONDS:
                slow.append((signature.name, taken, text[:80]))
    assert slow == []


FILE = """
[[signature]]
name = "site-slow"
patterns = ['''{pattern}''']
excludes = ['''{exclude}''']
words = ["boom"]
explain = "x"
source = "x"
matches = ["boom aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"]
"""


@pytest.mark.parametrize("pattern, exclude, key", [("^boom (a+)+$", "x", "patterns"), ("boom", "(a|a)*$x", "excludes")])
def test_a_users_file_is_refused_before_anything_is_matched(tmp_path: Path, pattern: str, exclude: str, key: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(FILE.format(pattern=pattern, exclude=exclude), encoding="utf-8")
    done = run_with(path)
    assert done.returncode == 2
    assert f"own.toml: signature 'site-slow': {key}: a search for " in done.stderr
    assert "could take for ever: its part " in done.stderr


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_a_file_of_signatures_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "odd.toml"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    done = run_with(path)
    assert done.returncode == 2
    assert "is not a regular file" in done.stderr


def run_with(path: Path) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("OT_DOCTOR_")}
    command = [sys.executable, "-m", "ot_doctor", "explain", "disk-full", "--signatures", str(path)]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=20, check=False)
