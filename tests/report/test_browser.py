"""The page as a browser shows it: both tabs, the button for a ticket, and what is left without a script."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import COMPOSE, TOKEN, Doctor
from tests.parts.browser import Browser, program
from tests.parts.models import v04_cache

pytestmark = pytest.mark.slow
SEEN = "document.querySelector('#%s h2').checkVisibility({contentVisibilityAuto: true})"
SAID = "document.querySelector('[role=status]').textContent"
CLIPBOARD = "navigator.clipboard.readText()"
BUTTON = ".bar .copy"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report on an installation with a problem, as a file; the Markdown is beside it."""
    doctor = Doctor(tmp_path_factory.mktemp("page"))
    (doctor.cwd / "docker-compose.yml").write_text(COMPOSE)
    (doctor.cwd / ".env").write_text(f"HUGGINGFACE_TOKEN={TOKEN}\nHUGGINGFACE_TOKEN=\nMIN_SPEAKERS=9\nMAX_SPEAKERS=2\n")
    v04_cache(doctor.cwd / "models")
    done = doctor("--offline", "--no-docker", "--output", "page.html", "--output", "page.md")
    assert done.returncode == 1, done.stderr
    return doctor.cwd / "page.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for all tests of this file. Where there is none: skipped, or failed if it must be."""
    if program() is None:
        if os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") == "1":
            pytest.fail("OT_DOCTOR_REQUIRE_ENGINE=1, but there is no Chromium")
        pytest.skip("no Chromium. On Debian, this brings it: sudo apt-get install chromium")
    with Browser() as browser:
        yield browser


@pytest.fixture
def shown(browser: Browser, page: Path) -> Iterator[Browser]:
    """The page, newly opened, which may write to the clipboard."""
    browser("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    browser("Emulation.setFocusEmulationEnabled", enabled=True)
    browser.open(page)
    yield browser
    browser("Browser.resetPermissions")


def visible(browser: Browser) -> list[str]:
    return [name for name in ("status", "facts") if browser.value(SEEN % name)]


def test_one_tab_is_shown_at_a_time_and_keys_and_the_address_choose_it(shown: Browser, page: Path) -> None:
    assert visible(shown) == ["status"]
    assert shown.value("document.querySelector('[role=tablist]').querySelectorAll('[role=tab]').length") == 2
    shown.click(".tabs a[href='#facts']")
    assert visible(shown) == ["facts"] and shown.value("location.hash") == "#facts"
    for key, wanted in (("ArrowRight", "status"), ("ArrowLeft", "facts"), ("Home", "status"), ("End", "facts")):
        shown.press(key)
        assert visible(shown) == [wanted], key
        assert shown.value("document.activeElement.getAttribute('aria-controls')") == wanted
        assert shown.value("document.querySelector('[aria-selected=true]').hash") == f"#{wanted}"
    shown.value("location.hash = '#how'")  # a place within the other tab
    shown.until(SEEN % "status")
    assert visible(shown) == ["status"]
    shown.open("about:blank")
    shown.open(f"{page.as_uri()}#facts")
    assert visible(shown) == ["facts"]


def test_nothing_is_loaded_nothing_fails_and_no_secret_is_there(shown: Browser, page: Path) -> None:
    shown.click(BUTTON)
    shown.until(SAID)
    wanted = {event["params"]["request"]["url"] for event in shown.events if event["method"] == "Network.requestWillBeSent"}
    assert wanted == {page.as_uri()}
    wrong = [event for event in shown.events if event["method"] in ("Runtime.exceptionThrown", "Log.entryAdded")]
    assert not wrong
    assert TOKEN[3:] not in page.read_text() and TOKEN[3:] not in shown.value("document.documentElement.outerHTML")


@pytest.mark.parametrize("way", ["clipboard", "command"])
def test_the_button_copies_the_text_that_copy_copies(way: str, shown: Browser, page: Path) -> None:
    markdown = page.with_suffix(".md").read_text()
    shown.value("navigator.clipboard.writeText('something else')")
    if way == "command":  # an older browser, or one that does not let a page of a file write there
        shown.value("Object.defineProperty(navigator.clipboard, 'writeText', {value: undefined})")
    shown.click(BUTTON)
    said = shown.until(SAID)
    assert said == f"Copied: {len(markdown):,} characters of Markdown. Paste them into the ticket."
    copied = shown.value(CLIPBOARD)
    assert copied == markdown and "HUGGINGFACE_TOKEN" in copied and TOKEN[3:] not in copied


def test_what_could_not_be_copied_is_said_and_selected(shown: Browser, page: Path) -> None:
    shown.value("navigator.clipboard.writeText('something else')")
    shown.value("Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false; 1")
    shown.click(BUTTON)
    assert shown.until(SAID).startswith("Not copied: ")
    selected = "(t => t.value.slice(t.selectionStart, t.selectionEnd))(document.activeElement)"
    assert shown.value(selected) == page.with_suffix(".md").read_text()


def test_a_command_is_copied_whole(shown: Browser) -> None:
    shown.click("#status .copy")
    shown.until("document.querySelector('#status .copy').textContent === 'Copied'")
    assert shown.value(CLIPBOARD) == shown.value("document.querySelector('pre.command').textContent")


def test_without_a_script_and_on_paper_both_parts_can_be_read(shown: Browser, page: Path) -> None:
    shown("Emulation.setEmulatedMedia", media="print")
    assert visible(shown) == ["status", "facts"]
    assert not shown.value("document.querySelector('.bar, .ticket').checkVisibility()")
    shown("Emulation.setEmulatedMedia", media="")
    shown("Emulation.setScriptExecutionDisabled", value=True)
    try:
        shown.open(page)
        assert visible(shown) == ["status", "facts"]
        assert shown.value("document.querySelectorAll('[role=tab], button').length") == 0
        assert shown.value("document.querySelector('.ticket textarea').value") == page.with_suffix(".md").read_text()
    finally:
        shown("Emulation.setScriptExecutionDisabled", value=False)


def test_no_page_is_wider_than_a_phone(shown: Browser) -> None:
    shown("Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=1, mobile=True)
    try:
        for tab in ("status", "facts"):
            shown.click(f".tabs a[href='#{tab}']")
            wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert shown.value(wide) == 0, tab
    finally:
        shown("Emulation.clearDeviceMetricsOverride")
