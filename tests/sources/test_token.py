"""Where the worker's token comes from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from ot_doctor.evidence import (
    ComposeLabels,
    Engine,
    EnvEntry,
    EnvFile,
    EnvProblem,
    Request,
    Role,
    Unavailable,
    Worker,
    Workers,
    WorkerToken,
)
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources import token_origin as source

ENGINE = Engine("unix:///var/run/docker.sock", "the default socket")
GOOD = Secret("hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567")
OLD = Secret("hf_OldOldOldOldOldOldOldOldOldOld0123")
NO_DOCKER = Unavailable("Docker checks are off (--no-docker).", switched_off=True)
NO_FILE = Unavailable("no deployment")


def workers(*envs: Mapping[str, str | Secret], role: Role = Role.DIARIZER) -> Workers:
    containers = [
        Worker(ENGINE, f"{n}", f"worker-{n}", role, "", ComposeLabels(), "running", env=env) for n, env in enumerate(envs)
    ]
    return Workers(ENGINE, tuple(containers))


def dotenv(*entries: tuple[str, str | Secret | None]) -> EnvFile:
    return EnvFile(Path("/srv/ot/.env"), entries=tuple(EnvEntry(key, value, n) for n, (key, value) in enumerate(entries, 1)))


def token(of: Workers | Unavailable, file: EnvFile | Unavailable) -> WorkerToken:
    return source.gather(Request(), of, file)


def test_the_first_diarizers_token_counts_and_the_env_says_which_line_to_mend() -> None:
    file = dotenv(("A", "1"), ("HUGGINGFACE_TOKEN", GOOD))
    found = token(workers({"HUGGINGFACE_TOKEN": OLD}, {"HUGGINGFACE_TOKEN": GOOD}), file)
    assert found == WorkerToken(OLD, "the environment of worker-0", from_container=True, env_line="/srv/ot/.env:2")


def test_a_container_without_it_has_none_whatever_the_file_says() -> None:
    found = token(workers({}), dotenv(("HUGGINGFACE_TOKEN", GOOD)))
    assert (found.value, found.from_container) == (None, True)
    assert token(workers({"HUGGINGFACE_TOKEN": Secret("")}), NO_FILE).value == Secret("")


def test_another_celery_worker_does_not_stand_in() -> None:
    found = token(workers({"HUGGINGFACE_TOKEN": OLD}, role=Role.CELERY), dotenv(("HUGGINGFACE_TOKEN", GOOD)))
    assert (found.value, found.from_container) == (GOOD, False)


def test_without_a_worker_the_last_line_of_the_file_counts() -> None:
    file = dotenv(("HUGGINGFACE_TOKEN", GOOD), ("HUGGINGFACE_TOKEN", ""))
    assert token(NO_DOCKER, file) == WorkerToken(Secret(""), "/srv/ot/.env:2", from_container=False, env_line="/srv/ot/.env:2")


def test_a_file_without_it_and_a_bare_key() -> None:
    assert token(NO_DOCKER, dotenv()) == WorkerToken(None, "/srv/ot/.env", from_container=False)
    assert token(NO_DOCKER, dotenv(("HUGGINGFACE_TOKEN", None))).value is None


@pytest.mark.parametrize("name", ["HF_TOKEN", "HUGGING_FACE_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACEHUB_API_TOKEN",
                                  "huggingface_token", "hf_token"])  # fmt: skip
def test_a_name_that_nothing_reads(name: str) -> None:
    assert token(workers({name: GOOD}), NO_FILE).other_name == name
    assert token(workers({}), dotenv((name, GOOD))).other_name == name
    assert token(workers({name: Secret("")}), NO_FILE).other_name is None


def test_names_that_only_look_alike() -> None:
    assert token(workers({"HUGGINGFACE_TOKEN": GOOD, "MY_HF_TOKEN": GOOD, "HF_HOME": "x"}), NO_FILE).other_name is None


def test_neither_to_be_had_gives_the_workers_reason() -> None:
    with pytest.raises(Unavailable) as caught:
        token(NO_DOCKER, NO_FILE)
    assert caught.value == NO_DOCKER
    with pytest.raises(Unavailable) as caught:
        token(workers(), NO_FILE)
    assert caught.value == NO_FILE
    with pytest.raises(Unavailable, match=r"no worker container, and the token cannot be read from /srv/ot/\.env: a folder\."):
        token(workers(), EnvFile(Path("/srv/ot/.env"), EnvProblem.FOLDER))


def test_what_another_node_has_is_not_read_from_the_env_here() -> None:
    elsewhere = Unavailable("It is on node-3.", elsewhere=True)
    with pytest.raises(Unavailable) as caught:
        source.gather(Request(), elsewhere, dotenv(("HUGGINGFACE_TOKEN", GOOD)))
    assert caught.value is elsewhere
