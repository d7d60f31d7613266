from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ot_doctor.check import Cause, Confidence, Finding, Status
from ot_doctor.evidence import (
    COMMUNITY_1,
    DIARIZATION_3_1,
    SEGMENTATION_3_0,
    Answer,
    Attempt,
    Denied,
    FileState,
    Host,
    ModelCache,
    Outcome,
    ReleaseLine,
    Unavailable,
    WorkerLog,
)
from ot_doctor.redaction.secret import TOKEN_NAME
from ot_doctor_checks.last_attempt import last_attempt
from tests.checks.evidence import (
    EARLIER,
    LATER,
    MODELS,
    WORKER,
    attempt,
    cache,
    cached_model,
    deployment,
    env_file,
    everything_said,
    hit,
    host,
    hub,
    identity,
    only,
    record,
    statuses,
    token,
    worker,
    worker_log,
    workers,
)

GONE = Unavailable("not there")
PROVEN = "you do not need a new token"
HUB_FOLDER = f"{MODELS}/huggingface/hub"


def judged(log: WorkerLog, line: ReleaseLine = ReleaseLine.V0_4, **present: object) -> list[Finding]:
    given = {
        "hub": hub(line=line), "token": token(), "cache": cache(False, line=line), "host": host(), "workers": workers(),
        "deployment": deployment(line), "env_file": env_file(),
    }  # fmt: skip
    return list(last_attempt(log, **{**given, **present}))


def failure(cause: Cause, subject: str | None = None, *, certain: bool = True, **changes: object) -> WorkerLog:
    lines = (record(f"what {cause.value} looks like", line=101),)
    return worker_log(attempt(Outcome.FAILED, cause=cause.value, subject=subject, certain=certain, decisive=lines, **changes))


def verdict(log: WorkerLog, line: ReleaseLine = ReleaseLine.V0_4, **present: object) -> Finding:
    (finding,) = judged(log, line, **present)
    return finding


def test_a_success_passes_with_speakers_and_settings() -> None:
    finding = verdict(worker_log(attempt(speakers=3, settings="min_speakers=1, max_speakers=20")))
    assert finding.status is Status.PASS
    assert "3 speakers (min_speakers=1, max_speakers=20)" in finding.message
    assert "2026-11-20 13:00:00 UTC" in finding.message


def test_a_success_with_one_speaker_passes_with_a_note() -> None:
    finding = verdict(worker_log(attempt(speakers=1, settings="max_speakers=20")))
    assert finding.status is Status.PASS
    assert "found only 1 speaker" in finding.message
    assert "max_speakers=20" in finding.message


def test_a_recovered_attempt_passes_with_a_note() -> None:
    finding = verdict(worker_log(attempt(Outcome.RECOVERED, cause=Cause.GPU_OUT_OF_MEMORY.value, speakers=2)))
    assert finding.status is Status.PASS
    assert "did not stop it" in finding.message


@pytest.mark.parametrize(
    ("engine", "stood_in", "said"),
    [
        ("native", False, "by the native engine"),
        ("pyannote", True, "PyAnnote did the work, slower, because the native engine was not available."),
    ],
)
def test_a_success_says_which_engine_did_the_work(engine: str, stood_in: bool, said: str) -> None:
    finding = verdict(worker_log(attempt(engine=engine, stood_in=stood_in)))
    assert finding.status is Status.PASS and said in finding.message
    assert said not in verdict(worker_log(attempt())).message


def test_attempts_of_one_file_are_counted() -> None:
    one, other = failure(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, file="8f2c", tries=2), failure(Cause.DISK_FULL, file="8f2c")
    (newest,), (different,) = one.attempts, other.attempts
    older = replace(newest, tries=1)
    assert "; 3 attempts of one file)" in verdict(worker_log(newest, older)).message
    assert "; 2 attempts of one file)" in verdict(worker_log(newest, different, older)).message
    assert "attempts of one file" not in verdict(worker_log(older, replace(older, file="9a3d"))).message
    assert "attempts of one file" not in verdict(worker_log(*[replace(older, file="")] * 2)).message


