"""Texts that try to break out of a format, and documents without what differs from machine to machine."""

from __future__ import annotations

import re

from ot_doctor import __version__

HOSTILE = (
    "evil.com", "see evil.co/x (evil.org).", "evil.shop:80", "//evil.com/x", "//localhost/x", "x.evil.com.", "evil.рф",
    "# Heading", "## <h1>", "- item\n- item", "1. item", "1) item", "+ item", "> quote", "***bold***",
    "__bold__ _em_ a_b_c", "~~gone~~ ~gone~", "`code` ``code`` ```code``` ````", "```\nfence\n```", "~~~\nfence\n~~~",
    "    indented", "\tindented", "[link](https://evil.example)", "![image](https://evil.example/x.png)",
    "[ref]: https://evil.example", "[^1]: note", "[x][y]", "<https://evil.example>", "https://evil.example/a_b?c=d&e",
    "www.evil.example", "ftp://evil.example", "a@evil.example", "mailto:a@evil.example",
    "@everyone (@someone) '@x' x@y", "see #12, (#3), owner/repo#4, GH-5, !6, $7$, %8 &9", "|a|b|\n|-|-|\n|c|d|",
    "a | b \\| c `d|e` \\", "@a|b `|` \\|#1|", "</details>", "</summary></details><script>alert(1)</script>",
    "<!-- comment", "--> x", "<img src=x onerror=alert(1)>", "<a href='x'>y</a>", "<b", "&lt;b&gt; &amp; &#64;x &copy;",
    "line  \nbreak\\\nbreak", "===", "---", "title\n===", "title\n---", "***", ":smile: :100: :+1:", "$x$ $$y$$ $`z`$",
    "<?php ?>", "<![CDATA[x]]>", "- [ ] task", "[!NOTE]", "\\", "\\`", "`", "``", "*", "_", "__init__.py _private",
    "é_ü_ hf_…(37)", "a\u00a0b\u3000c", "\U0001f600", "\udce9\ud800", "0123456789abcdef0123456789abcdef01234567",
    "x" * 3000, "`" * 3000, "|" * 3000, "<" * 3000, "\n" * 50 + "x", "a\r\nb\rc",
)  # fmt: skip


def settled(document: str) -> str:
    """The document with neither this tool's version, nor this machine's, nor the style of a page."""
    document = re.sub(r"[\d.]+, Python \S+ on \w+ \w+", "0.0.0, Python 3 on Linux x86_64", document)
    document = re.sub(r"<style>.*?</style>", "<style></style>", document, flags=re.DOTALL)
    document = re.sub(r"'sha256-[^']+'", "'sha256-'", document)
    return document.replace(f"ot-doctor {__version__}", "ot-doctor 0.0.0")
