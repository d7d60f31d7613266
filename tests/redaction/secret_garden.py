"""Random secrets, and the places where a user of OpenTranscribe has some."""

from __future__ import annotations

import base64
import json
import string
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from hypothesis import strategies as st

from tests.cli.test_commands import Doctor
from tests.redaction.secret_traces import Planted
from tests.scenarios import logs

LETTERS = string.ascii_letters + string.digits


def _is_random(token: str) -> bool:
    """No eight characters in a row may be words or a number: chance would find those anywhere, and Hypothesis in the sources."""
    pieces = [token[at : at + 8] for at in range(len(token) - 7)]
    kinds = [sum((any(map(str.islower, p)), any(map(str.isupper, p)), any(map(str.isdigit, p)))) for p in pieces]
    return all(kind > 1 and not (p.isalpha() and sum(map(str.isupper, p)) < 2) for kind, p in zip(kinds, pieces, strict=True))


def _is_strong(password: str) -> bool:
    return len(set(password)) > 5 and not password.isalpha() and not password.isdigit() and password == password.strip()


_BODY = st.text(LETTERS, min_size=34, max_size=34).filter(_is_random)
_HUB_TOKENS = _BODY.map(lambda body: f"hf_{body}")
_KEYS = st.one_of(
    st.text(LETTERS, min_size=48, max_size=48).filter(_is_random).map(lambda body: f"sk-proj-{body}"),
    st.text(LETTERS, min_size=36, max_size=36).filter(_is_random).map(lambda body: f"ghp_{body}"),
    st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map(lambda body: f"AKIA{body}"),
    st.text(LETTERS + "-_", min_size=43, max_size=43).filter(lambda b: b.strip("-_") == b).map(
        lambda body: f"eyJhbGciOiJIUzI1NiJ9.eyJ{body[:20]}.{body[20:]}"
    ),
    st.text(LETTERS, min_size=20, max_size=20).filter(_is_random).map(lambda body: f"glpat-{body}"),
    *(
        st.text(LETTERS, min_size=36, max_size=36).filter(_is_random).map(prefix.__add__)
        for prefix in ("npm_", "sk_live_", "ya29.", "gsk_", "123456789:AA", "xoxb-", "whsec_", "https://hooks.slack.com/services/T0/B0/")
    ),
)  # fmt: skip
_ALPHABETS = (
    LETTERS, string.hexdigits.lower(), LETTERS + "+/=", LETTERS + "-_.~", LETTERS + "$%/@:#?&=",
    LETTERS + string.punctuation, LETTERS + " äöüßé話🙂'\"\\%&<>$",
)  # fmt: skip
_PASSWORDS = st.one_of(*(st.text(alphabet, min_size=8, max_size=120) for alphabet in _ALPHABETS)).filter(_is_strong)
_SIMPLE = st.one_of(  # no word that a document holds by chance
    st.text("bcdfghjkmqvwxz", min_size=5, max_size=7),
    st.text("3579", min_size=7, max_size=7).filter(lambda text: len(set(text)) > 2),
)
_SHORT = st.text(LETTERS + "!.-+", min_size=6, max_size=7).filter(_is_strong)


@dataclass
class Garden:
    """Draws secrets, and remembers where each was put."""

    data: st.DataObject
    planted: list[Planted] = field(default_factory=list)

    def token(self, place: str) -> str:
        return self._put(place, _HUB_TOKENS, random=True)

    def key(self, place: str) -> str:
        return self._put(place, _KEYS)

    def password(self, place: str, strategy: st.SearchStrategy[str] = _PASSWORDS) -> str:
        return self._put(place, strategy)

    def plain_password(self, place: str) -> str:
        """One that may stand in an address or a name as it is."""
        return self._put(place, st.text(LETTERS, min_size=12, max_size=40).filter(_is_random), random=True)

    def simple_password(self, place: str) -> str:
        """A word or a number, such as everybody's first password."""
        return self._put(place, _SIMPLE, simple=True)

    def _put(self, place: str, strategy: st.SearchStrategy[str], *, random: bool = False, simple: bool = False) -> str:
        value = self.data.draw(strategy, label=place)
        self.planted.append(Planted(place, value, random, simple))
        return value


