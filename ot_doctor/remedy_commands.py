"""What can be told of a shell command without running it: a remedy's ends by itself, asks nothing and works from any folder."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from ot_doctor.check import Risk

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
    return words[0] in ("docker", "docker-compose", "podman")


def _is_compose(words: list[str]) -> bool:
    return words[0] == "docker-compose" or words[:2] in (["docker", "compose"], ["podman", "compose"])


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
