"""What only a person can do: the link is shown, Enter is waited for, and the Hub is asked again until it says yes.

A model's terms are a contract. Nobody accepts them for anybody else.
"""

from __future__ import annotations

from pathlib import Path

from ot_doctor.actions import AcceptTerms, AllowGated, InstallToolkit
from ot_doctor.evidence import Answer, Unavailable, WorkerToken
from ot_doctor.fix.asking import ask, page
from ot_doctor.fix.procedure import NotDone, NotPossible, Preview, Saved, Site

_TOKENS = "https://huggingface.co/settings/tokens"
_BOX = "Read access to contents of all public gated repos you can access"
_TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"


class _AtTheHub:
    """A step in a browser that changes what the Hub answers about one model."""

    cured = frozenset[Answer]()  # answers beside OK with which the step itself is done

    def __init__(self, action: AcceptTerms | AllowGated, site: Site) -> None:
        self.site = site
        self.repo = action.repo
        token = site.store.get(WorkerToken)
        if isinstance(token, Unavailable):
            raise NotPossible(f"The worker's token is not known: {token}")
        self._token = token
        self.hub = ask(site, token)

    @property
    def _answer(self) -> Answer:
        found = self.hub.of(self.repo)
        return found.answer if found else Answer.NOT_ASKED

    @property
    def _done(self) -> bool:
        return self._answer is Answer.OK or self._answer in self.cured

    def precondition(self) -> bool:
        if self._answer is Answer.NOT_ASKED:
            raise NotPossible(f"The Hub is not asked about {self.repo} for this release.")
        return not self._done

    def how(self) -> tuple[str, str]:
        """What the person does, and the link."""
        account = self.hub.identity.account
        who = f"as '{account}'" if account else "with the account that the token belongs to"
        return f'Log in {who}, open the page, and click "Agree and access repository".', page(self.hub, self.repo)

    def preview(self) -> Preview:
        what, link = self.how()
        does = f"You do it, and ot-doctor asks the Hub about {self.repo} until it says yes."
        return Preview(does, "Do it now?", (what, link), {f"the Hub's answer for {self.repo}": self._answer.value})

    def save(self, files: Path) -> Saved:
        return {}

    def apply(self) -> None:
        what, link = self.how()
        said = ""
        while not self._done:
            if not self.site.person.waits(f"{said}{what}\n{link}\nPress Enter when it is done."):
                raise NotPossible(f"Nobody but you can do it: {link}")
            self.hub = ask(self.site, self._token)
            said = f"The Hub still does not give {self.repo}: {self._answer.value}.\n"

    def verify(self) -> None:
        self.hub = ask(self.site, self._token)
        if not self._done:
            raise NotDone(f"The Hub does not give {self.repo} yet: {self._answer.value}.")

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """Nothing was changed here."""
        return False


class TermsAccepted(_AtTheHub):
    """``guide.accept-terms``."""

    cured = frozenset({Answer.SCOPE})


class GatedAllowed(_AtTheHub):
    """``guide.allow-gated``: the token stays the same."""

    cured = frozenset({Answer.NOT_ACCEPTED, Answer.PENDING, Answer.REJECTED})

    def how(self) -> tuple[str, str]:
        name = self.hub.identity.token_name
        return f'Edit the token{f" {name!r}" if name else ""} and tick "{_BOX}".', _TOKENS


class ToolkitInstalled:
    """``guide.install-toolkit``: whether it helped is seen when the worker is looked at again."""

    def __init__(self, action: InstallToolkit, site: Site) -> None:
        self.site = site

    def precondition(self) -> bool:
        return True

    def preview(self) -> Preview:
        what = "Install NVIDIA's driver and container toolkit with your system's package manager, and restart Docker."
        return Preview("You do it, and ot-doctor looks again.", "Do it now?", (what, _TOOLKIT))

    def save(self, files: Path) -> Saved:
        return {}

    def apply(self) -> None:
        if not self.site.person.waits(f"{_TOOLKIT}\nPress Enter when it is done."):
            raise NotPossible(f"Nobody but you can do it: {_TOOLKIT}")

    def verify(self) -> None:
        """The look at the worker that follows."""

    @classmethod
    def undo(cls, saved: Saved, files: Path, site: Site) -> bool:
        """Nothing was changed here."""
        return False
