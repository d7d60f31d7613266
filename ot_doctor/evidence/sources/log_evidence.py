"""What of a record may prove something: library and upstream texts, never what people said or how files are named."""

from __future__ import annotations

import re

from ot_doctor.evidence.worker_log import Record

_QUIET = ("INFO", "DEBUG")
_CARRIES_A_CAUSE = re.compile(  # upstream's messages that end with a library's text
    r"""HuggingFace\ (?:authentication|permission|model\ access)\ error: | PyAnnote\ model\ access\ error:
      | Error\ in\ (?:WhisperX|speaker)\b | (?:GPU|CPU)\ transcription\ failed\ for | Rediarization\ failed\ for
      | Failed\ to\ (?:load\ v4\ model|register\ HuggingFace) | Error\ initializing\ pyannote
      | Could\ not\ (?:load|download)\ | Task\ [\w.]+\[ | Process\ ' | Task\ handler\ raised
      | .{0,400}\ thrown\ while\ requesting\  | (?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)\b""",
    re.VERBOSE,
)
_QUOTES_PEOPLE = re.compile(
    r"""\b(?:transcript|transcription\ text|subtitles?|captions?|segment|utterance|quote[sd]?|LLM|summary|prompt|completion|chat
          |answer|response|reply|comment|title|topic|file\ ?name|upload(?:ed)?|said|says|asked|text|words?|speaker[ _]?\d+)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_MEDIA_NAME = re.compile(
    r"(['\"])(?:(?!\1)[^\n]){1,400}\.(?:mp[34]|m4[av]|wav|mkv|mov|avi|webm|flac|og[ga]|opus|aac|wma|wmv|3gp)\1", re.IGNORECASE
)
_FALLBACK = re.compile(r", Fallback: .*?(?=\nTraceback|\n\nDuring handling|\n\nThe above exception|\Z)", re.DOTALL)
_ENDS_FRAMES = re.compile(r"\S")


def said(record: Record) -> str:
    """The first line of what the record itself says: marks of an attempt are looked for here."""
    return next((line for line in record.text.split("\n") if line.strip()), "")


def evidence(record: Record) -> str:
    """The text in which causes are looked for."""
    if record.level in _QUIET:
        return ""
    text = without_frames(record.text)
    first = said(record)
    if _QUOTES_PEOPLE.search(first) and not _CARRIES_A_CAUSE.match(first):
        at = text.find("Traceback (most recent call last):")
        text = text[at:] if at >= 0 else ""
    if "\\n" in text:  # an exception's repr, in Celery's own line
        text = text.replace("\\n", "\n")
    return _MEDIA_NAME.sub(r"\1…\1", _FALLBACK.sub("", text))


def without_frames(text: str) -> str:
    """``text`` without the frames of its tracebacks: the source lines in them say anything."""
    kept = []
    in_frames = False
    for line in text.split("\n"):
        if line.startswith("Traceback (most recent call last):"):
            in_frames = True
            kept.append(line)
            continue
        if in_frames and _ENDS_FRAMES.match(line):
            in_frames = False
        if not in_frames:
            kept.append(line)
    return "\n".join(kept)


def shown(record: Record, lines: int = 12, width: int = 600) -> Record:
    """The record as it is shown to a user: without frames, the end kept where it is long."""
    kept = [line[:width] for line in without_frames(record.text).split("\n") if line.strip()]
    kept = [line for line in kept if not line.startswith(("Traceback (most", "During handling of", "The above exception"))]
    if len(kept) > lines:
        kept = [*kept[:2], "[...]", *kept[-(lines - 3) :]]
    return Record(record.lines, record.at, record.level, "\n".join(kept), record.task, record.process)
