"""What of a record may prove something: library and upstream texts, never what people said or how files are named."""

from __future__ import annotations

import re
from dataclasses import replace

from ot_doctor.evidence.worker_log import Record

QUIET_LEVELS = ("INFO", "DEBUG")
_CARRIES_A_CAUSE = re.compile(  # upstream's messages that end with a library's text
    r"""HuggingFace\ (?:authentication|permission|model\ access)\ error: | PyAnnote\ model\ access\ error:
      | Error\ in\ (?:WhisperX|speaker)\b | (?:GPU|CPU)\ transcription\ failed\ for | Rediarization\ failed\ for
      | Diarize\ GPU\ task\ failed\ for | Overlapped\ diarization\ failed\ \(
      | diar-native\ sidecar\ unavailable\ \(
      | Failed\ to\ (?:load\ v4\ model|register\ HuggingFace) | Error\ initializing\ pyannote
      | Could\ not\ (?:load|download)\ | Task\ [\w.]+\[ | Process\ ' | Task\ handler\ raised | Diarization\ OOM\ with
      | \[Errno\ -?\d+\]\  | [45]\d\d\ (?:Client|Server)\ Error | HTTP\ Error\ \d | Rate\ limited\.\ Waiting
      | /\S+\.py:\d+:\ \w+:      | .{0,400}\ thrown\ while\ requesting\  | (?:[a-z_]\w*\.)*[A-Z]\w*(?:Error|Exception)\b""",
    re.VERBOSE,
)
_QUOTES_PEOPLE = re.compile(
    r"""\b(?:transcript|transcription\ text|subtitles?|captions?|segment|utterance|quote[sd]?|LLM|summary|prompt|completion|chat
          |answer|response|reply|comment|title|topic|file\ ?name|upload(?:ed)?|said|says|asked|text|words?|speaker[ _]?\d+)\b
      | \b(?:could\ not|cannot|failed\ to)\ parse:?\ (?=['"])  # what follows is what was read""",
    re.VERBOSE | re.IGNORECASE,
)
_SAID = re.compile(  # said by people or by a language model, also inside an exception's own message
    r"\b(?:transcript|subtitles?|captions?|utterances?|LLM|prompts?|completions?|summary|said|says|answered|replied|quote)\b",
    re.IGNORECASE,
)
_SPOKEN_LINE = re.compile(  # subtitles and transcripts as they are printed
    r"""^[ \t]*(?:\[?\d[\d:.,]*s?\ *-+>\ *\d | \[?SPEAKER_\d+\b | ['"]?text['"]?:\ | >>\ )[^\n]*""", re.VERBOSE | re.MULTILINE
)
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Warning|Interrupt|Exit|Lost|Refused)\b")
_EXTENSION = r"\.(?:mp[34]|m4[av]|wav|mkv|mov|avi|webm|flac|og[ga]|opus|aac|wma|wmv|3gp|docx?|pdf|txt|srt|vtt)"
_MEDIA = re.compile(_EXTENSION, re.IGNORECASE)
_MEDIA_NAME = re.compile(
    rf"""(['"])(?:(?!\1)[^\n]){{1,400}}{_EXTENSION}\1 | (?<![\w/])/[^\n'":]{{1,400}}{_EXTENSION}\b
      | \bfile(?:\ ?name)?[ =:]+[^\n'":/]{{1,300}}{_EXTENSION}\b""",
    re.IGNORECASE | re.VERBOSE,
)
_STATUS = re.compile(  # the first status of the outermost dictionary
    r"""[^{\n]{0,40}\{(?:(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")(?<!'status')(?<!"status"):\s*
        (?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|[\w.+-]+)\s*,\s*)*['"]status['"]:\s*['"](?P<status>\w+)""",
    re.VERBOSE,
)
_MESSAGE = re.compile(
    r"""['"](?:message|error|detail)['"]:\ (?P<text>'(?:[^'\\\n]|\\.){1,2000}'|"(?:[^"\\\n]|\\.){1,2000}")""", re.VERBOSE
)
_TASK = re.compile(r"Task (?P<name>[\w.]+)\[[0-9a-fA-F-]{8,40}\] ")
_DIARIZES = re.compile(r"(?:^|\.)(?:transcribe_audio|gpu_transcribe|diarize_gpu|rediarize\w*)$")
_SCRATCH = "/scratch/opentranscribe/"
TRACEBACK = "Traceback (most recent call last):"
_ENDS_QUOTE = (TRACEBACK, "During handling of", "The above exception")
_FALLBACK = re.compile(r", Fallback: .*?(?=\nTraceback|\n\nDuring handling|\n\nThe above exception|\Z)", re.DOTALL)
_ENDS_FRAMES = re.compile(r"\S")


