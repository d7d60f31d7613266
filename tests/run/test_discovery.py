from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ot_doctor.check import Family
from ot_doctor.redaction.masking import redact
from ot_doctor.run.discovery import discover

GOOD = '''
from __future__ import annotations
from collections.abc import Iterator
from ot_doctor.check import Family, Finding, check, passed
from ot_doctor.evidence import Request

@check("{name}", title="It is good", family=Family.{family})
def good(request: Request) -> Iterator[Finding]:
    """A check of somebody else's package."""
    yield passed("good")
'''


class Elsewhere:
    """A folder on ``sys.path`` with third-party packages in it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        monkeypatch.syspath_prepend(str(folder))

    def install(self, dist: str, entry: str, files: dict[str, str]) -> None:
        info = self.folder / f"{dist.replace('-', '_')}-2.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {dist}\nVersion: 2.1\n")
        (info / "entry_points.txt").write_text(f"[ot_doctor.checks]\n{dist} = {entry}\n")
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    before = set(sys.modules)
    yield Elsewhere(tmp_path, monkeypatch)
    for name in set(sys.modules) - before:
        del sys.modules[name]


def folder_of(tmp_path: Path, **modules: str) -> Path:
    folder = tmp_path / "my checks"
    folder.mkdir(exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_the_built_in_checks_come_through_the_entry_points() -> None:
    found = discover()
    assert not found.broken and not found.duplicates
    assert len(found.checks) >= 20
    assert found.checks["token-format"].owner.startswith("ot-doctor ")
    assert found.checks["token-format"].owner.endswith(" (ot_doctor_checks.token_format)")


def test_they_are_ordered_by_family_and_name() -> None:
    checks = [found.check for found in discover().checks.values()]
    families = list(Family)
    assert checks == sorted(checks, key=lambda c: (families.index(c.family), c.name))


def test_a_third_partys_package_is_found_with_all_its_public_modules(elsewhere: Elsewhere) -> None:
    files = {
        "acme_checks/__init__.py": GOOD.format(name="acme-top", family="HOST"),
        "acme_checks/inner.py": GOOD.format(name="acme-inner", family="ENV"),
        "acme_checks/_private.py": GOOD.format(name="acme-private", family="ENV"),
    }
    elsewhere.install("acme", "acme_checks", files)
    found = discover()
    assert found.checks["acme-top"].owner == "acme 2.1 (acme_checks)"
    assert found.checks["acme-inner"].owner == "acme 2.1 (acme_checks.inner)"
    assert "acme-private" not in found.checks
    assert "token-format" in found.checks and not found.broken


def test_an_entry_point_may_be_one_module(elsewhere: Elsewhere) -> None:
    elsewhere.install("solo", "solo_check:good", {"solo_check.py": GOOD.format(name="solo-check", family="LOGS")})
    assert discover().checks["solo-check"].owner == "solo 2.1 (solo_check)"


def test_a_check_that_is_merely_imported_belongs_to_its_own_module(elsewhere: Elsewhere) -> None:
    files = {
        "pair/__init__.py": "",
        "pair/one.py": GOOD.format(name="pair-one", family="ENV"),
        "pair/two.py": GOOD.format(name="pair-two", family="ENV").replace("def good", "def two") + "from pair.one import good\n",
    }
    elsewhere.install("pair-checks", "pair", files)
    found = discover()
    assert not found.duplicates
    assert found.checks["pair-one"].owner.endswith("(pair.one)") and found.checks["pair-two"].owner.endswith("(pair.two)")


BROKEN = {
    "syntax": ("def broken(:\n", "SyntaxError"),
    "missing import": ("import there_is_no_such_module_at_all\n", "ModuleNotFoundError: No module named 'there_is_no"),
    "sys.exit": ("import sys\nsys.exit('I want out')\n", "SystemExit: I want out"),
    "exception": ("raise RuntimeError('at import')\n", "RuntimeError: at import"),
    "bad name": (GOOD.format(name="Bad Name", family="ENV"), "ValueError: check name 'Bad Name'"),
    "bad family": (GOOD.format(name="fine", family="WEATHER"), "AttributeError"),
    "null byte": ("x = 1\0\n", "null bytes"),
    "a secret in the message": ("raise RuntimeError('hf_' + 'AbCdEfGhIjKlMn0123456789')\n", "hf_…(27:"),
    "an escape in the message": ("raise RuntimeError('\\x1b[31mred')\n", "RuntimeError: red"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_module_of_a_package_is_named_and_the_rest_is_there(kind: str, elsewhere: Elsewhere) -> None:
    text, reason = BROKEN[kind]
    files = {"half/__init__.py": "", "half/bad.py": text, "half/zgood.py": GOOD.format(name="half-good", family="ENV")}
    elsewhere.install("half-broken", "half", files)
    found = discover()
    assert [broken.owner for broken in found.broken] == ["half-broken 2.1 (half.bad)"]
    assert reason in redact(found.broken[0].reason)
    assert "half-good" in found.checks and "token-format" in found.checks


def test_a_package_that_is_broken_or_gone_leaves_the_others(elsewhere: Elsewhere) -> None:
    elsewhere.install("gone", "package_that_was_removed", {})
    elsewhere.install("ill", "ill_checks", {"ill_checks/__init__.py": "1 / 0\n"})
    found = discover()
    assert {broken.owner for broken in found.broken} == {"gone 2.1 (package_that_was_removed)", "ill 2.1 (ill_checks)"}
    assert "token-format" in found.checks


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_module_of_a_folder_is_named_and_the_rest_is_there(kind: str, tmp_path: Path) -> None:
    text, reason = BROKEN[kind]
    folder = folder_of(tmp_path, bad=text, good=GOOD.format(name="my-good", family="ENV"))
    found = discover([folder])
    assert [(broken.owner, reason in redact(broken.reason)) for broken in found.broken] == [(f"{folder}/bad.py", True)]
    assert found.checks["my-good"].owner == f"{folder}/good.py"
    assert found.checks["my-good"].check("evidence")[0].message == "good"


def test_a_folder_is_not_picked_up_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path, good=GOOD.format(name="my-good", family="ENV"))
    monkeypatch.chdir(folder)
    assert "my-good" not in discover().checks


def test_private_modules_and_other_files_of_a_folder_are_left_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, _helper="1 / 0\n", good=GOOD.format(name="my-good", family="ENV"))
    (folder / "notes.txt").write_text("1 / 0\n")
    found = discover([folder])
    assert not found.broken and "my-good" in found.checks


def test_a_module_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, good=GOOD.format(name="my-good", family="ENV"))
    (folder / "dangling.py").symlink_to(tmp_path / "nowhere.py")
    (folder / "folder.py").mkdir()
    (folder / "latin.py").write_bytes(b"x = '\xe9'\n")
    found = discover([folder])
    assert {Path(broken.owner).name for broken in found.broken} == {"dangling.py", "folder.py", "latin.py"}
    assert "my-good" in found.checks


def test_a_folder_without_modules_is_said_to_have_none(tmp_path: Path) -> None:
    (broken,) = discover([folder_of(tmp_path)]).broken
    assert broken.owner == str(tmp_path / "my checks") and "no module" in broken.reason


def test_a_folder_that_is_given_twice_is_loaded_once_by_its_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path, good=GOOD.format(name="my-good", family="ENV"))
    monkeypatch.chdir(tmp_path)
    found = discover([Path("my checks"), folder, Path("./my checks/../my checks")])
    assert not found.duplicates
    assert found.checks["my-good"].owner == f"{folder}/good.py"


def test_two_checks_of_one_name_name_both_owners(tmp_path: Path, elsewhere: Elsewhere) -> None:
    elsewhere.install("rival", "rival", {"rival.py": GOOD.format(name="token-format", family="TOKEN")})
    folder = folder_of(tmp_path, mine=GOOD.format(name="token-format", family="TOKEN"))
    duplicates = discover([folder]).duplicates
    assert len(duplicates) == 2
    assert all("two checks are named 'token-format'" in d for d in duplicates)
    assert all("(ot_doctor_checks.token_format)" in d for d in duplicates)
    assert any("rival 2.1 (rival)" in d for d in duplicates) and any(f"{folder}/mine.py" in d for d in duplicates)


def test_a_module_that_never_ends_its_import_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.setattr("ot_doctor.run.discovery._LONGEST_IMPORT", 0.5)
    (broken,) = [b for b in discover([tmp_path]).broken if b.owner.endswith("endless.py")]
    assert "no answer within 0.5 s" in broken.reason
