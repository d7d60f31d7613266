"""Lines of a ``.env`` as people write them, and what each of its three readers makes of them.

Seen with Compose v2.20 to v5, python-dotenv 1.2 and bash 5.2; ``HF_TOKEN=hf_shell`` was in the shell.
"""

from __future__ import annotations

from dataclasses import dataclass

SHELL = {"HF_TOKEN": "hf_shell"}
REFUSED = "refused"  # Compose does not accept the file, python-dotenv cannot decode it


@dataclass(frozen=True)
class Row:
    name: str
    data: bytes
    compose: str | None  # the value of ``key``; None: it is not set
    python_dotenv: str | None
    bash: str | None
    key: str = "HUGGINGFACE_TOKEN"


def _row(name: str, text: str, compose: str | None, python_dotenv: str | None, bash: str | None, end: str = "\n") -> Row:
    line = text.replace("T=", "HUGGINGFACE_TOKEN=", 1) if text.startswith("T=") else text
    return Row(name, (line + end).encode(), compose, python_dotenv, bash)


OK = "hf_abc"
ROWS = (
    _row("1 plain", "T=hf_abc", OK, OK, OK),
    _row("2 inline comment", "T=hf_abc  # my token", OK, OK, OK),
    _row("3 comment after TAB", "T=hf_abc\t# my token", "hf_abc\t# my token", OK, OK),
    _row("4 comment without a space", "T=hf_abc#mytoken", "hf_abc#mytoken", "hf_abc#mytoken", "hf_abc#mytoken"),
    _row("5 empty value and comment", "T= # paste here", "# paste here", "", ""),
    _row("6 the same without a space", "T=# paste here", "# paste here", "# paste here", None),
    _row("7 double quotes", 'T="hf_abc"', OK, OK, OK),
    _row("8 single quotes", "T='hf_abc'", OK, OK, OK),
    _row("9 double quotes and comment", 'T="hf_abc" # c', OK, OK, OK),
    _row("10 spaces inside quotes", 'T=" hf_abc "', " hf_abc ", " hf_abc ", " hf_abc "),
    _row("11 unterminated quote", 'T="hf_abc\nNEXT=1', REFUSED, None, None),
    _row("12 closing quote only", 'T=hf_abc"', 'hf_abc"', 'hf_abc"', None),
    _row("13 curly quotes", "T=“hf_abc”", "“hf_abc”", "“hf_abc”", "“hf_abc”"),
    _row("14 back-ticks", "T=`hf_abc`", "`hf_abc`", "`hf_abc`", ""),
    _row("15 spaces around =", "HUGGINGFACE_TOKEN = hf_abc", OK, OK, None),
    _row("16 space after =", "T= hf_abc", OK, OK, None),
    _row("17 space before =", "HUGGINGFACE_TOKEN =hf_abc", OK, OK, None),
    _row("18 trailing spaces", "T=hf_abc   ", OK, OK, OK),
    _row("19 leading spaces", "   HUGGINGFACE_TOKEN=hf_abc", OK, OK, OK),
    _row("20 export", "export HUGGINGFACE_TOKEN=hf_abc", OK, OK, OK),
    _row("21 set", "set HUGGINGFACE_TOKEN=hf_abc", REFUSED, None, None),
    _row("22 colon", "HUGGINGFACE_TOKEN: hf_abc", OK, None, None),
    _row("23 CRLF", "T=hf_abc\r\nNEXT=1\r", OK, OK, "hf_abc\r"),
    _row("24 CRLF and double quotes", 'T="hf_abc"\r\nNEXT=1\r', OK, OK, "hf_abc\r"),
    _row("25 CR alone", "A=1\rHUGGINGFACE_TOKEN=hf_abc\r", None, OK, None, end=""),
    _row("26 BOM", "\ufeffHUGGINGFACE_TOKEN=hf_abc", OK, OK, None),
    Row("27 UTF-16", "HUGGINGFACE_TOKEN=hf_abc\r\n".encode("utf-16"), REFUSED, REFUSED, None),
    _row("28 duplicate, real then empty", "T=hf_abc\nHUGGINGFACE_TOKEN=", "", "", ""),
    _row("29 duplicate, old then new", "T=hf_old\nHUGGINGFACE_TOKEN=hf_new", "hf_new", "hf_new", "hf_new"),
    _row("30 $NAME", "T=hf_a$bc", "hf_a", "hf_a$bc", "hf_a"),
    _row("31 ${NAME} of the shell", "T=${HF_TOKEN}", "hf_shell", "hf_shell", "hf_shell"),
    _row("32 ${NAME} of file and shell", "HF_TOKEN=hf_file\nHUGGINGFACE_TOKEN=${HF_TOKEN}", "hf_shell", "hf_file", "hf_file"),
    _row("33 $ in single quotes", "T='hf_a$bc'", "hf_a$bc", "hf_a$bc", "hf_a$bc"),
    _row("34 $$", "T=hf_a$$bc", "hf_a$bc", "hf_a$$bc", "hf_a<process>bc"),
    Row("35 name alone, set in the shell", b"HF_TOKEN\n", "hf_shell", None, "hf_shell", key="HF_TOKEN"),
    _row("36 name alone", "HUGGINGFACE_TOKEN", None, None, None),
    _row("37 pasted twice", "T=HUGGINGFACE_TOKEN=hf_abc", *["HUGGINGFACE_TOKEN=hf_abc"] * 3),
    _row("38 zero-width space", "T=hf_abc\u200b", *["hf_abc\u200b"] * 3),
    _row("39 no-break space before", "T=\xa0hf_abc", OK, OK, "\xa0hf_abc"),
    _row("40 value on the next line", "T=\nhf_abc", "", "", ""),
    _row("41 backslash", "T=\\\nhf_abc", "\\", "\\", OK),
    _row("42 lower case", "huggingface_token=hf_abc", None, None, None),
    _row("43 commented out", "#HUGGINGFACE_TOKEN=hf_abc", None, None, None),
    _row("44 angle brackets", "T=<your_token>", "<your_token>", "<your_token>", None),
    _row("45 two words", "T=hf_abc my token", "hf_abc my token", "hf_abc my token", None),
    Row("46 MAX_SPEAKERS and comment", b"MAX_SPEAKERS=20  # Can be increased\n", "20", "20", "20", key="MAX_SPEAKERS"),
    Row("47 MAX_SPEAKERS, TAB and comment", b"MAX_SPEAKERS=20\t# note\n", "20\t# note", "20", "20", key="MAX_SPEAKERS"),
    _row("48 CR alone, inside the value", "T=hf_abc\rNEXT=1\r", "hf_abc\rNEXT=1", OK, "hf_abc\rNEXT=1\r", end=""),
    Row("49 Latin-1 in a comment", b"# caf\xe9\nHUGGINGFACE_TOKEN=hf_abc\n", OK, REFUSED, OK),
    Row("50 Latin-1 in a value", b"HUGGINGFACE_TOKEN=hf_\xe9\n", "hf_\ufffd", REFUSED, "hf_\ufffd"),
    Row("51 NUL", b"HUGGINGFACE_TOKEN=hf_\0abc\n", REFUSED, "hf_\0abc", OK),
    _row("52 unterminated single quote", "T='hf_abc", REFUSED, None, None),
    _row("53 last line, name alone, no line end", "A=1\nHUGGINGFACE_TOKEN", REFUSED, None, None, end=""),
    _row("54 two on a line", 'A="1" HUGGINGFACE_TOKEN=hf_abc', OK, None, OK),
    _row("55 escapes", 'T="a\\tb\\$c\\"d\\\\e\\0101"', 'a\tb$c"d\\eA', 'a\tb\\$c"d\\e\\0101', 'a\\tb$c"d\\e\\0101'),
    _row("56 two lines in quotes", 'T="hf_\nabc"', "hf_\nabc", "hf_\nabc", "hf_\nabc"),
    _row("57 escaped quote in single quotes", "T='a\\'b'", "a'b", "a'b", None),
    _row("58 default", "T=${NOT_SET:-hf_abc}", OK, OK, OK),
    _row("59 default for empty", "E=\nHUGGINGFACE_TOKEN=${E:-hf_abc}/${E-x}", "hf_abc/", "/", "hf_abc/"),
    _row("60 when set", "T=${HF_TOKEN:+hf_abc}${NOT_SET+x}", OK, "${HF_TOKEN:+hf_abc}", OK),
    _row("61 required", "T=${NOT_SET:?is required}", REFUSED, "${NOT_SET:?is required}", None),
    _row("62 required and set", "T=${HF_TOKEN:?is required}", "hf_shell", "${HF_TOKEN:?is required}", "hf_shell"),
    _row("63 broken template", "T=${HF_TOKEN", REFUSED, "${HF_TOKEN", None),
    _row("64 nested default", "T=${NO:-${NOT_SET:-hf_abc}}.${NO:-x}}", "hf_abc.x}", "${NOT_SET:-hf_abc}.x}", "hf_abc.x}"),
    _row("65 variable of a later line", "T=${LATER}\nLATER=hf_abc", OK, "", ""),
    _row("66 name alone after its value", "T=hf_abc\nHUGGINGFACE_TOKEN", OK, None, OK),
    _row("67 value without a name", "=hf_abc", REFUSED, None, None),
    _row("68 export alone", "A=1\nexport ", REFUSED, None, None, end=""),
    _row("69 word after quotes", 'T="hf_abc"d', REFUSED, None, "hf_abcd", end=""),
    _row("70 ideographic space before", "T=\u3000hf_abc", "\u3000hf_abc", OK, "\u3000hf_abc"),
    _row("71 no-break space after", "T=hf_abc\xa0", OK, OK, "hf_abc\xa0"),
    _row("72 hyphen in a name", "A-B.c[0]=1\nHUGGINGFACE_TOKEN=${A}", "", "", ""),
)
