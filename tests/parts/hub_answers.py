"""What the Hub answers to which request: the table of the real one's behaviour, as code.

Apart from `hub` so that it can be read beside that table: no sockets here, only who asks for what.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .hub import LocalHub, Repo, Token

_ENDPOINT = "https://huggingface.co"

#: Files that the gate does not guard: reading one of them proves nothing.
UNGATED = ("README.md", ".gitattributes", "LICENSE")

_LIMIT_POLICY = '"fixed window";"resolvers";q=3000;w=300'


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Refusal(Exception):
    """Why a request is refused, as every route tells it."""

    status: int
    message: str
    code: str | None = None


def is_large(name: str) -> bool:
    """Whether the Hub keeps such a file in its large-file storage, and so redirects to another host."""
    return name.endswith((".bin", ".npz", ".ckpt", ".safetensors", ".onnx"))


def beginning(name: str) -> bytes:
    """What a file of this name begins with: weights are zip archives, as torch and numpy write them."""
    return b"PK\x03\x04" if is_large(name) else b"# "


def etag(name: str, content: bytes) -> str:
    """The name that a cache gives to the content: its sha256 for large files, git's name for small ones."""
    return hashlib.sha256(content).hexdigest() if is_large(name) else _blob_id(content)


def answer_for(hub: LocalHub, path: str, authorization: str | None, wanted: str | None, own_url: str) -> Answer:
    """The answer to a GET; `wanted` is its Range header, `own_url` what the hub is called."""
    try:
        answer = _route(hub, path, _token(hub, authorization), wanted, own_url)
    except _Refusal as refusal:
        answer = _refused(refusal, api=path.startswith("/api/"))
    limits = {"RateLimit": '"resolvers";r=2999;t=52', "RateLimit-Policy": _LIMIT_POLICY}
    return replace(answer, headers=limits | answer.headers)


def rate_limited(seconds: float) -> Answer:
    """429 as the Hub sends it: when to come back is in RateLimit, and there is no Retry-After."""
    limits = {"RateLimit": f'"resolvers";r=0;t={int(seconds)}', "RateLimit-Policy": _LIMIT_POLICY}
    return Answer(429, b"We had to rate limit your IP.", headers=limits)


def gateway_page(status: int) -> Answer:
    """A page of something in between: a captive portal (200) or a filtering proxy (403), never the Hub."""
    words = "Please log in to the network" if status == 200 else "Access to this site is blocked by policy"
    return Answer(status, f"<!doctype html><html><body><h1>{words}</h1></body></html>".encode(), "text/html")


# -- who asks --------------------------------------------------------------------------------------


def _token(hub: LocalHub, authorization: str | None) -> Token | None:
    """The token of the request. A bad one is refused on every route, for public repositories too."""
    if authorization is None:
        return None
    token = hub.tokens.get(authorization.removeprefix("Bearer ")) if authorization.startswith("Bearer ") else None
    if token is None or token.revoked:
        raise _Refusal(401, "Invalid credentials in Authorization header")
    if token.expired:
        raise _Refusal(401, f'User Access Token "{token.display_name}" is expired')
    return token


def _refused(refusal: _Refusal, *, api: bool) -> Answer:
    # Header values hold no typographic characters: they would not survive the wire.
    headers = {"X-Error-Message": refusal.message}
    if refusal.code:
        headers["X-Error-Code"] = refusal.code
    if refusal.status == 401:
        headers["WWW-Authenticate"] = f'Bearer realm="Authentication required", charset="UTF-8", url="{_ENDPOINT}"'
    if api:
        return Answer(refusal.status, json.dumps({"error": refusal.message}).encode(), "application/json; charset=utf-8", headers)
    return Answer(refusal.status, refusal.message.encode(), headers=headers)


# -- what is asked for -----------------------------------------------------------------------------


def _route(hub: LocalHub, path: str, token: Token | None, wanted: str | None, own_url: str) -> Answer:
    if path == "/api/whoami-v2":
        return _json(_whoami(token))
    if match := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
        return _large_file(hub, match[1], wanted)
    if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/.*)?", path):
        return _api(hub, match[1], match[2] or "", token, own_url)
    if match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
        return _resolve(hub, match[1], match[2], match[3], token, wanted, own_url)
    raise _Refusal(404, "Sorry, we can't find the page you are looking for.")


def _whoami(token: Token | None) -> object:
    if token is None:
        raise _Refusal(401, "Invalid username or password.")
    access: dict[str, object] = {
        "displayName": token.display_name,
        "role": token.role,
        "createdAt": "2026-01-15T10:00:00.000Z",
    }
    if token.role == "fineGrained":
        access["fineGrained"] = {"canReadGatedRepos": token.can_read_gated, "global": [], "scoped": []}
    account = token.account
    who: dict[str, object] = {
        "type": account.type,
        "id": hashlib.sha1(account.name.encode(), usedforsecurity=False).hexdigest()[:24],
        "name": account.name,
        "fullname": account.name.title(),
        "isPro": False,
        "orgs": [],
        "auth": {"type": "access_token", "accessToken": access},
    }
    if account.email:
        who |= {"email": account.email, "emailVerified": True}
    return who


