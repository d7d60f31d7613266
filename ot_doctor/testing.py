"""What every check keeps to, for the tests of whoever writes one::

    from ot_doctor.testing import assert_conforms, assert_findings_conform

    def test_the_check_keeps_to_the_rules() -> None:
        assert_conforms(my_check)

    def test_it_fails_where_the_worker_is_wrong() -> None:
        findings = my_check(workers)
        assert_findings_conform(my_check, findings)
        assert findings[0].status is Status.FAIL

The built-in checks are held to the same rules. ``problems_of`` and ``problems_of_findings`` return what is wrong as sentences.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from ot_doctor.check import Cause, Check, Family, Finding, Risk, Status, Step
from ot_doctor.core.printable import printable
from ot_doctor.evidence import Request, Unavailable
from ot_doctor.redaction.masking import redact
from ot_doctor.run.runner import run
from ot_doctor.sources.store import SOURCES, Store, parameters

_SHORTEST_EXPLANATION = 80  # characters
_LONGEST_LINE = 130
_TITLE = range(10, 61)
_NO_STATE = re.compile(
    r"(?:checks?|verif(?:y|ies)|tests?|ensures?|validates?|make sure|whether|if|is|are|does|do|can|has)\b", re.IGNORECASE
)
_NOT_HAD = Unavailable("it is not available", hint="Make it so.", command="make it so")
_SWITCHED_OFF = Unavailable("it was left out", switched_off=True)
_SHELLS = ("sh", "bash", "dash", "zsh")
_GOES_ON = ("watch", "top", "htop", "less", "more")
_ASKS = ("nano", "vi", "vim", "nvim", "emacs", "passwd", "read", "visudo", "crontab")
_PACKAGES = ("apt", "apt-get", "dnf", "yum", "zypper")
_INSTALLS = ("install", "remove", "upgrade", "full-upgrade", "purge")
_CHANGES = ("rm", "mv", "cp", "chown", "chmod", "chgrp", "mkdir", "rmdir", "tee", "truncate", "ln", "touch", "dd")
_RESTARTS = ("up", "down", "restart", "stop", "start", "kill", "pause", "unpause", "rm", "rollback")
_BY_FOLDER = (".env", "docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml", ".", "..")
_PLACE = re.compile(r"<[A-Za-z][\w -]*>|…|\.\.\.")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")


def assert_conforms(check: Check, known: Iterable[str] | None = None) -> None:
    """Raises ``AssertionError`` that lists what ``problems_of`` finds."""
    _assert_none(check, problems_of(check, known))


def assert_findings_conform(check: Check, findings: Iterable[Finding]) -> None:
    """Raises ``AssertionError`` that lists what ``problems_of_findings`` finds."""
    _assert_none(check, problems_of_findings(check, findings))


def problems_of(check: Check, known: Iterable[str] | None = None) -> tuple[str, ...]:
    """What is wrong with a check's metadata, and with what it says where no evidence can be had.

    ``known`` are the names of all checks that will be installed beside it; with it, those of ``after`` must be among them.
    """
    problems = [*_of_metadata(check), *_of_order(check, known), *_of_parameters(check)]
    return tuple(problems if problems else _without_evidence(check))


def problems_of_findings(check: Check, findings: Iterable[Finding]) -> tuple[str, ...]:
    """What is wrong with findings that the check returned."""
    listed = list(findings)
    if not listed:
        return ("it returned no finding: say that it passed, or why there is nothing to check",)
    problems = (f"{problem}, in the finding '{finding.message}'" for finding in listed for problem in _of_finding(check, finding))
    return tuple(redact(printable(problem)) for problem in problems)


def _assert_none(check: Check, problems: Sequence[str]) -> None:
    assert not problems, f"the check {check.name} does not conform:\n" + "\n".join(f"- {problem}" for problem in problems)


def _of_metadata(check: Check) -> Iterator[str]:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)+", check.name):
        yield f"the name '{check.name}' is not two or more lower-case words joined by hyphens"
    if not isinstance(check.family, Family):
        yield "its family is none of those that there are"
    if len(check.title) not in _TITLE or not check.title[:1].isupper() or check.title.endswith((".", "?", "!")):
        length = f"{_TITLE.start} to {_TITLE.stop - 1}"
        yield f"the title '{check.title}' is not {length} characters that begin with a capital, without a full stop"
    if _NO_STATE.match(check.title):
        yield f"the title '{check.title}' tells no desired state, such as 'The worker has a token'"
    if len(check.explanation) < _SHORTEST_EXPLANATION or check.title in check.explanation:
        yield f"the explanation has fewer than {_SHORTEST_EXPLANATION} characters, or repeats the title"
    if any(len(line) > _LONGEST_LINE for line in check.explanation.splitlines()):
        yield f"the explanation has lines of more than {_LONGEST_LINE} characters"
    if re.search(r"\b(?:TODO|FIXME|XXX)\b", check.explanation):
        yield "the explanation is not finished"
    if not all(isinstance(cause, Cause) for cause in check.causes):
        yield "a cause that it declares is none of those that there are"
    if len(set(check.causes)) < len(check.causes):
        yield "it declares a cause twice"


def _of_order(check: Check, known: Iterable[str] | None) -> Iterator[str]:
    if check.name in check.after:
        yield "it comes after itself"
    missing = [] if known is None else sorted(set(check.after) - set(known) - {check.name})
    if missing:
        yield f"it comes after {', '.join(missing)}, which there is not"


def _of_parameters(check: Check) -> Iterator[str]:
    try:
        if not parameters(check.function):
            yield "it asks for no evidence: give its parameters the types of ot_doctor.evidence"
    except (TypeError, NameError, AttributeError) as error:
        yield f"what it asks for is no evidence: {error}"


def _without_evidence(check: Check) -> Iterator[str]:
    if all(kind is Request for kind, _ in parameters(check.function).values()):
        return
    for reason, allowed in ((_NOT_HAD, {Status.UNKNOWN, Status.SKIP}), (_SWITCHED_OFF, {Status.SKIP})):
        (result,) = run({check.name: check}, Store(Request(), {kind: reason for kind in SOURCES}))
        wrong = [finding for finding in result.findings if finding.status not in allowed or "itself failed" in finding.message]
        if wrong:
            said = "is switched off" if reason.switched_off else "cannot be had"
            wanted = " or ".join(sorted(status.value for status in allowed))
            yield f"where its evidence {said}, it says '{wrong[0].status.value}: {wrong[0].message}' and not {wanted}"
        elif any(finding.status is Status.UNKNOWN and not finding.remedy for finding in result.findings):
            yield "where its evidence cannot be had, it does not say what would make it known"


def _of_finding(check: Check, finding: Finding) -> Iterator[str]:
    if finding.cause is not None and finding.cause not in check.causes:
        yield f"the cause {finding.cause.value} is not declared: add it to 'causes'"
    if finding.status is Status.FAIL and not finding.evidence:
        yield "it fails and does not show what was seen"
    if finding.status is Status.UNKNOWN and not finding.remedy:
        yield "it is unknown and does not say what would make it known"
    if finding.status in (Status.PASS, Status.SKIP) and (finding.cause or finding.remedy):
        yield f"it is a {finding.status.value} and has a cause or a remedy"
    for text in _texts(finding):
        if redact(text) != text:
            yield "a text holds a secret, or something of the shape of one: use Secret, and its shape"
        if printable(text) != text:
            yield "a text holds control characters"
    for step in finding.remedy:
        yield from _of_step(step)


def _of_step(step: Step) -> Iterator[str]:
    if not step.text.strip():
        yield "a step of the remedy has no sentence"
    if step.url is not None and not re.match(r"https?://\S+$", step.url):
        yield f"the link {step.url!r} is no address"
    if step.command is None:
        return
    for problem in problems_of_command(step.command):
        yield f"the command {step.command!r} {problem}"
    if step.risk is Risk.SAFE and risk_of_command(step.command) is not Risk.SAFE:
        yield f"the command {step.command!r} is called safe and must be Risk.{risk_of_command(step.command).name}"


def _texts(finding: Finding) -> Iterator[str]:
    yield from (finding.message, finding.subject or "", finding.expected or "")
    for seen in finding.evidence:
        yield from (seen.where, seen.text)
    for step in finding.remedy:
        yield from (step.text, step.command or "", step.url or "")


# -- what can be told of a remedy's command without running it ---------------------------------------------------------


def problems_of_command(command: str) -> tuple[str, ...]:
    """Why the command does not end by itself, asks something, or works from one folder alone; as far as that can be told."""
    if _PLACE.search(command):
        return ("has a place that somebody must fill in",)
    try:
        parts = _parts(command)
    except ValueError:
        return ("has a quote that is not closed",)
    problems = []
    moved = False
    for words in parts:
        if _never_ends(words):
            problems.append(f"does not end by itself ({words[0]})")
        if _asks(words):
            problems.append(f"asks something ({words[0]})")
        if not moved and _by_folder(words):
            problems.append(f"works from one folder alone ({words[0]})")
        moved = moved or (words[0] == "cd" and len(words) > 1 and words[1].startswith(("/", "~", "$")))
    return tuple(dict.fromkeys(problems))


def risk_of_command(command: str) -> Risk:
    """The risk that the command's words show; ``SAFE`` where they show none."""
    try:
        parts = _parts(command)
    except ValueError:
        return Risk.SAFE
    if any(_changes(words) for words in parts):
        return Risk.CHANGES_FILES
    return Risk.RESTARTS if any(_restarts(words) for words in parts) else Risk.SAFE


