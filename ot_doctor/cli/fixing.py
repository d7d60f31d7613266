"""The command ``fix``."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ot_doctor.cli.configuration import ConfiguredCommand
from ot_doctor.cli.options import SETTINGS, ascii_only, checks_dir, config_file, look_options, plan_of
from ot_doctor.cli.output import Progress, not_to_be_written, write, write_files
from ot_doctor.cli.person import AtTheTerminal
from ot_doctor.cli.show import tell_of_faults
from ot_doctor.cli.undoing import took_back
from ot_doctor.core import supervisor

if TYPE_CHECKING:
    from ot_doctor.actions import Action
    from ot_doctor.check import Finding
    from ot_doctor.diagnosis.ranking import RootCause
    from ot_doctor.fix.loop import Examination, Fixing
    from ot_doctor.redaction.redactor import Redactor
    from ot_doctor.run.plan import Plan
    from ot_doctor.run.session import Examined

_CLASSES = ("changes-files", "restarts", "downloads", "removes", "interrupts")
_NOT_TOLD_AGAIN = ("yes", "allow", "dry_run", "plan_file", "apply_file", "format", "verbose", "ascii")


def _classes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    names = [name.strip() for part in value for name in part.split(",") if name.strip()]
    for name in names:
        if name not in _CLASSES:
            raise click.BadParameter(f"'{name}' is not one of {', '.join(_CLASSES)}", ctx, param)
    return frozenset(names)


def _plan_to_write(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    path = Path(os.path.abspath(value))
    if problem := not_to_be_written(path):
        raise click.BadParameter(problem, ctx, param)
    return path


def _token_source(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is not None and value != "-" and not os.path.isfile(value):
        raise click.BadParameter(f"there is no file {os.path.abspath(value)}", ctx, param)
    return value


_EXAMPLES = (
    ("ot-doctor fix", "Ask before each step."),
    ("ot-doctor fix --dry-run", "Show what would be done."),
    ("ot-doctor fix --yes --allow changes-files,restarts", "Ask nothing; do no more than that."),
    ("ot-doctor fix --select env-shadowed", "One cause, or one check's."),
)


@click.command(
    cls=ConfiguredCommand, options_of="run", context_settings=SETTINGS, examples=_EXAMPLES,
    short_help="Fix what was found, asking before each step.",
)  # fmt: skip
@look_options
@click.option("--select", "wanted", multiple=True, metavar="NAME", allow_from_autoenv=False,
              help="Only this cause, check or family. Repeatable.")  # fmt: skip
@click.option("--ignore", "unwanted", multiple=True, metavar="NAME", allow_from_autoenv=False,
              help="Not this cause, check or family. Repeatable.")  # fmt: skip
@checks_dir
@click.option("--dry-run", is_flag=True, allow_from_autoenv=False, help="Change nothing, and show what would be done.")
@click.option("--yes", is_flag=True, allow_from_autoenv=False, help="Ask nothing: do what is safe, and what --allow names.")
@click.option("--allow", multiple=True, metavar="CLASS", callback=_classes, allow_from_autoenv=False,
              help=f"What --yes may do besides: {', '.join(_CLASSES)}. Separated by commas.")  # fmt: skip
@click.option("--plan", "plan_file", metavar="FILE", callback=_plan_to_write, allow_from_autoenv=False,
              help="Change nothing, and write what would be done to a file.")  # fmt: skip
@click.option("--apply", "apply_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              allow_from_autoenv=False, help="Do what is in such a file, if nothing that it rests on has changed.")  # fmt: skip
@click.option("--token-file", metavar="FILE", callback=_token_source, allow_from_autoenv=False,
              help="Where a new token is, if one is needed; '-' is standard input.")  # fmt: skip
@click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True, allow_from_autoenv=False,
              help="What standard output shows.")  # fmt: skip
@click.option("-v", "--verbose", count=True, help="-vv: also what went wrong in the doctor.")
@ascii_only
@config_file
@click.pass_context
def fix(ctx: click.Context, /, **options: Any) -> None:
    """Carry out the remedies, the root cause first: each is shown before, asked for, written down, and looked at again.

    'ot-doctor undo' takes back what was done. Without a terminal, and without --yes, nothing is changed.

    Exit codes: 0 all is well now; 1 something still fails, or was not done; 2 wrong usage, or no installation found; 3 nothing
    failed, but something could not be checked; 4 ot-doctor itself failed.
    """
    from ot_doctor.fix.journal import Busy, NoJournal
    from ot_doctor.fix.plan_file import NoPlan
    from ot_doctor.run.plan import WrongUsage

    if options["apply_file"] and (options["plan_file"] or options["dry_run"]):
        raise click.UsageError("--apply carries a plan out; --plan and --dry-run change nothing.", ctx)
    tell_of_faults(options["verbose"])
    try:
        ctx.exit(_Session(ctx, options).run())
    except (WrongUsage, Busy, NoPlan, NoJournal) as error:
        raise click.UsageError(str(error), ctx) from None


class _Session:
    """One call of ``fix``."""

    def __init__(self, ctx: click.Context, options: dict[str, Any]) -> None:
        from ot_doctor.report.build import redactor_of

        self.ctx = ctx
        self.options = options
        self.plan: Plan = plan_of(options, ctx)
        self.redactor: Redactor = redactor_of(self.plan)
        self.began = datetime.now(timezone.utc), time.monotonic()
        self.person = AtTheTerminal(self._shown, options["token_file"], shows=True)

    def run(self) -> int:
        from ot_doctor.fix.journal import locked, state_folder

        first = self._look()
        deployment = first.found.deployment
        if deployment is None:
            raise click.UsageError("There is no installation that could be changed: only a log was examined.", self.ctx)
        workers = first.found.workers
        if machine := deployment.machine or (workers.engine.machine if workers else ""):
            raise click.UsageError(f"The engine is on {machine}. Run 'ot-doctor fix' there: it changes files, too.", self.ctx)
        self._check_names(first)
        self.installation = str(deployment.home)
        self.state = state_folder(self.plan.request.environ, self.plan.home)
        fixing = self._fixing(first)
        if fixing.consent.only_plans(self.person):
            self.person.shows = False
            return self._end(fixing, fixing.run(first))
        with locked(self.state, self.installation):
            first, goes_on = self._after_a_run_that_was_cut_off(first)
            if not goes_on:
                return 1
            self._apply_only(fixing, first)
            self.person.shows = self.person.present
            latest = fixing.run(first)
            if fixing.journal is not None:
                fixing.journal.end()
            code = self._end(fixing, latest)
        return self._tried(fixing, latest, code)

    # -- looking ---------------------------------------------------------------------------------------

    def _look(self) -> Examination:
        from ot_doctor.fix.loop import Examination
        from ot_doctor.run.session import examine, prepare

        request = replace(self.plan.request, started=time.monotonic())
        supervisor.expect(request.timeout)
        checks, store, notices = prepare(replace(self.plan, request=request))
        with Progress(store):
            found = examine(replace(self.plan, request=request), checks, store, notices)
        self._names = {*checks, *(check.family.value for check in checks.values())}
        self._families = {name: check.family.value for name, check in checks.items()}
        supervisor.expect(float("inf"))  # what is done has deadlines of its own, and people take their time
        return Examination(found, store)

    def _check_names(self, first: Examination) -> None:
        from ot_doctor.check import Cause
        from ot_doctor.run.lookup import no_such

        known = [*self._names, *(cause.value for cause in Cause)]
        for name in (*self.options["wanted"], *self.options["unwanted"]):
            if name not in known:
                raise click.UsageError(no_such(name, known, "cause, check or family"), self.ctx)

    def _is_wanted(self, root: RootCause) -> bool:
        names = {root.cause.value, *root.explains, *(self._families.get(name, "") for name in root.explains)}
        wanted, unwanted = set(self.options["wanted"]), set(self.options["unwanted"])
        return (not wanted or bool(wanted & names)) and not unwanted & names

    def _warnings(self, found: Examined) -> Iterable[RootCause]:
        """Warnings that are named by --select: the others are left alone."""
        from ot_doctor.fix.loop import root_of

        def named(finding: Finding, check: str) -> bool:
            cause = finding.cause.value if finding.cause else ""
            return bool({cause, check, self._families.get(check, "")} & set(self.options["wanted"]))

        for result in found.results:
            for finding in result.findings:
                root = root_of(finding, result.check.name)
                if root is not None and named(finding, result.check.name):
                    yield root

    # -- doing -----------------------------------------------------------------------------------------

    def _fixing(self, first: Examination) -> Fixing:
        from ot_doctor.actions import Risk
        from ot_doctor.fix.consent import Consent
        from ot_doctor.fix.journal import Journal
        from ot_doctor.fix.loop import Fixing
        from ot_doctor.sources.store import Store

        keeps_plan = self.options["plan_file"] is not None
        dry = self.options["dry_run"] or keeps_plan
        agreed = self.options["yes"] or self.options["apply_file"] is not None
        consent = Consent(dry, agreed, frozenset(Risk(name) for name in self.options["allow"]), keeps_plan)
        return Fixing(
            self._look,
            lambda: Store(replace(self.plan.request, started=time.monotonic())),
            lambda: Journal.begin(self.state, self.installation),
            self.person,
            consent,
            self._is_wanted,
            self._warnings,
        )

    def _apply_only(self, fixing: Fixing, first: Examination) -> None:
        """With --apply: what is in the file, and nothing else. Raises ``NoPlan``."""
        from ot_doctor.actions import RecreateServices
        from ot_doctor.diagnosis.fixable import actions_of
        from ot_doctor.fix.plan_file import must_be_fresh, read
        from ot_doctor.fix.procedure import Site

        path = self.options["apply_file"]
        if path is None:
            return
        planned = read(path, self.installation)
        must_be_fresh(planned, Site(fixing.fresh(), self.person))
        agreed = {step.action for step in planned}
        services = {name for action in agreed if isinstance(action, RecreateServices) for name in action.services}

        def planned_for(action: Action) -> bool:
            return action in agreed or (isinstance(action, RecreateServices) and services >= set(action.services))

        fixing.wanted = lambda root: all(map(planned_for, actions_of(root.remedy)))
        risks = frozenset(risk for step in planned for risk in (step.action.risk,))
        fixing.consent = replace(fixing.consent, allowed=fixing.consent.allowed | risks)

    def _after_a_run_that_was_cut_off(self, first: Examination) -> tuple[Examination, bool]:
        """It is told, and undone if that is wanted. What is there now, and whether this run goes on from it."""
        from ot_doctor.fix.journal import Journal, stored

        cut = next((run for run in stored(self.state) if run.cut_off and run.installation == self.installation), None)
        if cut is None:
            return first, True
        entry = next(e for e in cut.entries if not e.outcome)
        self.person.tell(f"The run {cut.name} was cut off in the middle of this: {entry.does} ({entry.action.get('name')})")
        question = "Undo that run, resume (look again, and go on from what is there), or leave all as it is?"
        said = self.person.chooses(question, ("leave", "undo", "resume"))
        if said == "undo":
            whole = took_back(cut, self.plan, self.person, yes=True)
            return self._look(), whole
        if said == "resume":
            Journal(cut).leave()
        self.person.tell(f"To undo it later: ot-doctor undo {cut.name}")
        return first, said == "resume" or not self.person.present

    # -- telling ---------------------------------------------------------------------------------------

    def _end(self, fixing: Fixing, latest: Examination) -> int:
        from ot_doctor.fix import plan_file, telling
        from ot_doctor.fix.loop import hidden
        from ot_doctor.report.build import report_of

        only_plans = fixing.consent.only_plans(self.person)
        account = telling.Account(
            self.began[0],
            time.monotonic() - self.began[1],
            self.installation,
            fixing.attended,
            report_of(latest.found, self.redactor),
            fixing.journal.run.name if fixing.journal else "",
            only_plans,
            hidden(fixing.attended),
            self._command(fixing),
            self._also(fixing, latest),
        )
        if self.options["plan_file"] is not None:
            write_files({self.options["plan_file"]: plan_file.render(self.installation, fixing.attended)}, private=True)
        if self.options["format"] == "json":
            told = self.redactor.value(telling.document(account))
            text = json.dumps(told, indent=2, ensure_ascii=False)
            write(text.encode("utf-8", "backslashreplace").decode() + "\n", machine=True)
        else:
            lines = telling.account_lines(account, whole=not self.person.shows)
            text = "\n".join(map(self._shown, lines)).strip("\n")
            write(f"\n{text}\n" if self.person.shows else f"{text}\n")
        return account.exit_code

    def _tried(self, fixing: Fixing, latest: Examination, code: int) -> int:
        """The last step, where all is fixed and a worker is there: a diarization of generated voices, if it is wanted."""
        there = latest.found.workers is not None and bool(latest.found.workers.diarizers)
        if code != 0 or fixing.journal is None or not there or self.options["format"] == "json":
            return code
        given = {"--dir": self.options["dir"], "--env-file": self.options["env_file"]}
        words = [word for option, value in given.items() if value for word in (option, os.path.abspath(value))]
        if fixing.consent.yes or not self.person.present:
            write(f"To try it with two generated voices: {self._shown(' '.join(map(quote, ['ot-doctor', 'try', *words])))}\n")
            return code
        return self._try(words) if self.person.agrees("Try it now with two generated voices?") else code

    def _try(self, words: Sequence[str]) -> int:
        from ot_doctor.cli.try_command import try_

        try:
            with try_.make_context("try", list(words), parent=self.ctx.parent) as inner:
                try_.invoke(inner)
        except click.exceptions.Exit as ended:
            return int(ended.exit_code)
        return 0

    def _also(self, fixing: Fixing, latest: Examination) -> tuple[str, ...]:
        """The causes of warnings that have actions and were not selected."""
        from ot_doctor.check import Status
        from ot_doctor.diagnosis.fixable import actions_of

        found = (finding for result in latest.found.results for finding in result.findings)
        warned = (one for one in found if one.status is Status.WARN and one.cause and actions_of(one.remedy))
        attended = {one.root.cause for one in fixing.attended} | {root.cause for root in latest.found.diagnosis}
        return tuple(dict.fromkeys(one.cause.value for one in warned if one.cause and one.cause not in attended))

    def _shown(self, line: str) -> str:
        from ot_doctor.report.formats.text_lines import as_ascii

        text = self.redactor.text(line)
        return as_ascii(text) if self.options["ascii"] else text

    def _command(self, fixing: Fixing) -> str:
        """The call that does without questions what was planned, or not allowed; empty where there is nothing."""
        from ot_doctor.actions import PutToken, Risk
        from ot_doctor.diagnosis.fixable import actions_of
        from ot_doctor.fix.outcome import Became

        left = [one for one in fixing.attended if {d.became for d in one.deeds} & {Became.PLANNED, Became.NOT_ALLOWED}]
        if not left:
            return ""
        actions = [action for one in left for action in actions_of(one.root.remedy)]  # also what comes after it
        risks = {risk.value for one in left for deed in one.deeds for risk in deed.risks} | set(self.options["allow"])
        risks |= {action.risk.value for action in actions if action.risk is not Risk.SAFE}
        words = ["ot-doctor", "fix", *_given(self.ctx), "--yes"]
        allow = [name for name in _CLASSES if name in risks]
        words += ["--allow", ",".join(allow)] if allow else []
        if any(isinstance(action, PutToken) for action in actions) and not self.options["token_file"]:
            words += ["--token-file", "-"]
        return self.redactor.command(" ".join(map(quote, words)))


def _given(ctx: click.Context) -> Iterator[str]:
    """The options of this call that another one needs as well."""
    for param in ctx.command.params:
        name = param.name or ""
        if name in _NOT_TOLD_AGAIN or ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value, option = ctx.params.get(name), max(param.opts, key=len)
        if isinstance(param, click.Option) and param.is_flag:
            yield option
        else:
            for one in value if isinstance(value, tuple) else (value,):
                yield from (option, os.path.abspath(one) if isinstance(one, Path) else str(one))
