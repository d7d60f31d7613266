"""What a run touched is counted by kind, from any thread, and without names."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context

import pytest

from ot_doctor.core import receipt
from ot_doctor.core.deadline import start


@pytest.mark.parametrize(
    "path, kind",
    [
        ("/v1.45/containers/json?all=1", "/containers/json"), ("/v1.45/containers/0a1b/json", "/containers/{id}/json"),
        ("/containers/0a1b/logs?tail=9", "/containers/{id}/logs"), ("/v1.45/exec/77/start", "/exec/{id}/start"),
        ("/v1.45/images/davidamacey/opentranscribe-backend:v0.4.1/json", "/images/{id}/json"), ("/_ping", "/_ping"),
        ("/v1.45/containers/create", "/containers/create"),
    ],
)  # fmt: skip
def test_a_call_is_told_by_its_kind(path: str, kind: str) -> None:
    def told() -> object:
        receipt.begin()
        receipt.note_call("get", path)
        receipt.note_call("get", path)
        return receipt.so_far()["engine"]

    assert copy_context().run(told) == ((f"GET {kind}", 2),)


def test_threads_write_on_the_receipt_of_their_run_and_outside_a_run_nothing_is_kept() -> None:
    def told() -> object:
        receipt.begin()
        thread = threading.Thread(target=lambda: receipt.note("hosts", "huggingface.co"))
        start(thread)
        thread.join()
        return receipt.so_far()["hosts"]

    assert copy_context().run(told) == (("huggingface.co", 1),)
    outside = Context()
    outside.run(receipt.note, "hosts", "nobody.example")
    assert outside.run(receipt.so_far) == {}


def test_the_receipt_is_bounded() -> None:
    def told() -> int:
        receipt.begin()
        for number in range(2000):
            receipt.note("files", f"/{number}")
        return len(receipt.so_far()["files"])

    assert copy_context().run(told) == 500
