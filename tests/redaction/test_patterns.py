"""The rules of ``patterns.toml``: each finds its kind, none finds a usual word, and none takes long."""

from __future__ import annotations

import re
import time

import pytest

from ot_doctor.redaction.masking import redact
from ot_doctor.redaction.names import is_secret
from ot_doctor.redaction.patterns import _data, _services, holds_key

A, B = "Tr0ub4dor99", "0123456789abcdef"
WRITTEN = {
    f"curl -u admin:{A} http://x": A, f"curl -s --user 'admin:{A}' http://x": A, f"http -a admin:{A} GET http://x": A,
    f"mysql -p{A}": A, f"mysqldump -u root -p{A} db": A, f"mariadb --password={A}": A, f"PGPASSWORD={A} psql": A,
    f"redis-server --requirepass {A}": A, f"requirepass {A}": A, f"redis-cli -a {A} ping": A, f"sshpass -p {A} ssh x": A,
    f"celery flower --basic_auth=admin:{A}": A, f"flower --basic-auth admin:{A}": A, f"DBPASS={A}": A, f"hmac={A}x": A,
    f"Authorization: token {A}abc": A, f"X-Api-Key: {A}abcdef": A, f"xi-api-key: {B * 2}": B, f"x-gladia-key: {B}abcd": B,
    f"Cookie: session={A}abcdef": A, f"Set-Cookie: sid={A}; Path=/": A, f"sessionid={A}abcdef": A,
    "sk_" + "live_51H8abcdEFGHijklMNOP": "51H8abcdEFGH", "rk_" + "test_51H8abcdEFGHijklMNOP": "51H8abcdEFGH",
    "npm_" + "abcdefghijklmnopqrstuvwxyz0123456789": "abcdefghijkl", "pypi-" + "AgEIcHlwaS5vcmcCJDU": "cHlwaS5vcmc",
    "ya29." + "a0AfH6SMBxxxxxxxxxxxx1234567890": "a0AfH6SMB", "AIza" + "SyA1234567890abcdefghijklmnopqrstuv": "SyA1234567890",
    "https://hooks.slack.com/services/" + "T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX": "T00000000",
    "https://discord.com/api/webhooks/" + "123456789012345678/AbCdEfGhIjKlMnOp": "123456789012345678",
    "xoxb-" + "123456789012-abcdefABCDEF": "123456789012", "xapp-" + "1-A012345-678901-abcdef0123": "A012345",
    "123456789:" + "AAExxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx": "AAExxxx", "dop_v1_" + B * 4: B,
    "dckr_pat_" + "AbCdEfGhIjKlMnOpQrStUv12": "AbCdEf",
    "AKIA" + "ABCDEFGHIJKLMNOP": "ABCDEFGH", "SharedAccessKey=" + "AbCdEf0123456789AbCdEf0123456789=": "AbCdEf01",
    "abc8Q~" + "AbCdEf0123456789AbCdEf0123456789": "AbCdEf01", "ghp_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789": "AbCdEf",
    "glpat-" + "AbCdEfGhIjKlMnOpQrSt": "AbCdEf", "sk-ant-" + "api03-AbCdEfGhIjKl0123456789": "AbCdEf",
    "sk-" + "proj-AbCdEfGhIjKl0123456789": "AbCdEf", "gsk_" + "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789": "AbCdEf",
    f"DEEPGRAM_API_KEY: {B * 2}01234567": B, f"deepgram key {B * 2}01234567": B, f"assemblyai token={B * 2}": B,
    f"elevenlabs api_key = sk_{B * 3}": B, f"speechmatics key: {B * 2}": B, f"pyannoteai_api_key={B}ABCD{B}": B,
    f"SG.{'Ab1' * 7}d.{'Ef2' * 14}g": "Ef2Ef2",
}  # fmt: skip


@pytest.mark.parametrize("text", WRITTEN)
def test_a_shape_is_hidden_without_its_value_being_known(text: str) -> None:
    shown = redact(f"ERROR: {text} failed")
    assert WRITTEN[text] not in shown and "…(" in shown and shown.startswith("ERROR: ")
    assert redact(shown) == shown and (shown.endswith(" failed") or "ookie" in text)


@pytest.mark.parametrize(
    "text",
    [
        "curl -fsS http://localhost:5174/health", "curl -u user:<password> http://x", "mysql -u root -p", "mysql -h db -P 3306",
        "docker run -u 1000:1000 x", "docker compose -p opentranscribe up", "npm_config_cache", "npm_lifecycle_script",
        "Authorization: token …(14:4048)", "Cookie: not set", "the session id is unknown", "sk_buff", "sk-learn", "xoxo",
        "TOKENIZERS_PARALLELISM=false", "MAX_TOKENS=4096", "azure key vault", "api-key: missing", "redis-cli ping",
        "2026-11-21 01:37:28,804: AAC stream", "deepgram is the provider", "gladia", "the pyannote.ai documentation", "glpat-",
        "AKIA",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_shape_stays(text: str) -> None:
    assert redact(text) == text and not holds_key(text) and not is_secret("NOTE", text)


def test_the_data_say_where_they_are_from() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", _data()["version"])
    for rule in _services():
        assert rule.signs and all(sign == sign.lower() for sign in rule.signs) and re.compile(rule.pattern).groupindex["secret"]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(_services())))
def test_no_rule_takes_long(number: int) -> None:
    rule = _services()[number]
    units = [*rule.signs, *(f"{sign} -u a:" for sign in rule.signs), *(f"{sign}{'a1' * 20}" for sign in rule.signs)]
    units += [f"{sign}{after}" for sign in rule.signs for after in " ="]
    for unit in (*units, "a", "a-", "a.b@", "=", " -p"):
        text = f"{rule.signs[0]} " + (unit * 30_000)[:30_000]
        began = time.process_time()
        re.sub(rule.pattern, "", text)
        assert time.process_time() - began < 0.7, unit
