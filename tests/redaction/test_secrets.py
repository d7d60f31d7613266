from __future__ import annotations

import copy
import json
import logging
import pickle
import random
import re
import string
import subprocess
import sys
import traceback
from dataclasses import dataclass

import pytest

from ot_doctor.core.printable import printable
from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.names import is_secret, keep, register_text
from ot_doctor.redaction.secret import Secret

TOKEN = "hf_" + "QwErTyUiOpAsDfGhJkLzXcVbNm12345678"
LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Holder:
    token: Secret


@pytest.mark.parametrize(
    "shown",
    [
        str(Secret(TOKEN)),
        repr(Secret(TOKEN)),
        f"{Secret(TOKEN)}",
        f"{Secret(TOKEN)!r:>60}",
        "{}".format(Secret(TOKEN)),  # noqa: UP032
        "%s %r" % (Secret(TOKEN), Secret(TOKEN)),  # noqa: UP031
        repr(Holder(Secret(TOKEN))),
        repr({"a": [Secret(TOKEN)]}),
        repr(vars(type("Bag", (), {"token": Secret(TOKEN)}))),
        str(ValueError(Secret(TOKEN))),
        json.dumps({"token": Secret(TOKEN)}, default=str),
        json.dumps({"token": Secret(TOKEN)}, default=repr),
    ],
)
def test_a_secret_never_shows_itself(shown: str) -> None:
    assert TOKEN not in shown and TOKEN[3:11] not in shown
    assert re.search(r"hf_(?:…|\\u2026)\(37:[0-9a-f]{4}\)", shown)


def test_a_format_width_does_not_bring_it_out() -> None:
    with pytest.raises(TypeError):
        f"{Secret(TOKEN):>60}"


def test_a_traceback_does_not_show_it() -> None:
    try:
        raise RuntimeError("refused", Secret(TOKEN))
    except RuntimeError as error:
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "refused" in text and TOKEN not in text.replace(f"TOKEN = {TOKEN!r}", "")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(Secret(TOKEN), protocol)


def test_json_does_not_take_it_by_itself() -> None:
    with pytest.raises(TypeError):
        json.dumps(Secret(TOKEN))


def test_it_has_no_attributes_to_walk_through() -> None:
    assert not hasattr(Secret(TOKEN), "__dict__")
    with pytest.raises(TypeError):
        copy.deepcopy(Secret(TOKEN))


def test_logging_shows_the_shape(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        logging.getLogger("anything").info("token %s", Secret(TOKEN))
    assert re.search(r"token hf_…\(37:\w{4}\)$", caplog.text.strip())


def test_equality_is_that_of_the_values() -> None:
    assert Secret(TOKEN) == Secret(TOKEN)
    assert hash(Secret(TOKEN)) == hash(Secret(TOKEN))
    assert Secret(TOKEN) != Secret(TOKEN + "x")
    assert Secret(TOKEN) != TOKEN
    assert bool(Secret("")) is False and Secret("").blank and Secret(" \t").blank
    assert len(Secret("abc")) == 3 and Secret("abc").reveal() == "abc"


def test_fingerprints_compare_values_within_one_process_only() -> None:
    assert Secret(TOKEN).fingerprint == Secret(TOKEN).fingerprint != Secret(TOKEN + "x").fingerprint
    assert len(Secret(TOKEN).fingerprint) == 8
    assert Secret("\ud800").fingerprint  # what a file name or a .env with stray bytes may hold
    code = f"from ot_doctor.redaction.secret import Secret; print(Secret({TOKEN!r}).fingerprint, hash(Secret({TOKEN!r})))"
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout for _ in range(2)}
    assert len(runs) == 2


def test_a_good_token_is_well_formed() -> None:
    shape = Secret(TOKEN).shape
    assert shape.well_formed and not shape.placeholder and not shape.odd and not shape.repeated and not shape.comment
    assert (shape.length, shape.prefix, shape.pasted_name) == (37, "hf_", None)


