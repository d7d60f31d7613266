"""The pure parts of the measure: texts from a syntax tree, values in their gaps, the log that they make, and the four words."""

from __future__ import annotations

import fnmatch
import http.server
import io
import re
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ot_doctor.logs.faults import decide, faults_in
from tests.corpus.coverage import filling, sources, table, verdicts
from tests.corpus.coverage.__main__ import compared
from tests.corpus.coverage.filling import value_of
from tests.corpus.coverage.libraries import Library, Shown, libraries
from tests.corpus.coverage.logged import as_logged
from tests.corpus.coverage.texts import Text, texts_of
from tests.corpus.coverage.verdicts import CAUSE, HARMLESS, NONE_OF_OURS, NOT_KNOWN, Family, Verdict, families, verdict_of

_BLOB = "/home/appuser/.cache/huggingface/hub/models--pyannote--segmentation-3.0/blobs/0e2b"
_SOURCE = '''
import errno, os, warnings
from . import constants
from .errors import Broken, Other
logger = logging.getLogger(__name__)
error, info = logger.error, logger.info
TEXT = "constant {0}"

def load(repo_id, path, count):
    raise Broken(f"No {repo_id!r} in {path}: {count} " "tries")

class Model:
    def percent(self, path):
        raise ValueError("size %d of %s, 100%%" % (size, path))

    def braces(self):
        raise ValueError("a {} and {name}".format(timeout, name=url))

def added():
    message = "first "
    if x:
        message += "second"
    raise RuntimeError(message + " third")

def listed():
    lines = ["line one", f"line {count}"]
    raise RuntimeError("; ".join(lines))

def by_format():
    said = "{0} of {1}"
    said = said.format(count, total)
    raise RuntimeError("told: " + said)

def reckoned():
    capability = major * 10 + minor
    raise RuntimeError("sm_{}".format(capability))

def constant():
    raise RuntimeError(TEXT.format(version))

def elsewhere():
    raise RuntimeError(constants.SAID)

def helper():
    raise _format(Other, "by a helper", response) from None

def number():
    raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)

def bare():
    raise Other

def again():
    try:
        load()
    except Broken as e:
        raise e
    except Other:
        raise
    raise Broken(e)

def logs():
    logger.warning("Slow: %s after %r", url, exc)
    logger.info("not counted")
    error("by another name")
    warnings.warn("once", FutureWarning)
    warnings.warn(UserWarning("an instance"))
    print("printed")

def upload():
    raise ValueError("left out")

if TYPE_CHECKING:
    raise ValueError("never runs")
'''
_ERRORS = '''
SAID = "said elsewhere"
class Broken(Exception): pass
class Other(Exception): pass
class BuiltError(Exception):
    def __init__(self, url):
        super().__init__(f"Built for {url}")
'''
_FILES = {"lib/core.py": _SOURCE, "lib/errors.py": _ERRORS, "lib/constants.py": 'SAID = "said elsewhere"', "lib/bad.py": "def ("}


def _found(*, prints: bool = False) -> dict[str, Text]:
    return {text.function: text for text in texts_of("lib", _FILES, without=("up*",), prints=prints)}


@pytest.mark.parametrize(
    ("function", "kind", "text"),
    [
        ("load", "lib.errors.Broken", f"No 'pyannote/segmentation-3.0' in {_BLOB}: 3 tries"),
        ("Model.percent", "ValueError", f"size 3 of {_BLOB}, 100%"),
        ("Model.braces", "ValueError", f"a 30.0 and {value_of('url')}"),
        ("added", "RuntimeError", "first second third"),
        ("constant", "RuntimeError", "constant 3.0.1"),
        ("listed", "RuntimeError", "line one\nline 3"),
        ("by_format", "RuntimeError", "told: 3 of 3"),
        ("reckoned", "RuntimeError", "sm_61"),
        ("elsewhere", "RuntimeError", "said elsewhere"),
        ("helper", "lib.errors.Other", "by a helper"),
        ("number", "OSError", f"[Errno 2] No such file or directory: '{_BLOB}'"),
        ("bare", "lib.errors.Other", ""),
        ("BuiltError.__init__", "lib.errors.BuiltError", f"Built for {value_of('url')}"),
    ],
)
def test_what_is_raised_is_filled_in(function: str, kind: str, text: str) -> None:
    found = _found()[function]
    assert (found.kind, found.type, found.text) == ("raised", kind, text)


