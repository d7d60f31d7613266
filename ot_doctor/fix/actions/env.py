"""Edits of the ``.env``: the lines that are named and no other, accepted by the parser that Compose's is, with a backup."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ot_doctor.actions import EditEnv, Encoding, LineChange, LineEdit, ReencodeEnv
from ot_doctor.core.printable import printable
from ot_doctor.evidence import EnvFile, Unavailable
from ot_doctor.fix import whole_file
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Saved, Site
from ot_doctor.fix.whole_file import WholeFile
from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.names import keep, register_text
from ot_doctor.sources.dotenv.compose_dialect import Assignment, DotenvRefused, parse

_BEFORE = "env"  # in the action's folder: the file as it was
_TOKEN = re.compile(rb"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{34}(?![A-Za-z0-9])")
_TWICE = re.compile(rb"(?<![A-Za-z0-9])(hf_[A-Za-z0-9]{34})\1(?![A-Za-z0-9])")
_SETTING = re.compile(
    r"(?P<before>\s*(?:#\s*)*(?:(?:export|set)\s+)?)(?P<name>[\w.-]+)(?P<sign>\s*[=:]\s*)(?P<value>.*)", re.DOTALL
)
_AROUND = 3  # lines that are shown before and after those that change


class EnvChange(ABC):
    """What all changes of the ``.env``'s content share; each says what becomes of the bytes."""

    def __init__(self, action: Any, site: Site) -> None:
        self.action = action
        self.site = site
        self.file = whole_file.read(examined(action.path, site))
        self.lookup = site.store.request.environ.get
        self._files: Path | None = None
        self._changed: bytes | None = None

    @abstractmethod
    def changed(self) -> bytes:
        """The file's bytes as they become. Raises ``NotPossible``."""

    @abstractmethod
    def words(self) -> str:
        """What is done, as a sentence."""

    @property
    def candidate(self) -> bytes:
        if self._changed is None:
            self._changed = self.changed()
        return self._changed

    def precondition(self) -> bool:
        if self.candidate == self.file.data:
            return False
        whole_file.may_be_written(self.file)
        return True

    def preview(self) -> Preview:
        around = diff(self.file.data, self.candidate, around=_AROUND)
        lines = diff(self.file.data, self.candidate)
        return Preview(self.words(), "Change the file?", lines, rests_on(self.file), around=around)

    def save(self, files: Path) -> Saved:
        self._files = files
        whole_file.keep(self.file.data, files / _BEFORE)
        return {
            "path": str(self.file.path),
            "before": whole_file.digest(self.file.data),
            "after": whole_file.digest(self.candidate),
        }

    def apply(self) -> None:
        if self._files is None:
            raise NotPossible("Nothing was kept of the file, so it was left alone.")
        whole_file.write(self.file, self.candidate, self._files)

    def verify(self) -> None:
        if whole_file.read(self.file.path).data != self.candidate:
            raise NotDone(f"{self.file.path} was changed again while it was written.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """The bytes as they were. Refused where somebody else changed the file since."""
        file = whole_file.read(Path(saved["path"]))
        now = whole_file.digest(file.data)
        if now == saved["before"]:
            return False
        if now != saved["after"] and not (files / whole_file.TORN).exists():
            raise NotPossible(f"{file.path} was changed since. What was there before is in {files / _BEFORE}.")
        old = whole_file.read(files / _BEFORE).data
        if whole_file.digest(old) != saved["before"]:
            raise NotPossible(f"{files / _BEFORE} is not what was kept there.")
        register_text(old.decode("utf-8", "replace"))
        whole_file.may_be_written(file)
        (files / whole_file.TORN).unlink(missing_ok=True)
        whole_file.write(file, old, files)
        return True


class EnvEdit(EnvChange):
    """``env.edit``: single lines, told by number and by name."""

    action: EditEnv

    def words(self) -> str:
        return f"{_verbs(self.action.edits)} of {self.file.path}."

    def changed(self) -> bytes:
        lines = lines_of(self.file.data)
        before = self._parsed(self.file.data)
        for edit in self.action.edits:
            if not 1 <= edit.line <= len(lines):
                raise NotPossible(f"{self.file.path} has no line {edit.line} any more.")
            lines[edit.line - 1] = _edited(edit, lines[edit.line - 1], before, self.file)
        candidate = b"".join(lines)
        if candidate != self.file.data:
            self._accept(before, candidate)
        return candidate

    def _parsed(self, data: bytes) -> tuple[Assignment, ...] | None:
        try:
            return parse(data, self.lookup)
        except DotenvRefused:
            return None

    def _accept(self, before: tuple[Assignment, ...] | None, candidate: bytes) -> None:
        """Exactly the lines that are meant change, as the parser of Compose reads them. Raises ``NotPossible``."""
        after = self._parsed(candidate)
        if after is None:
            raise NotPossible(f"Compose would not accept {self.file.path} even then, so it was left alone.")
        numbers = {edit.line for edit in self.action.edits}
        left = [a for a in after if a.line not in numbers]
        if before is not None and left != [a for a in before if a.line not in numbers]:
            raise NotPossible(f"Other settings of {self.file.path} would change as well, so it was left alone.")
        if before is None and left != list(self._parsed(_blanked(self.file.data, numbers)) or ()):
            raise NotPossible(f"Other settings of {self.file.path} would change as well, so it was left alone.")
        old = {a.line: a for a in before or ()}
        new = {a.line: a for a in after}
        wrong = [edit.line for edit in self.action.edits if not _as_meant(edit, old.get(edit.line), new.get(edit.line))]
        if wrong:
            raise NotPossible(f"Line {wrong[0]} of {self.file.path} would not become what is meant, so the file was left alone.")


class EnvReencode(EnvChange):
    """``env.reencode``: the same settings, in bytes that every reader understands."""

    action: ReencodeEnv

    def words(self) -> str:
        how = {
            Encoding.UTF16: f"Converts {self.file.path} from UTF-16 to UTF-8",
            Encoding.NUL: f"Deletes the NUL bytes of {self.file.path}",
            Encoding.CARRIAGE_RETURN: f"Gives {self.file.path} Unix line ends",
        }
        return f"{how[self.action.wrong]}."

    def changed(self) -> bytes:
        data = self.file.data
        if self.action.wrong is Encoding.NUL:
            changed = data.replace(b"\0", b"")
        elif self.action.wrong is Encoding.CARRIAGE_RETURN:
            changed = data.replace(b"\r\n", b"\n")
        else:
            changed = self._from_utf16(data)
        register_text(changed.decode("utf-8", "replace"))
        try:
            after = parse(changed, self.lookup)
        except DotenvRefused as refused:
            raise NotPossible(f"Compose would not accept {self.file.path} even then (line {refused.line}).") from refused
        if self.action.wrong is Encoding.CARRIAGE_RETURN and _values(after) != _values(parse(data, self.lookup)):
            raise NotPossible(f"A value of {self.file.path} would change as well, so it was left alone.")
        return changed

    def _from_utf16(self, data: bytes) -> bytes:
        if b"\0" not in data:
            return data  # it is done already
        kind = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"
        try:
            return data.decode(kind).replace("\r\n", "\n").encode()
        except UnicodeDecodeError as error:
            raise NotPossible(f"{self.file.path} is not whole UTF-16.") from error

    def preview(self) -> Preview:
        lines: tuple[str, ...] = ()
        if self.action.wrong is Encoding.UTF16:
            lines = (f"{len(self.candidate.splitlines())} lines, {len(self.file.data)} bytes become {len(self.candidate)}",)
        return Preview(self.words(), "Change the file?", lines, rests_on(self.file))


def examined(path: str, site: Site) -> Path:
    """The ``.env`` that was examined; no other file is ever changed. Raises ``NotPossible``."""
    env = site.store.get(EnvFile)
    if isinstance(env, Unavailable) or path not in (str(env.path), str(env.itself)):
        raise NotPossible(f"{path} is not the .env that was examined.")
    return env.path


def rests_on(file: WholeFile) -> Mapping[str, str]:
    return {f"file {file.path}": file.digest}


def lines_of(data: bytes) -> list[bytes]:
    """Lines as their numbers count them: only a line feed ends one."""
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])


def _edited(edit: LineEdit, line: bytes, before: tuple[Assignment, ...] | None, file: WholeFile) -> bytes:
    """The line as it becomes; as it is where that is done already. Raises ``NotPossible`` where another one stands there."""
    bom = b"\xef\xbb\xbf" if edit.line == 1 and line.startswith(b"\xef\xbb\xbf") else b""
    text = line[len(bom) :]
    body = text.rstrip(b"\r\n")
    end = text[len(body) :]
    on_it = next((a for a in before or () if a.line == edit.line), None)
    if _is_done(edit, body, on_it):
        return line
    if edit.key is not None and before is not None and (on_it is None or on_it.key != edit.key):
        raise NotPossible(f"{edit.key} is not on line {edit.line} of {file.path} any more.")
    if edit.change is LineChange.COMMENT_OUT:
        return bom + b"# " + body + end
    if edit.change is LineChange.WRITE:
        return bom + edit.to.encode() + end
    if edit.change is LineChange.RENAME:
        return (
            bom
            + re.sub(
                rb"(^|\s)" + re.escape((edit.key or "").encode()) + rb"(?=\s*[=:])", rb"\1" + edit.to.encode(), body, count=1
            )
            + end
        )
    if edit.change is LineChange.DROP_SET:
        return bom + re.sub(rb"^ *set +", b"", body) + end
    tokens: set[bytes] = set(_TOKEN.findall(body)) or set(_TWICE.findall(body))
    if len(tokens) != 1:
        raise NotPossible(f"Line {edit.line} of {file.path} does not hold one whole token.")
    return bom + (edit.key or "").encode() + b"=" + tokens.pop() + end


def _is_done(edit: LineEdit, body: bytes, on_it: Assignment | None) -> bool:
    if edit.change is LineChange.COMMENT_OUT:
        return body.lstrip().startswith(b"#") or not body.strip()
    if edit.change is LineChange.WRITE:
        return body == edit.to.encode()
    if edit.change is LineChange.RENAME:
        return on_it is not None and on_it.key == edit.to
    if edit.change is LineChange.DROP_SET:
        return not re.match(rb" *set +", body)
    return re.fullmatch(re.escape((edit.key or "").encode()) + rb"=hf_[A-Za-z0-9]{34}", body) is not None


def _as_meant(edit: LineEdit, old: Assignment | None, new: Assignment | None) -> bool:
    if edit.change is LineChange.COMMENT_OUT:
        return new is None
    if new is None:
        return False
    if edit.change is LineChange.RENAME:
        return new.key == edit.to and old is not None and new.value == old.value
    if edit.change is LineChange.WRITE:
        name, _, value = edit.to.partition("=")
        return (new.key, new.value) == (name, value)
    if edit.change is LineChange.KEEP_TOKEN:
        return new.key == edit.key and re.fullmatch(r"hf_[A-Za-z0-9]{34}", new.value or "") is not None
    return new.value is not None


def _blanked(data: bytes, numbers: set[int]) -> bytes:
    return b"".join(b"\n" if number in numbers else line for number, line in enumerate(lines_of(data), 1))


def _values(assignments: tuple[Assignment, ...]) -> list[tuple[str, str | None]]:
    return [(a.key, a.value) for a in assignments]


def _verbs(edits: tuple[LineEdit, ...]) -> str:
    """``Comments out line 371``, ``Renames HF_TOKEN on line 4 to HUGGINGFACE_TOKEN and comments out lines 5 and 9``."""
    said = []
    for change in dict.fromkeys(edit.change for edit in edits):
        same = [edit for edit in edits if edit.change is change]
        numbers = [str(edit.line) for edit in same]
        place = f"line {numbers[0]}" if len(numbers) == 1 else f"lines {', '.join(numbers[:-1])} and {numbers[-1]}"
        if change is LineChange.COMMENT_OUT:
            said.append(f"comments out {place}")
        elif change is LineChange.RENAME:
            said.append(f"renames {same[0].key} on {place} to {same[0].to}")
        elif change is LineChange.WRITE:
            said.append(f"writes {same[0].to} on {place}")
        elif change is LineChange.KEEP_TOKEN:
            said.append(f"keeps only the token on {place}")
        else:
            said.append(f"deletes the word set at the beginning of {place}")
    text = " and ".join(said)
    return text[0].upper() + text[1:]


def diff(before: bytes, after: bytes, around: int = 0) -> tuple[str, ...]:
    """The lines that change, with their numbers and so many others around them; the values of secrets masked."""
    for data in (before, after):
        register_text(data.decode("utf-8", "replace"))
    old, new = lines_of(before), lines_of(after)
    shown: list[str] = []
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(around):
        for kind, i, j, k, m in group:
            if kind == "equal":
                shown += [f" {number + 1:>5}  {shown_line(old[number])}" for number in range(i, j)]
                continue
            shown += [f"-{number + 1:>5}  {shown_line(old[number])}" for number in range(i, j)]
            shown += [f"+{number + 1:>5}  {shown_line(new[number])}" for number in range(k, m)]
    return tuple(shown[:40]) + ((f"… and {len(shown) - 40} lines more",) if len(shown) > 40 else ())


def shown_line(line: bytes) -> str:
    """A line of settings as it may be shown; of one that is no setting only its length."""
    text = line.rstrip(b"\r\n").decode("utf-8", "replace").removeprefix("\ufeff")
    setting = _SETTING.fullmatch(text)
    if setting is None:
        return f"(a line of {len(text)} characters)" if text.strip() else text
    value = setting["value"]
    masked = str(keep(setting["name"], value)) if value.strip() else value
    return redact(printable(f"{setting['before']}{setting['name']}{setting['sign']}{masked}"))