@pytest.mark.parametrize("cause", [Cause.GPU_OUT_OF_MEMORY, Cause.GPU_LIBRARY])
def test_a_broken_gpu_context_asks_for_a_restart_and_for_no_other_gpu(cause: Cause) -> None:
    text = "Restart the worker: its GPU context is broken."
    hits = (replace(hit("cuda-context-broken", cause=cause.value), remedy=text),)
    finding = verdict(failure(cause, certain=False, hits=hits))
    assert finding.confidence is Confidence.LIKELY
    assert finding.remedy[0].text == text and "up -d --force-recreate" in (finding.remedy[0].command or "")
    assert "GPU_DEVICE_ID" not in everything_said(finding)


def test_a_load_that_took_too_long_is_no_failure_where_the_cache_is_complete() -> None:
    slow = failure(Cause.NETWORK_TIMEOUT, COMMUNITY_1, certain=False)
    assert verdict(slow).confidence is Confidence.LIKELY
    assert verdict(slow, cache=cache(True)).status is Status.WARN


def test_the_scratch_volume_is_given_to_its_owner_and_not_the_cache() -> None:
    finding = verdict(failure(Cause.SCRATCH_PERMISSION, "/scratch/opentranscribe"))
    assert "chown -hR 1000:999 /scratch/opentranscribe" in (finding.remedy[0].command or "")
    alone = verdict(failure(Cause.SCRATCH_PERMISSION), workers=GONE, deployment=GONE)
    assert "fix-shared-volume-perms.sh" in alone.remedy[0].text


def test_a_failure_before_a_success_is_history() -> None:
    old = attempt(Outcome.FAILED, cause=Cause.TOKEN_INVALID.value, ended_at=LATER - timedelta(hours=1), lines=(10, 20))
    finding = verdict(worker_log(attempt(), old))
    assert finding.status is Status.PASS
    assert "12:00:00 UTC) no longer counts" in finding.message


def test_no_attempt_is_skipped_with_what_to_do() -> None:
    finding = verdict(worker_log())
    assert finding.status is Status.SKIP
    assert "since the container started (2026-11-20 12:00:00 UTC)" in finding.message
    assert "Upload a short file with two voices" in finding.message


def test_an_attempt_before_the_present_run_is_history() -> None:
    old = attempt(Outcome.FAILED, cause=Cause.DISK_FULL.value, current=False)
    finding = verdict(worker_log(old))
    assert finding.status is Status.SKIP
    assert "no space left" in finding.message


def test_a_switched_off_diarization_is_no_attempt() -> None:
    assert verdict(worker_log(attempt(Outcome.DISABLED))).status is Status.SKIP


def test_a_log_that_could_not_be_read_to_the_end_is_unknown() -> None:
    finding = verdict(worker_log(source={"problem": "the time was over", "lines_read": 70_000}))
    assert finding.status is Status.UNKNOWN
    assert "last 70000 lines" in finding.message


def test_a_running_attempt_is_skipped_and_the_one_before_still_judged() -> None:
    running = attempt(Outcome.UNFINISHED, lines=(150, 160), ended_at=None)
    assert "has been running" in verdict(worker_log(running)).message
    findings = judged(worker_log(running, *failure(Cause.GPU_OUT_OF_MEMORY).attempts))
    assert statuses(findings) == [Status.SKIP, Status.FAIL]


def test_a_failure_shows_its_lines_with_number_and_time() -> None:
    finding = verdict(failure(Cause.GPU_OUT_OF_MEMORY))
    assert finding.status is Status.FAIL
    assert finding.evidence[0].where == f"{WORKER} line 101, 2026-11-20 13:00:00 UTC"
    assert "what gpu-out-of-memory looks like" in finding.evidence[0].text


