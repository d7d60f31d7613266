"""The only way out: what leaves is without secrets and names of persons; with ``strict``, without names of places."""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from functools import cache
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

from ot_doctor.core.printable import printable
from ot_doctor.redaction import registry
from ot_doctor.redaction.common_words import WORDS, is_common
from ot_doctor.redaction.counting import HOME_MARK, USER_MARK, Stand, places_of, plain, stands, unmarked
from ot_doctor.redaction.masking import redact, redact_outside
from ot_doctor.redaction.secret import Shape
from ot_doctor.redaction.shell import in_command

if TYPE_CHECKING:
    from ot_doctor.redaction.locations import Places

T = TypeVar("T")
BUNDLE_HOME = "/home/user"  # what the home folder is in a bundle, where paths must stay absolute
USER = "user"
# Names that say nothing of a person, and those that are words of a report.
_NOBODY_WORDS = """
    root user admin administrator adm nobody guest test tester demo dev devel developer ops deploy deployer app appuser web
    www www-data http docker podman ubuntu debian fedora centos rocky almalinux alpine arch ec2-user azureuser opc core
    vagrant pi runner jenkins gitlab-runner buildkite-agent git svn node python celery redis postgres mysql minio nginx worker
    workers backend frontend server service services system daemon local home data media model models cache speaker audio
    video max min env host gpu cpu cuda hub log logs token access memory network disk file files whisper torch agent engine
    compose true false none null
"""
_NOBODY = frozenset(_NOBODY_WORDS.split())
_MASK = re.compile(r"(hf_|api_org_|api_|eyJ|e-mail|private key)?(?:…|\.\.\.)\(\d+(?::([0-9a-f]{4}))?\)")
_NAMES_BY_PREFIX = {
    "hf_": "Hugging Face token", "api_org_": "Hugging Face token", "api_": "Hugging Face token", "eyJ": "JSON web token",
    "e-mail": "e-mail address", "private key": "private key",
}  # fmt: skip
_MARKED = {HOME_MARK: "home folder", USER_MARK: "user name"}
_FROM_OUTSIDE = {  # texts that nobody here wrote, by type and field
    ("Record", "text"), ("Hit", "subject"), ("Attempt", "subject"), ("Worker", "error"), ("FileAnswer", "text"),
    ("Identity", "text"),
}  # fmt: skip
_IDENTIFIERS = {  # by which things are told apart and looked up: secrets alone are hidden in them
    ("Record", "task"), ("Hit", "signature"), ("Hit", "cause"), ("Attempt", "task"), ("Attempt", "cause"), ("Worker", "id"),
}  # fmt: skip
_LEFT_AS_THEY_ARE = {("Result", "check")}
_LEAKED_TOKEN = re.compile(r"hf_[A-Za-z0-9]{30,}")


@dataclass(frozen=True)
class Hidden:
    """What was hidden: ``HUGGINGFACE_TOKEN``, ``e-mail address``, ``home folder``; and in how many places."""

    name: str
    count: int