@pytest.mark.parametrize(
    ("value", "position", "code_point", "name"),
    [
        (f'"{TOKEN}', 1, "U+0022", "QUOTATION MARK"),
        (f"\u201c{TOKEN}", 1, "U+201C", "LEFT DOUBLE QUOTATION MARK"),
        (f"{TOKEN} ", 38, "U+0020", "SPACE"),
        (f"{TOKEN}\u00a0", 38, "U+00A0", "NO-BREAK SPACE"),
        (f"{TOKEN[:10]}\u200b{TOKEN[10:]}", 11, "U+200B", "ZERO WIDTH SPACE"),
        (f"\ufeff{TOKEN}", 1, "U+FEFF", "ZERO WIDTH NO-BREAK SPACE"),
        (f"{TOKEN}\r", 38, "U+000D", "CARRIAGE RETURN"),
        (f"{TOKEN}\t", 38, "U+0009", "TAB"),
        (f"{TOKEN}\x00", 38, "U+0000", "NULL"),
        (f"{TOKEN}\x07", 38, "U+0007", "CONTROL CHARACTER"),
        ("hf_\u0430bc", 4, "U+0430", "CYRILLIC SMALL LETTER A"),  # looks like a Latin one
        ("hf-abc", 3, "U+002D", "HYPHEN-MINUS"),
    ],
)
def test_odd_characters_are_named(value: str, position: int, code_point: str, name: str) -> None:
    shape = Secret(value).shape
    assert not shape.well_formed
    assert (shape.odd[0].position, shape.odd[0].code_point, shape.odd[0].name) == (position, code_point, name)


def test_at_most_eight_odd_characters_are_named() -> None:
    assert [odd.position for odd in Secret("-" * 5000).shape.odd] == list(range(1, 9))


@pytest.mark.parametrize(
    "value",
    [
        "<your_token>", "<your_huggingface_token>", "hf_your_token_here", "hf_xxxx", "hf_" + "x" * 34, "hf_XXXXXXXXXXXX", "xxxx",
        "your_huggingface_token_here", "your-token", "YOUR_HUGGINGFACE_TOKEN", "hf_...", "hf_…", "...", "hf_", "hf_****",
        "changeme", "change_me", "replace_me", "${HF_TOKEN}", "$HUGGINGFACE_TOKEN", "[token]", "{{ token }}", "hf_token", "token",
        "hf_1234567890", "hf_" + "0" * 34, "hf_abc123example", "none", "null", "TODO", "'hf_your_token_here'", ' "<token>" ',
        "hf_" + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "paste-your-token", "insert_token",
    ],
)  # fmt: skip
def test_example_values_are_placeholders(value: str) -> None:
    assert Secret(value).shape.placeholder


@pytest.mark.parametrize("value", ["", "hf_abc", "hf_abcdefghijklmnopqrs", "api_org_abcdefghijklmnopqrst", "sk-proj-1234567890"])
def test_other_values_are_none(value: str) -> None:
    assert not Secret(value).shape.placeholder


def test_no_well_formed_token_is_ever_taken_for_a_placeholder() -> None:
    chance = random.Random(20261121)
    for _ in range(20_000):
        value = "hf_" + "".join(chance.choices(LETTERS, k=34))
        shape = Secret(value).shape
        assert shape.well_formed and not shape.placeholder, value
    for word in ("your", "example", "token", "xxx", "1234", "000000", "paste", "none"):  # chance may write a word
        rest = "".join(chance.choices(LETTERS, k=34 - len(word)))
        assert not Secret(f"hf_{word}{rest}").shape.placeholder
        assert not Secret(f"hf_{rest}{word}").shape.placeholder


@pytest.mark.parametrize(
    ("value", "name", "comment", "repeated"),
    [
        (f"HUGGINGFACE_TOKEN={TOKEN}", "HUGGINGFACE_TOKEN", False, False),
        (f"export HF_TOKEN = {TOKEN}", "HF_TOKEN", False, False),
        (f"{TOKEN} # mine", None, True, False),
        (TOKEN * 2, None, False, True),
        (f"{TOKEN}\n{TOKEN}", None, False, True),
    ],
)
def test_what_was_pasted_too_much_is_told(value: str, name: str | None, comment: bool, repeated: bool) -> None:
    shape = Secret(value).shape
    assert (shape.pasted_name, shape.comment, shape.repeated) == (name, comment, repeated)


@pytest.mark.parametrize(("value", "prefix"), [("api_org_abc", "api_org_"), ("api_abc", "api_"), ("abc", ""), ("", "")])
def test_the_prefix_is_told(value: str, prefix: str) -> None:
    secret = Secret(value)
    assert secret.shape.prefix == prefix and str(secret.shape) == f"{prefix}…({len(value)})"
    assert str(secret) == (f"{prefix}…({len(value)}:{secret.fingerprint[:4]})" if value else "…(0)")


def look(text: str) -> str:
    """The text without the fingerprints, which are others in each run."""
    return re.sub(r"(?<=\d):[0-9a-f]{4}\)", ")", text)


