"""The Hub's answers, told apart: the real client against an imitation of the Hub that runs on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ot_doctor.evidence import (
    COMMUNITY_1,
    DIARIZATION_3_1,
    EMBEDDING,
    SEGMENTATION_3_0,
    WESPEAKER,
    Answer,
    ComposeLabels,
    Deployment,
    Engine,
    Hub,
    ReleaseLine,
    Request,
    Role,
    Unavailable,
    Worker,
    Workers,
    WorkerToken,
)
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.hub.client import gather, may_carry_token
from tests.parts.hub import Account, Fault, LocalHub, Token, pyannote_hub

VALUE = "hf_" + "Kw7" * 11 + "Z"
OTHER = "hf_" + "Q4x" * 11 + "B"  # the login of whoever runs the doctor


def deployment(line: ReleaseLine = ReleaseLine.V0_4) -> Deployment:
    return Deployment(Path("/srv/ot"), "--dir", Path("/srv/ot/.env"), line=line)


def token(value: str | None = VALUE) -> WorkerToken:
    return WorkerToken(None if value is None else Secret(value), "the environment of opentranscribe-celery-worker", True)


def workers(**env: str) -> Workers:
    engine = Engine("unix:///var/run/docker.sock", "the default socket")
    worker = Worker(
        engine, "0" * 64, "opentranscribe-celery-worker", Role.DIARIZER, "davidamacey/opentranscribe-backend:v0.4.1",
        ComposeLabels(service="celery-worker"), "running", env=env,
    )  # fmt: skip
    return Workers(engine, (worker,))


def ask(
    endpoint: str,
    *,
    of: WorkerToken | Unavailable | None = None,
    line: ReleaseLine = ReleaseLine.V0_4,
    timeout: float = 30.0,
) -> Hub:
    return gather(
        Request(environ={"HF_ENDPOINT": endpoint}, timeout=timeout),
        deployment(line),
        Unavailable("Docker was left out", switched_off=True),
        token() if of is None else of,
    )


def answers(hub: Hub) -> dict[str, Answer]:
    worst = {repo: hub.of(repo) for repo in dict.fromkeys(f.repo for f in hub.files)}
    return {repo: answer.answer for repo, answer in worst.items() if answer}


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with pyannote_hub(token=VALUE) as running:
        yield running


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


# -- what the Hub grants ----------------------------------------------------------------------------


def test_everything_granted(hub: LocalHub) -> None:
    found = ask(hub.url)
    assert set(answers(found).values()) == {Answer.OK}
    assert found.identity.answer is Answer.OK
    assert (found.identity.account, found.identity.account_type) == ("ada", "user")
    assert (found.identity.token_name, found.identity.role) == ("opentranscribe", "read")
    assert found.identity.can_read_gated is None
    assert found.public.answer is Answer.OK
    assert found.token_sent
    assert (found.endpoint, found.endpoint_from, found.is_default) == (hub.url, "the doctor's environment", False)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            ReleaseLine.V0_3,
            {
                (DIARIZATION_3_1, "config.yaml"),
                (SEGMENTATION_3_0, "config.yaml"), (SEGMENTATION_3_0, "pytorch_model.bin"),
                (WESPEAKER, "config.yaml"), (WESPEAKER, "pytorch_model.bin"),
                (EMBEDDING, "config.yaml"), (EMBEDDING, "pytorch_model.bin"),
            },
        ),
        (
            ReleaseLine.V0_4,
            {
                (COMMUNITY_1, "config.yaml"), (COMMUNITY_1, "segmentation/pytorch_model.bin"), (COMMUNITY_1, "plda/plda.npz"),
                (DIARIZATION_3_1, "config.yaml"),
                (SEGMENTATION_3_0, "config.yaml"), (SEGMENTATION_3_0, "pytorch_model.bin"),
            },
        ),
    ],
)  # fmt: skip
def test_the_files_of_the_release_line_are_asked_for(
    hub: LocalHub, line: ReleaseLine, expected: set[tuple[str, str]]
) -> None:
    found = ask(hub.url, line=line)
    assert {(f.repo, f.file) for f in found.files} == expected
    heads = {r.path for r in hub.requests if r.method == "HEAD"}
    assert heads == {f"/{repo}/resolve/main/{name}" for repo, name in expected | {(WESPEAKER, "config.yaml")}}
    assert {r.path for r in hub.requests if r.method == "GET"} == {"/api/whoami-v2"}


def test_an_unknown_line_asks_for_the_models_of_all(hub: LocalHub) -> None:
    both = gather(Request(environ={"HF_ENDPOINT": hub.url}), Unavailable("no installation"), Unavailable("no Docker"), token())
    assert set(answers(both)) == {COMMUNITY_1, DIARIZATION_3_1, SEGMENTATION_3_0, WESPEAKER, EMBEDDING}


def test_a_renamed_repository_is_followed(hub: LocalHub) -> None:
    moved = hub.repos.pop(SEGMENTATION_3_0)
    moved.id = "pyannote-community/segmentation-3.0"
    hub.add(moved)
    hub.add(type(moved)(SEGMENTATION_3_0, renamed_to=moved.id))
    assert answers(ask(hub.url))[SEGMENTATION_3_0] is Answer.OK
    assert all(r.authorization == f"Bearer {VALUE}" for r in hub.requests if moved.id in r.path)


def test_a_redirect_to_another_host_is_not_followed(hub: LocalHub) -> None:
    assert answers(ask(hub.url))[COMMUNITY_1] is Answer.OK
    assert not [r for r in hub.requests if r.path.startswith("/lfs/")]


# -- what it refuses --------------------------------------------------------------------------------


def _unaccept(hub: LocalHub) -> None:
    hub.repos[COMMUNITY_1].accepted.clear()


def _pending(hub: LocalHub) -> None:
    _unaccept(hub)
    hub.repos[COMMUNITY_1].pending.add("ada")


def _rejected(hub: LocalHub) -> None:
    _unaccept(hub)
    hub.repos[COMMUNITY_1].rejected.add("ada")


def _fine_grained(hub: LocalHub) -> None:
    hub.tokens[VALUE].role = "fineGrained"
    hub.tokens[VALUE].can_read_gated = False


def _gone(hub: LocalHub) -> None:
    del hub.repos[COMMUNITY_1]


def _no_such_file(hub: LocalHub) -> None:
    del hub.repos[COMMUNITY_1].files["plda/plda.npz"]


@pytest.mark.parametrize(
    ("change", "answer", "status", "text"),
    [
        (_unaccept, Answer.NOT_ACCEPTED, 403, "you are not in the authorized list"),
        (_pending, Answer.PENDING, 403, "awaiting a review"),
        (_rejected, Answer.REJECTED, 403, "has been rejected"),
        (_fine_grained, Answer.SCOPE, 403, "fine-grained token settings"),
        (_gone, Answer.NOT_FOUND, 404, "Repository not found"),
        (_no_such_file, Answer.NOT_FOUND, 404, "Entry not found"),
    ],
)
def test_refusals_of_a_good_token(
    hub: LocalHub, change: Callable[[LocalHub], None], answer: Answer, status: int, text: str
) -> None:
    change(hub)
    found = ask(hub.url)
    refused = found.of(COMMUNITY_1)
    assert refused is not None
    assert (refused.answer, refused.status) == (answer, status)
    assert text in refused.text
    assert found.identity.answer is Answer.OK
    assert found.public.answer is Answer.OK
    if change is not _fine_grained:
        assert answers(found)[SEGMENTATION_3_0] is Answer.OK


def test_a_fine_grained_token_says_what_it_may(hub: LocalHub) -> None:
    _fine_grained(hub)
    assert ask(hub.url).identity.can_read_gated is False
    hub.tokens[VALUE].can_read_gated = True
    again = ask(hub.url).identity
    assert (again.role, again.can_read_gated) == ("fineGrained", True)


def test_a_write_token_and_an_organisation(hub: LocalHub) -> None:
    hub.tokens[VALUE] = Token(VALUE, Account("lab", "org"), "write", "old laptop")
    who = ask(hub.url).identity
    assert (who.account, who.account_type, who.role, who.token_name) == ("lab", "org", "write", "old laptop")


@pytest.mark.parametrize(
    ("state", "answer", "text"),
    [
        ("revoked", Answer.BAD_TOKEN, "Invalid credentials in Authorization header"),
        ("expired", Answer.EXPIRED_TOKEN, 'User Access Token "opentranscribe" is expired'),
    ],
)
def test_a_token_that_the_hub_does_not_take(hub: LocalHub, state: str, answer: Answer, text: str) -> None:
    setattr(hub.tokens[VALUE], state, True)
    found = ask(hub.url, line=ReleaseLine.V0_3)
    assert set(answers(found).values()) == {answer}  # the public model too
    assert found.identity.answer is answer
    assert text in found.identity.text
    assert found.public.answer is Answer.OK


# -- which token, and to whom -----------------------------------------------------------------------


def test_only_the_workers_token_is_sent(hub: LocalHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".cache/huggingface").mkdir(parents=True)
    (home / ".cache/huggingface/token").write_text(OTHER)
    (home / ".netrc").write_text(f"machine 127.0.0.1 login ada password {OTHER}\n")
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("HF_HOME", str(home / ".cache/huggingface"))
    monkeypatch.setenv("HF_TOKEN", OTHER)
    monkeypatch.setenv("HUGGING_FACE_HUB_TOKEN", OTHER)
    ask(hub.url)
    public, rest = f"/{WESPEAKER}/resolve/main/config.yaml", {r.authorization for r in hub.requests if WESPEAKER not in r.path}
    assert rest == {f"Bearer {VALUE}"}
    assert [r.authorization for r in hub.requests if r.path == public] == [None]


@pytest.mark.parametrize(
    "value",
    [None, "", "   ", "hf_…", "hf_" + "Kw7" * 7 + "\r", f"\u201c{VALUE}\u201d", f"{VALUE} # note", f'"{VALUE}"', "your_token"],
)
def test_what_is_no_token_is_not_sent(hub: LocalHub, value: str | None) -> None:
    found = ask(hub.url, of=token(value))
    assert not found.token_sent
    assert found.not_sent_reason
    assert found.identity.answer is Answer.NOT_ASKED
    assert set(answers(found).values()) == {Answer.NOT_ASKED}
    assert found.public.answer is Answer.OK
    assert [r.authorization for r in hub.requests] == [None]


def test_without_a_known_token_only_the_public_file_is_asked_for(hub: LocalHub) -> None:
    found = ask(hub.url, of=Unavailable("no container and no .env"))
    assert set(answers(found).values()) == {Answer.NOT_ASKED}
    assert "no container and no .env" in found.not_sent_reason
    assert [(r.method, r.authorization) for r in hub.requests] == [("HEAD", None)]


@pytest.mark.parametrize(
    ("endpoint", "may"),
    [
        ("https://huggingface.co", True),
        ("https://mirror.example", True),
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8080", True),
        ("http://localhost:8080", True),
        ("http://huggingface.co", False),
        ("http://10.0.0.7:8080", False),
        ("http://0.0.0.0:8080", False),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
    ],
)
def test_plain_http_carries_a_token_to_this_machine_only(endpoint: str, may: bool) -> None:
    assert may_carry_token(endpoint) is may


def test_without_encryption_the_gated_files_are_not_asked_for() -> None:
    found = ask("http://hub.invalid")
    assert not found.token_sent
    assert "plain http" in found.not_sent_reason
    assert set(answers(found).values()) == {Answer.NOT_ASKED}
    assert found.public.answer is Answer.DNS


def test_a_proxy_never_sees_a_token_in_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    assert not may_carry_token("http://127.0.0.1:8080")
    assert may_carry_token("https://huggingface.co")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert may_carry_token("http://127.0.0.1:8080")


def test_nothing_shows_the_token(hub: LocalHub, capfd: pytest.CaptureFixture[str]) -> None:
    hub.tokens[VALUE].revoked = True
    hub.tokens[VALUE].display_name = VALUE
    hub.tokens[VALUE].account.name = VALUE
    shown = [repr(ask(hub.url))]
    hub.tokens[VALUE].revoked = False
    hub.tokens[VALUE].expired = True
    shown.append(repr(ask(hub.url)))
    hub.tokens[VALUE].expired = False
    shown.append(str(ask(hub.url)))
    printed = capfd.readouterr()
    assert VALUE not in "".join(shown)
    assert "User Access Token" in shown[1]  # the server's own words held it
    assert (printed.out, printed.err) == ("", "")


# -- which Hub --------------------------------------------------------------------------------------


def test_the_workers_endpoint_comes_first(hub: LocalHub) -> None:
    request = Request(environ={"HF_ENDPOINT": "http://127.0.0.1:9"})
    found = gather(request, deployment(), workers(HF_ENDPOINT=hub.url + "/"), token())
    assert (found.endpoint, found.endpoint_from) == (hub.url, "the environment of opentranscribe-celery-worker")
    assert set(answers(found).values()) == {Answer.OK}


def test_a_worker_without_one_leaves_it_to_the_doctor(hub: LocalHub) -> None:
    found = gather(Request(environ={"HF_ENDPOINT": hub.url}), deployment(), workers(HF_HOME="/models"), token())
    assert (found.endpoint, found.endpoint_from) == (hub.url, "the doctor's environment")


@pytest.mark.parametrize(
    "endpoint",
    ["", "huggingface.co", "ftp://huggingface.co", "https://", "https://a b", "https://x:port", "https://x:0", "http://[::1",
     "https://hub\n.example", "https://a..b", "https://x/?q=1", "https://x/#y", "https://ada:secret-word@hub.example",
     VALUE, f"https://hub.example/{VALUE}", "http://evil.example\\@127.0.0.1", "http://[::1]evil.example", "http://127.0.0.1%2f.evil.example",
     "http://\u24db\u24deca\u24dbhost", "http://127\u30020.0.1", "https://h\xfcb.example", "https://hub.example/a b", "https://hub.example?"],
)  # fmt: skip
def test_an_endpoint_that_is_none(endpoint: str) -> None:
    with pytest.raises(Unavailable, match=r"HF_ENDPOINT in the environment of opentranscribe-celery-worker") as raised:
        gather(Request(), deployment(), workers(HF_ENDPOINT=endpoint), token())
    assert "secret-word" not in str(raised.value)
    assert VALUE not in str(raised.value)
    assert raised.value.hint
    assert not raised.value.switched_off


def test_offline_asks_nobody(hub: LocalHub) -> None:
    with pytest.raises(Unavailable) as raised:
        gather(Request(offline=True, environ={"HF_ENDPOINT": hub.url}), deployment(), workers(), token())
    assert raised.value.switched_off
    assert not hub.requests


def test_a_log_alone_asks_nobody(hub: LocalHub) -> None:
    with pytest.raises(Unavailable) as raised:
        gather(Request(log_alone=True, environ={"HF_ENDPOINT": hub.url}), deployment(), workers(), token())
    assert raised.value.switched_off
    assert not hub.requests


def test_no_time_left() -> None:
    with pytest.raises(Unavailable, match=r"There was no time left to ask the Hub\."):
        ask("http://127.0.0.1:9", timeout=0.0)


def test_all_is_asked_at_the_same_time(hub: LocalHub) -> None:
    ask(hub.url)  # the client is loaded
    hub.fault = Fault("slow", 1.0)
    started = time.monotonic()
    found = ask(hub.url)
    assert time.monotonic() - started < 4
    assert set(answers(found).values()) == {Answer.OK}
