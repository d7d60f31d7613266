"""The manual: built with warnings as errors, no broken link, complete, and with examples that work."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import click
import pytest

from ot_doctor import evidence
from ot_doctor.check import Cause
from ot_doctor.cli.configuration import load
from ot_doctor.cli.main import cli
from ot_doctor.diagnosis.fixable import by_cause
from ot_doctor.evidence import Request
from ot_doctor.logs.signatures import Signature, read, verify
from ot_doctor.logs.signatures import catalogue as log_signatures
from ot_doctor.report.formats import FORMATS
from ot_doctor.run.discovery import discover
from ot_doctor.run.explain import OF_THE_RUN
from ot_doctor.run.plan import Plan, wrong_name
from tests.parts.shared import made_once

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
WRITTEN = [*sorted(DOCS.glob("*.md")), ROOT / "README.md"]
NEEDED = ("sphinx", "myst_parser", "furo")
MISSING = [name for name in NEEDED if importlib.util.find_spec(name) is None]
needs_sphinx = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (pip install -e '.[docs]')")


@dataclass
class Page:
    """What a page of the built manual links to, what it can be linked at, and what it says."""

    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)  # style sheets, scripts, pictures
    anchors: set[str] = field(default_factory=set)
    text: str = ""


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.page.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        if tag == "a" and "href" in given:
            self.page.links.append(given["href"])
        elif tag in ("img", "script", "iframe", "source") and "src" in given:
            self.page.loads.append(given["src"])
        elif tag == "link" and given.get("rel") in ("stylesheet", "icon", "preload"):
            self.page.loads.append(given["href"])

    def handle_data(self, data: str) -> None:
        self.page.text += data


#: What Sphinx warns of because of how it is called here.
EXPECTED = (
    "WARNING: unsupported theme option 'light_css_variables' given",
    "WARNING: unsupported theme option 'dark_css_variables' given",
    "WARNING: search index couldn't be loaded, but not all documents will be built: the index will be incomplete.",
)


#: Builds twice in one process, without what only long runs and searches need: half of the work.
BUILD = """
import gc, sys
from sphinx.cmd.build import main
from sphinx.search.en import SearchEnglish
gc.disable()
SearchEnglish.stem = lambda self, word: word
docs, folder = sys.argv[1:]
given = ["-q", "--no-color", "-b", "html", "-d", f"{folder}/doctrees"]
plain = main([*given, "-D", "html_theme=basic", docs, f"{folder}/html"])
sys.exit(plain or main([*given, docs, f"{folder}/dressed", f"{docs}/index.md"]))
"""


@pytest.fixture(scope="module")
def manual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual: all pages in ``html``, the first as it is shipped in ``dressed``.

    The theme writes a list of all pages into each: three quarters of the work, and the same on every page.
    """
    def build(folder: Path) -> None:
        done = subprocess.run([sys.executable, "-c", BUILD, DOCS, folder], capture_output=True, text=True, timeout=600)
        warnings = [line for line in done.stderr.splitlines() if line and line not in EXPECTED]
        assert (done.returncode, warnings) == (0, []), done.stdout

    return made_once(tmp_path_factory, "manual", build)


@pytest.fixture(scope="module")
def site(manual: Path) -> Path:
    return manual / "html"


def _read(site: Path) -> dict[Path, Page]:
    read_pages = {}
    for path in sorted(site.rglob("*.html")):
        reader = Reader()
        reader.feed(path.read_text(encoding="utf-8"))
        read_pages[path] = reader.page
    return read_pages


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    read_pages = _read(site)
    assert len(read_pages) > len(Cause) + len(discover().checks)
    return read_pages


