"""What went wrong in the doctor itself, or in a plug-in: kept out of the report, and shown to those who ask with ``-vv``."""

from __future__ import annotations

import logging
import sys
import traceback

from ot_doctor.core.deadline import NoResources, TookTooLong, within, words_of

_LOG = logging.getLogger("ot_doctor")
_LOG.addHandler(logging.NullHandler())
_PATIENCE = 0.3  # seconds for an exception to say what it is
_LONGEST = 300  # characters of what it says


class _Safe(logging.Formatter):
    """A traceback quotes source lines and messages: both may hold a secret or an escape."""

    def format(self, record: logging.LogRecord) -> str:
        from ot_doctor.redaction.secret import printable, redact

        return redact(printable(super().format(record)))


def note(what: str, error: BaseException) -> None:
    """Remember that ``what`` raised ``error``."""
    if _LOG.isEnabledFor(logging.DEBUG):
        try:
            text = within(_PATIENCE, lambda: "".join(traceback.format_exception(type(error), error, error.__traceback__)))
        except Exception:  # an exception of a plug-in may fail even at telling what it is, or never end to
            text = f"{type(error).__name__}, which cannot be shown"
        _LOG.debug("%s raised\n%s", what, text.rstrip())


def said(error: BaseException) -> str:
    """An exception's class and what it says, as may be shown: without a secret, short, and in time."""
    from ot_doctor.redaction.secret import printable, redact

    name = type(error).__name__
    try:
        text = within(_PATIENCE, lambda: f"{name}: {words_of(error)[:10_000]}")
    except (NoResources, TookTooLong):
        text = name
    return redact(printable(text))[:_LONGEST]


def where_to_report() -> str:
    """Where a bug is reported, as the end of a sentence: "at https://…", or "to whoever …" where no address is known."""
    from importlib import metadata

    try:
        urls = metadata.metadata("ot-doctor").get_all("Project-URL") or []
    except Exception:  # run from a zipapp or a folder, for instance
        urls = []
    for label, _, address in (url.partition(",") for url in urls):
        if label.strip().lower() == "issues":
            return f"at {address.strip()}"
    return "to whoever you got ot-doctor from"


def show_faults() -> None:
    """From now on they are shown on standard error, with their tracebacks and without any secret."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Safe("ot-doctor: %(message)s"))
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.DEBUG)
    _LOG.propagate = False
