"""Addresses that every client reads alike, so that what is compared is what is connected to."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urljoin

_PATH = r"[A-Za-z0-9._~!$&'()*+,;=:@/%-]*"  # what RFC 3986 allows: no blank, backslash, control character or letter beyond ASCII
_SERVER = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?",
    re.IGNORECASE,
)
_REST = re.compile(rf"(?P<path>(?:/{_PATH})?)(?:\?(?P<query>(?:{_PATH[:-2]}?]|[?])*))?(?:#.*)?")
_RELATIVE = re.compile(rf"(?![A-Za-z][A-Za-z0-9+.-]*:)(?P<path>{_PATH})(?:\?(?P<query>[A-Za-z0-9._~!$&'()*+,;=:@/%?-]*))?(?:#.*)?")
_PORTS = {"http": 80, "https": 443}