def test_a_long_traceback_is_shown_by_its_beginning_and_end() -> None:
    text = "\n".join(["Traceback"] + [f"frame {n}" for n in range(100)] + ["OSError: the cause " + "x" * 500])
    log = worker_log(attempt(Outcome.FAILED, cause="unrecognised", decisive=(replace(record(text), lines=(5, 106)),)))
    seen = verdict(log).evidence[0]
    assert "lines 5-106" in seen.where
    assert seen.text.startswith("Traceback")
    assert "OSError: the cause" in seen.text
    assert len(seen.text) < 1000


@pytest.mark.parametrize("cause", [c for c in last_attempt.causes])
def test_every_cause_has_words_and_steps_even_when_the_log_is_all_there_is(cause: Cause) -> None:
    finding = verdict(failure(cause), hub=GONE, token=GONE, cache=GONE, host=GONE, workers=GONE, deployment=GONE, env_file=GONE)
    assert (finding.status, finding.cause) == (Status.FAIL, cause)
    assert len(finding.remedy) >= 2
    assert "Transcribe a short file with two voices" in finding.remedy[-1].text


@pytest.mark.parametrize("cause", [c for c in last_attempt.causes])
def test_every_cause_has_steps_when_everything_is_there(cause: Cause) -> None:
    for finding in judged(failure(cause), hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED})):
        assert finding.remedy
        assert finding.cause is not None


# -- token and agreements --------------------------------------------------------------------------


def test_an_agreement_that_the_hub_still_misses_fails_with_the_same_cause_and_subject() -> None:
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1), hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED}))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.GATED_NOT_ACCEPTED, COMMUNITY_1)
    assert finding.confidence is Confidence.CERTAIN
    assert finding.remedy[0].url == f"https://huggingface.co/{COMMUNITY_1}"
    assert "'ana'" in finding.remedy[0].text


@pytest.mark.parametrize(
    "cause", [Cause.GATED_NOT_ACCEPTED, Cause.GATED_PENDING, Cause.TOKEN_SCOPE, Cause.TOKEN_INVALID, Cause.TOKEN_MISSING]
)
def test_access_that_is_fine_by_now_is_a_warning(cause: Cause) -> None:
    finding = verdict(failure(cause, COMMUNITY_1))
    assert (finding.status, finding.cause) == (Status.WARN, cause)
    assert "Access is fine now. Run the job again." in finding.message
    assert PROVEN in finding.message


def test_a_complete_cache_makes_access_and_network_a_warning() -> None:
    for cause in (Cause.TOKEN_INVALID, Cause.GATED_NOT_ACCEPTED, Cause.NETWORK_DNS, Cause.HUB_UNAVAILABLE):
        finding = verdict(failure(cause), cache=cache(), hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED}))
        assert finding.status is Status.WARN, cause
        assert "complete and readable now" in finding.message
        assert PROVEN not in finding.message


def test_without_the_hub_an_agreement_stays_what_the_log_says() -> None:
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1, certain=False), hub=GONE)
    assert (finding.status, finding.subject, finding.confidence) == (Status.FAIL, COMMUNITY_1, Confidence.LIKELY)


def test_what_looked_like_an_agreement_is_the_token_when_the_token_is_bad() -> None:
    uncertain = failure(Cause.GATED_NOT_ACCEPTED, SEGMENTATION_3_0, certain=False)
    line = ReleaseLine.V0_3
    revoked = hub(line=line, whoami=identity(Answer.BAD_TOKEN))
    for present, expected in (
        ({"hub": revoked}, Cause.TOKEN_INVALID),
        ({"hub": GONE, "token": token(None)}, Cause.TOKEN_MISSING),
        ({"hub": GONE, "token": token("")}, Cause.TOKEN_MISSING),
        ({"hub": GONE, "token": token("hf_your_token_here")}, Cause.TOKEN_PLACEHOLDER),
        ({"hub": GONE, "token": token('"hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"')}, Cause.TOKEN_MALFORMED),
    ):
        finding = verdict(uncertain, line, **present)
        assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, expected, TOKEN_NAME)


