"""``ot-doctor fleet``, and ``--host``: the doctor on other machines, through the user's own ssh."""

from __future__ import annotations

import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

import click

from ot_doctor.cli.commands import Command
from ot_doctor.cli.durations import Within
from ot_doctor.cli.last_resort import nothing_examined
from ot_doctor.cli.options import SECONDS, SETTINGS, offline, redact_level
from ot_doctor.cli.output import tell, terminal_size, write
from ot_doctor.core import supervisor

_EXAMPLES = (
    ("ot-doctor fleet -i hosts.toml", "One row a host, the worst first."),
    ("ot-doctor fleet --host ssh://me@a/srv/ot --host ssh://me@b", "Without a file."),
)
_NOT_ELSEWHERE = ("--output", "--copy", "--ping", "--checks-dir", "--signatures", "--config", "--logs", "--wait")
_FORMATS = ("text", "json", "markdown", "html")
_VARIABLE = "OT_DOCTOR_HOST"
_COLOURS = re.compile(r"(\x1b\[[0-9;]*m)")
_SPARE = 30.0  # seconds beside the run's own


def takes_place_elsewhere(arguments: list[str]) -> bool:
    """Whether a command line of ``run``, or the environment, names another machine."""
    if os.environ.get(_VARIABLE):
        return True
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return any(word == "--host" or word.startswith("--host=") for word in own)


@click.command("elsewhere", hidden=True, context_settings={**SETTINGS, "ignore_unknown_options": True, "help_option_names": []})
@click.option("--host", "addresses", multiple=True, required=True, envvar=_VARIABLE)
@click.option("--dir", "folder", default="", allow_from_autoenv=False)
@click.option("--format", "format_", default="text")
@click.option("--timeout", type=SECONDS, default=30)
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def elsewhere(
    ctx: click.Context, addresses: tuple[str, ...], folder: str, format_: str, timeout: float, color: str, rest: tuple[str, ...]
) -> None:
    """``run`` on other machines: its options are read there."""
    from ot_doctor.core.printable import printable
    from ot_doctor.evidence.base import Unavailable
    from ot_doctor.remote.fleet import examined, host_of, in_threads, told_apart
    from ot_doctor.remote.single_file import single_file

    if refused := next((o for o in _NOT_ELSEWHERE if any(w == o or w.startswith(f"{o}=") for w in rest)), None):
        raise click.UsageError(f"{refused} and --host do not go together: what it names is on this machine.", ctx)
    try:
        hosts = told_apart([host_of(address) for address in addresses])
    except ValueError as error:
        raise click.UsageError(f"--host: {error}.", ctx) from None
    if folder.startswith("/"):
        hosts = [replace(host, address=replace(host.address, folder=folder)) for host in hosts]
    elif folder:
        rest = ("--dir", folder, *rest)
    supervisor.expect(timeout + _SPARE)
    if len(hosts) > 1:
        if format_ not in _FORMATS:
            raise click.UsageError(f"--format of several machines must be {' or '.join(_FORMATS)}, and is '{format_}'.", ctx)
        _show_fleet(ctx, hosts, list(rest), timeout, 8, format_)
    wanted = color == "always" or (color == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    more = ["--format", format_, "--timeout", f"{timeout:g}", "--color", "always" if wanted else "never"]
    _end_what_was_started()
    try:
        data = single_file()
        (answer,) = in_threads(lambda host: examined(host, data, [*rest, *more], os.environ, timeout + _SPARE - 5), hosts, 1)
        if answer.exit_code not in range(5) or not (answer.document.strip() or answer.exit_code == 2):
            raise Unavailable(f"The doctor gave no report on {hosts[0].name}.", answer.said.strip())
    except Unavailable as error:
        ctx.exit(nothing_examined(f"{error.reason} {error.hint}".strip()))
    text = answer.document.decode("utf-8", "replace")
    # Another machine's bytes: colours may pass, and nothing else that steers a terminal.
    shown = "".join(part if _COLOURS.fullmatch(part) else printable(part) for part in _COLOURS.split(text))
    if said := f"{answer.note}\n{answer.said}".strip():
        tell(said)
    write(shown)
    ctx.exit(answer.exit_code)


@click.command(cls=Command, context_settings=SETTINGS, examples=_EXAMPLES, short_help="Several machines, one row each.")
@click.option(
    "-i",
    "--inventory",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A TOML file with a table [[host]] for each machine: its address and, if you want, a name.",
)
@click.option("--host", "addresses", multiple=True, metavar="ADDRESS",
              help="A machine: ssh://me@server/srv/opentranscribe. Repeatable.")  # fmt: skip
@click.option(
    "--jobs", type=Within(int, 1, 64, "machines"), default=8, show_default=True, metavar="NUMBER",
    help="How many machines are examined at a time.",
)  # fmt: skip
@click.option(
    "--timeout", type=SECONDS, default=30, show_default=True, metavar="SECONDS", help="Time limit for the run on each machine.",
)  # fmt: skip
@offline
@click.option(
    "--probe", type=click.Choice(["off", "light"]), default="light", show_default=True,
    help="Whether the workers are looked at from inside.",
)  # fmt: skip
@redact_level
@click.option(
    "--format",
    "format_",
    type=click.Choice(_FORMATS),
    default="text",
    show_default=True,
    help="What standard output shows.",
)
@click.pass_context
def fleet(
    ctx: click.Context, /, inventory: Path | None, addresses: tuple[str, ...], jobs: int, timeout: float, offline: bool,
    probe: str, redact: str, format_: str,
) -> None:  # fmt: skip
    """Examine several machines through your own ssh, and show one row for each, the worst first.

    The doctor is sent there, run, and leaves nothing behind. No password is ever asked for. A machine that is not reached in time
    is never a pass.

    The exit code is that of the worst machine. From good to bad: 0, 3 (also where one was not reached), 2, 4, 1.
    """
    from ot_doctor.remote.fleet import host_of, hosts_of, told_apart

    try:
        hosts = [host_of(address) for address in addresses]
        if inventory:
            hosts += hosts_of(inventory, _toml(inventory))
        hosts = told_apart(hosts)
    except ValueError as error:
        raise click.UsageError(f"{error}.", ctx) from None
    if not hosts:
        raise click.UsageError("No machine is named: give --inventory hosts.toml or --host ssh://me@server.", ctx)
    rest = [*(["--offline"] if offline else []), "--probe", probe, "--redact", redact]
    supervisor.expect((timeout + _SPARE) * -(-len(hosts) // jobs))
    _show_fleet(ctx, hosts, rest, timeout, jobs, format_)


def _show_fleet(ctx: click.Context, hosts: list[Any], rest: list[str], timeout: float, jobs: int, format_: str) -> None:
    from ot_doctor.remote.fleet import examine_all
    from ot_doctor.remote.fleet_formats import FORMATS

    def ended(row: Any) -> None:
        if sys.stderr.isatty():
            tell(f"{row.host.name}: {row.verdict}")

    _end_what_was_started()
    found = examine_all(hosts, rest, os.environ, timeout, jobs, ended)
    write(FORMATS[format_](found, max(60, terminal_size()[0])), machine=format_ != "text")
    ctx.exit(found.exit_code)


def _end_what_was_started() -> None:
    """When this process is ended from now on. What was sent elsewhere ends with its connection."""

    def end(number: int, frame: FrameType | None) -> None:
        from ot_doctor.sources.sent_file import end_all

        end_all()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)


def _toml(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        if path.stat().st_size > 1_000_000:
            raise ValueError(f"{path} is too large")
        content: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: {error}") from None
    return content