def test_what_holds_no_word_of_the_library_or_is_left_out_does_not_count() -> None:
    assert not {"again", "upload", "<module>"} & set(_found())


def test_what_is_logged_and_warned() -> None:
    found = [text for text in texts_of("lib", _FILES) if text.function == "logs"]
    assert [(text.kind, text.type or text.level, text.text) for text in found] == [
        ("logged", "WARNING", f"Slow: {value_of('url')} after Error('something else')"),
        ("logged", "ERROR", "by another name"),
        ("warned", "FutureWarning", "once"),
        ("warned", "UserWarning", "an instance"),
    ]
    assert _found(prints=True)["logs"].text == "printed"


def test_no_value_that_is_put_in_tells_a_cause() -> None:
    """Of a lost child alone the signal is put in, for its text never comes without."""
    values = {value for pattern, value in filling._VALUES if pattern != r"human_status"}
    told = [value for value in values if decide(faults_in(f"RuntimeError: There is {value} here.")) is not None]
    assert told == []


_RAISED = Text("lib", "lib/core.py", "Model.load", "raised", "lib.errors.Broken", "", "No such thing", 7)


def test_a_raised_text_is_a_traceback_whose_innermost_frame_is_the_function() -> None:
    lines = as_logged(_RAISED).rstrip().split("\n")
    assert lines[1] == "Traceback (most recent call last):"
    assert lines[-3].endswith('/site-packages/lib/core.py", line 7, in load')
    assert lines[-1] == "lib.errors.Broken: No such thing"
    fault = faults_in("\n".join(lines))[-1]
    assert (fault.chain[0].type, fault.frames[-1].function) == ("Broken", "load")


def test_a_record_and_a_warning_stand_as_workers_write_them() -> None:
    logged = Text("celery", "celery/worker/loops.py", "loop", "logged", "", "CRITICAL", "It ends.")
    warned = Text("lib", "lib/core.py", "load", "warned", "FutureWarning", "", "It changes.", 9)
    assert as_logged(logged).endswith(": CRITICAL/MainProcess] It ends.\n")
    assert "/lib/core.py:9: FutureWarning: It changes.\n" in as_logged(warned)


_FAMILY = Family("lib-calls", "lib", ("lib/core.py",), "Its code decides.", types=("Broken",), pattern="^No such")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (Text("lib", "lib/a.py", "f", "raised", "OSError", "", "[Errno 28] No room"), Verdict(CAUSE, "disk-full")),
        (Text("lib", "lib/a.py", "f", "warned", "FutureWarning", "", "It is deprecated."), Verdict(HARMLESS, "deprecation")),
        (_RAISED, Verdict(NONE_OF_OURS, "lib-calls")),
        (Text("lib", "lib/b.py", "f", "raised", "lib.errors.Broken", "", "No such thing"), Verdict(NOT_KNOWN, "unrecognised")),
        (Text("lib", "lib/a.py", "f", "logged", "", "WARNING", "Something odd."), Verdict(NOT_KNOWN, "silent")),
    ],
)
def test_each_of_the_four_words(text: Text, expected: Verdict) -> None:
    assert verdict_of(text, (_FAMILY,)) == expected


def _is_walked(module: str, walked: tuple[str, ...]) -> bool:
    """Whether a family's module is one of those that are walked, or a pattern of such."""
    return any(fnmatch.fnmatchcase(module, one) or fnmatch.fnmatchcase(one, module) for one in walked)


def test_a_family_is_a_class_in_named_modules_with_a_reason() -> None:
    patterns = {library.name: library.modules for library in libraries()}
    kinds = {"raised", "warned", "logged", "printed"}
    wrong = [
        family.name
        for family in families()
        if family.library not in patterns
        or not (family.why.endswith(".") and family.modules and set(family.kinds) <= kinds)
        or ("raised" in family.kinds and not family.types)  # no class is a blanket
        or not all(_is_walked(module, patterns[family.library]) for module in family.modules)
        or re.compile(family.pattern) is None
    ]
    assert wrong == []
    names = [family.name for family in families()]
    assert len(set(names)) == len(names)


def test_each_library_says_why_the_rest_is_left_out() -> None:
    assert [one.name for one in libraries() if not (one.why.endswith(".") and one.versions and one.modules)] == []


