"""``python -m tests.corpus.coverage``: how many of the texts of the worker's libraries ot-doctor knows.

    python -m tests.corpus.coverage                        # the table, and what is not known
    python -m tests.corpus.coverage --write                # the table into docs/accuracy.md
    python -m tests.corpus.coverage --library torch        # one library (as often as you like)
    python -m tests.corpus.coverage --new                  # what the last version of each library brought
    python -m tests.corpus.coverage --new 2.5.0 --library huggingface_hub         # what this version brought since the last
    python -m tests.corpus.coverage --new 2.4.0 2.5.0 --library huggingface_hub   # what the second version brought
    python -m tests.corpus.coverage --all                  # every text with what is said of it

It needs PyPI for what is not in the cache, and takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

from tests.corpus.coverage import table
from tests.corpus.coverage.libraries import Library, libraries
from tests.corpus.coverage.sources import NoSource
from tests.corpus.coverage.table import Measured
from tests.corpus.coverage.texts import Text
from tests.corpus.coverage.verdicts import NOT_KNOWN, Verdict, families, verdict_of

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "ot-doctor-coverage"
_AT_ONCE = 20


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 where at least ``table.BOUND`` of the texts are known, 1 where fewer are, 2 where it cannot be said."""
    options = _options(arguments)
    chosen = [library for library in libraries() if not options.library or library.name in options.library]
    comparing = options.new is not None
    if options.write and (options.library or comparing):
        print("--write is about all libraries and versions: leave --library and --new away.", file=sys.stderr)
        return 2
    if comparing and (len(options.new) > 2 or (options.new and len(chosen) != 1)):
        print("--new compares two versions of one library: name it with --library.", file=sys.stderr)
        return 2
    if comparing:
        chosen = [replace(library, versions=compared(library.versions, options.new)) for library in chosen]
    try:
        measured = _measured(chosen, options.cache.expanduser())
    except NoSource as error:
        print(error, file=sys.stderr)
        return 2
    if comparing:
        print("\n".join(table.new(older, newer) for older, newer in zip(measured[::2], measured[1::2], strict=True)), end="")
        return 0
    if options.write:
        table.write(measured)
    print(table.summary(measured), end="")
    print(table.listed(measured) if options.all else table.listed(measured, only=NOT_KNOWN), end="")
    return 0 if table.share(measured) >= table.BOUND else 1


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.corpus.coverage", description="How much is known, measured.")
    parser.add_argument("--cache", type=Path, default=_CACHE, help="the folder for the sources (default: %(default)s)")
    parser.add_argument("--library", action="append", help="a library of libraries.toml; all without it")
    parser.add_argument("--new", nargs="*", metavar="VERSION", help="what the newer of two versions brought; of all without")
    parser.add_argument("--all", action="store_true", help="list every text, not only what is not known")
    parser.add_argument("--write", action="store_true", help="write the table into docs/accuracy.md")
    return parser.parse_args(arguments)


def compared(versions: tuple[str, ...], named: Sequence[str]) -> tuple[str, ...]:
    """The two versions to compare: the last two of all, of which those that are ``named`` are the last."""
    return tuple(named) if len(named) == 2 else (*(one for one in versions if one not in named), *named)[-2:]


def _measured(chosen: Iterable[Library], cache: Path) -> list[Measured]:
    """Each version of each library with what is said of its texts; one text is judged once, however many versions hold it."""
    texts = {(one.name, version): one.texts(version, cache) for one in chosen for version in one.versions}
    different = list({text.key: text for found in texts.values() for text in found}.values())
    with ProcessPoolExecutor() as pool:
        said = dict(zip((text.key for text in different), pool.map(_verdict, different, chunksize=_AT_ONCE), strict=True))
    return [
        Measured(name, version, tuple((text, said[text.key]) for text in found)) for (name, version), found in texts.items()
    ]


def _verdict(text: Text) -> Verdict:
    return verdict_of(text, families())


if __name__ == "__main__":
    sys.exit(main())