def _parts(command: str) -> list[list[str]]:
    """The simple commands of a shell command, those of ``sh -c`` among them, without ``sudo`` and assignments."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    parts: list[list[str]] = [[]]
    for word in lexer:
        if set(word) <= set(";&|()"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [found for words in parts for found in _unwrapped(words)]


def _unwrapped(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] == "sudo" or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if not words:
        return
    yield words
    for at, word in enumerate(words[:-2]):
        if word.rpartition("/")[2] in _SHELLS and words[at + 1] == "-c":
            yield from _parts(words[at + 2])


def _subcommand(words: list[str], names: tuple[str, ...]) -> tuple[str, list[str]]:
    """The first of the names after the program's own, and what follows it; empty where none is there."""
    for at, word in enumerate(words[1:], 1):
        if word in names:
            return word, words[at + 1 :]
    return "", []


def _is_docker(words: list[str]) -> bool:
    return words[0] in ("docker", "docker-compose", "podman", "podman-compose")


def _is_compose(words: list[str]) -> bool:
    at = 3 if words[:2] == ["podman", "--url"] else 1
    return words[0] in ("docker-compose", "podman-compose") or (_is_docker(words) and words[at : at + 1] == ["compose"])


def _has(words: list[str], *options: str) -> bool:
    """Whether an option is among the words; one letter also within others (``-it``)."""
    letters = {option[1] for option in options if re.fullmatch(r"-\w", option)}
    return any(
        word.partition("=")[0] in options or (re.fullmatch(r"-[A-Za-z]+", word) and letters & set(word[1:])) for word in words
    )


