"""Replays: dead letters sent again from the stage that failed, previewed, tracked and waited for."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.rendering import documents_of
from embedmill.console.services.dead_letters import EVERY_LETTER, DeadLetter, publish, require_known
from embedmill.console.services.jobs import JobReport, describe_job
from embedmill.console.services.progress import tell_unstaffed
from embedmill.console.services.reach import in_letters, installation
from embedmill.console.services.replay_cost import EXACT_DOCUMENTS, ReplayCost, estimate_cost, measure_cost
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.working import work_on_job
from embedmill.shared.access.principals import Right
from embedmill.shared.db import dead_letters, replays, tallies
from embedmill.shared.db.dead_letters import StoredLetter
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import get_job
from embedmill.shared.db.replays import OUTCOMES
from embedmill.shared.errors import UserError
from embedmill.shared.letters import DeadAtStage, LetterFilter, Refusal, Replay, RootCause
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import JobState

LOOK_SECONDS = 0.3
MOST_CAUSES = 1000


_Found = tuple[int, tuple[list[Refusal], list[Refusal]], list[RootCause], list[DeadAtStage], list[StoredLetter]]


@dataclass(frozen=True, slots=True)
class ReplayPreview:
    """What a replay would send and leave alone, by root cause and by stage, and what it would cost."""

    would_replay: int
    would_refuse: int
    refused: Sequence[Refusal]
    groups: Sequence[RootCause]
    stages: Sequence[DeadAtStage]
    cost: ReplayCost
    dead_letters: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True)
class Replays:
    """Replays, newest first."""

    replays: Sequence[Replay]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """A replay, None where nothing matched: letters sent again and left alone, their outcomes and their jobs."""

    replay: int | None
    replayed: int
    ids: Sequence[int]
    outcomes: Mapping[str, int]
    refused: Sequence[Refusal]
    jobs: Sequence[JobReport]


@serves("dlq.preview", Right.OPERATE, in_letters(), trace=Trace.NOTHING)
def preview_replay(runtime: Runtime, wanted: LetterFilter = EVERY_LETTER) -> ReplayPreview:
    """What a replay would send, and what it would cost; raises NotFound for a job or collection that there is not."""

    def find(connection: Connection) -> _Found:
        require_known(connection, wanted)
        return (
            dead_letters.count_letters(connection, wanted),
            replays.find_refusals(connection, wanted),
            dead_letters.group_letters(connection, wanted, limit=MOST_CAUSES),
            dead_letters.measure_work(connection, wanted),
            dead_letters.list_letters(connection, wanted, limit=EXACT_DOCUMENTS),
        )

    count, (unfit, hindered), groups, measured, letters = runtime.database.query(find)
    cost = measure_cost(runtime, letters) if count <= len(letters) else estimate_cost(measured)
    return ReplayPreview(
        would_replay=count - len(hindered),
        would_refuse=len(unfit) + len(hindered),
        refused=[*unfit, *hindered],
        groups=groups,
        stages=measured,
        cost=cost,
        dead_letters=[publish(letter) for letter in letters],
    )


@serves("dlq.replay", Right.OPERATE, in_letters(), told=("wanted",))
def replay_letters(
    runtime: Runtime,
    wanted: LetterFilter = EVERY_LETTER,
    *,
    rate: float | None = None,
    work: bool = False,
    wait: bool = False,
    by: str | None = None,
    listener: Listener = NOBODY,
) -> ReplayReport:
    """Send letters again, at most `rate` documents a second; raises NotFound for a job or collection that there is not.

    With `work` their jobs are worked on here until they end, with `wait` workers are waited for until every letter has
    ended; a paused job's letters wait for somebody to resume it. `by` is who asks, for the record.
    """
    runtime.database.query(lambda connection: _require_any(connection, wanted))
    done = replays.replay_letters(runtime.database, wanted, by=by or runtime.principal.name, rate=rate)
    jobs = sorted(done.jobs)
    if work:
        for job in jobs:
            work_on_job(runtime, job, listener)
    else:
        tell_unstaffed(runtime, jobs, listener)
    while wait and _read_outcomes(runtime, done.id)["running"]:
        runtime.require_caller()
        time.sleep(LOOK_SECONDS)
    return ReplayReport(
        replay=done.id,
        replayed=len(done.letters),
        ids=done.letters,
        outcomes=_read_outcomes(runtime, done.id),
        refused=done.refused,
        jobs=[describe_job(runtime, job) for job in jobs],
    )


def _require_any(connection: Connection, wanted: LetterFilter) -> None:
    """Raise NotFound for what there is not, UserError for a job that has nothing to send again any more."""
    require_known(connection, wanted)
    if wanted.job is None or dead_letters.count_letters(connection, wanted):
        return
    closed = dead_letters.list_letters(connection, replace(wanted, resolved=True), limit=1)
    if closed and closed[0].resolution == "discarded":
        raise UserError(
            f"job {wanted.job} has no open dead letter that matches: they were discarded",
            hint="Ingest the source with --retry-dead, which tries again what was discarded, too.",
        )
    job = get_job(connection, wanted.job)
    if job.state is JobState.CANCELLED:
        left = tallies.measure_progress(connection, job).documents["cancelled"]
        raise UserError(
            f"job {job.id} was cancelled with {documents_of(left)} not done, which left no dead letters to replay",
            hint="Ingest the source again: a new job takes what was not done.",
        )


def _read_outcomes(runtime: Runtime, replay: int | None) -> Mapping[str, int]:
    if replay is None:
        return dict.fromkeys(OUTCOMES, 0)
    return runtime.database.query(lambda connection: replays.get_replay(connection, replay)).outcomes


@serves("dlq.replays", Right.OPERATE, installation, trace=Trace.NOTHING)
def list_replays(runtime: Runtime, number: int | None = None, *, limit: int = 100) -> Replays:
    """Replays with what became of their letters, newest first, or one of them; raises NotFound."""

    def find(connection: Connection) -> list[Replay]:
        if number is not None:
            return [replays.get_replay(connection, number)]
        return replays.list_replays(connection, limit=limit)

    return Replays(runtime.database.query(find))