def in_single_quotes(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def in_double_quotes(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "\\$") + '"'


PASSWORD_NAMES = (
    "POSTGRES_PASSWORD", "REDIS_PASSWORD", "MINIO_ROOT_PASSWORD", "OPENSEARCH_PASSWORD", "SMTP_PASS", "SECRET_KEY",
    "JWT_SECRET_KEY", "ENCRYPTION_KEY", "AWS_SECRET_ACCESS_KEY", "DEEPGRAM_API_KEY", "ASSEMBLYAI_API_KEY", "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY", "KEYCLOAK_CLIENT_SECRET", "LDAP_BIND_PASSWORD", "SESSION_SALT",
)  # fmt: skip


def quoted_in_a_log(value: str) -> list[str]:
    """How an application, a library or a terminal writes a value into a log."""
    basic = base64.b64encode(f"postgres:{value}".encode()).decode()
    return [
        f"psql: password authentication failed for user x with {value} / '{value}' ({value})",
        f"curl -u admin:{value} http://flower:5555/ failed",
        f'  File "/app/app/db.py", line 3, in connect\n    connect(password={value!r})',
        f"psycopg2.OperationalError: settings {{'user': 'postgres', 'password': {value!r}, 'port': 5432}}",
        f"ValueError: {json.dumps({'secret': value, 'n': 1})}",
        f"requests.exceptions.HTTPError: 401 for url: https://hub.example.org/x?q=1&key={quote(value, safe='')}&z=2",
        f"redis.exceptions.AuthenticationError: redis://:{quote(value, safe='')}@redis:6379/0",
        f"RuntimeError: Authorization: Basic {basic}",
        f"RuntimeError: b'{base64.b64encode(value.encode()).decode()}' {value.encode()!r} {value.encode().hex()}",
        f'RuntimeError: refused "{value}"',
        f"RuntimeError: {value[:4]}\x1b[31m{value[4:]}\x1b[0m",
    ]


def cut_in_a_log(token: str) -> list[str]:
    return [
        f"huggingface_hub.errors.HfHubHTTPError: 401 Client Error for {token[:19]}",
        f"{token[19:]} at the Hub",
        f"HfHubHTTPError: token {token[:15]}…",
        f"HfHubHTTPError: …{token[9:25]}… Bearer {token}",
        f"HfHubHTTPError: hf%5F{token[3:]} {quote(json.dumps({'token': token}))}",
        "HfHubHTTPError 403 pyannote " + "x" * 8140 + token + "y" * 9000,
        "HfHubHTTPError 403 pyannote " + "x" * 9000 + token + "y" * 8160,
    ]


def log_of(values: list[str], tokens: list[str]) -> str:
    quoted = [line for value in values for line in quoted_in_a_log(value)]
    quoted += [line for token in tokens for line in cut_in_a_log(token)]
    summary = f"401 Client Error for {tokens[0]}: {values[0]} in {quoted[5]}"
    lines = [*quoted[: len(quoted) // 2], "pyannote diarization ERROR " + values[-1], *logs.v04_failure(quoted, summary)]
    return "\n".join(lines) + "\n"


def env_text(garden: Garden) -> tuple[str, list[str], list[str]]:
    """A ``.env``; the values that a log may quote; the tokens."""
    token = garden.token("HUGGINGFACE_TOKEN in .env")
    lines, values = [f"HUGGINGFACE_TOKEN={token}"], []
    for index, name in enumerate(PASSWORD_NAMES):
        value = garden.password(f"{name} in .env")
        values.append(value)
        lines.append(f"{name}={(in_single_quotes, in_double_quotes)[index % 2](value)}")
    url = garden.password("the password in DATABASE_URL")
    values.append(url)
    lines.append(f"DATABASE_URL=postgresql://ot:{quote(url, safe='')}@postgres/db")
    redis = garden.plain_password("the password in REDIS_URL")
    lines.append(f"REDIS_URL=redis://:{redis}@redis:6379/0")
    slashed = garden.plain_password("the first part of a password with a slash") + "/" + "x#y"
    lines.append(f"BROKER_URL=amqp://ot:{slashed}@rabbit/vhost")
    values.append(slashed)
    simple = [garden.simple_password(f"{name} in .env") for name in ("GRAFANA_PASSWORD", "ADMIN_PIN_SECRET", "DBPASS")]
    lines += [f"GRAFANA_PASSWORD={simple[0]}", f"ADMIN_PIN_SECRET='{simple[1]}'", f"DBPASS={simple[2]}"]
    lines += [
        f"NOTES={garden.key('an innocent name in .env')}",
        f"MAX_SPEAKERS={garden.token('MAX_SPEAKERS in .env')}",
        f"# an old one: {garden.token('a comment in .env')}",
        f"#POSTGRES_PASSWORD={(old := garden.plain_password('a setting that is commented out'))}",
        f"HUGGINGFACE_TOKEN={garden.token('a duplicated key in .env')}x",
        f"HF_HOME=  '{garden.token('HF_HOME in .env')}'",
        garden.token("a bare line of .env"),
        f"{garden.token('a name in .env')}=abc",
        "ADMIN_PASSWORD=",
        f"{(bare := garden.plain_password('a password on the line behind its name'))}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n", [*values, redis, old, bare, *simple], [token]


def yaml_quoted(value: str) -> str:
    return json.dumps(value.replace("$", "$$"), ensure_ascii=False)


def compose_text(garden: Garden) -> tuple[str, list[str]]:
    texts = {
        "map": garden.password("environment: as a map"), "default": garden.plain_password("a default of a variable"),
        "arg": garden.plain_password("a build argument"), "other": garden.password("environment: of another service"),
        "simple": garden.simple_password("a simple value of another service"),
    }  # fmt: skip
    text = f"""\
services:
  celery-worker:
    image: robot:{garden.plain_password("an image's name")}@registry.example.org/ot/opentranscribe-backend:v0.4.1
    env_file: [.env, '{garden.token("a file of env_file:")}.env']
    labels:
      hub: {garden.token("a label")}
    build:
      context: https://git:{garden.plain_password("a build context")}@git.example.org/ot.git
      args:
        NPM_TOKEN: {texts["arg"]}
    command: ["celery", "-b", "redis://:{garden.plain_password("a command")}@redis/0", "--password", "x"]
    environment:
      HUGGINGFACE_TOKEN: {garden.token("HUGGINGFACE_TOKEN in environment:")}
      HTTPS_PROXY: http://me:{garden.plain_password("a proxy in environment:")}@proxy.example.org:3128
      SMTP_PASSWORD: {yaml_quoted(texts["map"])}
      JWT_SECRET: ${{NO_SUCH_VARIABLE:-{texts["default"]}}}
      HF_HOME: /models/{garden.token("a setting that matters")}
  flower:
    image: mher/flower
    environment:
      - {yaml_quoted("FLOWER_BASIC_AUTH=" + texts["other"])}
      - FLOWER_PASSWORD={texts["simple"]}
      - MIN_SPEAKERS={garden.token("MIN_SPEAKERS in a list")}
"""
    return text, list(texts.values())


_PLUG_IN = """\
from ot_doctor.check import Cause, Family, Seen, Step, check, failed, warned, passed
from ot_doctor.evidence import EnvFile
SECRETS = {secrets!r}

@check("site-{number}", title="T", family=Family.HOST, causes=(Cause.DISK_FULL,))
def one(env: EnvFile):
    '''Why.'''
    said = SECRETS[0] + ' ' + SECRETS[1]
    steps = [Step(said, command="echo '" + SECRETS[0] + "'", url='https://example.org/?t=' + SECRETS[0])]
    yield failed(Cause.DISK_FULL, said, subject=said, expected=said, remedy=steps, evidence=[Seen(said, said, repr(SECRETS))])

@check("site-crash-{number}", title="T", family=Family.HOST)
def two(env: EnvFile):
    '''Why.'''
    password = SECRETS[1]
    print(said := 'printed ' + SECRETS[0])
    raise RuntimeError(SECRETS[0], {{'password': password}}, 'x' * 250 + SECRETS[0])
"""


def plug_ins(folder: Path, garden: Garden, value: str) -> None:
    folder.mkdir()
    (folder / "mine.py").write_text(_PLUG_IN.format(secrets=[garden.token("a plug-in"), value], number=1))
    broken = garden.token("a plug-in that cannot be loaded")
    (folder / f"broken_{broken}.py").write_text(f"raise ImportError({'x' * 270 + broken!r})\n")


_SIGNATURE = """
[[signature]]
name = "site-no"
patterns = ['''(?P<subject>connection to .*)''']
words = ["connection to"]
kind = "cause"
cause = "network-proxy"
explain = "Ask {secret}."
remedy = "Log in with {secret}."
source = "https://me:{secret}@wiki.example.org"
matches = ["connection to {secret}"]
"""


@dataclass
class Surroundings:
    """What the doctor finds around it, with secrets everywhere."""

    doctor: Doctor
    arguments: list[str]
    environ: dict[str, str]


def surroundings(base: Path, garden: Garden, *, breaks: bool) -> Surroundings:
    doctor = Doctor(base)
    folder = doctor.cwd / f"ot-{garden.token('a folder')}"
    folder.mkdir()
    env, values, tokens = env_text(garden)
    compose, more = compose_text(garden)
    if breaks:  # Compose accepts no line like that
        env += f"A B {garden.token('a line that Compose refuses')} = 'x\n"
        compose += f"\tJWT_SECRET: {(tabbed := garden.plain_password('a Compose file that is no YAML'))}\n"
        more.append(tabbed)
    (folder / ".env").write_text(env)
    (folder / "docker-compose.yml").write_text(compose)
    other = garden.password("a password in the shell")
    environ = {
        "HF_TOKEN": garden.token("HF_TOKEN in the shell"), "PGPASSWORD": other,
        "HTTPS_PROXY": f"http://me:{garden.plain_password('HTTPS_PROXY')}@127.0.0.1:9",
        "DOCKER_HOST": f"tcp://me:{garden.plain_password('DOCKER_HOST')}@127.0.0.1:9",
        "OPENAI_API_KEY": "/" + (slashed := garden.plain_password("a key that begins with a slash")),
    }  # fmt: skip
    (doctor.home / ".docker").mkdir()
    auth = base64.b64encode(f"me:{garden.plain_password('auths of Docker')}".encode()).decode()
    config = {"auths": {"ghcr.io": {"auth": auth}}, "currentContext": garden.token("a context of Docker")}
    (doctor.home / ".docker" / "config.json").write_text(json.dumps(config))
    reason = garden.token(".ot-doctor.toml")
    (folder / ".ot-doctor.toml").write_text(
        f"timeout = 20\n[[suppress]]\ncheck = 'env-lines'\nsubject = '{reason}'\nreason = 'for {reason}'\n"
    )
    plug_ins(base / "plug-ins", garden, values[0])
    signatures = base / f"{garden.token('the name of a signature file')}.toml"
    signatures.write_text(_SIGNATURE.replace("{secret}", garden.token("a signature file")))
    logs = base / f"worker-{garden.token('the name of a log')}.log"
    logs.write_text(log_of([*values, *more, other, slashed], [*tokens, environ["HF_TOKEN"]]))
    arguments = ["--dir", str(folder), "--logs", str(logs), "--checks-dir", str(base / "plug-ins")]
    return Surroundings(doctor, [*arguments, "--signatures", str(signatures)], environ)
