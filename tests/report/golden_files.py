"""Golden files: ``OT_DOCTOR_UPDATE_GOLDEN=1`` writes them anew; look at the difference before it is committed."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def agrees(name: str, text: str) -> None:
    """The text is that of the golden file."""
    path = FOLDER / name
    if os.environ.get("OT_DOCTOR_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"{path}: OT_DOCTOR_UPDATE_GOLDEN=1 writes it anew"
