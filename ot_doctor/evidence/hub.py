"""What the Hugging Face Hub answers to the worker's token."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Answer(enum.Enum):
    """The values are what bundles hold; ``words`` is what a person reads."""

    OK = "ok"
    NO_TOKEN = "no token"  # 401 GatedRepo: the request counted as anonymous
    BAD_TOKEN = "bad token"  # 401 otherwise
    EXPIRED_TOKEN = "expired token"
    NOT_ACCEPTED = "agreement not accepted"
    PENDING = "access pending"
    REJECTED = "access rejected"
    SCOPE = "fine-grained permission"
    NOT_FOUND = "not found"
    PROXY = "proxy or policy"
    RATE_LIMITED = "rate limit"
    UNAVAILABLE = "outage"
    DNS = "name not resolved"
    REFUSED = "connection refused or cut"
    TIMEOUT = "timeout"
    TLS = "certificate or handshake"
    NOT_ASKED = "not asked"

    @property
    def words(self) -> str:
        """The answer in the Hub's own words."""
        return _WORDS.get(self, self.value)

    @property
    def unreachable(self) -> bool:
        """Nothing about token or access can be concluded from it."""
        return self in (
            Answer.PROXY, Answer.RATE_LIMITED, Answer.UNAVAILABLE, Answer.DNS, Answer.REFUSED, Answer.TIMEOUT, Answer.TLS
        )


_WORDS = {
    Answer.NOT_ACCEPTED: "the gated model's terms are not accepted",
    Answer.PENDING: "the access request is pending",
    Answer.REJECTED: "the access request was rejected",
}


@dataclass(frozen=True)
class FileAnswer:
    """The answer to a HEAD of one file of a repository."""

    repo: str
    file: str
    answer: Answer
    status: int | None = None  # HTTP
    text: str = ""  # the Hub's own words, made printable and redacted


@dataclass(frozen=True)
class Identity:
    """The answer to ``whoami`` with the worker's token."""

    answer: Answer
    account: str = ""
    account_type: str = ""  # "user", "org", "app"
    token_name: str = ""  # the display name that its owner gave it
    role: str = ""  # "read", "write", "fineGrained"
    can_read_gated: bool | None = None  # fine-grained tokens only
    text: str = ""


@dataclass(frozen=True)
class Hub:
    """Answers of the Hub that the worker uses. Made with the worker's token, never with the login of whoever runs the doctor."""

    endpoint: str  # "https://huggingface.co"
    endpoint_from: str  # "the default", "the environment of opentranscribe-celery-worker", "the doctor's environment"
    identity: Identity
    files: tuple[FileAnswer, ...]
    public: FileAnswer  # an anonymous request of a public file: can the Hub be reached at all
    token_sent: bool  # False: none was usable, or the endpoint is plain http and not loopback
    not_sent_reason: str = ""

    @property
    def is_default(self) -> bool:
        return self.endpoint == "https://huggingface.co"

    def of(self, repo: str) -> FileAnswer | None:
        """The worst answer for a repository: the first one that is not OK."""
        answers = [f for f in self.files if f.repo == repo]
        return next((f for f in answers if f.answer is not Answer.OK), answers[0] if answers else None)
