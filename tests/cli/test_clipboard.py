"""``--copy`` in a real terminal: what reaches it, and what is said of it."""

from __future__ import annotations

import base64
import fcntl
import os
import pty
import re
import select
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from ot_doctor.check import passed
from ot_doctor.cli import clipboard
from ot_doctor.report.formats import render
from ot_doctor.report.formats.markdown import in_short
from tests.cli.test_commands import TOKEN, Doctor, broken, doctor, installed  # noqa: F401
from tests.parts.ready_doctor import IN_ITS_TERMINAL, Started
from tests.report.reports import REPORTS, STARTED, everywhere, report

PLAIN = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
WRAPPED = re.compile(rb"\x1bPtmux;\x1b\x1b\]52;c;([A-Za-z0-9+/=]*)\x07\x1b\\")


def in_terminal(doctor: Doctor, *arguments: str, **environ: str) -> tuple[int, bytes, str]:  # noqa: F811
    """The exit code, what the terminal got, and standard error. The terminal is the one that controls the process."""
    ours, theirs = pty.openpty()

    process = Started(
        *arguments, cwd=doctor.cwd, env={**doctor.environ, **environ}, streams=(theirs, None, None), before=IN_ITS_TERMINAL
    )
    os.close(theirs)
    shown, until = b"", time.monotonic() + 60
    while time.monotonic() < until:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                shown += os.read(ours, 65536)
            except OSError:  # its end was closed
                break
        elif process.poll() is not None:
            break
    _, said = process.communicate(60)
    os.close(ours)
    return process.wait(0), shown, said


@pytest.mark.slow
def test_the_terminal_gets_the_markdown_report(installed: Doctor) -> None:  # noqa: F811
    broken(installed)
    code, shown, said = in_terminal(installed, "--copy", "--output", "r.md")
    markdown = (installed.cwd / "r.md").read_bytes()
    (copied,) = PLAIN.findall(shown)
    assert code == 1 and base64.b64decode(copied) == markdown and b"speakers-config" in markdown
    assert TOKEN.encode() not in base64.b64decode(copied)
    size = f"{len(markdown):,}"
    assert said == f"The report was copied as Markdown, {size} bytes, if your terminal allows it (OSC 52).\n"


@pytest.mark.slow
def test_in_tmux_it_is_sent_in_both_forms(installed: Doctor) -> None:  # noqa: F811
    _, shown, said = in_terminal(installed, "--copy", TMUX="/tmp/tmux-0/default,1,0")
    (plain,), (wrapped,) = PLAIN.findall(shown.partition(b"\x1bPtmux;")[0]), WRAPPED.findall(shown)
    assert plain == wrapped and base64.b64decode(plain).startswith(b"## ")
    assert "if tmux ('set -g set-clipboard on') and your terminal allow it" in said


def test_without_a_terminal_it_is_said(installed: Doctor) -> None:  # noqa: F811
    process = installed.start("--copy", before="import os; os.setsid()")
    out, err = process.communicate(60)
    assert process.returncode == 0 and "\x1b" not in out + err
    assert err == (
        "ot-doctor: --copy needs a terminal, and there is none. --output report.md writes the same into a file.\n"
    )


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], bytes]:
    """Reads what is written into the terminal that ``copy`` finds."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 1 << 20)
    monkeypatch.setattr("ot_doctor.cli.clipboard.os.open", lambda *_: writer)
    monkeypatch.delenv("TMUX", raising=False)

    def read() -> bytes:
        with open(reader, "rb") as stream:
            return stream.read()

    return read


@pytest.mark.parametrize("large", [False, True])
def test_of_a_report_that_is_too_large_for_terminals_the_summary_is_copied(
    large: bool, terminal: Callable[[], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    made = REPORTS["three-causes"]()
    if large:
        many = tuple(passed("話" * 390, subject=str(n)) for n in range(200))
        made = replace(made, results=tuple(replace(result, findings=(*result.findings, *many)) for result in made.results))
    whole = render(made, "markdown").encode()
    assert (len(whole) > 70_000) is large
    clipboard.copy(made)
    (copied,) = PLAIN.findall(terminal())
    document, said = base64.b64decode(copied).decode(), capsys.readouterr().err
    if not large:
        assert document.encode() == whole and said.startswith(f"The report was copied as Markdown, {len(whole):,} bytes, ")
        return
    assert document == in_short(made) and len(document) < 15_000
    assert all(root.cause.value in document for root in made.diagnosis) and "chown -R" in document
    assert said.startswith(f"The summary alone was copied as Markdown (the whole report has {len(whole):,} bytes, which")


def test_the_summary_is_short_whatever_a_report_holds() -> None:
    for text in ("話" * 3000, "`" * 3000, "<&|" * 1000):
        assert len(in_short(everywhere(text)).encode()) < 70_000
    assert in_short(report(started_at=STARTED)).startswith("## ")
