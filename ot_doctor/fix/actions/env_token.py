"""``env.put-token``: a token is asked for, tried at the Hub, and only then written."""

from __future__ import annotations

from pathlib import Path

from ot_doctor.actions import PutToken
from ot_doctor.evidence import Answer
from ot_doctor.fix import whole_file
from ot_doctor.fix.actions.env import EnvChange, lines_of, rests_on
from ot_doctor.fix.asking import ask_typed, page, refused
from ot_doctor.fix.procedure import NotPossible, Preview, Saved
from ot_doctor.redaction.secret import TOKEN_NAME, Secret
from ot_doctor.sources.dotenv.compose_dialect import Assignment, DotenvRefused, parse

_PAGE = "https://huggingface.co/settings/tokens"
_BAD = (Answer.BAD_TOKEN, Answer.EXPIRED_TOKEN, Answer.NO_TOKEN)
_TO_ACCEPT = (Answer.NOT_ACCEPTED, Answer.PENDING, Answer.REJECTED)


class EnvPutToken(EnvChange):
    """The token is known only to this object, from the answer to the question on; no journal and no plan ever has it."""

    action: PutToken
    _token: Secret | None = None

    def words(self) -> str:
        return f"Asks for a token, tries it at the Hub, and writes it as {TOKEN_NAME} into {self.file.path}."

    def precondition(self) -> bool:
        whole_file.may_be_written(self.file)
        self._assigned()
        return True

    def preview(self) -> Preview:
        assigned = self._assigned()
        where = f"line {assigned.line}" if assigned else "a new line at the end"
        lines = (f"{where}: {TOKEN_NAME}=<the token>", f"You create one (type: Read) at {_PAGE}")
        return Preview(self.words(), "Enter a token?", lines, rests_on(self.file))

    def save(self, files: Path) -> Saved:
        self._token = self._tried()
        return super().save(files)

    def _tried(self) -> Secret:
        """A token that the Hub accepts, for each model that the release needs. Raises ``NotPossible``."""
        token = self.site.person.token(f"Token (type: Read, from {_PAGE}; it is not shown): ")
        if token is None or token.blank:
            raise NotPossible("No token was given. Without a terminal, give it with --token-file FILE, or - for standard input.")
        if not token.shape.well_formed or token.shape.placeholder:
            raise NotPossible(f"What was given is not a token ({token}). One begins with hf_, with letters and digits behind it.")
        while True:
            hub = ask_typed(self.site, token)
            if hub.identity.answer is not Answer.OK:
                raise NotPossible(f"The Hub does not accept this token ({hub.identity.answer.words}), so it was not written.")
            wrong = next(refused(hub, self.site), None)
            if wrong is None:
                return token
            if wrong.answer in _BAD or wrong.answer not in _TO_ACCEPT:
                raise NotPossible(
                    f"With this token the Hub does not give {wrong.repo} ({wrong.answer.words}), so it was not written."
                )
            url = page(hub, wrong.repo)
            say = f"{hub.identity.account or 'Its account'} has no access to {wrong.repo} yet: {url}"
            if not self.site.person.waits(f"{say}\nAccept the terms there, then press Enter."):
                raise NotPossible(f"{say}. The token was not written.")

    def changed(self) -> bytes:
        if self._token is None:
            raise NotPossible("There is no token yet.")
        assigned, data = self._assigned(), self.file.data
        written = f"{TOKEN_NAME}={self._token.reveal()}".encode()
        end = b"\r\n" if b"\r\n" in data else b"\n"
        lines = lines_of(data)
        if assigned is None:
            if lines and not lines[-1].endswith(b"\n"):
                lines[-1] += end
            lines.append(written + end)
        else:
            old = lines[assigned.line - 1]
            bom = b"\xef\xbb\xbf" if old.startswith(b"\xef\xbb\xbf") else b""
            lines[assigned.line - 1] = bom + written + old[len(old.rstrip(b"\r\n")) :]
        candidate = b"".join(lines)
        self._accepted(candidate)
        return candidate

    def _assigned(self) -> Assignment | None:
        """The assignment that counts. Raises ``NotPossible`` where it takes several lines, or Compose refuses the file."""
        try:
            found = [a for a in parse(self.file.data, self.lookup) if a.key == TOKEN_NAME and a.value is not None]
        except DotenvRefused as refused_by:
            raise NotPossible(
                f"Compose does not accept line {refused_by.line} of {self.file.path}; fix that first."
            ) from refused_by
        if found and found[-1].last_line > found[-1].line:
            raise NotPossible(f"{TOKEN_NAME} takes several lines of {self.file.path}: write it there yourself.")
        return found[-1] if found else None

    def _accepted(self, candidate: bytes) -> None:
        before = {a.key: a.value for a in parse(self.file.data, self.lookup)}
        after = {a.key: a.value for a in parse(candidate, self.lookup)}
        token = after.pop(TOKEN_NAME, None)
        before.pop(TOKEN_NAME, None)
        if before != after or self._token is None or token != self._token.reveal():
            raise NotPossible(f"Other settings of {self.file.path} would change as well, so it was left alone.")