def _api(hub: LocalHub, repo_id: str, rest: str, token: Token | None, own_url: str) -> Answer:
    repo = _find(hub, repo_id, token)
    if repo.renamed_to:
        return _moved(f"{own_url}/api/models/{repo.renamed_to}{rest}")
    if rest == "/auth-check":
        _check_gate(repo, token)
        return Answer(200, b"OK")
    # Facts about a gated repository are public: reading them proves no access.
    if rest.startswith("/tree/"):
        return _json([_entry(repo, name) for name in sorted(repo.files)])
    if rest == "" or rest.startswith("/revision/"):
        if rest.startswith("/revision/"):
            _check_revision(repo, rest.removeprefix("/revision/"))
        return _json(
            {
                "_id": repo.commit[:24],
                "id": repo.id,
                "modelId": repo.id,
                "private": repo.private,
                "gated": repo.gated,
                "disabled": False,
                "sha": repo.commit,
                "tags": ["pyannote-audio"],
                "downloads": 1,
                "likes": 1,
                "siblings": [{"rfilename": name} for name in sorted(repo.files)],
            }
        )
    raise _Refusal(404, "Sorry, we can't find the page you are looking for.")


def _resolve(
    hub: LocalHub, repo_id: str, revision: str, name: str, token: Token | None, wanted: str | None, own_url: str
) -> Answer:
    repo = _find(hub, repo_id, token)
    if repo.renamed_to:
        return _moved(f"/{repo.renamed_to}/resolve/{revision}/{name}")
    if name not in UNGATED:
        _check_gate(repo, token)
    _check_revision(repo, revision)
    headers = {"X-Repo-Commit": repo.commit, "Accept-Ranges": "bytes"}
    if name not in repo.files:
        return Answer(404, b"Entry not found", headers=headers | {"X-Error-Code": "EntryNotFound",
                                                                  "X-Error-Message": "Entry not found"})  # fmt: skip
    content = repo.content(name)
    if is_large(name):
        digest = etag(name, content)
        # "localhost" is another host than 127.0.0.1, as the real storage is: the client drops its token on the way.
        elsewhere = f"{own_url.replace('127.0.0.1', 'localhost')}/lfs/{digest}"
        headers |= {
            "ETag": f'"{repo.commit[:32]}"',
            "X-Linked-ETag": f'"{digest}"',
            "X-Linked-Size": str(len(content)),
            "Location": elsewhere,
        }
        return Answer(302, f"Found. Redirecting to {elsewhere}".encode(), headers=headers)
    headers["ETag"] = f'"{etag(name, content)}"'
    return _ranged(content, wanted, headers)


def _large_file(hub: LocalHub, digest: str, wanted: str | None) -> Answer:
    for repo in hub.repos.values():
        for name in repo.files:
            content = repo.content(name) if is_large(name) else b""
            if content and hashlib.sha256(content).hexdigest() == digest:
                return _ranged(content, wanted, {"ETag": f'"{digest}"', "Accept-Ranges": "bytes"})
    raise _Refusal(403, "Forbidden")


# -- whether it may be read ------------------------------------------------------------------------


def _find(hub: LocalHub, repo_id: str, token: Token | None) -> Repo:
    repo = hub.repos.get(repo_id)
    if repo is None or (repo.private and (token is None or token.account.name != repo.owner)):
        # Without a token the Hub does not tell whether there is such a repository.
        if token is None:
            raise _Refusal(401, "Invalid username or password.")
        raise _Refusal(404, "Repository not found", "RepoNotFound")
    return repo


def _check_gate(repo: Repo, token: Token | None) -> None:
    if not repo.gated:
        return
    if token is None:
        raise _Refusal(
            401,
            f"Access to model {repo.id} is restricted. You must have access to it and be authenticated to access it. "
            "Please log in.",
            "GatedRepo",
        )
    if token.role == "fineGrained" and not token.can_read_gated:
        raise _Refusal(
            403,
            "Please enable access to public gated repositories in your fine-grained token settings to view this repository",
        )
    who = token.account.name
    if who in repo.accepted:
        return
    if who in repo.pending:
        words = f"Your request to access model {repo.id} is awaiting a review from the repo authors."
    elif who in repo.rejected:
        words = f"Your request to access model {repo.id} has been rejected by the repo's authors."
    else:
        words = (
            f"Access to model {repo.id} is restricted and you are not in the authorized list. "
            f"Visit {_ENDPOINT}/{repo.id} to ask for access."
        )
    raise _Refusal(403, words, "GatedRepo")


def _check_revision(repo: Repo, revision: str) -> None:
    if revision not in ("main", repo.commit):
        raise _Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


# -- how it is written -----------------------------------------------------------------------------


def _json(content: object) -> Answer:
    return Answer(200, json.dumps(content).encode(), "application/json; charset=utf-8")


def _moved(location: str) -> Answer:
    return Answer(307, f"Temporary Redirect. Redirecting to {location}".encode(), headers={"Location": location})


def _entry(repo: Repo, name: str) -> dict[str, object]:
    content = repo.content(name)
    entry: dict[str, object] = {"type": "file", "oid": _blob_id(content), "size": len(content), "path": name}
    if is_large(name):
        entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 132}
    return entry


def _blob_id(content: bytes) -> str:
    """The name that git has for the content; the Hub's ETag of a small file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _ranged(content: bytes, wanted: str | None, headers: dict[str, str]) -> Answer:
    match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "")
    if match is None:
        return Answer(200, content, "application/octet-stream", headers)
    first = int(match[1])
    last = min(int(match[2]) if match[2] else len(content) - 1, len(content) - 1)
    if first > last:
        return Answer(416, b"", headers=headers | {"Content-Range": f"bytes */{len(content)}"})
    headers = headers | {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
    return Answer(206, content[first : last + 1], "application/octet-stream", headers)