def test_a_certain_missing_agreement_stays_beside_a_bad_token() -> None:
    revoked = hub({COMMUNITY_1: Answer.BAD_TOKEN}, whoami=identity(Answer.BAD_TOKEN))
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1), hub=revoked)
    assert (finding.cause, finding.subject) == (Cause.GATED_NOT_ACCEPTED, COMMUNITY_1)


def test_an_anonymous_refusal_is_the_revoked_token_that_the_hub_names() -> None:
    finding = verdict(failure(Cause.TOKEN_MISSING, COMMUNITY_1), hub=hub(whoami=identity(Answer.EXPIRED_TOKEN)))
    assert (finding.cause, finding.subject) == (Cause.TOKEN_INVALID, TOKEN_NAME)
    assert finding.remedy[0].url == "https://huggingface.co/settings/tokens"


@pytest.mark.parametrize(
    ("answer", "cause", "subject"),
    [
        (Answer.PENDING, Cause.GATED_PENDING, SEGMENTATION_3_0),
        (Answer.REJECTED, Cause.GATED_NOT_ACCEPTED, SEGMENTATION_3_0),
        (Answer.SCOPE, Cause.TOKEN_SCOPE, "OpenTranscribe"),
        (Answer.NOT_FOUND, Cause.REPO_NOT_FOUND, SEGMENTATION_3_0),
        (Answer.NO_TOKEN, Cause.TOKEN_INVALID, TOKEN_NAME),
    ],
)
def test_what_the_hub_says_now_is_more_exact_than_the_log(answer: Answer, cause: Cause, subject: str) -> None:
    line = ReleaseLine.V0_3
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED, certain=False), line, hub=hub({SEGMENTATION_3_0: answer}, line=line))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, cause, subject)


def test_a_refused_fallback_model_is_no_matter_in_v0_4() -> None:
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED, DIARIZATION_3_1), hub=hub({DIARIZATION_3_1: Answer.NOT_ACCEPTED}))
    assert finding.status is Status.WARN


def test_an_unreachable_hub_proves_nothing() -> None:
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED, COMMUNITY_1), hub=hub({COMMUNITY_1: Answer.TIMEOUT}))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.GATED_NOT_ACCEPTED)


@pytest.mark.parametrize("cause", [Cause.LIB_MISMATCH, Cause.UNRECOGNISED])
def test_no_new_token_is_advised_while_access_is_proven(cause: Cause) -> None:
    assert PROVEN in verdict(failure(cause)).message
    assert PROVEN not in verdict(failure(cause), hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED})).message
    assert PROVEN not in verdict(failure(cause), hub=GONE).message


def test_an_unknown_cause_of_somebodys_own_signatures_is_unrecognised() -> None:
    log = worker_log(attempt(Outcome.FAILED, cause="my-own", decisive=(record("oops"),)))
    finding = verdict(log)
    assert (finding.cause, finding.confidence) == (Cause.UNRECOGNISED, Confidence.POSSIBLE)


# -- network ---------------------------------------------------------------------------------------


def test_a_network_failure_stays_while_only_this_machine_reaches_the_hub() -> None:
    finding = verdict(failure(Cause.NETWORK_DNS))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.NETWORK_DNS)
    assert "This machine reaches the Hub now" in finding.message
    assert (finding.remedy[0].command or "").startswith(f"docker exec {WORKER} python3 -c")
    assert "This machine" not in verdict(failure(Cause.NETWORK_DNS), hub=hub(public=Answer.DNS)).message


@pytest.mark.parametrize("cause", [Cause.RATE_LIMITED, Cause.HUB_UNAVAILABLE])
def test_trouble_of_the_hub_itself_is_over_when_it_answers(cause: Cause) -> None:
    assert verdict(failure(cause)).status is Status.WARN
    assert verdict(failure(cause), hub=hub(public=Answer.UNAVAILABLE)).status is Status.FAIL


