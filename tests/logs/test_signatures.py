"""The catalogue: every sample is run, and no signature takes another's."""

from __future__ import annotations

import re
import textwrap
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from ot_doctor.check import Cause
from ot_doctor.evidence.worker_log import Record
from ot_doctor.logs import signatures as module
from ot_doctor.logs.proof import evidence, said
from ot_doctor.logs.signatures import Signature, assemble, catalogue, parse, read, verify

CAUSES = frozenset(cause.value for cause in Cause)
ALL = catalogue().signatures
OWN = [(signature, sample) for signature in ALL for sample in signature.matches]
MINIMAL = """
[[signature]]
name = "x"
patterns = ["boom"]
words = ["boom"]
explain = "it went boom"
source = "seen"
"""


# -- the built-in ones ---------------------------------------------------------------------------


def test_the_catalogue_is_large_and_knows_noise() -> None:
    assert len(ALL) >= 120
    assert sum(signature.kind == "noise" for signature in ALL) >= 30


def test_every_cause_that_a_log_can_show_has_a_signature() -> None:
    shown = {signature.cause for signature in ALL if signature.kind == "cause"}
    not_in_a_log = {  # seen in files, containers and the Hub's answers instead
        "wrong-folder", "env-unreadable", "env-shadowed", "stale-worker-env", "token-placeholder", "token-too-powerful",
        "token-exposed", "diarization-disabled", "cache-missing", "cache-not-mounted", "worker-down", "unrecognised",
    }  # fmt: skip
    assert CAUSES - shown <= not_in_a_log


def unsound(signature: Signature) -> Iterator[str]:
    try:
        verify(signature, CAUSES)
    except ValueError as problem:
        yield str(problem)
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", signature.name):
        yield "its name is not words with hyphens"
    if not signature.matches or not signature.not_matches:
        yield "it does not show what it matches, or not what comes close to it"
    if signature.kind == "noise" and signature.cause not in (None, "diarization-disabled"):
        yield "noise has no cause"
    if unknown := [name for name in signature.also if name not in catalogue().named]:
        yield f"'also' names {unknown}"


def test_every_signature_is_sound() -> None:
    assert [f"{signature.name}: {said}" for signature in ALL for said in unsound(signature)] == []


def test_a_signature_matches_its_samples_and_nobody_else_does() -> None:
    wrong = []
    for signature, sample in OWN:
        matching = {other.name for other in ALL if other.search(sample) is not None}
        if signature.name not in matching or not matching <= {signature.name, *signature.also}:
            wrong.append((signature.name, sample[:100], sorted(matching)))
    assert wrong == []


def test_a_word_stands_in_what_a_pattern_matches_not_merely_near_it() -> None:
    wrong = [
        (signature.name, sample[:100])
        for signature, sample in OWN
        if replace(signature, words=("",)).search(sample) is None or not any(word in sample for word in signature.words)
    ]
    assert wrong == []


def test_looking_words_up_loses_no_hit() -> None:
    wrong = []
    for sample in (sample for signature in ALL for sample in (*signature.matches, *signature.not_matches)):
        hits = {hit.signature for hit in catalogue().hits(Record((1, 1), None, "ERROR", sample), sample, sample)}
        expected = {signature.name for signature in ALL if signature.kind != "noise" and signature.search(sample) is not None}
        if hits != expected:
            wrong.append((sample[:100], hits ^ expected))
    assert wrong == []


def test_what_the_guide_lists_is_there() -> None:
    for text in (
        "Loading PyAnnote segmentation model",
        "Loading PyAnnote diarization pipeline",
        "Speaker diarization completed successfully",
        "Cannot access gated repository",
        "Invalid HuggingFace token",
        "Model agreement not accepted",
    ):
        assert [s.name for s in ALL if s.search(text)], text


# -- what people said proves nothing -------------------------------------------------------------


def deceptions(sample: str) -> Iterator[Record]:
    """A sample where it is no evidence: spoken, written by a model, a file's name, a quiet line."""
    line = next(line for line in sample.split("\n") if line.strip()).replace("'", "").replace('"', "")
    for level, text in (
        ("INFO", line),
        ("WARNING", f'Failed to align segment ("{line}"): backtrack failed, resorting to original'),
        ("WARNING", f"LLM response was not JSON: {line}"),
        ("WARNING", f"Transcript segment 12 is long: {line}"),
        ("ERROR", f"Summary could not be stored: {line}"),
        ("ERROR", f"Thumbnail failed for '/app/uploads/{line[:200]}.mp4'"),
    ):
        yield Record((1, 1), None, level, text)


def test_what_people_said_is_no_evidence() -> None:
    wrong = []
    for signature, sample in OWN:
        for record in deceptions(sample) if signature.kind in ("cause", "generic") else ():
            hits = catalogue().hits(record, said(record), evidence(record))
            wrong += [(signature.name, hit.signature, record.text[:100]) for hit in hits if hit.cause is not None]
    assert wrong == []


# -- speed ---------------------------------------------------------------------------------------


