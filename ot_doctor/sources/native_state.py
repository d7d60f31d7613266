"""Gathers the native engine of v0.5: settings, container, readiness, models, the backend's export, the volume for audio."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ot_doctor.core.printable import printable
from ot_doctor.evidence.base import Request, Unavailable
from ot_doctor.evidence.deployment import Deployment
from ot_doctor.evidence.native_engine import NativeEngine, Provisioning, Readiness
from ot_doctor.evidence.releases import NativeRules, release_of, releases
from ot_doctor.evidence.worker_log import LogSource, Record
from ot_doctor.evidence.workers import Worker, Workers
from ot_doctor.sources.docker.container_exec import run_in
from ot_doctor.sources.native_models import models_of
from ot_doctor.sources.scratch_folders import scratch_folders
from ot_doctor.sources.side_logs import telling_records
from ot_doctor.sources.stack import image_version

_TRUE = ("1", "true", "yes", "on")
_URL = re.compile(r"https?://[A-Za-z0-9.\-]{1,200}(?::\d{1,5})?(?:/[\w./\-]{0,200})?")
_STATUS = re.compile(r"HTTP/\d(?:\.\d)? (\d{3})")
_STATE = re.compile(r'"models_state"\s*:\s*"(\w{1,40})"')
_REASON = re.compile(r'"models_reason"\s*:\s*"((?:[^"\\]|\\.){1,400})"')
_EXIT = re.compile(r"diar-native provisioning failed \(exit (\d{1,3})\)")
_ASK = r"""
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY
for path in readyz healthz; do
  echo "== $path"
  if command -v curl >/dev/null 2>&1; then curl -s -m 3 -w '\nHTTP/1.1 %{http_code}\n' "$1/$path" 2>&1
  elif command -v python3 >/dev/null 2>&1; then python3 -c '
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=3)
except urllib.error.HTTPError as error:
    answer = error
print("HTTP/1.1", answer.code)
print(answer.read(20000).decode("utf-8", "replace"))' "$1/$path" 2>&1
  elif command -v wget >/dev/null 2>&1; then wget -q -S -O - "$1/$path" 2>&1
  else exit 127
  fi
done
"""

def gather(request: Request, deployment: Deployment, workers: Workers) -> NativeEngine:
    """Raises ``Unavailable`` where the release has no native engine, and for a lite install."""
    if workers.lite:
        raise Unavailable("This is a lite installation: a cloud provider does the diarization.", switched_off=True)
    sidecars = workers.of("engine")
    release = release_of(deployment.line) or (releases()[-1] if sidecars else None)
    if release is None or release.native is None:
        raise Unavailable("The native engine exists from v0.5 on, and an older release runs.", switched_off=True)
    rules = release.native
    worker = next(iter(workers.diarizers), None)
    configured, configured_by = _configured(rules, worker, release.line.value)
    readiness, not_asked, refused = None, "It is not configured.", False
    if configured:
        try:
            readiness, not_asked = _readiness(request, rules, worker, sidecars)
        except Unavailable as error:
            not_asked, refused = error.reason, error.switched_off
    models, models_unseen = models_of(request, rules, [*workers.of("exporter"), *sidecars])
    scratch, no_scratch = scratch_folders(request, rules, workers.diarizers)
    logs: list[LogSource] = []
    provisioning = _provisioning(request, workers.of("exporter"), logs)
    errors = _errors(request, sidecars, logs) if configured else ()
    return NativeEngine(
        configured=configured,
        configured_by=configured_by,
        required=worker is not None and (worker.setting(rules.required) or "").lower() in _TRUE,
        sidecars=sidecars,
        sidecar_version=_version(sidecars),
        worker_version=_version([worker] if worker else []),
        readiness=readiness,
        not_asked=not_asked,
        models=models,
        models_unseen=models_unseen,
        provisioning=provisioning,
        scratch=scratch,
        scratch_unseen=no_scratch.reason if no_scratch else "",
        errors=errors,
        logs=tuple(logs),
        exec_left_out=request.no_exec or refused,
    )


def _configured(rules: NativeRules, worker: Worker | None, line: str) -> tuple[bool, str]:
    value = worker.setting(rules.switch) if worker else None
    if worker and value:
        return value.lower() == "native", f"{rules.switch}={value} in {worker.where}"
    return rules.default, f"the default of {line}"


def _version(containers: Sequence[Worker]) -> str | None:
    """Only of OpenTranscribe's own image: an engine's image from elsewhere has versions of its own."""
    return next((image_version(worker) for worker in containers if "opentranscribe-backend" in worker.image), None)


def _readiness(
    request: Request, rules: NativeRules, worker: Worker | None, sidecars: Sequence[Worker]
) -> tuple[Readiness | None, str]:
    """Asked in the worker, as its jobs do; in the engine's own container where no worker runs. Raises ``Unavailable``."""
    asked = next((one for one in (worker, *sidecars) if one is not None and one.running), None)
    if asked is None:
        return None, "Neither the worker nor diar-native is running."
    url = (worker.setting("DIAR_NATIVE_URL") if worker else None) or rules.url
    if asked is not worker:
        url = re.sub(r"//[^:/]+", "//127.0.0.1", url, count=1)
    if not _URL.fullmatch(url):
        return None, f"DIAR_NATIVE_URL={printable(url)} is not an address that can be asked."
    url = url.rstrip("/")
    answer = run_in(request, asked, _ASK, [url]).decode("utf-8", "replace")
    if "== healthz" not in answer:
        return None, f"{asked.name} has no program that can ask: neither curl nor python3 nor wget."
    return _read_answer(asked.name, url, answer), ""


def _read_answer(asked_in: str, url: str, answer: str) -> Readiness:
    ready, _, health = answer.partition("== healthz")
    statuses = [int(found) for found in _STATUS.findall(ready)]
    status = statuses[-1] if statuses else 0
    if status == 404:  # an engine from before /readyz: its health is all that it tells
        statuses = [int(found) for found in _STATUS.findall(health)]
        status = statuses[-1] if statuses else 0
    state, reason = _STATE.search(answer), _REASON.search(answer)
    return Readiness(asked_in, f"{url}/readyz", status, state[1] if state else "", printable(reason[1]) if reason else "")


def _provisioning(request: Request, exporters: Sequence[Worker], logs: list[LogSource]) -> Provisioning | None:
    found: list[tuple[str, Record]] = []
    for exporter in exporters[:1]:
        records, source = telling_records(request, exporter, (b"diar-native provisioning", b"diar-native models"))
        logs.append(source)
        found += [(exporter.name, record) for record in records]
    telling = [(name, record) for name, record in found if "gender classifier" not in record.text]
    if not telling:
        return None
    name, record = telling[-1]
    code = _EXIT.search(record.text)
    return Provisioning(
        container=name,
        record=record,
        done="already provisioned at" in record.text or "models exported to" in record.text,
        skipped="provisioning skipped" in record.text,
        exit_code=int(code[1]) if code else None,
    )


def _errors(request: Request, sidecars: Sequence[Worker], logs: list[LogSource]) -> tuple[Record, ...]:
    for sidecar in sidecars[:1]:
        records, source = telling_records(request, sidecar, (b"ERROR", b"rror:", b"FATAL", b"panicked"))
        logs.append(source)
        return tuple(records[-3:])
    return ()