def test_redaction_by_value_takes_what_was_met_anywhere() -> None:
    odd = "Pa55: word/with?strange&signs"
    assert odd in redact(f"before it is met: {odd}")
    Secret(odd)
    assert redact(f"after: {odd}.") == f"after: {Secret(odd)}."
    assert redact("nothing here") == "nothing here"


def test_redaction_takes_the_longer_of_two_values_first() -> None:
    Secret("kA9-first-part")
    Secret("kA9-first-part-and-more")
    assert look(redact("x kA9-first-part-and-more x")) == "x …(23) x"


def test_a_value_with_a_line_end_is_redacted_without_it() -> None:
    Secret("s3cr3t-value-9\r\n")
    assert look(redact("[s3cr3t-value-9]")) == "[…(14)]"


def test_the_rest_of_a_token_that_was_met_cut_off_goes_with_it() -> None:
    Secret("hf_CutOffTok")
    shown = look(redact("hf_CutOffTokenAndAllTheRestOfIt99."))
    assert shown == "hf_…(33)."


def test_fingerprints_are_fixed_with_a_fixed_salt(fixed_salt: None) -> None:
    assert str(Secret(TOKEN)) == redact(TOKEN) == "hf_…(37:019d)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("token hf_abcdefGHIJ123 used", "token hf_…(16) used"),
        ("'hf_aaaaaaaaaaaaaaaaaaaaaaaaa'", "'hf_…(28)'"),
        ("GET /?t=hf%5fabcdefGHIJ123", "GET /?t=hf_…(16)"),
        ("api_org_abcdefGHIJ123", "api_org_…(21)"),
        ("Authorization: Bearer abcdef123456", "Authorization: Bearer …(12)"),
        ("authorization: bearer api_org_abcdefgh", "authorization: bearer api_org_…(16)"),
        ("Proxy-Authorization: Basic YW5hOnB3", "Proxy-Authorization: Basic …(8)"),
        ("http://user:pa55word@proxy:3128/", "http://user:…(8)@proxy:3128/"),
        ("redis://:topsecret1@redis:6379", "redis://:…(10)@redis:6379"),
        ("git clone https://abcdefghij0123456789@git.lan/x", "git clone https://…(20)@git.lan/x"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig", "eyJ…(40)"),
        ("POSTGRES_PASSWORD=abc", "POSTGRES_PASSWORD=…(3)"),
        ("{'password': 'abc'}", "{'password': '…(3)'}"),
        ('{\\"password\\": \\"abc\\"}', '{\\"password\\": \\"…(3)\\"}'),
        ("password: hunter2!", "password: …(8)"),
        ("?token=abc12345&x=1", "?token=…(8)&x=1"),
        ("api_key: 'zyx98765wvu'", "api_key: '…(11)'"),
        ("JWT_SECRET_KEY=0123456789abcdef0123", "JWT_SECRET_KEY=…(20)"),
        ("sk-proj-abcdefgh12345678", "sk-…(24)"),
        ("ghp_abcdefghijklmnopqrst", "…(24)"),
        ("AKIAABCDEFGHIJKLMNOP", "…(20)"),
        ("write to ana.b@example.org, please", "write to e-mail…(17), please"),
        ("mailto ana%40example.org", "mailto e-mail…(17)"),
        ("a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY----- b", "a private key…(71) b"),
        ("-----BEGIN PRIVATE KEY-----\\nMIIE\\ncut off", "private key…(42)"),
    ],
)
def test_redaction_by_shape(text: str, shown: str) -> None:
    assert look(redact(text)) == shown
    assert redact(redact(text)) == redact(text)  # what left once may leave again