# -- cache, disk, memory ---------------------------------------------------------------------------


def test_a_permission_that_is_right_by_now_is_a_warning() -> None:
    finding = verdict(failure(Cause.CACHE_PERMISSION))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.CACHE_PERMISSION)


def test_a_permission_that_is_still_wrong_fails_with_the_folder_as_subject() -> None:
    bad = cache(False, writable=False)
    bad = replace(bad, access=replace(bad.access, denied=(Denied(HUB_FOLDER, "/x", "write", "root (0)", "drwxr-xr-x"),)))
    finding = verdict(failure(Cause.CACHE_PERMISSION, "/home/appuser/.cache/huggingface/hub/models--x"), cache=bad)
    assert (finding.status, finding.subject) == (Status.FAIL, HUB_FOLDER)
    assert "chown" in (finding.remedy[0].command or "")
    assert PROVEN in finding.message


def test_a_permission_outside_the_cache_is_not_disproved_by_the_cache() -> None:
    assert verdict(failure(Cause.CACHE_PERMISSION, "/tmp/diar-native/x")).status is Status.FAIL


def test_a_read_only_cache_is_told_from_a_permission() -> None:
    given = cache(False, writable=False)
    finding = verdict(failure(Cause.CACHE_READONLY), cache=replace(given, root=replace(given.root, read_only=True)))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.CACHE_READONLY, HUB_FOLDER)
    assert verdict(failure(Cause.CACHE_READONLY)).status is Status.WARN


def test_a_permission_that_could_not_be_asked_about_stays() -> None:
    assert verdict(failure(Cause.CACHE_PERMISSION), cache=cache(False, readable=None, writable=None)).status is Status.FAIL


def test_a_disk_with_room_by_now_is_a_warning() -> None:
    assert verdict(failure(Cause.DISK_FULL)).status is Status.WARN
    full = Host((replace(host().spaces[0], free=0),))
    finding = verdict(failure(Cause.DISK_FULL), host=full)
    assert (finding.status, finding.subject) == (Status.FAIL, MODELS)


def test_missing_models_are_what_the_cache_shows() -> None:
    log = failure(Cause.OFFLINE_CACHE_MISSING)
    finding = verdict(log, cache=cache(False, offline="HF_HUB_OFFLINE=1"))
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, Cause.OFFLINE_CACHE_MISSING, COMMUNITY_1)
    place = f"{MODELS}/torch/x/models--pyannote--speaker-diarization-community-1"
    finding = verdict(log, cache=cache(False, offline="HF_HUB_OFFLINE=1", misplaced=(place,)))
    assert (finding.cause, finding.subject) == (Cause.CACHE_INCOMPLETE, COMMUNITY_1)
    finding = verdict(log, cache=cache(readable=False))
    assert (finding.cause, finding.subject) == (Cause.CACHE_PERMISSION, HUB_FOLDER)
    assert verdict(log, cache=cache()).status is Status.WARN


def test_a_damaged_model_fails_until_it_is_gone() -> None:
    log = failure(Cause.MODEL_CORRUPT)
    broken = cache(models=(cached_model(COMMUNITY_1, ("config.yaml",), state=FileState.LFS_POINTER),))
    finding = verdict(log, cache=broken)
    assert (finding.status, finding.subject) == (Status.FAIL, COMMUNITY_1)
    assert "-rf /models/models--pyannote--speaker-diarization-community-1" in everything_said(finding)
    assert verdict(log, cache=cache()).status is Status.FAIL  # it may be damaged where nobody looked
    assert verdict(log, cache=cache(False)).status is Status.WARN


def test_memory_is_about_the_container() -> None:
    finding = verdict(failure(Cause.OUT_OF_MEMORY))
    assert (finding.status, finding.subject) == (Status.FAIL, WORKER)


