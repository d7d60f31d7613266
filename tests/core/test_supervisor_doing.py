"""What the child tells its parent."""

from __future__ import annotations

import os

import pytest

from ot_doctor.core import supervisor


def test_what_is_being_done_is_cleaned_before_the_parent_hears_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parent may have to show it, and does not know the secrets that the child has read."""
    heard, told = os.pipe()
    monkeypatch.setattr(supervisor, "_channel", told)
    monkeypatch.setattr(supervisor, "_clean", lambda text: text.replace("Xq7vWz2LmR9x", "…"))
    supervisor.doing("the plug-in /Xq7vWz2LmR9x/a.py was being loaded", "Leave it out.")
    supervisor.doing("")
    assert os.read(heard, 1000).decode() == "doing\tthe plug-in /…/a.py was being loaded\tLeave it out.\ndoing\t\t\n"
    os.close(heard)
    os.close(told)
