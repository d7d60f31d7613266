"""The summary of what is hidden counts the document that is passed on, at both levels and in every format that has one."""

from __future__ import annotations

import html
import re

import pytest

from ot_doctor.check import Cause, Seen, Step, failed
from ot_doctor.evidence import Outcome
from ot_doctor.redaction.redactor import Redactor
from ot_doctor.redaction.secret import Secret
from ot_doctor.report.formats import render
from ot_doctor.report.formats.text_lines import Style
from ot_doctor.report.model import Report
from ot_doctor.report.redacted import redacted
from tests.checks.evidence import attempt, record, worker_log
from tests.report.reports import report

TOKEN = "hf_" + "Ab3dEf9hIj" * 3 + "Kl5m"
HOME, USER = "/home/ana", "ana"
FORMATS = ("text", "markdown", "html", "json")


def found(level: str) -> Report:
    """A report in which the log's lines alone have some of what is hidden, and words that look like a placeholder."""
    Secret(TOKEN, "HUGGINGFACE_TOKEN")
    said = f"{TOKEN} sent by ana@example.org from 10.1.2.3: /home/ana/ot/x of ana, the worker's user, about ~500 MiB"
    finding = failed(
        Cause.TOKEN_INVALID, "the Hub rejects the token", evidence=[Seen(".env", "/home/ana/ot/.env:5", TOKEN)],
        remedy=[Step("Edit it.", command="cat /home/ana/ot/.env")],
    )  # fmt: skip
    broken = attempt(Outcome.FAILED, cause="token-invalid", decisive=(record(said), record("more " * 200)))
    made = report({"token-accepted": (finding,)}, log=worker_log(broken))
    return redacted(made, Redactor(level, HOME, USER))


@pytest.mark.parametrize("level", ["default", "strict"])
@pytest.mark.parametrize("form", FORMATS)
def test_masks_are_counted_as_often_as_the_document_shows_them(form: str, level: str) -> None:
    made = found(level)
    document = render(made, form)
    counts = {item.name: item.count for item in made.hidden_in(document)} if made.hidden_in else {}
    plain = html.unescape(document).replace("\\", "")
    assert counts["HUGGINGFACE_TOKEN"] + counts.get("Hugging Face token", 0) == len(re.findall(r"hf_…\(", plain)) > 0
    assert counts.get("e-mail address", 0) == plain.count("e-mail…(")
    if level == "strict":
        assert counts.get("IP address", 0) == len(re.findall(r"\bip-\d+", plain))


@pytest.mark.parametrize("form", FORMATS)
def test_home_and_user_are_told_from_words_and_signs_that_look_like_them(form: str) -> None:
    made = found("default")
    document = render(made, form)
    counts = {item.name: item.count for item in made.hidden_in(document)}  # type: ignore[misc]
    plain = html.unescape(document)
    words = len(re.findall(r"\buser\b", plain))
    shown = plain.count("of user") + plain.count("user, token")  # a message, and a fact
    assert counts.get("user name", 0) == shown and (form not in ("markdown", "html") or words > 1)
    shown = len(re.findall(r"~/ot|\$HOME", plain))
    assert counts["home folder"] == shown > 0


@pytest.mark.parametrize("form", FORMATS)
def test_the_document_shows_its_own_counts(form: str) -> None:
    made = found("default")
    document = render(made, form)
    assert made.hidden_in is not None
    for item in made.hidden_in(document):
        shown = f'"name": "{item.name}",\n      "count": {item.count}' if form == "json" else f"{item.name} ({item.count})"
        assert shown in html.unescape(document).replace("\\", ""), (item, document[-600:])


def test_what_a_document_leaves_out_is_not_counted() -> None:
    made = found("default")
    assert made.hidden_in is not None
    whole = {item.name: item.count for item in made.hidden_in(render(made, "markdown"))}
    short = {item.name: item.count for item in made.hidden_in(render(made, "text", Style(redaction_summary=True)))}
    assert "e-mail address" in whole and "e-mail address" not in short
