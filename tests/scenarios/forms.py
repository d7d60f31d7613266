"""The forms of the commands that remedies print: each is pasted twice in some test, whatever names and numbers it has there."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What is not, and why.
NOT_PASTED = {
    "compose up --pull always": "It asks a registry for images, and none can be reached.",
    "hf download, tar": "It asks huggingface.co for models.",
    "stack deploy": "Compose's files of a Swarm have a test of their own; it leaves what is the same as it is.",
    "service update": "A Swarm makes its tasks anew each time; it has a test of its own.",
    "sudo chcon": "It needs SELinux.",
    "sudo setfacl": "It needs access control lists.",
    "logs": "It writes the same file once more, in the folder of whoever pastes it.",
}
_FORMS = (
    (r"docker compose .* up -d --force-recreate --no-deps --pull never --no-build ", "compose up --force-recreate"),
    (r"docker compose .* up -d --no-recreate --pull (missing|never) --no-build ", r"compose up --no-recreate --pull \1"),
    (r"docker compose .* up -d --no-deps --pull never --no-build ", "compose up --no-deps"),
    (r"docker compose .* up -d --pull always$", "compose up --pull always"),
    (r"docker stack deploy ", "stack deploy"),
    (r"docker run .* --entrypoint (\w+) --mount \S*type=(\w+)", r"run \1 in a \2"),
    (r"docker exec (?:-u 0|--user 0:0) \S+ (\w+)", r"exec \1"),
    (r"docker inspect .* \|\| docker unpause ", "unpause"),
    (r"docker restart ", "restart"),
    (r"docker service update --force ", "service update"),
    (r"(?:docker|podman) (builder|image) prune -f$", r"\1 prune"),
    (r"docker logs .* > ", "logs"),
    (r"git -C .* rm --cached ", "git rm"),
    (r"\[ ! -d .* \] \|\| rmdir ", "rmdir"),
    (r"\[ -f .* \] \|\| \{ rmdir .* cp ", "rmdir, cp"),
    (r"\[ -e .* \] \|\| \(umask 077; cp ", "cp"),
    (r"\[ -e .* \] \|\| \{ mv .* cp ", "mv, cp"),
    (r"\[ -e .* \] \|\| \{ mv ", "mv"),
    (r"tr -d .* \| cmp .* iconv ", "iconv"),
    (r"t=\$\(mktemp\) && tr -d ", "tr"),
    (r"mkdir -p .* if \[ -d .* mv ", "mkdir, mv"),
    (r"mkdir -p .* tar ", "mkdir, tar"),
    (r"hf download .* tar ", "hf download, tar"),
    (r"(chmod|chown|rm|chcon|setfacl) ", r"\1"),
)
_SED = (
    (r"s/\^.*/# &/$", "sed, comment out"),
    (r"s/\^\.\*\w+\.\*\(hf_", "sed, keep the token"),
    (r"s/\^ \*set \+//$", "sed, drop set"),
    (r"s/\^\[\^#\]\*\w+\.\*/\w+=", "sed, write"),
    (r"s/\w+/\w+/$", "sed, rename"),
)


def forms(commands: Iterable[str]) -> set[str]:
    return {form for command in commands for form in forms_of(command)}


def forms_of(command: str) -> list[str]:
    """The form of a command; of one that edits a file, the form of each edit. One that has none here is its own."""
    if command.startswith("sudo "):
        inner = command.removeprefix("sudo ").removeprefix("sh -c ").strip("'").replace("'\"'\"'", "'")
        return [f"sudo {form}" for form in forms_of(inner.replace("&& sudo ", "&& "))]
    if script := re.match(r"t=\$\(mktemp\) && LC_ALL=C sed -E '([^']*)'", command):
        return [_first(_SED, re.sub(r"^\d+", "", one)) for one in script[1].split(";")]
    return [_first(_FORMS, command)]


def _first(rules: Iterable[tuple[str, str]], text: str) -> str:
    return next((found.expand(form) for pattern, form in rules if (found := re.match(pattern, text))), text)
