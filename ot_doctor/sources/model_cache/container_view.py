"""The cache as the worker's user sees it: asked of the running container with one small script."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ot_doctor.core.printable import clipped, printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Model
from ot_doctor.evidence.workers import Worker
from ot_doctor.sources.docker.container_exec import run_in
from ot_doctor.sources.docker.container_user import User
from ot_doctor.sources.model_cache.fs_view import (
    MOST_LEFTOVERS,
    CacheLook,
    Existence,
    Look,
    ModelLook,
    choose_commit,
    folder_name,
    part_paths,
    with_ancestors,
)

# For busybox, dash and bash. A record: the path, which of e L r w x hold, and its first bytes as hex digits, on as many lines as
# they take; at the end what stat says of each. Each process that it starts is time that a small machine has not got, so what can
# be asked at once is: the paths to ask of gather behind the arguments. They are built from the arguments and from names that have
# none but plain characters.
_SCRIPT = r"""
facts='stat	%A	%u	%g	%s	%i	%Z	%n'
show() {
  flags=
  if [ -e "$1" ]; then
    flags=e
    if [ -r "$1" ]; then flags=${flags}r; fi
    if [ -w "$1" ]; then flags=${flags}w; fi
    if [ -x "$1" ]; then flags=${flags}x; fi
  fi
  if [ -L "$1" ]; then flags=${flags}L; fi
  if [ "$2" = head ] && [ -f "$1" ] && [ -r "$1" ]; then
    printf 'path\t%s\t%s\t+\n' "$1" "$flags"
    od -An -v -tx1 -N 64 -- "$1" 2>/dev/null
  else
    printf 'path\t%s\t%s\t-\n' "$1" "$flags"
  fi
}
plain() { case $1 in ''|.|..|*[!A-Za-z0-9._-]*) return 1 ;; esac; }
for tool in stat od; do command -v "$tool" >/dev/null || { echo "there is no $tool"; exit; }; done
echo "user	$(id -u)	$(id -g)	$(id -un 2>/dev/null)"
while [ "$1" != end ]; do
  case $1 in
    folder) show "$2"; path=$2; shift 2; set -- "$@" "$path" ;;
    model)
      folder=$2 locks=$3 count=$4
      shift 4
      ref=$folder/refs/main commit=
      for path in "$folder" "$folder/blobs" "$folder/refs" "$folder/snapshots" "$locks"; do
        show "$path"
        set -- "$@" "$path"
      done
      show "$ref" head
      if [ -f "$ref" ] && [ -r "$ref" ]; then
        commit=$(head -c 64 "$ref" | tr -d ' \t\r\n')
      elif [ ! -e "$ref" ] && [ -d "$folder/snapshots" ]; then
        commit=$(ls -t "$folder/snapshots" 2>/dev/null | head -n 1)
      fi
      plain "$commit" || commit=none
      printf 'newest\t%s\t%s\n' "$folder" "$commit"
      show "$folder/snapshots/$commit"
      set -- "$@" "$ref" "$folder/snapshots/$commit"
      while [ "$count" -gt 0 ]; do
        file=$folder/snapshots/$commit/$1
        show "${file%/*}"
        show "$file" head
        shift
        set -- "$@" "${file%/*}" "$file"
        count=$((count - 1))
      done
      if [ -d "$folder/blobs" ]; then
        ls -t "$folder/blobs" 2>/dev/null | grep '\.incomplete$' | head -n 50 | while read -r name; do
          if plain "$name"; then printf 'incomplete\t%s\t%s\n' "$folder" "$name"; fi
        done
      fi
      if [ -d "$locks" ]; then
        ls "$locks" 2>/dev/null | grep '\.lock$' | head -n 50 | while read -r name; do
          if plain "$name"; then show "$locks/$name"; stat -Lc "$facts" -- "$locks/$name" 2>/dev/null; fi
        done
      fi
      ;;
    *) exit ;;
  esac
