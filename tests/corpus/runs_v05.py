"""The v0.5 line: its two log formats and both pools, the native engine, and PyAnnote in its place."""

from __future__ import annotations

from . import faults
from .case import COMMUNITY, V5, Run, Truth

_FINE = Truth("succeeded")
_NOT_ACCEPTED = Truth("failed", "gated-not-accepted", COMMUNITY)
_DOWN = {"native": False}
_JSON = {"LOG_FORMAT": "json"}

V05: tuple[Run, ...] = (
    Run("v5-native", _FINE, V5),
    Run("v5-native-json-prefork", _FINE, V5, pool="prefork", env=_JSON),
    Run("v5-stood-in-prefork", _FINE, V5, pool="prefork", jobs=(_DOWN,)),
    Run("v5-stood-in-json", _FINE, V5, env=_JSON, jobs=(_DOWN, {})),
    Run("v5-not-accepted", _NOT_ACCEPTED, V5, jobs=(_DOWN,), prepare=faults.nothing_accepted),
    Run(
        "v5-not-accepted-json-prefork", _NOT_ACCEPTED, V5, pool="prefork", env=_JSON, jobs=(_DOWN,),
        prepare=faults.nothing_accepted,
    ),
    Run("v5-failed-then-native-json", _FINE, V5, env=_JSON, jobs=(_DOWN, {}), prepare=faults.nothing_accepted),
    Run("v5-no-token-prefork", Truth("failed", "token-missing"), V5, pool="prefork", token=None, jobs=(_DOWN,)),
    Run("v5-busy-then-native-prefork", Truth("recovered"), V5, pool="prefork", jobs=({"busy": 2},)),
    Run("v5-busy-then-native-json", Truth("recovered"), V5, env=_JSON, jobs=({"busy": 1},)),
    Run("v5-native-required", Truth("failed", "native-unavailable"), V5, jobs=({**_DOWN, "required": True},)),
    Run(
        "v5-split-not-accepted-json", _NOT_ACCEPTED, V5, env=_JSON, prepare=faults.nothing_accepted,
        jobs=({"split": True}, {**_DOWN, "task": "transcription.diarize_gpu"}),
    ),
    Run("v5-only-forwarded", Truth("none"), V5, jobs=({"split": True},)),
)  # fmt: skip