def hostile(signature: Signature) -> Iterator[str]:
    """30 KB made of the pattern's own words, of parts of its samples, and of what repeats well."""
    for piece in (*signature.words, *(sample[: len(sample) // 2] for sample in signature.matches), *signature.matches[:1]):
        for filler in ("", " a", "\n"):
            yield ((piece + filler) * (1 + 30_000 // len(piece + filler)))[:30_000]


@pytest.mark.slow
def test_no_pattern_takes_long_on_a_hostile_text() -> None:
    slow = []
    for signature in ALL:
        for text in hostile(signature):
            began = time.process_time()
            for pattern in (*signature.patterns, *signature.excludes):
                re.compile(pattern, re.MULTILINE).search(text + "\x00")
                list(re.compile(pattern, re.MULTILINE).finditer(text))
            if time.process_time() - began >= 0.6:
                slow.append((signature.name, text[:80]))
    assert slow == []


# -- the fields, as the module tells them --------------------------------------------------------


def documented_example() -> str:
    text = module.__doc__ or ""
    return textwrap.dedent(re.search(r"\n(    \[\[signature\]\]\n(?:    .*\n)+)", text)[1])  # type: ignore[index]


def test_the_documented_example_works(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(documented_example(), encoding="utf-8")
    (signature,) = read(tmp_path / "own.toml")
    verify(signature, CAUSES)
    match = signature.search("SiteProxy: refused huggingface.co")
    assert match is not None and match["subject"] == "huggingface.co"


def test_every_field_is_documented_and_in_the_example() -> None:
    names = {field.name for field in fields(Signature)} - {"origin"}
    assert set(re.findall(r"^(\w+) = ", documented_example(), re.MULTILINE)) == names
    assert names <= set(re.findall(r"``(\w+)``", module.__doc__ or ""))


# -- files of a user -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, says",
    [
        ("nonsense = [", "f.toml is not TOML"),
        ("signature = 3", "must be a list of tables"),
        ("name = 'x'", "'name' stands outside a signature"),
        ('[[signature]]\nname = "x"', "signature 'x': patterns, words, explain, source missing"),
        ("[[signature]]", "signature 1 (without a name): name, patterns"),
        (MINIMAL + 'kinds = "cause"', "unknown key 'kinds'"),
        (MINIMAL + 'origin = "me"', "unknown key 'origin'"),
        (MINIMAL + 'excludes = "one"', "excludes must be a list of strings"),
        (MINIMAL + 'certain = "yes"', "certain has the wrong type: it must be true or false"),
        (MINIMAL + "stage = true", "stage has the wrong type"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"f\.toml") as error:
        parse(text, "f.toml")
    assert says in str(error.value)


@pytest.mark.parametrize(
    "more, says",
    [
        ('kind = "odd"', "kind 'odd'"),
        ('marks = "middle"', "marks 'middle'"),
        ('kind = "cause"', "cause missing"),
        (MINIMAL, "two signatures are named 'x'"),
    ],
)
def test_what_does_not_fit_the_catalogue_is_refused(more: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        assemble(parse(MINIMAL + more, "f.toml"))


@pytest.mark.parametrize(
    "change, says",
    [
        ({"patterns": ("(",)}, "patterns: '\\(' is not a regular expression"),
        ({"excludes": ("[",)}, "excludes: '\\[' is not a regular expression"),
        ({"patterns": ("b*",)}, "matches an empty line"),
        ({"words": ("bo",)}, "too short"),
        ({"cause": "bad-luck"}, "none that 'ot-doctor explain' knows"),
        ({"matches": ("bang",)}, "it does not match 'bang'"),
        ({"not_matches": ("boom",)}, "it matches 'boom'"),
    ],
)
def test_what_a_run_would_stumble_over_is_found(change: dict[str, object], says: str) -> None:
    signature = replace(parse(MINIMAL, "f.toml")[0], origin="/etc/f.toml")
    verify(signature, CAUSES)
    with pytest.raises(ValueError, match=says) as error:
        verify(replace(signature, **change), CAUSES)  # type: ignore[arg-type]
    assert str(error.value).startswith("/etc/f.toml: signature 'x': ")


def test_a_users_own_come_first_and_replace_a_built_in_one(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(MINIMAL + MINIMAL.replace('"x"', '"disk-full"'), encoding="utf-8")
    extended = catalogue((own,))
    assert [signature.name for signature in extended.signatures[:2]] == ["x", "disk-full"]
    assert len(extended.signatures) == len(ALL) + 1
    assert extended.named["disk-full"].origin == str(own)
    assert extended.named["disk-full"].search("OSError: [Errno 28] No space left on device") is None
    assert catalogue().named["disk-full"].origin == ""


def test_a_users_own_hit_comes_before_a_built_in_one(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(MINIMAL + 'kind = "cause"\ncause = "network-proxy"\n', encoding="utf-8")
    record = Record((1, 1), None, "ERROR", "OSError: [Errno 28] No space left on device\nSiteError: boom")
    hits = catalogue((own,)).hits(record, said(record), evidence(record))
    assert [hit.signature for hit in hits] == ["x", "disk-full"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes(b'[[signature]]\nname = "\xe9"')
    (tmp_path / "empty.toml").write_bytes(b"")
    (tmp_path / "large.toml").write_bytes(b"#" * (5 << 20))
    for name, says in (
        ("gone.toml", "cannot be read: No such file"),
        ("", "is a folder"),
        ("latin.toml", "is not TOML: it is not UTF-8"),
        ("empty.toml", "holds no signature"),
        ("large.toml", "is larger than 4 MiB"),
    ):
        with pytest.raises(ValueError, match=says) as error:
            catalogue((tmp_path / name,))
        assert str(error.value).startswith(str(tmp_path / name))


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "bom.toml").write_text(MINIMAL, encoding="utf-8-sig")
    assert [signature.name for signature in read(tmp_path / "bom.toml")] == ["x"]


def test_explanations_and_remedies_are_short_full_sentences() -> None:
    def wrong(text: str) -> bool:
        sentences = re.split(r"(?<=[.:;])\s", text)
        return not text.endswith((".", ".)")) or any(len(sentence.split()) > 28 for sentence in sentences)

    texts = [(s.name, text) for s in catalogue(()).signatures for text in (s.explain, s.remedy) if text]
    assert not [name for name, text in texts if wrong(text)]