def test_the_newest_of_several_workers_attempts_counts() -> None:
    other: Attempt = attempt(worker="opentranscribe-celery-worker-gpu-scaled")
    finding = only(last_attempt, worker_log(other, *failure(Cause.DISK_FULL).attempts), GONE, GONE, GONE, GONE, GONE, GONE, GONE)
    assert finding.status is Status.PASS


# -- failures whose lines name no cause --------------------------------------------------------------

LOCATE = "LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub and we cannot find …"
NONE_TO = "Error in WhisperX processing: 'NoneType' object has no attribute 'to'"
PRINTED = "Could not download Pipeline from pyannote/speaker-diarization-community-1.\nIt might be because it is private or gated"


def generic(text: str, subject: str | None = None, **changes: object) -> WorkerLog:
    said = hit("some-generic", "gated-not-accepted", text, generic=True, subject=subject)
    return worker_log(attempt(Outcome.FAILED, cause="unrecognised", hits=(said,), decisive=(record(text),), **changes))


@pytest.mark.parametrize("text", [LOCATE, NONE_TO, PRINTED])
@pytest.mark.parametrize(
    ("present", "cause", "subject"),
    [
        ({"hub": hub({COMMUNITY_1: Answer.NOT_ACCEPTED})}, Cause.GATED_NOT_ACCEPTED, COMMUNITY_1),
        ({"hub": hub({COMMUNITY_1: Answer.PENDING})}, Cause.GATED_PENDING, COMMUNITY_1),
        ({"hub": hub({COMMUNITY_1: Answer.SCOPE})}, Cause.TOKEN_SCOPE, "OpenTranscribe"),
        ({"hub": hub(whoami=identity(Answer.BAD_TOKEN))}, Cause.TOKEN_INVALID, TOKEN_NAME),
        ({"hub": GONE, "token": token(None)}, Cause.TOKEN_MISSING, TOKEN_NAME),
        ({"cache": cache(False, writable=False)}, Cause.CACHE_PERMISSION, HUB_FOLDER),
        ({"host": Host((replace(host().spaces[0], free=0),))}, Cause.DISK_FULL, MODELS),
        ({"hub": GONE, "cache": cache(False, offline="HF_HUB_OFFLINE=1")}, Cause.OFFLINE_CACHE_MISSING, COMMUNITY_1),
    ],
)
def test_what_is_wrong_now_decides_where_the_log_is_generic(
    text: str, present: dict[str, Any], cause: Cause, subject: str
) -> None:
    finding = verdict(generic(text), **present)
    assert (finding.status, finding.cause, finding.subject) == (Status.FAIL, cause, subject)
    assert finding.confidence is Confidence.LIKELY
    assert text.split("\n")[0] in everything_said(finding)


def test_a_folder_that_may_not_be_used_comes_before_the_agreement() -> None:
    finding = verdict(generic(PRINTED), cache=cache(False, writable=False), hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED}))
    assert finding.cause is Cause.CACHE_PERMISSION


def test_the_repository_that_the_text_names_is_asked_about() -> None:
    line = ReleaseLine.V0_3
    refused = hub({SEGMENTATION_3_0: Answer.NOT_ACCEPTED}, line=line)
    finding = verdict(generic("Could not download 'pyannote/segmentation-3.0' model.", SEGMENTATION_3_0), line, hub=refused)
    assert (finding.cause, finding.subject) == (Cause.GATED_NOT_ACCEPTED, SEGMENTATION_3_0)


def test_a_generic_failure_that_only_access_can_bring_about_is_mended_by_access() -> None:
    finding = verdict(generic(NONE_TO), ReleaseLine.V0_3)
    assert finding.status is Status.WARN
    assert "Access is fine now. Run the job again." in finding.message and PROVEN in finding.message


