"""One sshd for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.parts.engine import why_not
from tests.remote.sshd import Sshd


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """It comes with the engine's parts, so who asks for it is marked ``engine``."""
    if reason := why_not():
        if os.environ.get("OT_DOCTOR_REQUIRE_ENGINE") == "1":
            pytest.fail(f"OT_DOCTOR_REQUIRE_ENGINE=1, but {reason}")
        pytest.skip(reason)
    found = Sshd(tmp_path_factory.mktemp("ssh"))
    server = found.start()
    yield found
    server.terminate()
    server.wait(20)