def test_errors_that_are_shown_inside_another_are_logged_so() -> None:
    shown = Shown("lib/core.py", "outer.Outer", "Outside: {text}", "Broken")
    library = Library("lib", ("1",), ("lib/*.py",), "Nothing.", but=("lib/bad.py",), shown=(shown,), called_by=("app/a.py:f",))
    text = next(text for text in library.texts_in(_FILES) if text.function == "load")
    assert (text.type, text.text[:12], text.called_by) == ("outer.Outer", "Outside: No ", ("app/a.py:f",))
    assert 'app/a.py", line 310, in f\n' in as_logged(text)


def _measured(version: str, *texts: tuple[str, str]) -> table.Measured:
    said = tuple((Text("lib", "lib/a.py", "f", "raised", "E", "", text), Verdict(word, "x")) for text, word in texts)
    return table.Measured("lib", version, said)


def test_the_table_counts_each_version_and_all() -> None:
    measured = [_measured("1", ("a", CAUSE), ("b", NOT_KNOWN)), _measured("2", ("a", CAUSE), ("c", HARMLESS))]
    assert "| lib | 1 | 2 | 1 | 0 | 0 | 1 | 50% |" in table.rows(measured)
    assert table.share(measured) == 0.75
    assert table.listed(measured, only=NOT_KNOWN).count("\n") == 1


def test_what_a_new_version_brought_begins_with_what_is_not_known() -> None:
    shown = table.new(_measured("1", ("a", CAUSE)), _measured("2", ("a", CAUSE), ("b", CAUSE), ("c", NOT_KNOWN)))
    head, first, second = shown.splitlines()
    assert head == "Texts that lib 2 has and 1 does not have: 2. Not known of these: 1."
    assert first.startswith("not known") and second.startswith("cause")


def test_what_a_version_brought_is_told_without_naming_the_one_before() -> None:
    assert compared(("1", "2", "3"), []) == ("2", "3")
    assert compared(("1", "2", "3"), ["4"]) == ("3", "4")
    assert compared(("1", "2", "3"), ["3"]) == ("2", "3")
    assert compared(("1", "2", "3"), ["1", "3"]) == ("1", "3")


def test_the_section_takes_the_place_of_the_one_that_the_page_had() -> None:
    page = table.with_section("# Page\n\nText.\n", table.section([_measured("1", ("a", CAUSE))]))
    again = table.with_section(page, table.section([_measured("2", ("a", CAUSE))]))
    assert page.startswith("# Page\n\nText.\n\n## ") and again.startswith("# Page\n\nText.\n\n## ")
    assert "| lib | 2 |" in again and "| lib | 1 |" not in again


class _Ranged(http.server.BaseHTTPRequestHandler):
    wheel = b""

    def do_GET(self) -> None:
        begin, end = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        part = self.wheel[begin : end + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{begin + len(part) - 1}/{len(self.wheel)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def wheel_address() -> Iterator[str]:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as wheel:
        wheel.writestr("lib/large.so", bytes(1 << 20))
        wheel.writestr("lib/core.py", "A = 1\n")
        wheel.writestr("lib/other.py", "B = 1\n")
    _Ranged.wheel = data.getvalue()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Ranged) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/lib-1.whl"
        server.shutdown()


def test_of_a_wheel_only_the_files_that_are_asked_for_are_read(
    wheel_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_address", lambda name, version: wheel_address)
    assert sources.source("lib", "1", ("lib/c*.py",), tmp_path) == {"lib/core.py": "A = 1\n"}
    monkeypatch.setattr(sources, "_address", lambda name, version: pytest.fail("It is in the cache."))
    assert sources.source("lib", "1", ("lib/c*.py",), tmp_path) == {"lib/core.py": "A = 1\n"}


def test_a_source_that_cannot_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_address", lambda name, version: f"file://{tmp_path}/none.whl")
    with pytest.raises(sources.NoSource, match="cannot be read"):
        sources.source("lib", "1", ("*",), tmp_path / "cache")


def test_the_log_is_judged_as_the_command_line_judges_it() -> None:
    assert verdicts.cause_of("OSError: [Errno 28] No space left on device\n") == "disk-full"
    assert verdicts.cause_of("All is well.\n") == ""
