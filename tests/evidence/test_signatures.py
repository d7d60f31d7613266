"""The catalogue: every sample is run, and no signature takes another's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ot_doctor.check import Cause
from ot_doctor.evidence.signatures import Signature, assemble, catalogue, parse, verify

CAUSES = frozenset(cause.value for cause in Cause)
ALL = catalogue().signatures
OWN = [
    pytest.param(signature, sample, id=f"{signature.name}-{number}")
    for signature in ALL
    for number, sample in enumerate(signature.matches)
]
MINIMAL = """
[[signature]]
name = "x"
patterns = ["boom"]
words = ["boom"]
explain = "it went boom"
source = "seen"
"""


@pytest.mark.parametrize("signature", ALL, ids=lambda signature: signature.name)
def test_a_signature_is_sound(signature: Signature) -> None:
    verify(signature, CAUSES)
    assert signature.matches, "every signature shows what it matches"
    assert all(name in catalogue().named for name in signature.also)
    for sample in signature.not_matches:
        assert signature.search(sample) is None, sample


@pytest.mark.parametrize("signature, sample", OWN)
def test_a_signature_matches_its_samples_and_nobody_else_does(signature: Signature, sample: str) -> None:
    matching = {other.name for other in ALL if other.search(sample) is not None}
    assert signature.name in matching
    assert matching <= {signature.name, *signature.also}


@pytest.mark.parametrize("signature, sample", OWN)
def test_a_word_stands_in_what_a_pattern_matches_not_merely_near_it(signature: Signature, sample: str) -> None:
    every = replace(signature, words=("",))
    match = every.search(sample)
    assert match is not None
    assert any(word in sample for word in signature.words)


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


@pytest.mark.parametrize(
    "text, says",
    [
        ("nonsense = [", "f.toml is not TOML"),
        ("signature = 3", "must be a list of tables"),
        ('[[signature]]\nname = "x"', "patterns, words, explain, source missing"),
        (MINIMAL + 'kinds = "cause"', "unknown key 'kinds'"),
        (MINIMAL + 'excludes = "one"', "excludes must be a list of strings"),
        (MINIMAL + 'certain = "yes"', "certain has the wrong type"),
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


def test_a_bad_pattern_and_an_unknown_cause_are_found() -> None:
    signature = parse(MINIMAL, "f.toml")[0]
    with pytest.raises(ValueError, match="not a regular expression"):
        verify(replace(signature, patterns=("(",)), CAUSES)
    with pytest.raises(ValueError, match="none that 'ot-doctor explain' knows"):
        verify(replace(signature, cause="bad-luck"), CAUSES)