@pytest.mark.parametrize(
    "text",
    [
        "hf_hub_download", "HF_TOKEN", "models--pyannote--x", "http://localhost:8080/a@b", "docker.sock:/var/run", "user@host:22",
        "HUGGINGFACE_TOKEN=hf_… without spaces", "the worker has a token: hf_…(37)", "use_auth_token=True", "max_tokens=4096000",
        "token=settings.HUGGINGFACE_TOKEN,", 'token=os.environ["HF_TOKEN"]', "Invalid token: unauthorized", "basic settings",
        "password: required", "Bearer authentication is needed", "an unexpected keyword argument 'use_auth_token'",
        "git@github.com:pyannote/pyannote-audio.git", "celery@worker.lan ready", "token_type: gpt2tokenizer.json", "secret: none",
        "password=", "PASSWORD=${POSTGRES_PASSWORD}", "password=<your_password>", "image@sha256:0123456789abcdef0123456789abcdef",
        "ssh://host.lan", "https://huggingface.co/pyannote/segmentation-3.0", "numpy@1.26.4", "docker@x.service",
    ],
)  # fmt: skip
def test_redaction_leaves_the_rest_alone(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("value", ["opentranscribe", "postgres", "true", "1234", "8080", "local", "Strict", "abc", "x1", ""])
def test_words_and_numbers_that_a_report_is_made_of_stay(value: str) -> None:
    Secret(value, "POSTGRES_PASSWORD")
    text = f"docker compose -p {value} up, line {value}, '{value}'"
    assert redact(text) == text
    assert not value or redact(f"POSTGRES_PASSWORD={value}") != f"POSTGRES_PASSWORD={value}"


@pytest.mark.parametrize("value", ["a1b2", "s3cret", "x-y-z", "p@ss"])
def test_a_short_value_is_hidden_as_a_word(value: str) -> None:
    Secret(value, "POSTGRES_PASSWORD")
    assert value not in redact(f"login with '{value}' failed, {value}")
    assert redact(f"pre{value}post") == f"pre{value}post"


def test_a_number_within_a_longer_one_is_another_number() -> None:
    Secret("12345678", "PIN")
    assert look(redact("12345678 and 9123456780")) == "…(8) and 9123456780"


@pytest.mark.parametrize(
    "url", ["redis://:k9kqz-77fw@redis:6379/0", "postgresql://ot:k9kqz-77fw@db/ot", "https://u:k9kqz%2D77fw@proxy:1"]
)
def test_the_password_of_an_address_is_known_wherever_the_address_stood(url: str) -> None:
    assert keep("CELERY_BROKER_URL", url) == url  # where it leads must be seen
    assert "k9kqz" not in redact("AUTH k9kqz-77fw refused, k9kqz-77fw")


def test_an_address_without_credentials_is_no_secret() -> None:
    Secret("https://huggingface.co", "AUTH_URL")
    assert redact("see https://huggingface.co/pyannote") == "see https://huggingface.co/pyannote"


def test_a_recorded_secret_is_compared_by_its_fingerprint() -> None:
    live = Secret(TOKEN, "HUGGINGFACE_TOKEN")
    one, same = (Secret.recorded(live.shape, "0123abcd", "HUGGINGFACE_TOKEN") for _ in range(2))
    other = Secret.recorded(live.shape, "ffff0000", "HUGGINGFACE_TOKEN")
    assert one == same and hash(one) == hash(same) and one != other and one != live
    assert Secret.recorded(live.shape, live.fingerprint) == live and live.name == one.name == "HUGGINGFACE_TOKEN"
    assert (str(one), len(one), bool(one), one.blank, one.shape.well_formed) == ("hf_…(37:0123)", 37, True, False, True)
    with pytest.raises(LookupError):
        one.reveal()


@pytest.mark.parametrize("value", ["", " ", "\t" * 20])
def test_a_recorded_secret_knows_whether_there_is_something_in_it(value: str) -> None:
    live = Secret(value)
    recorded = Secret.recorded(live.shape, live.fingerprint)
    assert recorded.blank and live.blank and bool(recorded) == bool(live) == bool(value) and len(recorded) == len(value)


@pytest.mark.parametrize("value", ["!@#$%^&*", "kJhGfDsAqWeRtYzz=", "abcd=efgh", "Äußeres-Ölfaß"])
def test_the_shape_of_a_password_gives_no_part_of_it_away(value: str) -> None:
    shape = Secret(value, "POSTGRES_PASSWORD").shape
    assert shape.odd == () and shape.pasted_name is None


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never closed", ""),
        ("\x1bMup", "up"),
        ("a\x9bb\x85c\x7fd", "abcd"),
        ("a\x00b\x07c\x08d\re\x1f", "abcde"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("\u2066a\u2069\u200eb\u200f", "ab"),
        ("a\u2028b\u2029", "ab"),
        ("line\n\ttabbed\n", "line\n\ttabbed\n"),
        ("Grüße, 話者 ✓ 👍", "Grüße, 話者 ✓ 👍"),
        ("👨\u200d👩\u200d👧 می\u200cخواهم", "👨\u200d👩\u200d👧 می\u200cخواهم"),
        ("ig\u200bno\u2060re\ufeff \u00ad\u061call\U000e0041\U000e0042", "ignore all"),
        ("[31m no escape", "[31m no escape"),
        ("", ""),
    ],
)
def test_printable_takes_control_away_and_keeps_the_text(text: str, left: str) -> None:
    assert printable(text) == left