def test_a_generic_failure_that_nothing_explains_is_shown_and_no_token_is_advised() -> None:
    finding = verdict(generic(LOCATE))
    assert (finding.status, finding.cause, finding.confidence) == (Status.FAIL, Cause.UNRECOGNISED, Confidence.POSSIBLE)
    assert finding.subject == "huggingface.co"
    assert LOCATE in everything_said(finding)
    assert PROVEN in finding.message and f"The log says: {LOCATE[:40]}" in finding.message
    assert any("Transcribe a short file with two voices" in step.text for step in finding.remedy)
    assert not any("settings/tokens" in (step.url or "") for step in finding.remedy)
    sources = ("hub", "token", "cache", "host", "workers", "deployment", "env_file")
    nothing: dict[str, Any] = dict.fromkeys(sources, GONE)
    alone = verdict(generic(LOCATE), **nothing)
    assert alone.cause is Cause.UNRECOGNISED and PROVEN not in alone.message


def completed(at: datetime | None) -> ModelCache:
    whole = cache()
    return replace(whole, models=tuple(replace(model, changed_at=at) for model in whole.models))


@pytest.mark.parametrize("at", [EARLIER, None])
def test_an_unknown_failure_is_not_explained_away_by_a_cache_that_was_complete_before(at: datetime | None) -> None:
    finding = verdict(generic(LOCATE), cache=completed(at))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.UNRECOGNISED)
    assert "ot-doctor does not know the reason" in finding.message and "Run the job again" not in finding.message


def test_a_generic_failure_is_over_when_the_cache_was_completed_after_it() -> None:
    finding = verdict(generic(LOCATE), cache=completed(LATER + timedelta(hours=1)))
    assert (finding.status, finding.cause) == (Status.WARN, Cause.UNRECOGNISED)
    assert "changed after that (2026-11-20 14:00:00 UTC)" in finding.message


def test_a_generic_failure_is_over_when_the_worker_was_started_after_it_with_a_complete_cache() -> None:
    later = workers(worker(started_at=LATER + timedelta(hours=1)))
    assert verdict(generic(LOCATE), cache=completed(EARLIER), workers=later).status is Status.WARN
    stopped = workers(worker(status="exited", started_at=LATER + timedelta(hours=1)))
    assert verdict(generic(LOCATE), cache=completed(EARLIER), workers=stopped).status is Status.FAIL


@pytest.mark.parametrize("cause", [Cause.TOKEN_MISSING, Cause.GATED_NOT_ACCEPTED, Cause.TOKEN_INVALID])
def test_a_refusal_under_a_cache_that_cannot_be_read_comes_from_it(cause: Cause) -> None:
    finding = verdict(failure(cause), cache=cache(False, readable=False))
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_PERMISSION)
    assert "Access is fine now" not in finding.message and "Run the job again" not in finding.message


@pytest.mark.parametrize("cause", [Cause.TOKEN_MISSING, Cause.GATED_NOT_ACCEPTED, Cause.TOKEN_INVALID])
def test_a_cache_that_cannot_be_written_is_the_cause_where_the_hub_gives_the_models_and_no_answer_to_its_refusal(
    cause: Cause,
) -> None:
    closed = cache(False, writable=False)
    finding = verdict(failure(cause), cache=closed)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.CACHE_PERMISSION)
    assert "Access is fine now" not in finding.message and "Run the job again" not in finding.message
    refused = hub({COMMUNITY_1: Answer.NOT_ACCEPTED})
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED), cache=closed, hub=refused)
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.GATED_NOT_ACCEPTED)


def test_a_stopped_worker_is_not_told_to_run_the_job_again() -> None:
    finding = verdict(failure(Cause.GATED_NOT_ACCEPTED), workers=workers(worker(status="exited")))
    assert finding.status is Status.WARN and "Run the job again" not in finding.message and not finding.remedy


def test_a_comment_that_became_the_token_is_told_as_that() -> None:
    comment = token("# paste your token here")
    assert verdict(failure(Cause.TOKEN_PLACEHOLDER), token=comment).cause is Cause.TOKEN_MALFORMED


