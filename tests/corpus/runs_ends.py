"""How Celery's workers and their broker end: time limits, lost children, and a Redis or RabbitMQ that does not let in."""

from __future__ import annotations

import signal

from . import faults
from .case import V3, V5, Run, Truth
from .lab import Lab
from .runs_programs import python_program

_BROKER = Truth("none", "broker-unreachable")
_LIMIT = Truth("failed", "time-limit")
_CRASHED = Truth("failed", "worker-crashed")
_SLEEPER = ({"sleep": 60},)
_JSON = {"LOG_FORMAT": "json"}
_AMQP = {"CELERY_BROKER_URL": "amqp://guest:guest@rabbitmq:5672//"}
_DOWN = {"native": False}


def _a_while(lab: Lab) -> None:
    lab.wait_for(lambda _: False, 8)


def _broker_dies(lab: Lab) -> None:
    lab.wait_for(lambda text: " ready." in text)
    assert lab.broker is not None
    lab.broker.kill()
    lab.wait_for(lambda _: False, 8)


ENDS: tuple[Run, ...] = (
    Run("e-soft-limit-prefork", _LIMIT, pool="prefork", env={"TASK_SOFT_TIME_LIMIT": "3"}, jobs=_SLEEPER),
    Run("e-soft-limit-v3", _LIMIT, V3, env={"TASK_SOFT_TIME_LIMIT": "3"}, jobs=_SLEEPER),
    Run(
        "e-soft-limit-v5-json",
        _LIMIT,
        V5,
        pool="prefork",
        env={"TASK_SOFT_TIME_LIMIT": "3", **_JSON},
        jobs=({**_DOWN, "sleep": 60},),
    ),
    Run("e-hard-limit-prefork", _LIMIT, pool="prefork", env={"TASK_TIME_LIMIT": "3"}, jobs=_SLEEPER),
    Run(
        "e-hard-limit-v5-json", _LIMIT, V5, pool="prefork", env={"TASK_TIME_LIMIT": "3", **_JSON}, jobs=({**_DOWN, "sleep": 60},)
    ),
    Run("e-lost-segv", _CRASHED, pool="prefork", jobs=({"signal": int(signal.SIGSEGV)},)),
    Run("e-lost-segv-v5-json", _CRASHED, V5, pool="prefork", env=_JSON, jobs=({**_DOWN, "signal": int(signal.SIGSEGV)},)),
    Run("e-lost-abort-v3", _CRASHED, V3, jobs=({"signal": int(signal.SIGABRT)},)),
    Run("e-lost-bus", _CRASHED, pool="prefork", jobs=({"signal": int(signal.SIGBUS)},)),
    Run("e-lost-illegal", Truth("failed", "hardware-unsupported"), pool="prefork", jobs=({"signal": int(signal.SIGILL)},)),
    Run("e-lost-killed-v5-json", Truth("failed", "out-of-memory"), V5, pool="prefork", env=_JSON, jobs=({**_DOWN, "signal": 9},)),
    Run(
        "e-lost-exit-1",
        Truth("failed", "unrecognised", also=("worker-crashed",), why="no signal, and an exit code alone tells no cause"),
        pool="prefork",
        jobs=({"exit": 1},),
    ),
    Run("e-job-no-memory", Truth("failed", "out-of-memory"), pool="prefork", jobs=({"program": "no_memory"},)),
    Run("e-job-files", Truth("failed", "unrecognised"), jobs=({"program": "too_many_files"},)),
    Run(
        "e-job-corrupt",
        Truth("failed", "model-corrupt"),
        venv="libraries",
        pool="prefork",
        jobs=({"program": "safetensors_cut"},),
        seconds=60,
    ),
    Run(
        "e-job-torch-page",
        Truth("failed", "model-corrupt"),
        venv="libraries",
        pool="prefork",
        jobs=({"program": "torch_page"},),
        seconds=60,
    ),
    Run(
        "e-job-onnx",
        Truth("failed", "model-corrupt"),
        venv="libraries",
        pool="prefork",
        jobs=({"program": "onnx_cut"},),
        seconds=60,
    ),
    Run("e-job-module", Truth("failed", "lib-mismatch"), jobs=({"program": "module_gone"},)),
    Run("e-job-scratch", Truth("failed", "scratch-permission"), jobs=({"program": "scratch_denied"},), prepare=faults.scratch()),
    Run(
        "e-job-child-illegal",
        Truth("failed", "hardware-unsupported"),
        jobs=({"program": "child_illegal"},),
        prepare=faults.illegal_instruction,
    ),
    Run("e-redis-password", _BROKER, broker=("--requirepass", "lab"), meanwhile=_a_while),
    Run(
        "e-redis-wrong-password",
        _BROKER,
        broker=("--requirepass", "lab"),
        env={"CELERY_BROKER_URL": "redis://:wrong@redis:6379/0"},
        meanwhile=_a_while,
    ),
    Run("e-redis-no-name", _BROKER, env={"CELERY_BROKER_URL": "redis://broker:6379/0"}, meanwhile=_a_while),
    Run("e-redis-dies", _BROKER, meanwhile=_broker_dies),
    Run("e-redis-dies-v5-json", _BROKER, V5, env=_JSON, jobs=(), meanwhile=_broker_dies),
    Run("e-amqp-refused", _BROKER, env={"CELERY_BROKER_URL": "amqp://guest:guest@redis:5672//"}, meanwhile=_a_while),
    Run("e-amqp-no-name", _BROKER, env=_AMQP, meanwhile=_a_while),
    Run(
        "e-redis-ping-refused",
        _BROKER,
        venv="hub-2.4.0",
        env={"REDIS_URL": "redis://redis:6380/0"},
        command=python_program("redis_ping"),
    ),
    Run(
        "e-redis-ping-name",
        _BROKER,
        venv="hub-2.4.0",
        env={"REDIS_URL": "redis://opentranscribe-redis:6379/0"},
        command=python_program("redis_ping"),
    ),
    Run(
        "e-redis-ping-password", _BROKER, venv="hub-2.4.0", broker=("--requirepass", "lab"), command=python_program("redis_ping")
    ),
    Run(
        "e-redis-ping-replica",
        _BROKER,
        venv="hub-2.4.0",
        broker=("--replicaof", "127.0.0.1", "6390"),
        command=python_program("redis_ping"),
    ),
    Run("e-redis-ping-memory", _BROKER, venv="hub-2.4.0", broker=("--maxmemory", "1"), command=python_program("redis_ping")),
)
