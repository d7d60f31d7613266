"""What the Compose files in use say, as far as the doctor's checks need it.

The files are read as trees of nodes and never turned into values: so every value keeps its line, Compose's own tags do no
harm, and an alias costs nothing until it is read. Where they use what this reading does not follow, Compose itself is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import yaml

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Deployment
from ot_doctor.evidence.env_file import ComposeConfig, ComposeService, ComposeSetting, EnvFile
from ot_doctor.redaction.names import keep
from ot_doctor.redaction.secret import Secret
from ot_doctor.sources.compose import compose_cli
from ot_doctor.sources.compose.secret_files import register_env_files, register_file, register_secrets
from ot_doctor.sources.compose.yaml_tree import Tree, Unusable, documents
from ot_doctor.sources.dotenv.compose_dialect import Budget, TemplateRefused, references, substitute
from ot_doctor.sources.dotenv.line_lint import matters
from ot_doctor.sources.other_machine import unseen

_MOST_PROBLEMS = 10  # of one file
_NUMBER_OR_TRUTH = re.compile(
    r"true|True|TRUE|false|False|FALSE|[-+]?0[xX][0-9a-fA-F][0-9a-fA-F_]{0,14}|[-+]?0[oO][0-7][0-7_]{0,19}|[-+]?0[bB][01][01_]{0,59}"
    r"|[-+]?(?:\.[0-9]{1,15}|[0-9][0-9_]{0,17}(?:\.[0-9]{0,15})?)(?:[eE][-+]?[0-9]{1,2})?"
)


def gather(request: Request, deployment: Deployment, env_file: EnvFile | Unavailable) -> ComposeConfig:
    """The services, and the settings that matter, of the Compose files in use; later files over earlier ones."""
    if deployment.machine:
        raise unseen(request, deployment, "The Compose file")
    variables = _Variables(request.environ, env_file)
    ours = _read(deployment.compose_files, variables)
    reading = ours
    reader = why = ""
    try:
        constructs = compose_cli.unfollowed(ours.documents)
    except Unusable as error:
        constructs = []
        ours.problems += [] if ours.problems else [str(error)]
    if constructs:
        path, line, name = constructs[0]
        why = printable(f"{path}:{line} uses {name}")
        try:
            included = compose_cli.local_files(ours.documents, deployment.home)
            answer, reader = compose_cli.ask(request, deployment)
            reading = _placed(answer, included, variables)
            reading.problems += ours.problems
        except Unusable as error:
            ours.problems.append(printable(f"{path}: line {line} uses {name}, so Compose must read it, and {error}"))
    register_env_files(reading.services.values(), deployment.env_path)
    return ComposeConfig(
        deployment.compose_files, reading.services, tuple(reading.environment), tuple(reading.problems),
        read_by=reader, why_read_by=why if reader else "",
    )  # fmt: skip


@dataclass
class _Reading:
    """What files say, later ones over earlier ones."""

    services: dict[str, ComposeService] = field(default_factory=dict)
    environment: list[ComposeSetting] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    documents: dict[Path, list[yaml.Node]] = field(default_factory=dict)

    def add(self, path: Path, nodes: list[yaml.Node], variables: _Variables) -> None:
        refused: list[str] = []
        try:
            for node in nodes:
                register_secrets(node, variables.substituted)
                _File(path, node, variables, self.services, self.environment, refused).merge()
        except Unusable as error:
            refused.append(str(error))
            register_file(path)
        self.problems += [printable(f"{path}: {what}") for what in refused[:_MOST_PROBLEMS]]


def _read(paths: Iterable[Path], variables: _Variables) -> _Reading:
    reading = _Reading()
    for path in paths:
        try:
            reading.documents[path] = documents(path)
        except Unusable as error:
            reading.problems.append(printable(f"{path}: {error}"))
            register_file(path)
        else:
            reading.add(path, reading.documents[path], variables)
    return reading


def _placed(answer: list[yaml.Node], files: Mapping[Path, list[yaml.Node]], variables: _Variables) -> _Reading:
    """What Compose answered, each service and setting with its place in the files: the answer has none.

    A setting that Compose took over with ``extends`` stands in the service that is extended, or in one that this one extends.
    """
    reading, places = _Reading(), _Reading()
    reading.add(Path(), answer, variables)
    written: list[ComposeSetting] = []
    for path, nodes in files.items():
        alone = _Reading()
        alone.add(path, nodes, variables)
        written += alone.environment
        places.services = {**alone.services, **places.services}
    bases = compose_cli.bases(files)
    for name, service in list(reading.services.items()):
        if (place := places.services.get(name)) is None:
            del reading.services[name]
        else:
            reading.services[name] = replace(service, path=place.path, line=place.line)
    settings, reading.environment = reading.environment, []
    for setting in settings:
        same = [w for w in written if (w.key, w.value, w.references) == (setting.key, setting.value, setting.references)]
        lines = next((found for base in bases(setting.service) if (found := [w for w in same if w.service == base])), None)
        if lines is None:
            reading.problems.append(f"{next(iter(files), '')}: where {setting.key} of {setting.service} is set is not known")
        else:
            reading.environment.append(replace(lines[-1], service=setting.service))
    return reading


def service_names(path: Path) -> frozenset[str] | None:
    """The services of a Compose file; ``None`` where the file cannot be read as one."""
    try:
        names: set[str] = set()
        for document in documents(path):
            tree = Tree()
            names.update(key for key, _ in tree.pairs(tree.get(document, "services")))
        return frozenset(names)
    except Unusable:
        return None


class _Variables:
    """The variables of ``${…}``: the shell's win over those of the ``.env``."""

    def __init__(self, environ: Mapping[str, str], env_file: EnvFile | Unavailable) -> None:
        self._environ = environ
        self._budget = Budget()
        entries = env_file.entries if isinstance(env_file, EnvFile) else ()
        self._file = {entry.key: entry.value for entry in entries if entry.value is not None}

    def lookup(self, name: str) -> str | None:
        if name in self._environ:
            return self._environ[name]
        value = self._file.get(name)
        return value.reveal() if isinstance(value, Secret) else value

    def substituted(self, text: str) -> str:
        return substitute(text, self.lookup, self._budget)

    def keep(self, key: str, value: str, names: tuple[str, ...]) -> str | Secret:
        """``value`` as it may travel: a secret too where it was made of one."""
        made_of = [(name, self.lookup(name)) for name in names]
        if any(text and isinstance(keep(name, text), Secret) for name, text in made_of):
            return Secret(value, key)
        return keep(key, value)