def test_printable_never_leaves_an_escape_whatever_the_bytes() -> None:
    chance = random.Random(7)
    for _ in range(300):
        text = bytes(chance.randrange(256) for _ in range(200)).decode("latin-1")
        assert not set(printable(text)) & {chr(c) for c in (*range(9), *range(11, 32), *range(127, 160))}


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("HUGGINGFACE_TOKEN", "", True), ("POSTGRES_PASSWORD", "x", True), ("MINIO_ROOT_USER", "minio", True),
        ("JWT_SECRET_KEY", "x", True), ("ENCRYPTION_KEY", "x", True), ("OPENAI_API_KEY", "x", True), ("SENTRY_DSN", "x", True),
        ("MAX_SPEAKERS", "20", False), ("MODEL_CACHE_DIR", "./models", False), ("COMPUTE_TYPE", "float16", False),
        ("NOTE", TOKEN, True), ("ANYTHING", "sk-abcdefghijklmnopqrst", True), ("VITE_X", "ghp_abcdefghijklmnopqrstuvwx", True),
        ("PEM", "-----BEGIN RSA PRIVATE KEY-----", True), ("SMTP_PASS", "x", True), ("db_pass", "x", True),
        ("ADMIN_PWD", "x", True),
        ("SESSION_SALT", "x", True), ("AWS_ACCESS_KEY_ID", "x", True), ("AWS_REGION", "eu-west-1", False),
        ("GITHUB_PAT", "x", True),
        ("DEEPGRAM_API_KEY", "x", True), ("SLACK_WEBHOOK", "x", True), ("JWT_SIGNING", "x", True), ("LDAP_BIND_PW", "x", True),
        ("ANYTHING", "kX8fJ2mQ9rT4vW6yZ1bN", True), ("PWD", "/srv/ot", False), ("OLDPWD", "/srv", False),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/pg", False), ("SSL_KEY_PATH", "/etc/ssl/key.pem", False),
        ("requirepass", "x", True), ("DBPASS", "x", True), ("HMAC", "x", True), ("PRIVKEY", "x", True), ("OTP_SEED", "x", True),
        ("SESSION_ID", "x", True), ("FLOWER_BASIC_AUTH", "x", True), ("ELEVENLABS_API_KEY", "x", True), ("GLADIA_KEY", "x", True),
        ("REVAI_ACCESS_TOKEN", "x", True), ("PYANNOTEAI_API_KEY", "x", True), ("SPEECHMATICS_API_KEY", "x", True),
        ("NOTE", "sk_live_51H8abcdEFGHijklMNOP", True), ("NOTE", "dop_v1_" + "0f" * 32, True),
        ("TOKENIZERS_PARALLELISM", "false", False), ("MAX_TOKENS", "4096", False), ("LLM_MAX_TOKENS", "4096", False),
        ("LLM_MAX_CONTEXT_TOKENS", "x", False), ("ACCESS_TOKEN_EXPIRE_MINUTES", "60", False), ("JWT_ALGORITHM", "HS256", False),
        ("BYPASS", "1", False), ("RANDOM_SEED", "1234", False), ("XDG_SESSION_ID", "c2", False),
        ("PASSWORD_MIN_LENGTH", "8", False),
        ("AUTHOR", "ada", False), ("COMPASS", "x", False), ("BYPASSED", "x", False), ("KEYBOARD", "x", False),
        ("MODEL", "Systran/faster-whisper-large-v3", False), ("DIGEST", "0f" * 32, False),
    ],
)  # fmt: skip
def test_what_is_kept_is_told_by_name_or_value(name: str, value: str, secret: bool) -> None:
    assert is_secret(name, value) is secret
    assert isinstance(keep(name, value), Secret) is secret


@pytest.mark.parametrize("following", ["MIN_SPEAKERS=1", "MAX_SPEAKERS=", "  export_path=/srv", "MODEL: large-v3"])
def test_the_setting_behind_an_empty_secret_is_not_its_value(following: str) -> None:
    register_text(f"HUGGINGFACE_TOKEN=\n{following}\n")
    assert redact(f"see {following} here") == f"see {following} here"


def test_a_value_on_the_line_behind_its_name_is_met() -> None:
    register_text("APP_SECRET=\\\nQx7Kp2Lm9Zr4==\n")
    assert "Qx7Kp2Lm9Zr4" not in redact("is Qx7Kp2Lm9Zr4== here")
