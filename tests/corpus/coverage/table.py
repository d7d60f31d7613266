"""The table of what is known, by library and version, and its place in docs/accuracy.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tests.corpus.accuracy import COVERAGE, PAGE, made_here
from tests.corpus.coverage.texts import Text
from tests.corpus.coverage.verdicts import CAUSE, HARMLESS, NONE_OF_OURS, NOT_KNOWN, WORDS, Verdict

BOUND = 0.95  # of the texts must be known
_LONGEST = 160

_SECTION = """\
{heading}

Made by `python -m tests.corpus.coverage --write` from the sources of {count} releases: every text that is raised, warned or
logged on the paths of loading, downloading and diarizing. Each is filled in with plausible values and made into the log that
the library would write, and `ot-doctor --logs FILE` judges it alone.

- **cause**: a cause of the closed list stands first in the diagnosis. Here it only shows that the text is not passed over;
  whether it is the right cause, the corpus and the public reports show.
- **harmless**: it is on the reader's list of what looks like an error and is none.
- **none of ours**: nobody who uses OpenTranscribe can bring it about or do anything about it (a wrong call that only a program
  can make, an assertion, a part that is not used), or it only quotes another error, which is judged by itself. These are
  families of exceptions in named modules, each with its reason, in `tests/corpus/coverage/families.toml`. ot-doctor says
  `unrecognised` of such an error, and shows it.
- **not known**: `unrecognised` too, with its own lines, or silence over a warning. It has no rule, because none of the causes
  is truly right for it, or because the text alone does not tell.

Which modules count, and why the rest is left out, is in `tests/corpus/coverage/libraries.toml`. Texts of compiled code (CUDA,
Rust) have no Python source and are not counted, nor is a text of which the source holds no word.

**{known:.1%}** of {texts} texts are known ({different} different ones).

{rows}"""


@dataclass(frozen=True)
class Measured:
    """A version of a library with what is said of each of its texts."""

    library: str
    version: str
    said: tuple[tuple[Text, Verdict], ...]

    @property
    def words(self) -> Counter[str]:
        return Counter(verdict.word for _, verdict in self.said)


def share(measured: Iterable[Measured]) -> float:
    """How many of all texts are known, from 0 to 1; 1 where there is none."""
    words = sum((one.words for one in measured), Counter[str]())
    return 1 - words[NOT_KNOWN] / words.total() if words else 1.0


def rows(measured: Iterable[Measured]) -> str:
    """The table in Markdown, a row for each version."""
    head = f"| library | version | texts | {' | '.join(WORDS)} | known |\n|{'---|' * (4 + len(WORDS))}\n"
    return head + "".join(
        f"| {one.library} | {one.version} | {len(one.said)} | {' | '.join(str(one.words[word]) for word in WORDS)}"
        f" | {share([one]):.0%} |\n"
        for one in measured
    )


def summary(measured: Sequence[Measured]) -> str:
    return f"{rows(measured)}\n{share(measured):.1%} known\n"


def listed(measured: Iterable[Measured], only: str = "") -> str:
    """Each text once, with what is said of it and the newest version that holds it; only those with one word, where given."""
    found: dict[tuple[str, ...], str] = {}
    for one in measured:
        for text, verdict in one.said:
            if only in ("", verdict.word):
                found[text.key] = _line(text, verdict, one.version)
    return "".join(f"{line}\n" for line in sorted(found.values()))


def new(old: Measured, newer: Measured) -> str:
    """What the newer version says that the older one does not, what is not known of it first."""
    before = {text.key for text, _ in old.said}
    brought = [(text, verdict) for text, verdict in newer.said if text.key not in before]
    order = [NOT_KNOWN, CAUSE, HARMLESS, NONE_OF_OURS]
    brought.sort(key=lambda one: (order.index(one[1].word), one[0].path, one[0].line))
    unknown = sum(verdict.word == NOT_KNOWN for _, verdict in brought)
    count = f"Texts that {newer.library} {newer.version} has and {old.version} does not have: {len(brought)}."
    head = f"{count} Not known of these: {unknown}.\n"
    return head + "".join(f"{_line(text, verdict, newer.version)}\n" for text, verdict in brought)


def _line(text: Text, verdict: Verdict, version: str) -> str:
    kind = text.type.rpartition(".")[2] or text.level or text.kind
    said = " ".join(text.text.split())
    said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."
    return f"{verdict.word} ({verdict.detail}): {text.library} {version} {text.path}:{text.line} {text.function}: {kind}: {said}"


def write(measured: Sequence[Measured]) -> None:
    """Put the section into docs/accuracy.md, in the place of the one that is there."""
    PAGE.write_text(with_section(PAGE.read_text(encoding="utf-8"), section(measured)), encoding="utf-8")


def with_section(page: str, text: str) -> str:
    """The page with the section at its end, in the place of the one that it had."""
    return f"{made_here(page)}\n{text.rstrip()}\n"


def section(measured: Sequence[Measured]) -> str:
    return _SECTION.format(
        heading=COVERAGE,
        count=len(measured),
        known=share(measured),
        texts=sum(len(one.said) for one in measured),
        different=len({text.key for one in measured for text, _ in one.said}),
        rows=rows(measured),
    )