done
shift
stat -Lc "$facts" -- "$@" 2>/dev/null
echo end
"""

_HEX = re.compile(r"(?: *[0-9a-f]{2}){1,16} *")  # how many blanks od puts between them differs
_MOST_HEX = 4 * 48  # characters: four lines of sixteen bytes
_NUMBER = re.compile(r"[0-9]{1,20}")
_LATEST = 10**11  # seconds since 1970


@dataclass(frozen=True)
class Answers:
    user: User
    looks: Mapping[str, Look]  # by the container's path
    commits: Mapping[str, str]  # by a model's folder
    incomplete: Mapping[str, tuple[str, ...]]


def ask_container(request: Request, worker: Worker, roots: Mapping[str, Sequence[Model]]) -> tuple[User, dict[str, CacheLook]]:
    """Look at each root and its models from inside. Raises ``Unavailable``."""
    if any(character in root for root in roots for character in "\t\n"):
        raise Unavailable("The path of the model cache has a tab or a line break in it.")
    arguments: list[str] = []
    for root, models in roots.items():
        for path in (*with_ancestors(root), f"{root}/.locks"):
            arguments += ["folder", path]
        for model in models:
            name = folder_name(model.repo)
            arguments += ["model", f"{root}/{name}", f"{root}/.locks/{name}", str(len(model.files)), *model.files]
    output = run_in(request, worker, _SCRIPT, [*arguments, "end"])
    answers = _parse(output.decode("utf-8", "surrogateescape"))
    if answers is None:
        said = clipped(printable(output.decode("utf-8", "replace")).strip(), 200)
        raise Unavailable(f"The shell of {worker.name} could not answer: {said or 'it printed nothing'}")
    return answers.user, {root: _look(answers, root, models) for root, models in roots.items()}


def _look(answers: Answers, root: str, models: Sequence[Model]) -> CacheLook:
    return CacheLook(
        ancestors=tuple(_seen(answers, path) for path in with_ancestors(root)),
        locks=_seen(answers, f"{root}/.locks"),
        models=tuple(_model(answers, root, model) for model in models),
    )


def _model(answers: Answers, root: str, model: Model) -> ModelLook:
    folder = f"{root}/{folder_name(model.repo)}"
    locks = f"{root}/.locks/{folder_name(model.repo)}"
    ref = _seen(answers, f"{folder}/refs/main")
    seen = answers.commits.get(folder, "none")
    written = ref.head.decode("utf-8", "replace") if ref.head is not None else None
    commit, problem = choose_commit(written, "" if seen == "none" else seen)
    if ref.found is Existence.CLOSED or (ref.there and ref.head is None):
        problem = "refs/main cannot be read"
    files = tuple(_seen(answers, f"{folder}/snapshots/{commit or 'none'}/{name}") for name in model.files)
    held = sorted(path for path in answers.looks if path.startswith(f"{locks}/"))
    return ModelLook(
        folder=_seen(answers, folder),
        parts=tuple(_seen(answers, path) for path in part_paths(folder, commit, model.files)),
        ref=ref,
        files=files,
        locks=tuple(_seen(answers, path) for path in (locks, *held[:MOST_LEFTOVERS])),
        commit=commit,
        problem=problem,
        incomplete=answers.incomplete.get(folder, ()),
    )


def _seen(answers: Answers, path: str) -> Look:
    """What was said of a path; where an ancestor cannot be entered, that nothing could be said."""
    look = answers.looks.get(path, Look(path, Existence.NO))
    if look.there:
        return look
    above = posixpath.dirname(path)
    while above != "/" and not (above in answers.looks and answers.looks[above].there):
        above = posixpath.dirname(above)
    nearest = answers.looks.get(above)
    if nearest is not None and "x" not in (nearest.rights or ""):
        return Look(path, Existence.CLOSED)
    blobs = answers.looks.get(path.partition("/snapshots/")[0] + "/blobs")
    if look.found is Existence.DANGLING and blobs is not None and blobs.there and "x" not in (blobs.rights or ""):
        return Look(path, Existence.CLOSED)
    return look


def _parse(text: str) -> Answers | None:
    """The script's records; ``None`` unless they are whole."""
    lines = text.split("\n")
    if lines[-2:] != ["end", ""]:
        return None
    user: User | None = None
    found: dict[str, tuple[str, str]] = {}  # by path: which of e L r w x hold, the first bytes
    facts: dict[str, tuple[str, ...]] = {}
    commits: dict[str, str] = {}
    incomplete: dict[str, tuple[str, ...]] = {}
    path = ""
    for line in lines:
        match line.split("\t"):
            case ["user", uid, gid, name] if _NUMBER.fullmatch(uid):
                user = User(printable(name), int(uid), _number(gid))
            case ["path", path, flags, head]:
                found[path] = flags, head
            case ["stat", mode, uid, gid, size, inode, changed, of]:
                facts[of] = mode, uid, gid, size, inode, changed
            case ["newest", folder, commit]:
                commits[folder] = commit
            case ["incomplete", folder, name]:
                incomplete[folder] = (*incomplete.get(folder, ()), name)
            case [more] if path in found and len(found[path][1]) < _MOST_HEX and _HEX.fullmatch(more):
                flags, head = found[path]
                found[path] = flags, head + more
            case _:
                pass
    looks = {path: _record(path, flags, facts.get(path, ()), head) for path, (flags, head) in found.items()}
    return Answers(user, looks, commits, incomplete) if user else None


def _number(word: str) -> int:
    """-1 for what is none."""
    return int(word) if _NUMBER.fullmatch(word) else -1


def _record(path: str, flags: str, facts: Sequence[str], head: str) -> Look:
    if "e" not in flags:
        return Look(path, Existence.DANGLING if "L" in flags else Existence.NO)
    mode = facts[0][:10] if facts else ""
    uid, gid, size, inode, changed = map(_number, facts[1:] or [""] * 5)
    beginning = bytes.fromhex(head[1:]) if head.startswith("+") else None
    rights = "".join(letter for letter in "rwx" if letter in flags)
    when = float(changed) if 0 < changed < _LATEST else 0.0
    return Look(path, Existence.YES, mode, uid, gid, max(size, 0), beginning, inode, rights, when)
