"""Plain text of the program as Markdown: what a terminal shows in quotes becomes code, and names become links."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_SPECIAL = re.compile(r"[\\`*_\[\]<>{}|~$#]")
_WORDS = re.compile(
    r"""(?P<url>https?://[^\s'")]*[^\s'").,;:])
      | (?<!\w)'(?P<quoted>[^'\n]+)'(?!\w)
      | (?P<setting>\$\{\w+\} | \b[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9](?:=[\w./:-]*[\w/])?)
      | (?<![\w./-])(?P<file>\.env(?:\.example)?)\b
      | (?<![\w-])(?P<option>--[a-z][a-z-]+)
      | (?<![\w./-])(?P<name>[a-z][a-z0-9]*(?:-[a-z0-9]+)+)(?![\w/-])""",
    re.VERBOSE,
)


def prose(text: str, links: Mapping[str, str], own: str = "") -> str:
    """Paragraphs of plain text. ``links`` are the pages of names; ``own`` is the page's own, which needs no link."""
    paragraphs = (" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip()))
    return "\n\n".join(inline(paragraph, links, own) for paragraph in paragraphs)


def inline(text: str, links: Mapping[str, str], own: str = "") -> str:
    """One run of plain text."""
    parts, at = [], 0
    for match in _WORDS.finditer(text):
        parts.append(escape(text[at : match.start()]))
        parts.append(_shown(match, links, own))
        at = match.end()
    return "".join([*parts, escape(text[at:])])


def _shown(match: re.Match[str], links: Mapping[str, str], own: str) -> str:
    if match["url"]:
        return f"<{match['url']}>"
    if match["name"]:
        name = match["name"]
        return link(name, links[name]) if name in links and name != own else escape(name)
    return code(match["quoted"] or match["setting"] or match["file"] or match["option"])


def escape(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _SPECIAL.sub(lambda match: f"\\{match[0]}", text)


def code(text: str) -> str:
    """Code within a line."""
    ticks = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{space}{text}{space}{ticks}"


def block(text: str, language: str = "text") -> str:
    """A block of code that nothing in it can end."""
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence}{language}\n{text.strip(chr(10))}\n{fence}"


def link(name: str, page: str) -> str:
    return f"[{code(name)}]({page})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("\n", " ") for cell in line) + " |" for line in lines)


def bullets(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)


def toctree(pages: Iterable[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", "", *pages, "```"])


def page(*parts: str) -> str:
    """A page of the parts that are not empty."""
    return "\n\n".join(part for part in parts if part) + "\n"
