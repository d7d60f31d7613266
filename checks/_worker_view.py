"""What the worker sees from inside, for the checks that judge what this machine sees."""

from __future__ import annotations

from dataclasses import replace

from ot_doctor.check import Seen
from ot_doctor.evidence import TOKEN_NAME, Answer, FileAnswer, Hub, Ladder, Unavailable, WorkerProbe

NOT_LOOKED = Unavailable("The worker was not looked at from inside.", switched_off=True)


def reaches_hub(probe: WorkerProbe | Unavailable) -> bool:
    """Whether the worker itself gets answers of the Hub now."""
    return isinstance(probe, WorkerProbe) and probe.reaches_hub


def reaches_hub_and_storage(probe: WorkerProbe | Unavailable) -> bool:
    """The same, and nothing is known to keep it from the server of large files."""
    known = isinstance(probe, WorkerProbe) and probe.inside is not None and probe.inside.storage in (Answer.OK, Answer.NOT_ASKED)
    return known and reaches_hub(probe)


def own_token(probe: WorkerProbe | Unavailable) -> bool:
    """Whether the process that works has another token than Config.Env, which then tells nothing of it."""
    return isinstance(probe, WorkerProbe) and probe.process.has_own(TOKEN_NAME)


def as_worker(hub: Hub, probe: WorkerProbe | Unavailable) -> Hub:
    """The Hub's answers with those that the worker itself got in place of this machine's: they outrank them.

    An answer that tells nothing of token and access replaces none.
    """
    inside = None if isinstance(probe, Unavailable) else probe.inside
    if inside is None or not inside.token_sent:
        return hub
    told = {answer.repo: answer for answer in inside.files if not answer.answer.unreachable}
    if not told:
        return hub
    kept = tuple(answer for answer in hub.files if answer.repo not in told)
    return replace(hub, files=(*told.values(), *kept), token_sent=True, public=_public(hub.public, inside))


def _public(public: FileAnswer, inside: Ladder) -> FileAnswer:
    return replace(public, answer=Answer.OK, text="") if public.answer.unreachable and inside.reached else public


def seen_ladder(source: str, where: str, ladder: Ladder) -> list[Seen]:
    """Each rung of a way to the Hub as evidence."""
    return [Seen(source, where, f"{rung.stage.value}: {rung.text or rung.answer.words}") for rung in ladder.rungs]
