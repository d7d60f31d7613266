"""SARIF's schema, out of the package ``schemastore``, which carries a copy of the public store's schemas."""

from __future__ import annotations

import json
import sqlite3
from importlib.metadata import distribution
from typing import Any

_TITLE = b"Static Analysis Results Format (SARIF) Version 2.1.0 JSON Schema"


def sarif_schema() -> dict[str, Any]:
    """The schema. The package keeps it in a cache of web answers, whose own reader would ask the network first."""
    store = sqlite3.connect(f"file:{distribution('schemastore').locate_file('schemastore/cache.sqlite')}?mode=ro", uri=True)
    try:
        (answer,) = next(row for row in store.execute("select value from responses") if _TITLE in row[0])
    finally:
        store.close()
    text = answer[answer.index(b"{", answer.index(b"_content")) :]
    schema: dict[str, Any] = json.JSONDecoder().raw_decode(text.decode("utf-8", "replace"))[0]
    return schema
