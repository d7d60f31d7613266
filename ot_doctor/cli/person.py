"""Whoever sits at the terminal while ``fix`` runs: told and asked on standard error, answers on standard input."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ot_doctor.cli.output import tell
from ot_doctor.core import supervisor

if TYPE_CHECKING:
    from ot_doctor.fix.consent import Choice
    from ot_doctor.fix.outcome import Attended, Deed
    from ot_doctor.fix.procedure import Preview
    from ot_doctor.redaction.secret import Secret

_LARGEST = 4096  # bytes of a file with a token
_ANSWERS = (
    "y  do it",
    "n  leave it, and with it what this cause needs besides (also Enter, and s for skip)",
    "d  show the change with the lines around it",
    "q  end here; what was done is looked at",
)


class AtTheTerminal:
    """``cleaned`` is put over all that is shown; ``shows``: whether previews and results are shown as they come."""

    def __init__(self, cleaned: Callable[[str], str], token_file: str | None, *, shows: bool) -> None:
        self.present = bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())
        self._cleaned = cleaned
        self._token_file = token_file
        self.shows = shows

    def tell(self, text: str) -> None:
        tell(self._cleaned(text))

    def waits(self, text: str) -> bool:
        if not self.present:
            return False
        self.tell(text)
        return self._line("[Enter, or q to give up] ").strip().lower() not in ("q", "quit", "n", "no")

    def token(self, text: str) -> Secret | None:
        from ot_doctor.redaction.secret import TOKEN_NAME, Secret

        if self._token_file is not None:
            return Secret(_first_line(self._token_file), TOKEN_NAME)
        if not self.present:
            return None
        from getpass import getpass

        supervisor.expect(float("inf"))
        try:
            return Secret(getpass(text, stream=None).strip(), TOKEN_NAME)
        except EOFError:
            return None

    # -- while the loop goes on ------------------------------------------------------------------------

    def begins(self, attended: Attended, place: str) -> None:
        from ot_doctor.fix.telling import cause_lines

        self._show(cause_lines(attended, place))

    def restarts(self, attended: Sequence[Attended]) -> None:
        from ot_doctor.fix.telling import restart_line

        self._show(["", restart_line(attended)])

    def previews(self, deed: Deed) -> None:
        from ot_doctor.fix.telling import deed_lines

        self._show(deed_lines(deed))

    def asks(self, preview: Preview) -> Choice:
        from ot_doctor.actions import Risk
        from ot_doctor.fix.consent import Choice

        prompt = f"    {self._cleaned(preview.question)} [y/N/d/s/q] "
        while (answer := self._line(prompt).strip().lower()) in ("d", "diff", "?", "h", "help"):
            self._more(preview, answer)
        choice = {"y": Choice.YES, "yes": Choice.YES, "q": Choice.QUIT, "quit": Choice.QUIT}.get(answer, Choice.NO)
        if choice is Choice.YES and Risk.INTERRUPTS in preview.risks:
            return choice if self.agrees("    A job runs now, and would be lost. Do it all the same?") else Choice.NO
        return choice

    def _more(self, preview: Preview, answer: str) -> None:
        if answer in ("d", "diff"):
            lines = preview.around or preview.lines or ("There is no more to show than the sentence above.",)
        else:
            lines = _ANSWERS
        for line in lines:
            self.tell(f"      {line}")

    def became(self, deed: Deed) -> None:
        from ot_doctor.fix.telling import became_line

        self._show(filter(None, [became_line(deed)]))

    def looked(self, attended: Sequence[Attended]) -> None:
        from ot_doctor.fix.telling import looked_line

        self._show([looked_line(attended)])

    def chooses(self, question: str, answers: Sequence[str]) -> str:
        """One of the answers by its first letter; the first of them where nobody is there, or anything else is said."""
        if not self.present:
            return answers[0]
        letters = "/".join(one[0].upper() if one is answers[0] else one[0] for one in answers)
        said = self._line(f"{self._cleaned(question)} [{letters}] ").strip().lower()
        return next((one for one in answers if said and one.startswith(said)), answers[0])

    def agrees(self, question: str) -> bool:
        """A plain question; the default is no."""
        return self.present and self._line(f"{self._cleaned(question)} [y/N] ").strip().lower() in ("y", "yes")

    def _show(self, lines: Iterable[str]) -> None:
        if self.shows:
            for line in lines:
                self.tell(line)

    def _line(self, prompt: str) -> str:
        """An answer; the end of the input is ``q``."""
        supervisor.expect(float("inf"))
        sys.stderr.write(prompt)
        sys.stderr.flush()
        return sys.stdin.readline() or "q"


def _first_line(name: str) -> str:
    """The token in a file, or on standard input."""
    if name == "-":
        return sys.stdin.buffer.read(_LARGEST).decode("utf-8", "replace").strip() if sys.stdin else ""
    with open(Path(name), "rb") as file:
        return file.read(_LARGEST).decode("utf-8", "replace").strip()
