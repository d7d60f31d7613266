"""The evidence that a line of the log is held against."""

from __future__ import annotations

from dataclasses import dataclass

from ot_doctor.evidence import (
    Answer,
    Deployment,
    EnvFile,
    FileAnswer,
    Host,
    Hub,
    ModelCache,
    ReleaseLine,
    Unavailable,
    Workers,
    WorkerToken,
    models,
)


@dataclass(frozen=True)
class Present:
    """The evidence that speaks for now."""

    hub: Hub | Unavailable
    token: WorkerToken | Unavailable
    cache: ModelCache | Unavailable
    host: Host | Unavailable
    workers: Workers | Unavailable
    deployment: Deployment | Unavailable
    env: EnvFile | Unavailable
    worker_reaches_hub: bool = False  # seen from inside, with the storage that large files come from

    @property
    def suffices(self) -> bool:
        """The worker needs no Hub: its cache is complete and readable, or the native engine has all its models."""
        return isinstance(self.cache, ModelCache) and (self.cache.suffices or self.cache.native)

    @property
    def running(self) -> bool:
        """A worker is there that takes jobs; also where Docker was not asked."""
        return isinstance(self.workers, Unavailable) or any(worker.running for worker in self.workers.diarizers)

    @property
    def hub_reachable(self) -> bool:
        return isinstance(self.hub, Hub) and self.hub.public.answer is Answer.OK

    @property
    def access_proven(self) -> bool:
        """The Hub gives every gated model that is required to the worker's token."""
        answers = self.answers(None)
        return bool(answers) and all(answer.answer is Answer.OK for answer in answers)

    def answers(self, subject: str | None) -> list[FileAnswer]:
        """What the Hub says to the worker's token about a repository, or about all that are gated and required."""
        if isinstance(self.hub, Unavailable) or not self.hub.token_sent:
            return []
        line = ReleaseLine.UNKNOWN if isinstance(self.deployment, Unavailable) else self.deployment.line
        repos = [m.repo for m in models(line) if m.gated and (m.required or line is ReleaseLine.UNKNOWN)]
        if subject in repos:
            repos = [subject]
        return [answer for repo in repos if (answer := self.hub.of(repo))]
