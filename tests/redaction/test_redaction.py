"""What leaves the doctor: without secrets and names of persons, and with ``strict`` without names of places."""

from __future__ import annotations

import base64
import html
import json
import os
import random
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from ot_doctor.check import Cause, Seen, Step, failed, passed
from ot_doctor.evidence import Engine, Record
from ot_doctor.logs.signatures import catalogue
from ot_doctor.redaction import redactor, registry
from ot_doctor.redaction.common_words import WORDS
from ot_doctor.redaction.masking import redact, redact_outside
from ot_doctor.redaction.names import is_secret, keep, register_text
from ot_doctor.redaction.needles import Needle, credentials, needles
from ot_doctor.redaction.patterns import common_words
from ot_doctor.redaction.redactor import Redactor, leaks
from ot_doctor.redaction.registry import Registry
from ot_doctor.redaction.secret import Secret
from ot_doctor.report.redacted import redacted
from tests.checks.evidence import deployment, hub, worker, workers
from tests.report.reports import report

TOKEN = "hf_" + "QwErTyUiOpAsDfGhJkLzXcVbNm12345678"
PASSWORD = 'p@ss "w0rd" it\'s/ä&<z>'
HOME, USER = "/home/ana", "ana"


def forms(value: str) -> dict[str, str]:
    """The ways in which a value may be written."""
    data = value.encode()
    return {
        "plain": value,
        "quote": quote(value),
        "quote, lower": quote(value, safe="").lower() if value.islower() else quote(value, safe=""),
        "every byte": "".join(f"%{byte:02x}" for byte in data),
        "quote_plus": quote_plus(value),
        "twice": quote(quote(value, safe=""), safe=""),
        "base64": base64.b64encode(data).decode(),
        "base64 behind one byte": base64.b64encode(b"x" + data + b"yz").decode(),
        "base64 behind two": base64.b64encode(b":)" + data + b"z").decode(),
        "base64 for addresses": base64.urlsafe_b64encode(b"user:" + data).decode(),
        "json": json.dumps(value),
        "json in UTF-8": json.dumps(value, ensure_ascii=False),
        "json in json": json.dumps(json.dumps({"a": value})),
        "json in an address": quote(json.dumps({"a": value})),
        "every character": "".join(f"\\u{ord(char):04x}" for char in value),
        "repr": repr(value),
        "repr of bytes": repr(data),
        "html": html.escape(value),
        "shell": shlex.quote(value),
        "hex": data.hex(),
        "HEX": data.hex().upper(),
    }


NAMED = [(name, value) for value in (TOKEN, PASSWORD) for name in forms(value)]


@pytest.mark.parametrize(("name", "value"), NAMED, ids=[f"{name}-{value[:4]}" for name, value in NAMED])
def test_a_value_is_found_however_it_is_written(name: str, value: str) -> None:
    Secret(value, "MY_SECRET")
    written = forms(value)[name]
    text = f"log: before {written} after"
    shown = redact(text)
    assert written not in shown and value[3:11] not in shown and f"…({len(value)}:" in shown
    assert shown.startswith("log: before ") and shown.endswith(" after")
    assert leaks(text.encode()) == ("MY_SECRET",) and not leaks(shown.encode())


@pytest.mark.parametrize(
    "text", [TOKEN[:11], f"…{TOKEN[9:]}", f"{TOKEN[:12]}...", f"a {TOKEN[7:15]} b", f"{TOKEN[:19]}\n  {TOKEN[19:]}"]
)
def test_a_piece_of_a_token_is_found(text: str) -> None:
    Secret(TOKEN, "T")
    assert not any(TOKEN[at : at + 8] in redact(text) for at in range(3, 30))
    assert leaks(text.encode()) and not leaks(redact(text).encode())


def test_a_word_with_which_a_password_begins_stays() -> None:
    Secret("opentranscribe_2024!x", "P")
    for text in ("opentranscribe", "the account opentranscribe", "up opentranscribe…"):
        assert redact(text) == text
    assert redact("opentranscribe_2024!x") != "opentranscribe_2024!x" != redact("… opentranscribe_20…")


