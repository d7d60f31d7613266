"""What went wrong in the doctor itself, or in a plug-in: kept out of the report, and shown to those who ask with ``-vv``."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Callable

from ot_doctor.core.deadline import NoResources, TookTooLong, within, words_of
from ot_doctor.core.printable import clipped, printable

_LOG = logging.getLogger("ot_doctor")
_LOG.addHandler(logging.NullHandler())
_PATIENCE = 0.3  # seconds for an exception to say what it is
_LONGEST = 300  # characters of what it says


class _Safe(logging.Formatter):
    """A traceback quotes source lines and messages: both may hold a secret or an escape."""

    def __init__(self, clean: Callable[[str], str]) -> None:
        super().__init__("ot-doctor: %(message)s")
        self._clean = clean

    def format(self, record: logging.LogRecord) -> str:
        return self._clean(super().format(record))


def note(what: str, error: BaseException) -> None:
    """Remember that ``what`` raised ``error``."""
    if _LOG.isEnabledFor(logging.DEBUG):
        try:
            text = within(_PATIENCE, lambda: "".join(traceback.format_exception(type(error), error, error.__traceback__)))
        except Exception:  # an exception of a plug-in may fail even at telling what it is, or never end to
            text = f"{type(error).__name__}, which cannot be shown"
        _LOG.debug("%s raised\n%s", what, text.rstrip())


def note_the_unhandled() -> None:
    """From now on what a thread or a finalizer does not handle is remembered, and not printed with a traceback."""
    threading.excepthook = lambda about: note("a thread", about.exc_value or RuntimeError("no exception"))
    sys.unraisablehook = lambda about: note("a finalizer", about.exc_value or RuntimeError("no exception"))


def said(error: BaseException) -> str:
    """An exception's class and what it says: printable, short, and in time. Secrets in it are hidden where it is shown."""
    name = type(error).__name__
    try:
        text = within(_PATIENCE, lambda: f"{name}: {words_of(error)[:10_000]}")
    except (NoResources, TookTooLong):
        text = name
    return clipped(printable(text), _LONGEST)


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


def show_faults(clean: Callable[[str], str]) -> None:
    """From now on they are shown on standard error, with their tracebacks, and as ``clean`` makes them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Safe(clean))
    _LOG.addHandler(handler)
    _LOG.setLevel(logging.DEBUG)
    _LOG.propagate = False
