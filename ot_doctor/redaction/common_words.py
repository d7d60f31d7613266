"""Values that are common words or small numbers: a document may hold them without having them from a secret."""

from __future__ import annotations

SHORTEST = 4  # characters of a value that is looked for at all
PIECE = 8  # characters in a row that may give a value away
_LONGEST_SIMPLE = 64

# Values that stay where they stand. Up to seven letters alone are a word or nearly one, and up to seven digits a number: line
# numbers, ports and half of the sentences would go with them, and the gap in a sentence that everybody knows gives the value away
# all the same. So it is with these: upstream's and usual defaults, and the longer words that names of checks, causes, outcomes
# and services are made of; commands and scripts live on them. Other values of four to seven characters are hidden where they
# stand alone, as words; shorter ones nowhere. Behind NAME= every value is hidden: that is told by a pattern. In a text that came
# from outside, as a log's, a value of four letters or five digits is hidden where it stands as a word (``simple``).
_DEFAULTS = """
    changeme huggingface localhost minioadmin opensearch opentranscribe opentranscribe_user password postgres postgresql pyannote
    rabbitmq container containers settings
"""
_VOCABULARY = """
    accepted complete diarization diarize disabled explains exposure incomplete malformed mismatch permission permissions
    placeholder
    possible powerful reachable readable readonly recovered restarts settings shadowed speakers succeeded transcribe unavailable
    unfinished unreadable unrecognised unrelated
"""
WORDS = frozenset((_DEFAULTS + _VOCABULARY).split())
ALL_WORDS = " ".join(sorted(WORDS))


def hidden_by_value(value: str) -> bool:
    """Whether the value is hidden wherever it stands; see the comment on the words that stay."""
    if len(value) < SHORTEST or value.casefold() in WORDS:
        return False
    return len(value) >= PIECE or not (value.isdigit() or value.isalpha())


def simple(value: str) -> bool:
    """Whether a value that stays in the doctor's own sentences is hidden as a word in a text that came from outside.

    The usual words of logs stay there, too: without them no fault could be told.
    """
    if hidden_by_value(value) or not SHORTEST + value.isdigit() <= len(value) <= _LONGEST_SIMPLE:
        return False
    from ot_doctor.redaction.patterns import common_words

    return value.casefold() not in WORDS and value.casefold() not in common_words()


def is_common(value: str) -> bool:
    """A word or a number that may stand in a document without having come from the secret."""
    if len(value) < PIECE or (value.isdigit() and len(value) < 12):
        return True
    return value.isalpha() and (value.islower() or value.isupper() or value.istitle()) and len(value) < 16