def _never_ends(words: list[str]) -> bool:
    if words[0] in _GOES_ON or words[:2] == ["sleep", "infinity"]:
        return True
    if words[0] in ("tail", "journalctl"):
        return _has(words, "-f", "--follow", "-F")
    if words[0] == "ping":
        return not _has(words, "-c")
    if not _is_docker(words):
        return False
    name, rest = _subcommand(words, ("logs", "up", "stats", "events", "attach", "exec", "run"))
    return (
        (name == "logs" and _has(rest, "-f", "--follow"))
        or (name == "up" and not _has(rest, "-d", "--detach", "--wait"))
        or (name == "stats" and "--no-stream" not in rest)
        or name in ("events", "attach")
    )


def _asks(words: list[str]) -> bool:
    if words[0] in _ASKS or (len(words) == 1 and words[0] in (*_SHELLS, "python", "python3")):
        return True
    if words[0] in _PACKAGES:
        return any(word in _INSTALLS for word in words) and not _has(words, "-y", "--yes", "--assume-yes")
    if words[0] in ("hf", "huggingface-cli"):
        return "login" in words
    if not _is_docker(words):
        return False
    name, rest = _subcommand(words, ("exec", "run", "login", "prune", "rm"))
    interactive = name in ("exec", "run") and (
        any(word in ("-it", "-ti", "--interactive", "--tty") for word in rest) or rest[:1] in (["-i"], ["-t"])
    )
    unforced = name == "prune" or (name == "rm" and _is_compose(words))
    return interactive or name == "login" or (unforced and not _has(rest, "-f", "--force"))


def _by_folder(words: list[str]) -> bool:
    if words[0] == "cd":
        return len(words) > 1 and not words[1].startswith(("/", "~", "$"))
    if _is_compose(words):
        name, _ = _subcommand(words, ("version", "ls"))
        return not name and not _has(words, "-f", "--file", "--project-directory")
    if "/" in words[0] and not words[0].startswith(("/", "~", "$")):
        return True
    return "-C" not in words and any(word in _BY_FOLDER or word.startswith(("./", "../")) for word in words[1:])


def _changes(words: list[str]) -> bool:
    if words[0] in _CHANGES or ">" in words or ">>" in words:
        return True
    if words[0] == "sed":
        return _has(words, "-i", "--in-place")
    if words[0] == "git":
        return "rm" in words
    name, rest = _subcommand(words, ("exec", "run")) if _is_docker(words) else ("", [])
    return bool(name) and any(word in _CHANGES for word in rest)


def _restarts(words: list[str]) -> bool:
    if words[0] == "systemctl":
        return any(word in ("restart", "stop", "start", "reload") for word in words)
    if not _is_docker(words):
        return False
    name, _ = _subcommand(words, ("exec", "run", "logs", "inspect", *_RESTARTS))
    return name in _RESTARTS
