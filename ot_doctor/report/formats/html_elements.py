"""Elements of an HTML page: text and attributes are escaped as they are written, so no text can become markup."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, tostring

from ot_doctor.report.plain import writable

# What no HTML document may hold: controls, and code points that are no characters.
_NO_CHARACTERS = "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
_NOT_IN_HTML = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufdd0-\ufdef{_NO_CHARACTERS}]")
# No line end behind these.
_INLINE = frozenset({"a", "b", "code", "pre", "small", "span", "strong", "text", "textarea", "time", "title"})
Child = Element | str | None


def element(tag: str, *children: Child, **attributes: str) -> Element:
    """An element. In an attribute's name ``_`` stands for ``-``, and one at its end is dropped: ``class_``, ``aria_label``."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): _clean(value) for name, value in attributes.items()})
    for child in children:
        if isinstance(child, str):
            text = _clean(child)
            if len(made):
                made[-1].tail = (made[-1].tail or "") + text
            else:
                made.text = (made.text or "") + text
        elif child is not None:
            made.append(child)
            child.tail = None if child.tag in _INLINE else "\n"
    return made


def document(html: Element) -> str:
    """The finished page."""
    return writable(f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n")


def _clean(text: str) -> str:
    return text if text.isprintable() else _NOT_IN_HTML.sub("\ufffd", text)
