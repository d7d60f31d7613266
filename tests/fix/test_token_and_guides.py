"""A token is tried at the Hub before it is written; a person's step ends when the Hub says yes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ot_doctor.actions import AcceptTerms, AllowGated, InstallToolkit, PutToken
from ot_doctor.evidence import COMMUNITY_1, WorkerToken
from ot_doctor.fix.catalogue import procedure_of
from ot_doctor.fix.procedure import NotPossible, Site
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.store import Store
from tests.fix.site import OTHER, TOKEN, Script, carried_out, planted
from tests.parts.hub import LocalHub, Token, pyannote_hub

NAME = "HUGGINGFACE_TOKEN"


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with pyannote_hub(token=TOKEN) as running:
        yield running


@pytest.fixture
def env(tmp_path: Path) -> Path:
    folder = tmp_path / "ot"
    folder.mkdir()
    path = folder / ".env"
    path.write_text(f"A=1\n{NAME}=your_token_here\nB=2\n")
    return path


def site_at(hub: LocalHub, env: Path, person: Script, token: str = TOKEN) -> Site:
    store = planted(env, HF_ENDPOINT=hub.url)
    worker = WorkerToken(Secret(token, NAME), "the container", True)
    return Site(Store(store.request, {**store._planted, WorkerToken: worker}), person)


class Clicks(Script):
    """Does something in the browser before pressing Enter."""

    deeds: list[Callable[[], None]]

    def waits(self, text: str) -> bool:
        if self.deeds:
            self.deeds.pop(0)()
        return super().waits(text)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"A=1\n{NAME}=your_token_here\nB=2\n", f"A=1\n{NAME}={TOKEN}\nB=2\n"),
        ("A=1\n", f"A=1\n{NAME}={TOKEN}\n"),
        ("A=1", f"A=1\n{NAME}={TOKEN}\n"),
        ("A=1\r\n", f"A=1\r\n{NAME}={TOKEN}\r\n"),
        (f"{NAME}={OTHER}\nA=1\n{NAME}=\n", f"{NAME}={OTHER}\nA=1\n{NAME}={TOKEN}\n"),
        ("", f"{NAME}={TOKEN}\n"),
    ],
)
def test_a_good_token_is_written_where_it_counts(hub: LocalHub, env: Path, tmp_path: Path, before: str, after: str) -> None:
    env.write_bytes(before.encode())
    procedure = procedure_of(PutToken(str(env)), site_at(hub, env, Script(tokens=[TOKEN])))
    saved = carried_out(procedure, tmp_path / "files")
    assert env.read_bytes().decode() == after
    assert TOKEN not in repr(saved) and not any(TOKEN.encode() in p.read_bytes() for p in (tmp_path / "files").iterdir())
    assert type(procedure).undo(saved, tmp_path / "files", site_at(hub, env, Script()))
    assert env.read_bytes().decode() == before


@pytest.mark.parametrize(
    ("given", "why"), [([], "No token was given"), (["hello"], "is not a token"), ([OTHER], "does not accept this token")]
)
def test_a_token_that_is_none_is_not_written(hub: LocalHub, env: Path, tmp_path: Path, given: list[str], why: str) -> None:
    before = env.read_bytes()
    procedure = procedure_of(PutToken(str(env)), site_at(hub, env, Script(tokens=given)))
    with pytest.raises(NotPossible, match=why) as refused:
        procedure.save(tmp_path)
    assert env.read_bytes() == before and not any(token in str(refused.value) for token in given if len(token) > 5)


def test_where_the_hub_cannot_be_asked_nothing_is_written(hub: LocalHub, env: Path, tmp_path: Path) -> None:
    site = site_at(hub, env, Script(tokens=[TOKEN]))
    hub.close()
    with pytest.raises(NotPossible, match="could not be asked"):
        procedure_of(PutToken(str(env)), site).save(tmp_path)


def test_with_offline_the_token_is_not_tried_and_not_written(hub: LocalHub, env: Path, tmp_path: Path) -> None:
    site = site_at(hub, env, Script(tokens=[TOKEN]))
    site.store.request = replace(site.store.request, offline=True)
    with pytest.raises(NotPossible, match="cannot be asked"):
        procedure_of(PutToken(str(env)), site).save(tmp_path)


def test_a_token_of_an_account_without_access_waits_for_the_terms(hub: LocalHub, env: Path, tmp_path: Path) -> None:
    repo = hub.repos[COMMUNITY_1]
    repo.accepted.clear()
    person = Clicks(tokens=[TOKEN], answers=["enter", "enter"])
    person.deeds = [lambda: None, lambda: repo.accepted.add("ada")]
    carried_out(procedure_of(PutToken(str(env)), site_at(hub, env, person)), tmp_path / "files")
    assert f"{NAME}={TOKEN}" in env.read_text() and sum(COMMUNITY_1 in told for told in person.told) == 2


def test_and_is_not_written_where_nobody_accepts_them(hub: LocalHub, env: Path, tmp_path: Path) -> None:
    hub.repos[COMMUNITY_1].accepted.clear()
    procedure = procedure_of(PutToken(str(env)), site_at(hub, env, Script(tokens=[TOKEN])))
    with pytest.raises(NotPossible, match="has no access"):
        procedure.save(tmp_path)
    assert TOKEN not in env.read_text()


def test_terms_are_asked_about_until_the_hub_says_yes(hub: LocalHub, env: Path, tmp_path: Path) -> None:
    repo = hub.repos[COMMUNITY_1]
    repo.accepted.clear()
    person = Clicks(answers=["enter", "enter", "enter"])

    def granted() -> None:
        repo.pending.clear()
        repo.accepted.add("ada")

    person.deeds = [lambda: None, lambda: repo.pending.add("ada"), granted]
    procedure = procedure_of(AcceptTerms(COMMUNITY_1), site_at(hub, env, person))
    carried_out(procedure, tmp_path / "files")
    asked = [told for told in person.told if "Press Enter" in told]
    assert len(asked) == 3 and "The Hub still does not give" in asked[1] and f"{hub.url}/{COMMUNITY_1}" in asked[0]
    assert {request.method for request in hub.requests} <= {"GET", "HEAD"}, "the terms are never accepted for anybody"
    assert not procedure_of(AcceptTerms(COMMUNITY_1), site_at(hub, env, Script())).precondition()
    assert not type(procedure).undo({}, tmp_path, site_at(hub, env, Script()))


def test_a_token_gets_its_permission(hub: LocalHub, env: Path, tmp_path: Path) -> None:
    token = hub.tokens[TOKEN]
    hub.add(Token(TOKEN, token.account, "fineGrained", can_read_gated=False))
    person = Clicks(answers=["enter"])
    person.deeds = [lambda: setattr(hub.tokens[TOKEN], "can_read_gated", True)]
    carried_out(procedure_of(AllowGated(COMMUNITY_1), site_at(hub, env, person)), tmp_path / "files")
    assert "tick" in person.told[0]


@pytest.mark.parametrize("action", [AcceptTerms(COMMUNITY_1), InstallToolkit()])
def test_whoever_gives_up_is_told_where_to_go(
    hub: LocalHub, env: Path, tmp_path: Path, action: AcceptTerms | InstallToolkit
) -> None:
    hub.repos[COMMUNITY_1].accepted.clear()
    procedure = procedure_of(action, site_at(hub, env, Script()))
    assert procedure.precondition()
    with pytest.raises(NotPossible, match="Nobody but you can do it: http"):
        procedure.apply()
