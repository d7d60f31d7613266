"""What the worker sees outranks what this machine sees."""

from __future__ import annotations

import pytest

from ot_doctor.check import Check, Finding, Status
from ot_doctor.evidence import (
    COMMUNITY_1,
    TOKEN_NAME,
    Answer,
    FileAnswer,
    Outcome,
    ProcessEnvironment,
    ReleaseLine,
    WorkerProbe,
    models,
)
from ot_doctor_checks.hub_reachable import hub_reachable
from ot_doctor_checks.last_attempt import last_attempt
from ot_doctor_checks.model_access import model_access
from ot_doctor_checks.token_accepted import token_accepted
from ot_doctor_checks.token_format import token_format
from ot_doctor_checks.token_present import token_present
from tests.checks.evidence import (
    attempt,
    cache,
    deployment,
    env_file,
    hit,
    host,
    hub,
    identity,
    ladder,
    only,
    probe,
    token,
    worker_log,
    workers,
)

NEEDED = cache(complete=False)
EVERY = {model.repo: Answer.TIMEOUT for model in models(ReleaseLine.V0_4)}
CUT_OFF = hub(EVERY, whoami=identity(Answer.TIMEOUT), public=Answer.TIMEOUT)


def asked(check: Check, seen: WorkerProbe, answers: object = CUT_OFF) -> list[Finding]:
    if check is hub_reachable:
        return list(check(answers, workers(), deployment(), NEEDED, seen))
    if check is token_accepted:
        return list(check(answers, token(), env_file(), workers(), deployment(), NEEDED, seen))
    return list(check(answers, deployment(), token(), NEEDED, worker_log(), env_file(), workers(), seen))


@pytest.mark.parametrize("check", [hub_reachable, token_accepted, model_access], ids=lambda check: check.name)
def test_a_hub_that_this_machine_does_not_reach_matters_only_where_the_worker_does_not(check: Check) -> None:
    reached = asked(check, probe())
    assert reached[0].status is Status.PASS and Status.UNKNOWN not in {finding.status for finding in reached}
    fallen = asked(check, probe(ladder(Answer.TIMEOUT)))
    assert Status.UNKNOWN in {finding.status for finding in fallen}


def test_the_answer_to_the_workers_own_token_counts() -> None:
    refused = ladder(files=(FileAnswer(COMMUNITY_1, "config.yaml", Answer.NOT_ACCEPTED, 403),))
    assert Status.FAIL in {finding.status for finding in asked(model_access, probe(refused), hub())}
    anonymous = ladder(files=(FileAnswer(COMMUNITY_1, "config.yaml", Answer.NO_TOKEN, 401),), token_sent=False)
    assert {finding.status for finding in asked(model_access, probe(anonymous), hub())} == {Status.PASS}


@pytest.mark.parametrize("value", [None, "", "hf_your_token_here"])
def test_a_token_that_the_entry_point_sets_takes_the_place_of_config_env(value: str | None) -> None:
    own = probe(process=ProcessEnvironment(True, added=(TOKEN_NAME,)))
    checks = [token_present, token_format] if value else [token_present]
    for check in checks:
        usual = only(check, token(value), env_file(), workers(), deployment(), NEEDED)
        assert usual.status is not Status.PASS or check is token_present
        assert only(check, token(value), env_file(), workers(), deployment(), NEEDED, own).status is Status.PASS


def test_a_network_failure_in_the_log_is_fixed_when_the_worker_reaches_the_hub() -> None:
    seen = hit("dns", "network-dns")
    failure = attempt(Outcome.FAILED, cause="network-dns", certain=True, hits=(seen,), decisive=(seen.record,))

    def judge(inside: WorkerProbe) -> Finding:
        return only(
            last_attempt, worker_log(failure), hub(), token(), NEEDED, host(), workers(), deployment(), env_file(), inside
        )

    assert judge(probe()).status is Status.WARN
    assert judge(probe(ladder(storage_host="cdn.hf.co", storage=Answer.REFUSED))).status is Status.FAIL