@pytest.mark.parametrize(
    ("lines", "said"),
    [(0, "There are no lines in /tmp/x.log"), (1, "The only line of /tmp/x.log"), (200, "None of the 200 lines of /tmp/x.log")],
)
def test_a_file_without_a_line_of_a_worker_is_no_passing_log(lines: int, said: str) -> None:
    finding = verdict(worker_log(source={"name": "/tmp/x.log", "lines_read": lines, "of_a_worker": False, "since": None}))
    assert finding.status is Status.UNKNOWN and finding.message.startswith(said)
    assert finding.remedy[0].command == "docker logs opentranscribe-celery-worker > worker.log 2>&1"


def test_a_failure_of_another_kind_is_not_laid_on_the_hub() -> None:
    log = worker_log(attempt(Outcome.FAILED, cause="unrecognised", decisive=(record("KeyError: 'segments'"),)))
    assert verdict(log, hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED})).cause is Cause.UNRECOGNISED


def test_an_attempt_that_a_new_start_cut_off() -> None:
    def cut_off(**changes: object) -> WorkerLog:
        return worker_log(
            attempt(Outcome.FAILED, cause="unrecognised", cut_off=True, decisive=(record("celery@x v5"),), **changes)
        )

    finding = verdict(cut_off())
    assert (finding.status, finding.cause) == (Status.FAIL, Cause.UNRECOGNISED)
    assert "started again" in finding.message
    assert "inspect" in (finding.remedy[0].command or "") and WORKER in (finding.remedy[0].command or "")
    stopped = verdict(cut_off(stopped=True))
    assert "told to stop" in stopped.message and "There is nothing to fix" in stopped.remedy[0].text
    dead = workers(worker(status="exited", exit_code=137, oom_killed=True))
    killed = verdict(cut_off(), workers=dead)
    assert (killed.cause, killed.subject, killed.confidence) == (Cause.OUT_OF_MEMORY, WORKER, Confidence.LIKELY)
    by_hand = verdict(cut_off(stopped=True), workers=dead)
    assert by_hand.cause is Cause.UNRECOGNISED
    health_check = verdict(cut_off(), workers=workers(worker(oom_killed=True)))
    assert health_check.cause is Cause.UNRECOGNISED, "the engine cleared the flag when the worker started again"


@pytest.mark.parametrize("cause", [Cause.GPU_OUT_OF_MEMORY, Cause.CACHE_PERMISSION, Cause.NETWORK_DNS, Cause.LIB_MISMATCH])
def test_what_is_not_about_access_says_that_the_token_is_good(cause: Cause) -> None:
    log = failure(cause, "/tmp/elsewhere" if cause is Cause.CACHE_PERMISSION else None)
    assert PROVEN in verdict(log).message
    assert PROVEN not in verdict(log, hub=hub({COMMUNITY_1: Answer.NOT_ACCEPTED})).message


def test_a_log_that_was_not_read_to_its_end_is_unknown() -> None:
    unread = {"end_unread": True, "problem": "the time was over"}
    (finding,) = judged(worker_log(attempt(Outcome.SUCCEEDED), source=unread))
    assert finding.status is Status.UNKNOWN
    assert "200 lines" in finding.message and "the time was over" in finding.message


def test_what_the_deciding_signature_says_to_do_comes_in_place_of_the_general_advice() -> None:
    special = hit("xet-blocked", Cause.NETWORK_REFUSED.value, remedy="Let *.xethub.hf.co through the firewall.")
    failure = attempt(
        Outcome.FAILED, cause=Cause.NETWORK_REFUSED.value, certain=True, hits=(special,), decisive=(special.record,)
    )
    (finding,) = judged(worker_log(failure))
    assert finding.status is Status.FAIL
    assert finding.remedy[0].text == "Let *.xethub.hf.co through the firewall."
    assert len(finding.remedy) == 2
