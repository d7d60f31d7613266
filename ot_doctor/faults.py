"""What went wrong in the doctor itself, or in a plug-in: kept out of the report, and shown to those who ask with ``-vv``."""

from __future__ import annotations

import logging
import sys

_LOG = logging.getLogger("ot_doctor")
_LOG.addHandler(logging.NullHandler())


class _Safe(logging.Formatter):
    """A traceback quotes source lines and messages: both may hold a secret or an escape."""

    def format(self, record: logging.LogRecord) -> str:
        from ot_doctor.secrets import printable, redact

        try:
            return redact(printable(super().format(record)))
        except Exception:  # an exception of a plug-in may fail even at telling what it is
            return "ot-doctor: something was raised that cannot be shown"


def note(what: str, error: BaseException) -> None:
    """Remember that ``what`` raised ``error``."""
    _LOG.debug("%s raised", what, exc_info=error)


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