def said(record: Record) -> str:
    """The first line of what the record itself says: marks of an attempt are looked for here."""
    return next((line for line in record.text.split("\n") if line.strip()), "")


def evidence(record: Record) -> str:
    """The text in which causes are looked for."""
    if record.level in QUIET_LEVELS:
        return ""
    text = without_frames(record.text)
    if quotes(said(record)):
        at = text.find(TRACEBACK)
        text = text[at:] if at >= 0 else ""
    if "\\n" in text:  # an exception's repr, in Celery's own line
        text = text.replace("\\n", "\n")
    text = _SPOKEN_LINE.sub("", _without_speech(text))
    return _MEDIA_NAME.sub(_without_name, _FALLBACK.sub("", text))


def _without_name(name: re.Match[str]) -> str:
    """Of a file in the volume for audio, the place is kept: it tells whose permission is missing."""
    return f"'{_SCRATCH}…'" if _SCRATCH in name[0] else "…"


def diarizes(task: str) -> bool:
    """Whether Celery's task of that name diarizes."""
    return _DIARIZES.search(task) is not None


def of_another_task(said: str) -> bool:
    """Whether a record is Celery's own about a task that does not diarize."""
    match = _TASK.match(said)
    return match is not None and not diarizes(match["name"])


def quotes(first: str) -> bool:
    """Whether a record that begins so says what people or a language model said, up to a traceback in it."""
    if _QUOTES_PEOPLE.search(first) and not _CARRIES_A_CAUSE.match(first):
        return True
    return _SAID.search(first) is not None and not first.startswith(TRACEBACK)


def spoken(line: str) -> bool:
    """Whether a line is one of a transcript, as it is printed."""
    return _SPOKEN_LINE.match(line) is not None


def repeats_speech(first: str) -> bool:
    """Whether a record that begins so repeats speech or a language model's text, which may look like anything."""
    return quotes(first) and _SAID.search(first) is not None


def goes_on_quoting(line: str, quoting: bool, *, speech: bool = False) -> bool:
    """Whether a line without a head says what somebody said; ``quoting``: the line before did, ``speech``: so did the head."""
    if line.startswith(_ENDS_QUOTE):
        return False
    if quoting and speech:
        return True
    return _SAID.search(line) is not None if _EXCEPTION.match(line) else quoting


def without_media(line: str) -> str:
    """The line without the names of sound and video files: people choose them."""
    return _MEDIA_NAME.sub(_without_name, line) if _MEDIA.search(line) else line


def has_traceback(record: Record) -> bool:
    return TRACEBACK in record.text


def states_an_error(record: Record) -> bool:
    """Whether the record has the shape of an error or of a warning about one, and is no mere print."""
    return (
        record.level in ("ERROR", "CRITICAL", "")
        or has_traceback(record)
        or _CARRIES_A_CAUSE.match(said(record)) is not None
    )


def traceback_of(record: Record) -> str:
    """The exceptions of the record's traceback alone; empty where it has none."""
    text = evidence(record)
    at = text.find(TRACEBACK)
    return text[at:] if at >= 0 else ""


def result_status(result: str) -> str:
    """The status in the result that a task returned; one that is deeper in the result, or in a text, is not its."""
    status = _STATUS.match(result)
    return status["status"] if status is not None else ""


def result_failed(result: str) -> bool:
    """Whether a task that Celery calls a success returned an error."""
    return result_status(result) in ("error", "failed")


def result_message(result: str) -> str:
    """The error's text in the result that a task returned; ``result`` is what Celery logs of it."""
    match = _MESSAGE.search(result)
    return "" if match is None or _SAID.search(match["text"]) else match["text"][1:-1].replace("\\n", "\n")


def _without_speech(text: str) -> str:
    """``text`` without the messages of exceptions that quote what somebody said."""
    if _SAID.search(text) is None:
        return text
    kept, dropping = [], False
    for line in text.split("\n"):
        dropping = goes_on_quoting(line, dropping)
        if not dropping:
            kept.append(line)
    return "\n".join(kept)


def without_frames(text: str) -> str:
    """``text`` without the frames of its tracebacks: the source lines in them say anything."""
    kept = []
    in_frames = False
    for line in text.split("\n"):
        if line.startswith(TRACEBACK):
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
    return replace(record, text="\n".join(kept))
