"""How an error is taken apart: chains, groups, numbers, addresses, and logs that are cut, wrapped or mixed."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from ot_doctor.logs.faults import Fault, decide, faults_in, unexplained

CHAIN = """[2026-11-21 01:37:28,804: ERROR/MainProcess] Task transcription.gpu_transcribe[5d1c2b8e] raised unexpected
Traceback (most recent call last):
  File "/opt/venv/lib/python3.11/site-packages/urllib3/connection.py", line 196, in _new_conn
    sock = connection.create_connection(
socket.gaierror: [Errno -2] Name or service not known

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "/opt/venv/lib/python3.11/site-packages/requests/adapters.py", line 667, in send
    resp = conn.urlopen(
           ^^^^^^^^^^^^^
requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /a/b

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/app/transcription/diarizer.py", line 51, in load
    raise RuntimeError("cannot load")
RuntimeError: cannot load
[2026-11-21 01:37:29,001: INFO/MainProcess] next
"""
GROUP = """  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line 3, in <module>
  |     asyncio.run(main())
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/main.py", line 9, in load
    |     open(path)
    | PermissionError: [Errno 13] Permission denied: '/models/hub/x'
    +---------------- 2 ----------------
    | ValueError: two
    +------------------------------------
"""


def only(text: str) -> Fault:
    found = faults_in(text)
    assert len(found) == 1, found
    return found[0]


def test_a_chain_begins_with_what_brought_it_about() -> None:
    fault = only(CHAIN)
    assert [raised.type for raised in fault.chain] == ["gaierror", "ConnectionError", "RuntimeError", ""]
    assert [raised.link for raised in fault.chain] == ["", "cause", "context", "record"]
    assert fault.chain[1].module == "requests.exceptions"
    assert (fault.level, fault.lines) == ("ERROR", (1, 20))
    assert fault.last_line == "RuntimeError: cannot load"
    assert fault.chain[0].frames[0].library == "urllib3" and fault.chain[0].frames[0].function == "_new_conn"
    assert {"urllib3", "requests"} <= fault.libraries
    assert fault.errors == {"EAI"}


def test_a_log_that_begins_in_the_middle_of_a_traceback_keeps_its_frames() -> None:
    fault = only("\n".join(CHAIN.splitlines()[2:5]))
    assert fault.chain[0].type == "gaierror"
    assert fault.chain[0].frames[0].line == 196


def test_a_traceback_without_its_end_is_an_error() -> None:
    fault = only("\n".join(CHAIN.splitlines()[1:4]))
    assert fault.kind == "python" and fault.chain[0].frames[0].library == "urllib3"


def test_the_parts_of_a_group_come_before_the_group() -> None:
    fault = only(GROUP)
    assert [raised.type for raised in fault.chain] == ["PermissionError", "ValueError", "ExceptionGroup"]
    assert fault.chain[0].frames[-1].function == "load"
    assert fault.errors == {"EACCES"} and fault.paths[0] == "/models/hub/x"


def test_rust_causes_go_down_to_the_first() -> None:
    causes = "Caused by:\n    0: error sending request for url (https://hf.co/a/b)\n    1: dns error\n"
    fault = only(f"Error: cannot fetch the model\n\n{causes}")
    assert fault.chain[0].message == "dns error"
    assert fault.kind == "rust" and "cannot fetch" in fault.chain[-1].message


def test_cpp_tells_the_class_and_what() -> None:
    fault = only("terminate called after throwing an instance of 'std::runtime_error'\n  what():  no model\n")
    assert fault.kind == "c++" and "no model" in fault.text


def test_a_record_in_json_holds_its_traceback() -> None:
    traceback = 'Traceback (most recent call last):\n  File "/a.py", line 1, in f\nOSError: [Errno 28] x'
    fault = only(json.dumps({"level": "ERROR", "message": "failed", "exc_info": traceback}))
    assert fault.level == "ERROR" and fault.chain[-1].type == "OSError" and fault.errors == {"ENOSPC"}


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("OSError: [Errno 13] Keine Berechtigung", {"EACCES"}),
        ("Error: Zugriff verweigert (os error 5)", {"EIO"}),
        ("OSError: [WinError 5] Zugriff verweigert", {"EACCES"}),
        ("OSError: [WinError 10061] x", {"ECONNREFUSED"}),
        ("thread 'main' panicked at a.rs:1:1:\nOs { code: 28, kind: StorageFull, message: \"x\" }", {"ENOSPC"}),
        ("socket.gaierror: [Errno 8] nodename nor servname provided, or not known", {"EAI"}),
        ("urllib3.exceptions.NewConnectionError: x: [Errno 61] Connection refused", {"ECONNREFUSED"}),
        ("ssl.SSLCertVerificationError(1, '[SSL] x') Error: y", set()),
        ("PermissionError: x", {"EACCES"}),
    ],
)
def test_numbers_tell_in_any_language(text: str, errors: set[str]) -> None:
    assert only(text).errors == errors


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Error: 403 Client Error: Forbidden for url: https://huggingface.co/a/b", 403),
        ("Error: Client error '401 Unauthorized' for url 'https://huggingface.co/a/b'", 401),
        ("Error: Server error '503 Service Unavailable' for url 'https://hf.co'", 503),
        ("Error: HTTP Error 429: Too Many Requests", 429),
        ("Error: 403, message='Forbidden', url='https://huggingface.co/a/b'", 403),
        ("Error: HTTP status client error (404 Not Found) for url (https://hf.co/a)", 404),
        ("Error: Tunnel connection failed: 407 Proxy Authentication Required", 407),
        ("Error: status_code=502", 502),
        ("Error: CUDA out of memory. Tried to allocate 401.00 MiB", None),
        ("Error: line 403 of 500", None),
        ("Error: request 5d403c1e failed", None),
    ],
)
def test_a_status_is_one_that_is_told_as_such(text: str, status: int | None) -> None:
    assert only(text).status == status


def test_an_address_of_the_hub_is_taken_apart() -> None:
    address = only("Error: 404 for url: https://huggingface.co/pyannote/segmentation-3.0/resolve/main/plda/x.npz?x=1.").address
    assert address is not None and address.on_hub
    assert (address.repository, address.revision, address.file) == ("pyannote/segmentation-3.0", "main", "plda/x.npz")


def test_an_address_of_the_api_is_taken_apart() -> None:
    address = only("Error: 500 for url: https://huggingface.co/api/models/a/b/revision/main").address
    assert address is not None and (address.repository, address.revision) == ("a/b", "main")


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("worker-1 exited with code 137", 9), ("worker-1 exited with code 0", None), ("exit status 1", None),
        ("returned -11", 11),
        ("code=killed, status=9/KILL", 9), ("exited with 'signal 11 (SIGSEGV)'", 11), ("Process exit code: 3221225477", 11),
        ("line 5:     7 Illegal instruction     (core dumped) x", 4), ("line 5:     7 Killed                  x", 9),
        ("x[123]: segfault at 0 ip 00007f", 11),
    ],
)  # fmt: skip
def test_a_signal_is_told_by_name_number_or_code(text: str, signal: int | None) -> None:
    found = faults_in(f"ERROR: {text}")
    assert found[0].signal == signal


def test_a_device_is_told_by_name_or_number() -> None:
    assert only("RuntimeError: CUDA out of memory. GPU 1 has a total capacity of 7 GiB").device == "cuda:1"


def test_containers_of_one_file_are_told_apart() -> None:
    found = faults_in("".join(f"a-1  | {line}\nb-1  | ERROR: b\n" for line in CHAIN.splitlines()))
    assert {fault.service for fault in found} == {"a-1", "b-1"}
    assert [len(fault.chain) for fault in found if fault.service == "a-1"] == [4]


def test_the_torchcodec_warning_hides_nothing_that_follows() -> None:
    text = (
        "UserWarning: \ntorchcodec is not installed correctly so built-in audio decoding will fail. Error message was:\n\n"
        "Could not load this library: /x/torchcodec/libtorchcodec_core8.so\n"
        "[2026-11-21 01:37:28,804: ERROR/MainProcess] [Errno 28] No space left on device\n"
    )
    assert [fault.errors for fault in faults_in(text)] == [{"ENOSPC"}]


@pytest.mark.parametrize("seed", range(60))
def test_nothing_in_a_log_makes_it_fail(seed: int) -> None:
    chance = random.Random(seed)
    logs = sorted((Path(__file__).parent / "public").glob("*.log"))
    lines = [line for path in logs for line in path.read_text(encoding="utf-8").splitlines()]
    lines += [*CHAIN.splitlines(), *GROUP.splitlines()]
    lines += ['{"log": "Traceback (most recent call last):\\n', "Caused by:", "Error: x", "\ufffd\x00"]
    mixed = [chance.choice(lines) for _ in range(80)]
    text = "".join(line[: chance.randrange(len(line) + 1)] + chance.choice(["\n", "\n", "\r\n", " "]) for line in mixed)
    found = faults_in(text)
    assert decide(found) is not None or isinstance(unexplained(text), tuple)


@pytest.mark.parametrize("sign", ["| + Exception", "+ Exception"])
def test_no_depth_is_too_deep(sign: str) -> None:
    assert faults_in("\n".join("  | " * depth + f"{sign} Group Traceback (most recent call last):" for depth in range(900)))