@needs_sphinx
@pytest.mark.slow
def test_every_link_within_the_manual_leads_somewhere(pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchored = target not in pages or not parts.fragment or unquote(parts.fragment) in pages[target].anchors
            if not target.is_file() or not anchored:
                broken.append(f"{path.name}: {link}")
    assert not broken


@needs_sphinx
@pytest.mark.slow
def test_a_page_loads_nothing_from_elsewhere_and_tells_nothing_of_the_machine(pages: dict[Path, Page], manual: Path) -> None:
    dressed = _read(manual / "dressed")
    assert "furo" in str(dressed[manual / "dressed" / "index.html"].loads)
    for path, page in (*pages.items(), *dressed.items()):
        assert not [source for source in page.loads if urlsplit(source).netloc], path
        for place in (str(ROOT), str(Path.home()) + "/", "/tmp/pytest"):
            assert place not in page.text, f"{path} tells of {place}"


@needs_sphinx
@pytest.mark.slow
def test_every_check_cause_and_signature_has_its_page(pages: dict[Path, Page], site: Path) -> None:
    links = {(path, link) for path, page in pages.items() for link in page.links}
    own = [found for found in discover().checks.values() if found.owner.startswith("ot-doctor ")]
    for found in (*own, *OF_THE_RUN):
        page = pages[site / "reference" / "checks" / f"{found.check.name}.html"]
        assert found.check.title in page.text
        assert {f"../causes/{cause.value}.html" for cause in found.check.causes} <= set(page.links)
        assert (site / "reference" / "checks" / "index.html", f"{found.check.name}.html") in links
    for cause in Cause:
        page = pages[site / "reference" / "causes" / f"{cause.value}.html"]
        reporters = [found.check.name for found in own if cause in found.check.causes]
        assert reporters and {f"../checks/{name}.html" for name in reporters} <= set(page.links)
    for signature in log_signatures().signatures:
        page = pages[site / "reference" / "signatures" / f"{signature.cause or 'without-a-cause'}.html"]
        assert signature.name in page.anchors and signature.source in page.text


@needs_sphinx
@pytest.mark.slow
def test_every_field_of_evidence_and_every_key_of_a_signature_is_told_of(pages: dict[Path, Page], site: Path) -> None:
    types = pages[site / "reference" / "evidence-types.html"]
    kinds = [getattr(evidence, name) for name in evidence.__all__]
    for kind in kinds:
        names = [f.name for f in fields(kind)] if is_dataclass(kind) else []
        if isinstance(kind, type):
            assert kind.__name__.lower() in types.anchors, kind
            assert [name for name in names if not re.search(rf"\b{name}\b", types.text) and not name.startswith("_")] == []
    extend = pages[site / "extend.html"].text
    keys = {f.name for f in fields(Signature)} - {"origin"}
    assert [key for key in keys if not re.search(rf"^{key}$", extend, re.MULTILINE)] == []


def commands(group: click.Group = cli, above: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that is not hidden, by the words that call it."""
    for name, command in group.commands.items():
        if not command.hidden:
            yield f"{above}{name}", command
            if isinstance(command, click.Group):
                yield from commands(command, f"{above}{name} ")


@needs_sphinx
@pytest.mark.slow
def test_every_command_and_option_is_told_of(pages: dict[Path, Page], site: Path) -> None:
    environment = pages[site / "reference" / "commands" / "environment.html"].text
    for name, command in commands():
        page = pages[site / "reference" / "commands" / f"{name.replace(' ', '-')}.html"]
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                slug = f"cmdoption-ot-doctor-{name.replace(' ', '-')}-{max(param.opts, key=len).lstrip('-')}"
                assert slug in page.anchors, f"{slug} is not among {sorted(page.anchors)}"
                said = " ".join(page.text.replace("'", "").split())
                assert " ".join((param.help or "").split("[")[0].replace("'", "").split()[:3]) in said
    for variable in ("OT_DOCTOR_TIMEOUT", "OT_DOCTOR_CHECKS_DIR", "HF_ENDPOINT", "NO_COLOR"):
        assert variable in environment


@needs_sphinx
@pytest.mark.slow
def test_every_format_is_shown(pages: dict[Path, Page], site: Path) -> None:
    page = pages[site / "formats.html"]
    for name, endings in FORMATS.items():
        assert name in page.anchors and all(ending in page.text for ending in endings)
    assert '"schema": "ot-doctor/report/1"' in page.text and '"version": "2.1.0"' in page.text
    for sign in ("<testsuites", "<details>", "::error", "# TYPE ", "CRITICAL"):
        assert sign in page.text, sign
    assert (site / "report.html").is_file() and (site / "report.schema.json").is_file()


def fences(path: Path) -> Iterator[tuple[str, str]]:
    """The language and the text of each fenced block that is written in a page."""
    for match in re.finditer(r"^```+(\S*)[^\n]*\n(.*?)^```+$", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        yield match[1], match[2]


def calls() -> Iterator[tuple[str, str]]:
    """Every call of ot-doctor that a page shows, in a block or within a line."""
    for path in WRITTEN:
        text = path.read_text(encoding="utf-8")
        lines = [line for language, block in fences(path) if language == "sh" for line in block.replace("\\\n", " ").splitlines()]
        for shown in [*lines, *re.findall(r"`(ot-doctor [^`]+)`", text)]:
            if re.match(r"\s*(?:[A-Z_]+=\S* )*ot-doctor(?: |$)", shown):
                yield path.name, shown.strip()


def words_of(call: str) -> list[str]:
    """The words behind ``ot-doctor``, up to a pipe, a redirection or a comment."""
    lexer = shlex.shlex(call, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    words = words[words.index("ot-doctor") + 1 :]
    return words[: next((at for at, word in enumerate(words) if set(word) <= set("|<>;&")), len(words))]


@pytest.mark.parametrize(("page", "call"), [pytest.param(*item, id=": ".join(item)) for item in calls()])
def test_a_call_that_is_shown_can_be_made(page: str, call: str) -> None:
    words = words_of(call)
    top = click.Context(cli, info_name="ot-doctor")
    if not words or words[0].startswith("-"):
        words = ["run", *words]
    assert words[0] in cli.commands, f"{page}: there is no command {words[0]}"
    command = cli.commands[words[0]]
    context = click.Context(command, info_name=words[0], parent=top)
    values, rest, order = command.make_parser(context).parse_args(words[1:])
    assert not rest
    for param in order:
        value = values.get(param.name or "")
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str):  # a switch, or an argument that is left out where a page speaks of the command itself
                continue
            if isinstance(param.type, click.Choice):
                param.type.convert(item, param, context)
            if param.name in ("select", "ignore") or (param.name == "name" and words[0] == "explain"):
                assert item in NAMES, f"{page}: {item}"


NAMES = {
    *discover().checks, *(found.check.family.value for found in discover().checks.values()), *(cause.value for cause in Cause),
    "image-pinned", "hub-mirror",  # of the package in tests/plugin
    "worker-memory-limit",  # of docs/examples/checks
    "site-proxy-says-no",  # of docs/examples/signatures.toml
    "NAME",
}  # fmt: skip


def test_calls_are_found_where_they_are_shown() -> None:
    found = list(calls())
    assert len(found) > 15 and {"reading.md", "formats.md", "extend.md", "bundles.md", "README.md"} <= {page for page, _ in found}


def test_the_table_of_what_fix_can_do_is_the_one_of_the_program() -> None:
    path = DOCS / "fix.md"
    who = {"fixed": "ot-doctor", "guided": "you, guided", "words": "you"}
    rows = "".join(
        f"| `{cause.value}` | {who[one.kind]} | {', '.join(f'`{name}`' for name in one.actions)} | {one.why} |\n"
        for cause, one in by_cause().items()
    )
    head = "| --- | --- | --- | --- |\n"
    before, _, rest = path.read_text(encoding="utf-8").partition(head)
    shown, end, after = rest.partition("<!-- end of causes -->")
    if os.environ.get("OT_DOCTOR_UPDATE_GOLDEN") == "1":
        path.write_text(before + head + rows + "\n" + end + after, encoding="utf-8")
    else:
        assert shown.strip() == rows.strip(), "OT_DOCTOR_UPDATE_GOLDEN=1 writes it again"


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_python_is_shown_from_files_that_the_tests_run(path: Path) -> None:
    assert not [block for language, block in fences(path) if language in ("python", "py", "pycon")]
    for name in re.findall(r"```\{literalinclude\} (\S+)", path.read_text(encoding="utf-8")):
        folders = ("reference/examples/", "examples/", "ci/", "fleet/", "../tests/plugin/ot-doctor-site-example/")
        assert name.startswith(folders), name


def test_the_configuration_that_is_shown_is_read() -> None:
    config = load(cli.commands["run"], DOCS / "examples" / "ot-doctor.toml", None)
    plan = Plan(Request(), named=config.named, suppressions=config.suppressions)
    assert config.defaults and config.suppressions and wrong_name(plan, discover().checks) is None


def test_the_signature_that_is_shown_is_read() -> None:
    (signature,) = read(DOCS / "examples" / "signatures.toml")
    verify(signature, frozenset(cause.value for cause in Cause))
    assert signature.name == "site-proxy-says-no"


def test_pages_are_written_where_they_differ_and_old_ones_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    from manual.pages import write

    write(tmp_path)
    page, old = tmp_path / "checks" / "token-format.md", tmp_path / "checks" / "no-longer-there.md"
    written = page.stat().st_mtime_ns
    old.write_text("# Gone\n")
    (tmp_path / "causes" / "disk-full.md").write_text("changed by hand")
    write(tmp_path)
    assert page.stat().st_mtime_ns == written and not old.exists()
    assert "No space left on device" in (tmp_path / "causes" / "disk-full.md").read_text()


def test_plain_text_becomes_markdown_that_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS / "_ext"))
    from manual.markdown import block, code, inline, table

    links = {"token-format": "/reference/checks/token-format.md"}
    assert inline("see token-format, not token-formats", links) == (
        "see [`token-format`](/reference/checks/token-format.md), not token-formats"
    )
    assert inline("the check token-format", links, own="token-format") == "the check token-format"
    assert inline("'docker compose up' in the folders' .env, MAX_SPEAKERS=1", {}) == (
        "`docker compose up` in the folders' `.env`, `MAX_SPEAKERS=1`"
    )
    assert inline("<b> *a* [x](y) $1 _z_ | ~", {}) == r"\<b\> \*a\* \[x\](y) \$1 \_z\_ \| \~"
    assert inline("see https://example.org/a_b.", {}) == "see <https://example.org/a_b>."
    assert code("a`b") == "``a`b``" and block("```\nx\n```") == "````text\n```\nx\n```\n````"
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
