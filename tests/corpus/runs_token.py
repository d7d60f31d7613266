"""Tokens, agreements, and names at the Hub."""

from __future__ import annotations

from . import faults
from .case import COMMUNITY, OTHER_TOKEN, PIPELINE, TOKEN, Run, Truth

_NOT_ACCEPTED = Truth("failed", "gated-not-accepted", COMMUNITY)
_ODD = Truth("failed", "token-malformed")
_BAD = Truth("failed", "token-invalid")
_NO_TOKEN = Truth("failed", "token-missing")

TOKENS: tuple[Run, ...] = (
    *(
        Run(f"v4-not-accepted-hub-{hub}", _NOT_ACCEPTED, venv=f"hub-{hub}", prepare=faults.nothing_accepted)
        for hub in ("0.23.5", "0.36.2", "1.33.0", "2.4.0")
    ),
    Run("v4-only-community-not-accepted", _NOT_ACCEPTED, prepare=faults.grant(COMMUNITY)),
    Run("v4-not-accepted-prefork", _NOT_ACCEPTED, pool="prefork", prepare=faults.nothing_accepted),
    Run(
        "v4-rediarize-not-accepted",
        _NOT_ACCEPTED,
        venv="hub-0.30.2",
        jobs=({"task": "rediarize"},),
        prepare=faults.nothing_accepted,
    ),
    Run("v4-pending", Truth("failed", "gated-pending", COMMUNITY), prepare=faults.grant(COMMUNITY, "pending")),
    Run(
        "v4-pending-hub-2.4.0",
        Truth("failed", "gated-pending", COMMUNITY),
        venv="hub-2.4.0",
        prepare=faults.grant(COMMUNITY, "pending"),
    ),
    Run("v4-rejected", _NOT_ACCEPTED, prepare=faults.grant(COMMUNITY, "rejected")),
    *(Run(f"v4-no-token-hub-{hub}", _NO_TOKEN, venv=f"hub-{hub}", token=None) for hub in ("0.23.5", "0.36.2", "2.4.0")),
    Run(
        "v4-empty-token-hub-0.36.2",
        Truth(
            "failed",
            "token-missing",
            also=("token-malformed", "token-invalid"),
            why="the older client sends the empty value, and the Hub refuses it as it refuses any other",
        ),
        token="",
    ),
    Run("v4-empty-token-hub-2.4.0", Truth("failed", "token-missing", also=("token-malformed",)), venv="hub-2.4.0", token=""),
    *(
        Run(f"v4-bad-token-hub-{hub}", _BAD, venv=f"hub-{hub}", token=OTHER_TOKEN)
        for hub in ("0.23.5", "0.26.5", "0.30.2", "0.36.2", "1.33.0", "2.4.0")
    ),
    Run("v4-bad-token-prefork", _BAD, pool="prefork", token=OTHER_TOKEN),
    Run("v4-expired-token", _BAD, prepare=faults.token(expired=True)),
    Run("v4-expired-token-hub-2.4.0", _BAD, venv="hub-2.4.0", prepare=faults.token(expired=True)),
    *(
        Run(
            f"v4-fine-grained-hub-{hub}",
            Truth("failed", "token-scope"),
            venv=f"hub-{hub}",
            prepare=faults.token(role="fineGrained", can_read_gated=False),
        )
        for hub in ("0.26.5", "0.36.2", "2.4.0")
    ),
    Run("v4-curly-quotes-hub-0.36.2", _ODD, token=f"\u201c{TOKEN}\u201d"),
    Run("v4-curly-quotes-hub-2.4.0", _ODD, venv="hub-2.4.0", token=f"\u201c{TOKEN}\u201d"),
    Run("v4-zero-width-hub-0.36.2", _ODD, token=f"{TOKEN}\u200b"),
    Run("v4-zero-width-hub-1.33.0", _ODD, venv="hub-1.33.0", token=f"{TOKEN}\u200b"),
    Run("v4-cr-hub-0.26.5", _ODD, venv="hub-0.26.5", token=f"{TOKEN}\r"),
    Run("v4-cr-hub-2.4.0", _ODD, venv="hub-2.4.0", token=f"{TOKEN}\r"),
    Run("v4-newline-inside-hub-0.36.2", _ODD, token=f"{TOKEN[:12]}\n{TOKEN[12:]}"),
    Run("v4-trailing-space-hub-2.4.0", _ODD, venv="hub-2.4.0", token=f"{TOKEN} "),
    Run(
        "v4-trailing-space-hub-0.36.2",
        Truth("succeeded", why="the older client sends it, and the Hub takes it"),
        token=f"{TOKEN} ",
    ),
    Run(
        "v4-quoted-token",
        Truth("failed", "token-invalid", also=("token-malformed",), why="the log shows a rejected token, not its quotes"),
        token=f'"{TOKEN}"',
    ),
    Run("v3-bad-token", _BAD, "v0.2-0.3", token=OTHER_TOKEN),
    Run("v1-bad-token", _BAD, "v0.1", token=OTHER_TOKEN),
    Run("v3-curly-quotes", _ODD, "v0.2-0.3", venv="hub-0.30.2", token=f"\u201c{TOKEN}\u201d"),
    Run(
        "v3-fine-grained",
        Truth(
            "failed",
            "unrecognised",
            also=("token-scope",),
            why="v0.3 logs the client's own sentence alone, without what caused it",
        ),
        "v0.2-0.3",
        venv="hub-0.36.2",
        prepare=faults.token(role="fineGrained", can_read_gated=False),
    ),
    Run(
        "v4-unknown-repository",
        Truth("failed", "repo-not-found", "pyannote/speaker-diarization-community"),
        jobs=({"repo": "pyannote/speaker-diarization-community"},),
        prepare=faults.without(PIPELINE),
    ),
    Run(
        "v4-unknown-repository-hub-2.4.0",
        Truth("failed", "repo-not-found", COMMUNITY),
        venv="hub-2.4.0",
        prepare=faults.both(faults.without(COMMUNITY), faults.without(PIPELINE)),
    ),
    Run(
        "v4-unknown-repository-no-token",
        Truth(
            "failed",
            "repo-not-found",
            COMMUNITY,
            also=("token-missing", "token-invalid", "unrecognised"),
            why="without a token the Hub does not tell if there is such a repository; it once refused bad tokens so",
        ),
        token=None,
        prepare=faults.both(faults.without(COMMUNITY), faults.without(PIPELINE)),
    ),
    Run("v4-unknown-revision", Truth("failed", "repo-not-found", COMMUNITY), jobs=({"revision": "3.0"},)),
    Run("v4-unknown-file", Truth("failed", "repo-not-found", COMMUNITY), jobs=({"file": "pytorch_model.bin"},)),
    Run(
        "v4-unknown-file-hub-1.33.0",
        Truth("failed", "repo-not-found", COMMUNITY),
        venv="hub-1.33.0",
        jobs=({"file": "pytorch_model.bin"},),
    ),
    Run(
        "v4-organisation-token",
        Truth(
            "failed", "token-malformed", also=("token-invalid",), why="only the registration at the start says what kind it is"
        ),
        token="api_org_" + "Lab" * 10,
        venv="hub-0.26.5",
        pool="prefork",
    ),
    Run("v4-token-required", Truth("failed", "token-missing"), token=None, jobs=({"token": True},)),
    Run("v4-token-required-hub-2.4.0", Truth("failed", "token-missing"), token=None, venv="hub-2.4.0", jobs=({"token": True},)),
    Run(
        "v4-path-as-repository",
        Truth("failed", "repo-not-found", why="a local path that does not exist is taken for a repository's name"),
        jobs=({"repo": "/models/pyannote/community-1"},),
        prepare=faults.without(PIPELINE),
    ),
    Run("v4-expired-token-hub-0.26.5", _BAD, venv="hub-0.26.5", prepare=faults.token(expired=True)),
)