class _File:
    """One Compose file, merged over those before it."""

    def __init__(
        self,
        path: Path,
        document: yaml.Node,
        variables: _Variables,
        services: dict[str, ComposeService],
        environment: list[ComposeSetting],
        refused: list[str],
    ) -> None:
        self._path = path
        self._document = document
        self._variables = variables
        self._services = services
        self._environment = environment
        self._refused = refused
        self._tree = Tree()

    def merge(self) -> None:
        services = self._tree.get(self._document, "services")
        for name, (key, node) in self._tree.mapping(services).items():
            if node.tag == "!reset":
                self._services.pop(name, None)
                self._forget(name)
                continue
            before = self._services.get(name) or ComposeService(name, self._path, key.start_mark.line + 1)
            self._services[name] = self._service(before, self._tree.mapping(node))

    def _service(self, before: ComposeService, entries: Mapping[str, tuple[yaml.Node, yaml.Node]]) -> ComposeService:
        fields = {key: value for key, (_, value) in entries.items()}
        if "environment" in fields:
            name_node, block = entries["environment"]
            self._settings(before.name, block)
            self._note_only_entry(before.name, name_node.start_mark.line + 1, block)
        replicas = before.replicas
        for node in (fields.get("scale"), self._tree.get(fields.get("deploy"), "replicas")):
            if node is not None:
                replicas = _number(self._text(node)) if node.tag != "!reset" else None
                break
        return replace(
            before,
            image=self._field(fields, "image", before.image),
            pull_policy=self._field(fields, "pull_policy", before.pull_policy),
            container_name=self._field(fields, "container_name", before.container_name),
            replicas=replicas,
            gpu=before.gpu or self._asks_for_gpu(fields),
            env_files=self._list(fields, "env_file", before.env_files),
            profiles=self._list(fields, "profiles", before.profiles),
        )

    def _field(self, fields: Mapping[str, yaml.Node], name: str, before: str) -> str:
        if name not in fields:
            return before
        return "" if fields[name].tag == "!reset" else self._text(fields[name])

    def _list(self, fields: Mapping[str, yaml.Node], name: str, before: tuple[str, ...]) -> tuple[str, ...]:
        """A string, a list of strings, or a list of mappings with a ``path``; added to what earlier files have."""
        node = fields.get(name)
        if node is None:
            return before
        if node.tag == "!reset":
            return ()
        nodes = list(self._tree.items(node)) if isinstance(node, yaml.SequenceNode) else [node]
        texts = [self._text(self._tree.get(n, "path") if isinstance(n, yaml.MappingNode) else n) for n in nodes]
        kept = () if node.tag == "!override" else before
        return tuple(dict.fromkeys([*kept, *(text for text in texts if text)]))

    def _asks_for_gpu(self, fields: Mapping[str, yaml.Node]) -> bool:
        devices = self._tree.get(fields.get("deploy"), "resources", "reservations", "devices")
        for device in self._tree.items(devices):
            capabilities = [self._text(node) for node in self._tree.items(self._tree.get(device, "capabilities"))]
            if "gpu" in capabilities or self._text(self._tree.get(device, "driver")) == "nvidia":
                return True
        gpus = fields.get("gpus")
        if isinstance(gpus, yaml.SequenceNode):
            return bool(gpus.value)
        named = [self._text(node) for node in self._tree.items(fields.get("devices"))]
        return self._text(fields.get("runtime")) == "nvidia" or bool(self._text(gpus)) or any("nvidia" in n for n in named)

    def _settings(self, service: str, node: yaml.Node) -> None:
        """``environment:`` as a mapping or as a list of ``KEY=value``."""
        if node.tag in ("!reset", "!override"):
            self._forget(service)
        if node.tag == "!reset":
            return
        for key, (key_node, value) in self._tree.mapping(node).items():
            if value.tag == "!reset":
                self._forget(service, key)
            else:
                self._setting(service, key, None if _is_null(value) else _raw(value), key_node)
        for item in self._tree.items(node):
            key, equals, text = _raw(item).partition("=")
            self._setting(service, key.strip(), text if equals else None, item)

    def _note_only_entry(self, service: str, line: int, node: yaml.Node) -> None:
        last = self._environment[-1] if self._environment else None
        if isinstance(node, yaml.CollectionNode) and len(node.value) == 1 and last and last.service == service:
            self._environment[-1] = replace(last, block_line=line)

    def _setting(self, service: str, key: str, text: str | None, node: yaml.Node) -> None:
        if not matters(key):
            return
        line = node.start_mark.line + 1
        if text is None:
            self._environment.append(ComposeSetting(service, key, None, self._path, line))
            return
        names = references(text)
        value = self._variables.keep(key, self._substituted(text, line), names)
        self._environment.append(ComposeSetting(service, key, value, self._path, line, names))

    def _forget(self, service: str, key: str | None = None) -> None:
        self._environment[:] = [s for s in self._environment if s.service != service or (key is not None and s.key != key)]

    def _text(self, node: yaml.Node | None) -> str:
        """A scalar with its variables replaced; empty for anything else."""
        if node is None or _is_null(node):
            return ""
        return self._substituted(_raw(node), node.start_mark.line + 1)

    def _substituted(self, text: str, line: int) -> str:
        try:
            return self._variables.substituted(text)
        except TemplateRefused as refused:
            self._refused.append(f"Compose refuses line {line}: {refused}")
            return ""


def _raw(node: yaml.Node) -> str:
    """A scalar's text; numbers and truth values as Compose writes them down."""
    if not isinstance(node, yaml.ScalarNode):
        return ""
    text = str(node.value)
    if node.style or not _NUMBER_OR_TRUTH.fullmatch(text):
        return text
    return text.lower() if text.isalpha() else _number_text(text.replace("_", ""))


def _number_text(text: str) -> str:
    """A YAML number as Go prints it: ``020`` is 16, ``1.50`` is 1.5, ``1000000.0`` is 1e+06."""
    if re.fullmatch(r"[-+]?0[0-7]+", text):
        return str(int(text, 8))
    try:
        return str(int(text, 0))
    except ValueError:
        number = Decimal(repr(float(text)))
    sign, digits, exponent = number.normalize().as_tuple()
    power = len(digits) + int(exponent) - 1
    if -4 <= power < 6:
        return f"{number:f}".rstrip("0").rstrip(".")
    mantissa = "".join(map(str, digits))
    return f"{'-' * sign}{mantissa[0]}{'.' * (len(mantissa) > 1)}{mantissa[1:]}e{power:+03d}"


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and (node.tag == "tag:yaml.org,2002:null" or node.tag == "!reset")


def _number(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
