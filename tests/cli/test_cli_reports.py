"""Formats, report files and what is told of faults, by the installed console script."""

from __future__ import annotations

import json
import os
import stat
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ot_doctor.cli.output import CouldNotWrite, WouldLeak, checked, without_late_secrets, write_files
from ot_doctor.cli.show import show
from ot_doctor.evidence import Unavailable
from ot_doctor.redaction.registry import new_registry
from ot_doctor.redaction.secret import Secret
from ot_doctor.report.formats import FORMATS, format_of
from ot_doctor.report.model import Facts, Section
from tests.cli.test_commands import TOKEN, Doctor, broken, doctor, document, installed, refused, warned  # noqa: F401
from tests.report.reports import healthy

FAILING = (
    "from ot_doctor.check import Family, check\nfrom ot_doctor.evidence import EnvFile\n\n"
    "@check('my-crash', title='It does not crash', family=Family.HOST)\n"
    "def crash(env: EnvFile):\n    '''It crashes, with a token and an escape in what it says.'''\n"
    "    raise ValueError(f\"\\x1b[31mred {env.entry('HUGGINGFACE_TOKEN').value._value}\")\n"
)


def well_formed(name: str, text: str) -> None:
    """The document is whole and of that format, as a reader without any knowledge of ot-doctor sees it."""
    assert text.endswith("\n")
    if name in ("json", "sarif"):
        json.loads(text)
    elif name == "junit":
        ElementTree.fromstring(text)
    elif name == "html":
        assert text.lower().startswith("<!doctype html>") and text.rstrip().endswith("</html>")
    elif name == "nagios":
        assert len(text.splitlines()) == 1
    elif name == "prometheus":
        assert all(line.startswith(("#", "ot_doctor_")) for line in text.splitlines())
    else:
        assert text.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "code"),
    [*((name, broken, 1) for name in FORMATS), *((name, None, 0) for name in ("text", "nagios", "github", "reply"))],
)
def test_every_format_is_one_whole_document(
    name: str, change: Callable[[Doctor], None] | None, code: int, installed: Doctor  # noqa: F811
) -> None:
    if change:
        change(installed)
    done = installed("--format", name)
    assert done.returncode == (2 if name == "nagios" and code else code), done.stderr
    assert done.stderr == "" and TOKEN not in done.stdout
    well_formed(name, done.stdout)
    assert code == 0 or "speakers-config" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(FORMATS.keys() - {"text"}))
@pytest.mark.parametrize("arguments", [["--selekt", "x"], ["--select", "x"], ["--timeout", "-1"], []])
def test_wrong_usage_is_one_whole_document_too(name: str, arguments: list[str], doctor: Doctor) -> None:  # noqa: F811
    done = doctor("--format", name, *arguments)
    assert done.returncode == (3 if name == "nagios" else 2)
    assert done.stderr == ""
    well_formed(name, done.stdout)


def test_a_format_that_there_is_not_is_told_in_the_one_named_before(doctor: Doctor) -> None:  # noqa: F811
    assert "bogus" in document(doctor("--format", "json", "--format", "bogus"))["error"]


