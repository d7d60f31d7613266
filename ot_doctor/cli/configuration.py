"""Options from a file: ``.ot-doctor.toml``, or ``[tool.ot-doctor]`` in a ``pyproject.toml``.

The file is looked for beside the installation, then in the working folder and, inside a repository, in its parents up to the
repository's root; the first one is taken. ``--config FILE`` names one, ``--config /dev/null`` none.

A folder may be anybody's, so a file that is found by itself loads no code and names only what lies below its own folder.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ot_doctor.cli.commands import Command
from ot_doctor.cli.durations import Within

if TYPE_CHECKING:
    from ot_doctor.run.suppressions import Suppression

FILE = ".ot-doctor.toml"
_SHARED_FILE, _TABLE = "pyproject.toml", "ot-doctor"
_META = "ot_doctor.cli.configuration"
_LARGEST = 1024 * 1024  # bytes
_MOST_PARTS = 50  # of a dotted key or the name of a table
_PART = rb"""(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*"""
_DOTTED = re.compile(rb"""(?<![\w"'-])(?:%s){%d}""" % (_PART, _MOST_PARTS))
_DEADLINE = 5.0  # seconds to look for the file: a parent may lie on a network that is gone
_LOADS_CODE = "checks-dir"
_LEAVES = ("output", "ping", "context")  # by these something leaves the doctor, or ssh is started
_NOT_OF_A_FILE = ("config", "help", "version", "host", "engine-of", _LOADS_CODE)


@dataclass(frozen=True)
class Config:
    """What the file says. Without a file everything is empty."""

    file: Path | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)  # by parameter, as click's ``default_map`` has them
    suppressions: tuple[Suppression, ...] = ()

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The checks and families that are to be run, or are not, each with where the file names it."""
        return tuple((f"{self.file}: {key}", name) for key in ("select", "ignore") for name in self.defaults.get(key, ()))

    def overlooked(self, folder: Path | None) -> str | None:
        """A sentence about a file beside an installation that only Docker knew of, and so could not be read in time."""
        from ot_doctor.core.deadline import within

        if folder is None or self.file is not None:
            return None
        try:
            if within(_DEADLINE, lambda: _table_in(folder)) is None:
                return None
        except (ValueError, TimeoutError):  # not a file that would have been taken
            return None
        return f"the options in {folder} were not read, because only Docker told of that folder: use --dir {folder}"


def of(ctx: click.Context) -> Config:
    """The file's part in this call of a command."""
    config: Config = ctx.meta.get(_META, Config())
    return config


class ConfiguredCommand(Command):
    """A command that takes what the command line and the environment leave open from the file.

    ``options_of`` names the command beside this one whose options the file may have, where it is not this one itself; then only
    those that both share are taken.
    """

    def __init__(self, *args: Any, options_of: str | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self._options_of = options_of

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing or set(args) & set(ctx.help_option_names):
            return super().parse_args(ctx, args)
        group = ctx.parent.command if ctx.parent else None
        named = group.get_command(ctx, self._options_of) if self._options_of and isinstance(group, click.Group) else None
        config = self._config(ctx, args, named or self)
        others = {other.name: other for other in (named or self).params}
        shared = {p.name for p in self.params if p.name in others and _same(p, others[p.name])}
        ctx.default_map = {name: value for name, value in config.defaults.items() if name in shared}
        ctx.meta[_META] = config
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            name = error.param.name if error.param else None
            if name is None or ctx.get_parameter_source(name) is not ParameterSource.DEFAULT_MAP:
                raise
            raise click.UsageError(f"{config.file}: {name.replace('_', '-')}: {error.message}", ctx) from None

    def _config(self, ctx: click.Context, args: list[str], command: click.Command) -> Config:
        """The file for this call, from a first reading of the command line.

        Click reads it twice, as which file it is depends on ``--dir`` and ``--config``, wherever they are set, and what the file
        says must be known when the other options are read. ``ot-doctor --timeout 5 --dir /srv/ot``, with ``timeout = 60`` and
        ``quiet = true`` in ``/srv/ot/.ot-doctor.toml``: the first reading forgives every mistake and gives ``dir``; the file is
        read; the second has its options as defaults, so that ``timeout`` is 5 and ``quiet`` is set, and says what is wrong.
        """
        known = self.make_context(ctx.info_name, list(args), resilient_parsing=True).params
        try:
            return load(command, known.get("config"), known.get("dir"))
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from None


def _same(first: click.Parameter, second: click.Parameter) -> bool:
    return first is second or first.to_info_dict() == second.to_info_dict()


def load(command: click.Command, named: Path | None, directory: Path | None) -> Config:
    """The options of ``command`` in the file that is ``named``, or else in the one that is found.

    ``directory`` is the installation's folder where it was named. Raises ``ValueError`` with a sentence for a file that is wrong,
    and for folders that do not answer.
    """
    from ot_doctor.core.deadline import TookTooLong, within

    try:
        return within(_DEADLINE, lambda: _load(command, named, directory))
    except TookTooLong:
        where = named or FILE
        raise ValueError(
            f"Looking for {where} took longer than {_DEADLINE:g} s: a folder does not answer. Name a file with --config FILE, or "
            f"none with --config {os.devnull}."
        ) from None


def _load(command: click.Command, named: Path | None, directory: Path | None) -> Config:
    if named is not None:
        if str(named) == os.devnull:
            return Config()
        path = Path(os.path.abspath(named))
        table = _read(path)
        if table is None:
            raise ValueError(f"{path} has no table [tool.{_TABLE}].")
        return _config(command, path, table, found_by_itself=False)
    for folder in _folders(directory):
        found = _table_in(folder)
        if found:
            return _config(command, *found, found_by_itself=True)
    return Config()


def _folders(directory: Path | None) -> Iterator[Path]:
    """Where a file may lie. No parent beyond a repository: one in /tmp or / may be anybody's."""
    from ot_doctor.evidence import Request, Unavailable
    from ot_doctor.sources import folder_search

    request = Request(directory=Path(os.path.abspath(directory)) if directory else None, environ=os.environ)
    try:
        folder = folder_search.gather(request).directory
    except Unavailable:
        folder = None
    if folder is not None:
        yield folder
    here = (request.cwd, *request.cwd.parents)
    root = next((f for f in here if os.path.exists(f / ".git")), request.cwd)
    yield from (f for f in here if f == root or root in f.parents)


def _table_in(folder: Path) -> tuple[Path, Mapping[str, Any]] | None:
    for path in (folder / FILE, folder / _SHARED_FILE):
        table = _read(path) if os.path.isfile(path) else None
        if table is not None:
            return path, table
    return None


def _read(path: Path) -> Mapping[str, Any] | None:
    """The file's options; ``None`` where a ``pyproject.toml`` has none. Raises ``ValueError``."""
    from ot_doctor.core.files import TooLarge, read_small

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        content = read_small(path, _LARGEST)[0]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from error
    except TooLarge as error:
        raise ValueError(f"{error}.") from error
    shared = path.name == _SHARED_FILE
    if shared and _TABLE.encode() not in content:  # whatever is wrong with it is not for us to say
        return None
    if _DOTTED.search(content):  # the parser's time grows with the square of their number
        raise ValueError(f"{path} is not accepted: it has a key of more than {_MOST_PARTS} parts.")
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid TOML: {error}.") from error
    if not shared:
        return dict(document)
    table = tool.get(_TABLE) if isinstance(tool := document.get("tool"), dict) else None
    if table is None or isinstance(table, dict):
        return table
    raise ValueError(f"{path}: tool.{_TABLE} must be a table: [tool.{_TABLE}].")


def _config(command: click.Command, path: Path, table: Mapping[str, Any], *, found_by_itself: bool) -> Config:
    from ot_doctor.run.lookup import meant
    from ot_doctor.run.suppressions import read

    parameters = {_key(param): param for param in command.params if isinstance(param, click.Option)}
    defaults = {}
    for key, value in table.items():
        if key == "suppress":
            continue
        if key == _LOADS_CODE:
            raise ValueError(f"{path}: {key} loads code, and is taken from the command line or OT_DOCTOR_CHECKS_DIR only.")
        if key in _LEAVES and found_by_itself and _is_somebody_elses(path):
            raise ValueError(
                f"{path}: {key} is not taken from a file that was not named and belongs to another user, who could lead what is "
                f"written or sent elsewhere. Either name the file, --config {path}, or give --{key}."
            )
        if key not in parameters or key in _NOT_OF_A_FILE:
            known = [name for name in (*parameters, "suppress") if name not in _NOT_OF_A_FILE]
            raise ValueError(f"{path}: there is no option '{key}'. {meant(key, known, 'ot-doctor run --help shows them.')}")
        param = parameters[key]
        if not _fits(param, value):
            raise ValueError(f"{path}: {key} must be {_wanted(param)}.")
        if isinstance(param.type, click.Path):
            value = _paths(value, path, key, found_by_itself)
        defaults[str(param.name)] = value
    return Config(path, defaults, read(table.get("suppress", []), str(path)))


def _is_somebody_elses(path: Path) -> bool:
    """Whether another user than the present one and root can change the file, or what its folder holds."""
    return any(os.stat(one).st_uid not in (0, os.geteuid()) for one in (path, path.parent))


def _key(param: click.Option) -> str:
    return max(param.opts, key=len).lstrip("-")


def _fits(param: click.Option, value: object) -> bool:
    if param.is_flag:
        return isinstance(value, bool)
    if param.multiple:
        return isinstance(value, list) and all(_fits_one(param, item) for item in value)
    return _fits_one(param, value)


def _fits_one(param: click.Option, value: object) -> bool:
    if isinstance(value, bool):
        return False
    if param.count:
        return isinstance(value, int)
    if isinstance(param.type, Within):
        return isinstance(value, (int, float))
    return isinstance(value, str) or (param.type.name == "duration" and isinstance(value, (int, float)))


def _wanted(param: click.Option) -> str:
    if param.is_flag:
        return "true or false"
    if param.multiple:
        return f'a list of texts, such as {_key(param)} = ["…"]'
    if param.count or isinstance(param.type, Within):
        return "a number"
    if param.type.name == "duration":
        return f'a duration in quotes, such as {_key(param)} = "5m"'
    if isinstance(param.type, click.Choice):
        return " or ".join(f'"{choice}"' for choice in param.type.choices)
    return "a text in quotes"


def _paths(value: str | list[str], file: Path, key: str, found_by_itself: bool) -> str | list[str]:
    """Made absolute; they are relative to the file."""
    if isinstance(value, list):
        return [str(_paths(item, file, key, found_by_itself)) for item in value]
    if value == "-":
        return value
    path = os.path.normpath(file.parent / os.path.expanduser(value))
    folder = os.path.realpath(file.parent)
    if found_by_itself and os.path.commonpath([folder, os.path.realpath(path)]) != folder:
        raise ValueError(
            f"{file}: {key}: {value} is outside of {file.parent}, and a file that was not named may only speak of what is below "
            f"its own folder. Name it: --config {file}"
        )
    return path

