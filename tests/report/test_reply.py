"""What to tell whoever sent a report: the cause, the steps and what to send next."""

from __future__ import annotations

from ot_doctor.report.formats import reply
from ot_doctor.report.model import UsageError
from tests.report.reports import healthy, one_root_cause, three_causes


def test_the_cause_the_steps_and_what_to_send() -> None:
    page = reply.render(one_root_cause())
    assert page.startswith("**") and "To fix it, on the machine where it runs:" in page
    assert "1. " in page and "ot-doctor collect" in page
    assert "holds no secret" in page


def test_each_cause_has_its_title_and_the_steps_are_one_plan() -> None:
    page = reply.render(three_causes())
    assert page.count("To fix it") == 1
    assert page.index("model cache") < page.index("terms")


def test_nothing_found_asks_for_what_would_tell_more() -> None:
    page = reply.render(healthy())
    assert "To fix it" not in page and "ot-doctor collect" in page


def test_what_cannot_be_read() -> None:
    said = reply.render_error(UsageError("no such <b>file</b>"))
    assert said == "The report could not be read: no such &lt;b&gt;file&lt;/b&gt;\n"