class Redactor:
    """Hides what must not leave, alike in every text of one report: of strings, collections and dataclasses of any kind.

    ``level`` is "default" or "strict"; ``home`` and ``user`` are those of whoever runs the doctor, empty where there is none.
    """

    def __init__(self, level: str = "default", home: str = "", user: str = "") -> None:
        home = home.rstrip("/")
        self._home = _whole_path(home) if home.startswith("/") and home != "/home/appuser" else None
        self._user = _whole_word(user) if len(user) > 2 and user not in _NOBODY | WORDS else None
        self._places = _places() if level == "strict" else None
        self._counts: Counter[str] = Counter()
        self._counting = False
        self._stands: set[tuple[str, Stand]] = set()
        self._done: dict[tuple[str, str], str] = {}

    def text(self, text: str) -> str:
        """The text as it may be shown. What is left of it is the same when it is redacted again."""
        return self._cleaned(text, "~")

    def command(self, command: str) -> str:
        """A shell command that still does the same for the same user: its home is ``$HOME``, its name ``$(id -un)``.

        Where a secret was a part of it, or a name that only ``strict`` hides, the command does something else: compare.
        """
        key = ("command", command)
        if key not in self._done:
            shown = redact(command)
            for pattern, value, name in ((self._home, "$HOME", "home folder"), (self._user, "$(id -un)", "user name")):
                if pattern is not None:
                    shown, count = in_command(shown, pattern, value)
                    self._count(name, count)
                    self._stands |= {(name, Stand("", value, ""))} if count else set()
            self._done[key] = self._without_places(shown)
            self._count_masks(self._done[key])
        return self._done[key]

    def learn(self, evidence: object) -> None:
        """With ``strict``: take the names of hosts, projects and folders from evidence, to hide them in all that comes after."""
        if self._places is not None:
            self._places.learn(evidence)

    def value(self, value: T, *, counted: bool = True) -> T:
        """The value with every string in it redacted. ``counted``: the redaction summary speaks of it."""
        self._counting = counted
        walked: T = self._walked(value, "~")
        self._counting = False
        return walked

    def evidence(self, value: T) -> T:
        """Evidence as it may go into a bundle: the home folder is ``/home/user``, so that paths stay absolute."""
        self.learn(value)
        walked: T = self._walked(value, BUNDLE_HOME)
        return walked

    def summary(self) -> tuple[Hidden, ...]:
        """What was hidden in the values that are counted, the most frequent first; each different text is counted once."""
        return tuple(Hidden(name, count) for name, count in self._counts.most_common())

    def hidden_in(self, document: str) -> tuple[Hidden, ...]:
        """What is hidden in a finished document, and in how many places of it, the most frequent first."""
        text = plain(document)
        counts: Counter[str] = Counter()
        for prefix, digits in _MASK.findall(text):
            counts[redact(_name_of(prefix, digits))] += 1
        counts.update(self._places.hidden_in(text) if self._places else ())
        for name in sorted({name for name, _ in self._stands}):
            counts[name] = places_of((stand for other, stand in self._stands if other == name), text)
        return tuple(Hidden(name, count) for name, count in counts.most_common() if count)

    def _walked(self, value: Any, home: str) -> Any:
        """The value without what is hidden; the same object where nothing is."""
        if isinstance(value, str):
            shown = self._cleaned(value, home)
            return value if shown == value else shown
        if value is None or isinstance(value, (bool, int, float, Enum, datetime)):  # most fields, and nothing to look for
            return value
        if isinstance(value, PurePath):
            shown = self._cleaned(str(value), home)
            return value if shown == str(value) else type(value)(shown)
        if isinstance(value, (tuple, list)):
            items = [self._walked(item, home) for item in value]
            return value if all(map(operator.is_, items, value)) else type(value)(items)
        if isinstance(value, (frozenset, set)):
            return type(value)(self._walked(item, home) for item in value)
        if isinstance(value, Mapping):
            return {self._walked(key, home): self._walked(item, home) for key, item in value.items()}
        if is_dataclass(value) and not isinstance(value, (type, Shape)):
            return self._walked_dataclass(value, home)
        return value

    def _walked_dataclass(self, value: Any, home: str) -> Any:
        changes = {}
        for name, settable, place in _fields_of(value.__class__):
            old = new = getattr(value, name)
            if isinstance(new, str) and place in _FROM_OUTSIDE:
                new = redact_outside(new)
            if isinstance(new, str) and place in _IDENTIFIERS:
                new = redact(new)
            elif name == "command" and isinstance(new, str) and home == "~":
                new = self.command(new)
            else:
                new = self._walked(new, home)
            if settable and new is not old:
                changes[name] = new
        return replace(value, **changes) if changes else value

    def _cleaned(self, text: str, home: str) -> str:
        key = (home, text)
        if key not in self._done:
            shown = redact(printable(text))
            marks = {HOME_MARK: home, USER_MARK: USER}
            for pattern, mark in ((self._home, HOME_MARK), (self._user, USER_MARK)):
                if pattern is not None:
                    shown, count = pattern.subn(mark, shown)
                    self._count(_MARKED[mark], count)
            for mark in marks:
                if mark in shown:
                    self._stands |= {(_MARKED[mark], stand) for stand in stands(shown, mark, marks)}
            shown = unmarked(shown, marks)
            self._done[key] = self._without_places(shown)
            self._count_masks(self._done[key])
        return self._done[key]

    def _without_places(self, text: str) -> str:
        if self._places is None:
            return text
        shown, counts = self._places.hidden(text)
        for name, count in counts.items():
            self._count(name, count)
        return shown

    def _count_masks(self, text: str) -> None:
        for prefix, digits in _MASK.findall(text) if "(" in text else ():
            self._count(_name_of(prefix, digits), 1)

    def _count(self, name: str, count: int) -> None:
        if self._counting and count:
            self._counts[redact(name)] += count  # a variable may be called anything


@cache
def _fields_of(kind: type) -> tuple[tuple[str, bool, tuple[str, str]], ...]:
    """The fields that are walked: name, whether ``__init__`` takes it, and its place in the tables above."""
    walked = ((field, (kind.__name__, field.name)) for field in fields(kind))
    return tuple((field.name, field.init, place) for field, place in walked if place not in _LEFT_AS_THEY_ARE)


def _name_of(prefix: str, digits: str) -> str:
    """What a mask stands for."""
    return registry.current().masked_name(digits) or _NAMES_BY_PREFIX.get(prefix) or "secret value"


def leaks(data: bytes) -> tuple[str, ...]:
    """The names of the known secrets that stand in finished bytes, in any form that ``redact`` knows; empty is good.

    Words and numbers that a document may hold by chance (``is_common``) raise no alarm.
    """
    text = data.decode("utf-8", "replace")
    secrets = registry.current()
    found = [hit for hit in secrets.find(text) if not is_common(hit.value)]
    names = dict.fromkeys(secrets.name_of(hit.value) or "a secret value" for hit in found)
    known = {text[hit.start : hit.end] for hit in found}
    tokens = set(_LEAKED_TOKEN.findall(text)) - known
    if any(len(set(token)) > 6 for token in tokens):  # else an example
        names.setdefault("a Hugging Face token")
    return tuple(names)


def _places() -> Places:
    from ot_doctor.redaction.locations import Places

    return Places()


def _whole_path(path: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.-]){re.escape(path)}(?![\w-]|\.\w)")


def _whole_word(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w$]){re.escape(name)}(?!\w)")