@pytest.mark.parametrize(
    "text",
    [
        "import hf_transfer", "in build_hf_headers", "redis://:**@redis:6379/0", "redis://:${REDIS_PASSWORD}@redis", "hf_xet",
        "Write it as http://NAME:PASSWORD@HOST:PORT", "http://user:<password>@host", "--token-file /run/secrets/hub",
        "davidamacey/opentranscribe-backend:v0.4.1@sha256:" + "0f" * 32, "Task x[5b9a1d4e-0c7f-4f0e-9f55-2f0f6a4c1b11]",
        "Systran/faster-whisper-large-v3", "commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "--max-tokens 4096",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    Secret(TOKEN, "HUGGINGFACE_TOKEN")
    assert redact(text) == text and not is_secret("NOTE", text)


def test_settings_are_met_however_they_are_written() -> None:
    register_text("""
        # SECRET_KEY=0ldC0mment3d-out
        # HUGGINGFACE_TOKEN: see the manual for it
        JWT_SECRET: ${JWT:-default-K3y-of-it}  # words behind it
        - "SMTP_PASS=list-Entry-77"
        A B PG_PASSWORD = 'qu\\'0ted value'
        ADMIN_PASSWORD=
        on-the-N3xt-line
    """)
    for value in ("0ldC0mment3d-out", "default-K3y-of-it", "list-Entry-77", "qu'0ted value", "on-the-N3xt-line"):
        assert value not in redact(f"refused {value}!"), value
    assert redact("see the manual for it") == "see the manual for it"


def test_a_slash_in_a_password_of_an_address() -> None:
    assert list(credentials("amqp://ot:A1b2/c#3@rabbit/v")) == ["A1b2/c#3"]
    assert not list(credentials("http://host:8080/x?mail=a@b.org")) and not list(credentials("https://hub/x:y@z"))


def test_a_password_of_words_is_hidden_whole_or_cut_off_and_its_words_are_not() -> None:
    Secret("correct-horse-battery-staple", "P")
    assert "horse" not in redact("with correct-horse-battery-staple!") and redact("the battery-powered") == "the battery-powered"
    for text in ("password was correct-horse-bat", "password was correct-horse-b… (cut)", "…y-staple was wrong"):
        assert redact(text) != text and leaks(text.encode()) == ("P",)


@pytest.mark.parametrize("value", [f"HUGGINGFACE_TOKEN={TOKEN}", "api_org_" + "A1b2" * 8, TOKEN, "NAME=with_password1"])
def test_what_everybody_knows_of_a_value_is_no_piece_of_it(value: str) -> None:
    Secret(value, "HUGGINGFACE_TOKEN")
    for text in ("write it as HUGGINGFACE_TOKEN=hf_… without spaces", "a token: api_org_…", "begins with 'HUGGINGFACE_TOKEN='"):
        assert redact(text) == text


def test_invisible_characters_hide_no_value() -> None:
    Secret(TOKEN, "T")
    assert redact(f"{TOKEN[:6]}\u200d{TOKEN[6:12]}\u200c{TOKEN[12:]}").startswith("hf_…(37:")


@pytest.mark.slow
@pytest.mark.parametrize(
    "unit",
    ["n", "eyJaaaaaaaa-", "a://b:", "://", "hf_a\n", "bearer ", "\\", "\\u0041", "%41", "&lt;", "A1b2", "password:", "token=a1",
     "a@", "a.b@c.",
     "-----BEGIN PRIVATE KEY-----", TOKEN[:9], "basic ", "x+", "aaaaaaaa", "/a", "1.", "::", "title: ", "'a.mp3", "file=",
     "a@b.c."],
)  # fmt: skip
def test_no_text_takes_long(unit: str) -> None:
    for value in (TOKEN, PASSWORD, "a" * 4000 + "b", "AbCd" * 1000 + "!"):
        Secret(value, "T")
    redactor = Redactor("strict", HOME, USER)
    redact("")
    began = time.process_time()
    redactor.text((unit * 25_000)[:25_000])
    assert time.process_time() - began < 1.5


@pytest.mark.slow
def test_many_secrets_and_much_text_do_not_take_long() -> None:
    draw = random.Random(9)
    for number in range(100):
        Secret(base64.b64encode(draw.randbytes(24)).decode() + str(number), f"SECRET_{number}")
    document = json.dumps({"text": 'INFO 2026-11-21 a line of the "log" of /srv/ot/models\n' * 80_000}).encode()
    began = time.process_time()
    assert leaks(document) == ()
    assert time.process_time() - began < 4 and len(document) > 4_000_000


@pytest.mark.slow
@pytest.mark.parametrize(("count", "length"), [(49_000, 40), (2_000, 1_000), (1, 8_000_000), (49_000, 7)])
def test_no_number_and_no_length_of_secrets_fills_the_memory(count: int, length: int) -> None:
    """In a process of its own, where its memory can be told: at most 300 MB, and a time that is not quadratic."""
    script = """if True:
        import pathlib, random, re, string, sys, time
        from ot_doctor.redaction import masking, names, registry
        count, length = map(int, sys.argv[1:])
        draw = random.Random(1)
        letters = string.ascii_letters + string.digits
        text = "".join(f"SECRET_{n}={''.join(draw.choices(letters, k=length))}\\n" for n in range(count))
        began = time.process_time()
        names.register_text(text)
        shown = masking.redact(f"first {text[9:9 + min(length, 60_000)]} last {text[-length - 1:-1][:60_000]}")
        took = time.process_time() - began
        peak = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
        print(int(peak) // 1024, took, registry.current().bounded, len(shown))
    """
    done = subprocess.run([sys.executable, "-c", script, str(count), str(length)], capture_output=True, text=True, check=True)
    megabytes, seconds, bounded, shown = done.stdout.split()
    assert int(megabytes) < 300 and float(seconds) < 10
    assert int(shown) < 100, "the first and the last value are hidden"
    assert bounded == str((count, length) != (1, 7))


def test_a_value_is_found_while_another_thread_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Registry()
    learns = threading.Event()

    def slowly(value: str) -> Iterator[Needle]:
        learns.set()
        time.sleep(0.3)
        return needles(value)

    monkeypatch.setattr(registry, "needles", slowly)
    known.add("S3cretValue123456", "PASSWORD")
    other = threading.Thread(target=known.find, args=("x",))
    other.start()
    assert learns.wait(10)
    assert known.find("my S3cretValue123456 here"), "a search sees what was added before it began"
    other.join()


def test_values_that_many_threads_add_are_all_found() -> None:
    known = Registry()
    missed: list[str] = []

    def add_and_find(thread: int) -> None:
        for number in range(40):
            value = f"Pw{thread:02}x{number:03}Qz9Lm4"
            known.add(value, "PASSWORD")
            if not any(hit.whole for hit in known.find(f"with {value} refused")):
                missed.append(value)

    threads = [threading.Thread(target=add_and_find, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missed == []


@pytest.mark.parametrize("value", ["letmein", "1234567", "Sunshin", "hunter", "54321", "qwerty", "dragon", "letMEin"])
def test_a_simple_value_is_hidden_in_what_came_from_outside_alone(value: str) -> None:
    keep("POSTGRES_PASSWORD", value)
    text = f"auth failed for user x with {value}, '{value}' ({value})"
    assert value not in redact_outside(text) and redact(text) == text
    assert redact_outside(f"x{value}y") == f"x{value}y"
    record = Record((1, 1), None, "ERROR", text)
    assert value not in Redactor().evidence(record).text


@pytest.mark.parametrize("value", ["a", "abc", "1234", "true", "postgres", "error", "pyannote", "speaker"])
def test_what_cannot_be_told_from_a_word_of_a_log_stays(value: str) -> None:
    keep("POSTGRES_PASSWORD", value)
    assert redact_outside(f"the {value} is here") == f"the {value} is here"


def test_no_word_by_which_faults_are_told_is_hidden() -> None:
    known = common_words()
    for signature in catalogue().signatures:
        for text in signature.words:
            said = text.decode() if isinstance(text, bytes) else text
            words = {word.lower() for word in re.findall(r"(?<!\w)[A-Za-z]{4,7}(?!\w)", said)}
            assert words <= known | WORDS, signature.name


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f", "  "])
@pytest.mark.parametrize("size", [1, 2, 4, 5, 7, 8, 12])
def test_a_value_in_groups_is_found(size: int, blank: str) -> None:
    def grouped(value: str) -> str:
        return blank.join(value[at : at + size] for at in range(0, len(value), size))

    Secret(TOKEN, "HUGGINGFACE_TOKEN")
    for written in (grouped(TOKEN), grouped(TOKEN.encode().hex()), grouped(TOKEN.encode().hex().upper())):
        for text in (written, f"the token '{written}' is refused", f"a\n{written}\nb"):
            shown = redact(text)
            assert written not in shown and "…(37:" in shown
            assert leaks(text.encode()) == ("HUGGINGFACE_TOKEN",)


def test_words_of_the_same_length_stay() -> None:
    Secret(TOKEN, "HUGGINGFACE_TOKEN")
    for text in ("this will take some time and then work", "a b c d e f g h i j k", "de ad be ef 00 11 22 33 44 55"):
        assert redact(text) == text


def test_leaks_names_the_variables_and_is_silent_about_what_stays_on_purpose() -> None:
    for name, value in {"A": "opentranscribe", "B": "telescope", "C": "20261121", "D": "x1y2", "HF": TOKEN}.items():
        Secret(value, name)
    assert leaks(b"opentranscribe telescope 20261121 x1y2") == ()
    assert leaks(f'{{"a": "{TOKEN}"}}'.encode()) == ("HF",)
    assert leaks(b"hf_" + b"ZyXwVuTsRq98765" * 2 + b"abcd") == ("a Hugging Face token",)
    assert leaks(b"hf_" + b"x" * 34) == () and leaks(b"\xff\xfe\x00") == ()


def test_a_redactor_that_is_broken_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    Secret(TOKEN, "HUGGINGFACE_TOKEN")
    finding = passed(f"the worker has {TOKEN}")
    sound = redacted(report({"token-present": (finding,)}), Redactor())
    assert leaks(repr(sound).encode()) == ()
    monkeypatch.setattr(redactor, "redact", lambda text: text)
    broken = redacted(report({"token-present": (finding,)}), Redactor())
    assert leaks(repr(broken).encode()) == ("HUGGINGFACE_TOKEN",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/ana/ot/.env:5", "~/ot/.env:5"), ("in /home/ana.", "in ~."), ("'/home/ana'", "'~'"),
        ("DIR=/home/ana/x", "DIR=~/x"),
        ("/home/anatol/x", "/home/anatol/x"), ("/home/ana-2", "/home/user-2"), ("/mnt/home/ana/x", "/mnt/home/user/x"),
        ("/home/ana.bak/x", "/home/user.bak/x"), ("unix:///home/ana/docker.sock", "unix://~/docker.sock"),
        ("owner ana (1000)", "owner user (1000)"), ("banana, ANA, anatol", "banana, ANA, anatol"),
        ("/data/ana/ot", "/data/user/ot"),
        ("/home/appuser/.cache", "/home/appuser/.cache"), ("ana-celery-worker-1", "user-celery-worker-1"),
    ],
)  # fmt: skip
def test_the_home_folder_and_the_user(text: str, shown: str) -> None:
    redactor = Redactor(home=HOME, user=USER)
    assert redactor.text(text) == shown and redactor.text(shown) == shown


@pytest.mark.parametrize(
    ("home", "user", "text", "shown"),
    [
        ("", "", "/home/ana ana", "/home/ana ana"), ("/", "root", "/srv root", "/srv root"),
        ("/root", "root", "/root/x /rootless root", "~/x /rootless root"),
        ("/home/ubuntu/", "ubuntu", "/home/ubuntu/x ubuntu", "~/x ubuntu"),
        ("/home/al", "al", "/home/al/x al", "~/x al"), ("/home/appuser", "appuser", "/home/appuser/x", "/home/appuser/x"),
        ("relative", "a.b+c", "relative a.b+c aXbc", "relative user aXbc"),
        ("/home/cache", "worker", "the worker /home/cache", "the worker ~"),
    ],
)  # fmt: skip
def test_homes_and_names_that_say_nothing_of_a_person(home: str, user: str, text: str, shown: str) -> None:
    assert Redactor(home=home, user=user).text(text) == shown


@pytest.mark.parametrize("home", ["/home/ana", "/home/ana maria", "/home/o'brien", '/home/a"b$c', "/home/ana\\b"])
@pytest.mark.parametrize("rest", ["/ot/.env", "/my dir/.env", "/it's", '/a"b', ""])
@pytest.mark.parametrize("quoted", ["word", "double", "pair", "nested", "option", "twice"])
def test_a_command_still_does_the_same(home: str, rest: str, quoted: str) -> None:
    path = home + rest
    word = shlex.quote(path)
    double = '"' + "".join(f"\\{char}" if char in '$`"\\' else char for char in path) + '"'
    command = {
        "word": f"printf '%s\\n' {word}",
        "double": f"printf '%s\\n' {double}",
        "pair": f"printf '%s\\n' -v {shlex.quote(path + ':/models')} 'a b'",
        "nested": f"sh -c {shlex.quote(f'printf %s {double}')}" if "'" not in path else f"printf '%s\\n' {word}",
        "option": f"printf '%s\\n' --dir={word}",
        "twice": f"printf '%s\\n' {word} {double} {word}",
    }[quoted]
    shown = Redactor(home=home).command(command)
    environment = {"HOME": home, "PATH": os.environ["PATH"]}
    said = {
        subprocess.run(["sh", "-c", each], env=environment, capture_output=True, check=True).stdout for each in (command, shown)
    }
    assert len(said) == 1 and home not in shown


def test_the_user_in_a_command_is_asked_for(tmp_path: Path) -> None:
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    redactor = Redactor(home="/home/ana", user="anabel")
    shown = redactor.command("echo /data/anabel/x 'a anabel' \"b anabel\"")
    assert shown == 'echo /data/"$(id -un)"/x \'a \'"$(id -un)" "b $(id -un)"'
    said = subprocess.run(["sh", "-c", shown], capture_output=True, text=True, check=True).stdout
    assert said == f"/data/{name}/x a {name} b {name}\n"


@pytest.mark.parametrize("command", ["'", '"', "\\", "echo '/home/ana", 'echo "/home/ana', "", "/home/ana\\"])
def test_a_command_that_is_none_is_no_error(command: str) -> None:
    assert HOME not in Redactor(home=HOME, user=USER).command(command)


def broken_report() -> object:
    Secret(TOKEN, "HUGGINGFACE_TOKEN")
    step = Step(f"Edit /home/ana/ot/.env, {TOKEN}.", command="cat '/home/ana/my ot/.env'", url="https://example.org/ana")
    seen = Seen(".env", "/home/ana/ot/.env:5", f"{TOKEN} of ana@example.org")
    finding = failed(Cause.DISK_FULL, "no room for ana", subject="/home/ana/ot", expected="room", remedy=[step], evidence=[seen])
    place = deployment(directory=Path("/home/ana/ot"), env_path=Path("/home/ana/ot/.env"))
    return report({"env-lines": (finding,)}, deployment=place, notices=("/home/ana/plug.py",))


def test_every_text_of_a_report_is_redacted_and_the_summary_counts_them() -> None:
    redactor = Redactor(home=HOME, user=USER)
    clean = redacted(broken_report(), redactor)  # type: ignore[arg-type]
    finding = clean.results[0].findings[0]
    assert finding.message == "no room for user" and finding.subject == "~/ot" and finding.evidence[0].where == "~/ot/.env:5"
    assert finding.remedy[0].command == "cat \"$HOME\"'/my ot/.env'" and finding.remedy[0].url == "https://example.org/user"
    assert clean.deployment and str(clean.deployment.directory) == "~/ot" and clean.notices == ("~/plug.py",)
    assert "/home/ana" not in repr(clean) and TOKEN not in repr(clean) and not leaks(repr(clean).encode())
    counts = {hidden.name: hidden.count for hidden in redactor.summary()}
    assert counts["HUGGINGFACE_TOKEN"] == 2 and counts["e-mail address"] == 1 and counts["home folder"] == 6
    again = redacted(clean, Redactor(home=HOME, user=USER))
    assert replace(again, hidden=()) == replace(clean, hidden=()), "what is left stays as it is"


def test_the_check_itself_is_left_alone() -> None:
    before = report()
    assert all(new.check is old.check for new, old in zip(redacted(before, Redactor()).results, before.results, strict=True))


def test_evidence_keeps_absolute_paths_and_reads_like_a_live_report_in_the_end() -> None:
    container = worker(env={"HUGGINGFACE_TOKEN": TOKEN, "X": "/home/ana/x", "LOG": f"tokens {TOKEN[:20]}"})
    recorded = Redactor(home=HOME, user=USER).evidence(workers(container))
    env = recorded.containers[0].env
    assert env["HUGGINGFACE_TOKEN"] is container.env["HUGGINGFACE_TOKEN"] and env["X"] == "/home/user/x"
    assert TOKEN[:20] not in str(env["LOG"])
    text = "/home/ana/ot of ana"
    there = Redactor(home=redactor.BUNDLE_HOME, user="").text(Redactor(home=HOME, user=USER).evidence(text))
    assert there == Redactor(home=HOME, user=USER).text(text) == "~/ot of user"


@pytest.fixture
def strict() -> Redactor:
    containers = [replace(worker(), name="acme-prod-celery-worker-1", image="registry.acme.lan:5000/ot/backend:v0.4.1")]
    redactor = Redactor("strict", HOME, USER)
    place = deployment(directory=Path("/srv/secret plans/ot"), env_path=Path("/srv/secret plans/ot/.env"), project="acme-prod")
    redacted(report(deployment=place, workers=workers(*containers), hub=hub(endpoint="https://hub.acme.lan")), redactor)
    return redactor


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("https://hub.acme.lan/api answers", "acme"),
        ("HTTPSConnectionPool(host='mirror.example.org', port=443)", "mirror.example.org"),
        ("10.20.30.40:3128 refused", "10.20.30.40"), ("[fd00::1234:5] refused", "fd00::1234"),
        ("http://203.0.113.7/", "203.0.113.7"),
        ("/srv/secret plans/ot/.env:5", "secret plans"), ("the environment of acme-prod-celery-worker-1", "acme"),
        ("/data/clientname/models", "clientname"),
        ("Processing file: Board Meeting May.mp4", "Meeting"), ("'Böse Überraschung.wav' is broken", "Überraschung"),
        ("open a/b_c.MP3", "b_c"),
        ("title='Quarterly numbers'", "Quarterly"), ("celery@gpubox ready", "gpubox"), ("tcp://gpubox:2375", "gpubox"),
        ("timeout: gpu-box-3.klinik-sued.de", "klinik"), ("'/data/Herr Meier/x.mp3' is not there", "Meier"),
        ("open /data/audio/Frau Meier/x.mp3 failed", "Meier"),
        ("nas.internal is gone", "nas"), ("DOCKER_HOST=ssh://me@gpubox docker ps", "gpubox"),
    ],
)  # fmt: skip
def test_strict_hides_places(strict: Redactor, text: str, hidden: str) -> None:
    shown = strict.text(text)
    assert hidden not in shown and strict.text(shown) == shown == strict.text(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://huggingface.co/pyannote/segmentation-3.0", "127.0.0.1:5432", "::1", "http://localhost:8080", "http://redis:6379",
        "/home/appuser/.cache/huggingface/hub/models--pyannote--speaker-diarization-community-1/snapshots/0123456789abcdef/config.yaml",
        "celery-worker is running", "nvidia-cublas-cu12 12.4.5.8", "torch 2.8.0+cu128", "and/or", "10:20:30", "std::bad_alloc",
        "c10::Error",
        'File "/usr/local/lib/python3.11/site-packages/pyannote/audio/core/pipeline.py", line 3', "HTTP/1.1 403",
        "/var/run/docker.sock",
        "Docker 28.2.2 answers at unix:///var/run/docker.sock", "the worker has a token: hf_…(37)", "token-present", "v0.4.1",
        "MIN_SPEAKERS=1, MAX_SPEAKERS=20", "sed -i '3s/.*/MAX_SPEAKERS=20/' .env", "tar xf /tmp/pyannote-models.tar.gz",
        "does not resolve inside the container", "appuser (1000) may read", "4/4 files",
    ],
)  # fmt: skip
def test_strict_leaves_what_says_nothing_of_the_place(strict: Redactor, text: str) -> None:
    assert strict.text(text) == text


def test_stand_ins_are_stable_and_keep_what_belongs_together() -> None:
    strict = Redactor("strict")
    assert strict.text("/data/abc/x1y and /data/abc/z2y") == "/data/name-1/name-2 and /data/name-1/name-3"
    assert strict.text("10.0.0.1 and 10.0.0.2, 10.0.0.1") == "ip-1 and ip-2, ip-1"
    assert Redactor("strict").text("10.0.0.2") == "ip-1"


def test_strict_hides_the_name_of_the_docker_context_in_every_text() -> None:
    strict = Redactor("strict")
    engine = Engine("unix:///var/run/docker.sock", "the Docker context 'klinik-sued'", context="klinik-sued")
    assert "klinik" not in repr(strict.evidence(engine))
    assert "klinik" not in strict.text("The engine of klinik-sued does not answer.")