def test_several_report_files_at_once(installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    names = ["r.json", "r.md", "r.xml", "r.html", "r.sarif", "s.sarif.json", "r.prom", "r.nagios", "r.txt"]
    done = installed(*(part for name in names for part in ("--output", str(tmp_path / name))))
    assert done.returncode == 0 and "  ✓ token " in done.stdout and done.stderr == "" and TOKEN not in done.stdout
    for name in names:
        text = (tmp_path / name).read_text()
        well_formed(format_of(name) or "", text)
        assert TOKEN not in text
    assert json.loads((tmp_path / "s.sarif.json").read_text())["version"] == "2.1.0"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_output_beside_the_document_on_standard_output(installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    broken(installed)
    done = installed("--format", "json", "--output", str(tmp_path / "r.txt"))
    assert document(done)["exit_code"] == 1
    assert "speakers-config" in (tmp_path / "r.txt").read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("report.pdf", "names no format"), ("report", "names no format"), ("no/such/report.md", "there is no folder"),
        ("cwd.md", "is a folder"),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be(name: str, said: str, installed: Doctor) -> None:  # noqa: F811
    (installed.cwd / "cwd.md").mkdir()
    assert said in refused(installed("--output", name))


def test_an_output_that_cannot_be_written_leaves_the_old_one(installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    old = tmp_path / "r.md"
    old.write_text("old")
    done = installed("--output", str(old), "--output", "/proc/r.json")
    assert done.returncode == 2 and "/proc" in done.stderr and "ot-doctor: the result could not be written" in done.stderr
    assert done.stdout.startswith("ot-doctor ") and old.read_text() == "old"


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path, link = tmp_path / "r.md", tmp_path / "l.md"
    path.write_text("old")
    path.chmod(0o640)
    link.symlink_to(path)
    write_files({link: "new"})
    assert path.read_text() == "new" and link.is_symlink() and stat.S_IMODE(path.stat().st_mode) == 0o640
    with pytest.raises(CouldNotWrite):
        write_files({path: "newer", tmp_path / "no" / "r.md": "new"})
    assert sorted(os.listdir(tmp_path)) == ["l.md", "r.md"] and path.read_text() == "new"


def test_a_document_with_a_secret_in_it_is_not_written() -> None:
    value = "hf_" + "LeAkInGsEcReT" + "0123456789abcdefgh"
    Secret(value, "HUGGINGFACE_TOKEN")
    assert checked("nothing in it") == b"nothing in it"
    with pytest.raises(WouldLeak) as error:
        checked(f"token={value}")
    assert "HUGGINGFACE_TOKEN" in str(error.value) and value not in str(error.value)


def test_every_document_hides_a_secret_that_was_registered_after_its_redaction() -> None:
    """Not reports alone: the facts, what the worker sees, a trial, and what is copied."""
    late = "sk-" + "LaTeReGiStErEd" + "0123456789"
    report = replace(healthy(), notices=(f"with {late}",))
    others = (Facts(report.started_at, (Section("Worker", (("key", late),)),)), Unavailable(f"not with {late}"))
    with new_registry():
        Secret(late, "OPENAI_API_KEY")
        document = without_late_secrets((report, *others), lambda values: checked(repr(values))).decode()
        assert late not in document and document.count("…(27:") == 3
        with pytest.raises(WouldLeak):
            without_late_secrets("", lambda _: checked(late))


def test_faults_are_shown_with_vv_alone_and_without_secrets(installed: Doctor, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "crash.py").write_text(FAILING)
    for flag in ("-v", "-vv"):
        process = installed.start("--checks-dir", str(tmp_path), flag)
        out, error = process.communicate(60)
        text = " ".join(out.split())
        assert process.returncode == 3 and "the check my-crash itself failed: ValueError: red hf_…" in text
        assert f" at {tmp_path}/crash.py:7" in text and "Run it with -vv to see the traceback." in text
        assert "author" not in text
        assert TOKEN not in out + error and "\x1b" not in out + error
        assert ("Traceback (most recent call last)" in error) == (flag == "-vv")
        assert "Traceback" not in out


def test_a_warning_fails_a_strict_nagios_check_as_a_warning(installed: Doctor) -> None:  # noqa: F811
    warned(installed)
    assert installed("--format", "nagios").returncode == 1


def test_a_secret_that_a_late_source_registers_is_hidden_after_all(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """It stands in the file alone, and is registered when the report has been redacted."""
    late = "Lq8Zt5Wn2Rx7Vb4K"
    look = {"ascii": False, "color": "never", "verbose": 0, "quiet": False}
    options = {"format": "nagios", "output": (tmp_path / "r.json",), **look}
    with new_registry():
        report = replace(healthy(), notices=(f"the log says {late}",))
        Secret(late, "OPENAI_API_KEY")
        show(report, options)
    written = (tmp_path / "r.json").read_text(encoding="utf-8")
    assert "the log says" in written and late not in written
    assert capsysbinary.readouterr().out.count(b"\n") == 1
