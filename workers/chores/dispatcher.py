"""The dispatcher: moves ready work into the queues, as much as keeps the workers busy, fairly across jobs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from embedmill.shared import stages
from embedmill.shared.db import queueing
from embedmill.shared.db.engine import Database
from embedmill.shared.db.pools import count_slots
from embedmill.shared.db.queueing import Ready
from embedmill.shared.settings import Settings
from embedmill.workers.messages import BatchMessage

# Batches that may be out for each place that works on one: one in hand, and one that waits for it.
BATCHES_OUT = 2
# A batch of fewer tokens is not made smaller for the sake of evenness: to claim and settle one takes longer than to
# chunk it, a model is asked for several documents in one call, and a worker process that starts for it costs seconds.
EVEN_TOKENS = 2000


@dataclass(frozen=True, slots=True)
class Demand:
    """What an open job has out and could send, and how urgent it is: higher priority first, weight within it."""

    job_id: int
    priority: int
    weight: int
    out: int
    ready: int


@dataclass(frozen=True, slots=True)
class Share:
    """How many documents of a job may be sent now, and how many that could be sent stay behind."""

    job_id: int
    documents: int
    behind: int


def dispatch(database: Database, settings: Settings) -> list[BatchMessage]:
    """Mark ready work as queued and return the messages to publish, now that it is committed."""
    shares, slots = _plan(database, settings)
    messages: list[BatchMessage] = []
    for share in shares:
        messages.extend(pack(_queue(database, share, settings.batch_documents), settings, slots, behind=share.behind))
    return messages


def _queue(database: Database, share: Share, batch: int) -> list[Ready]:
    """In transactions of one batch, so that no worker that claims or settles waits long for the dispatcher's locks."""
    ready: list[Ready] = []
    while len(ready) < share.documents:
        limit = min(batch, share.documents - len(ready))
        part = database.transact(partial(queueing.queue_ready, job_id=share.job_id, limit=limit))
        ready += part
        if len(part) < limit:
            break
    return ready


def _plan(database: Database, settings: Settings) -> tuple[list[Share], Mapping[str, int]]:
    """What each job may send, and for how many slots by queue."""
    with database.read() as connection:
        open_jobs = queueing.list_dispatchable(connection)
        if not open_jobs:
            return [], {}
        slots = count_slots(connection, silent_seconds=settings.silent_seconds)
        window = size_window(settings, slots=slots.there)
        if len(open_jobs) == 1 and open_jobs[0].out >= window:
            # Who is alone has all of the window: nothing has to be counted to tell that there is no room.
            return [], slots.meant
        ready = {found.id: queueing.count_ready(connection, found.id, limit=window) for found in open_jobs}
    is_idle = not any(found.out for found in open_jobs)
    batch = min(settings.batch_documents, window)
    # A job that is still being scanned waits for a full batch, unless the workers have nothing else to do.
    demands = [
        Demand(
            job_id=found.id,
            priority=found.priority,
            weight=found.weight,
            out=found.out,
            ready=ready[found.id] if found.enumerated or is_idle or ready[found.id] >= batch else 0,
        )
        for found in open_jobs
    ]
    sends = share_out(window, demands, batch=batch)
    shares = [Share(d.job_id, sends[d.job_id], d.ready - sends[d.job_id]) for d in demands if sends[d.job_id]]
    return shares, slots.meant


def size_window(settings: Settings, *, slots: int) -> int:
    """Documents that should be out: enough to keep `slots` busy, so few that a new job's are soon at the front.

    A broker's queue is first come, first served; what is in front of a message cannot be overtaken any more.
    """
    return min(settings.high_water, BATCHES_OUT * (slots or settings.worker_count) * settings.batch_documents)


def share_out(window: int, demands: Sequence[Demand], *, batch: int) -> dict[int, int]:
    """How many documents each job may send now.

    A higher priority is served first, and what it leaves of the window is for the next one. Within a priority each
    job is entitled to its share of the window by weight, also while another job has filled it: so what is out may
    exceed the window for a moment, and a small job starts at once. A job that is held back by its share waits until
    a whole batch has room, or batches would become ever smaller.
    """
    sends: dict[int, int] = {}
    left = window
    for _, group in groupby(sorted(demands, key=lambda d: -d.priority), key=lambda d: d.priority):
        members = list(group)
        shares = divide(left, {d.job_id: d.weight for d in members}, {d.job_id: d.out + d.ready for d in members})
        for d in members:
            entitled = max(shares[d.job_id], int(left > 0)) - d.out
            sends[d.job_id] = _whole(min(d.ready, max(0, entitled)), d, batch=batch)
        left = max(0, left - sum(d.out + sends[d.job_id] for d in members))
    return sends


def _whole(documents: int, demand: Demand, *, batch: int) -> int:
    return 0 if demand.out and documents < min(batch, demand.ready) else documents


def divide(room: int, weights: dict[int, int], counts: dict[int, int]) -> dict[int, int]:
    """Split `room` by weight; what a small job leaves goes to the others."""
    shares = dict.fromkeys(weights, 0)
    hungry = dict(weights)
    while room > 0 and hungry:
        total = sum(hungry.values())
        given = 0
        for job_id, weight in sorted(hungry.items()):
            part = min(max(1, room * weight // total), counts[job_id] - shares[job_id], room - given)
            shares[job_id] += part
            given += part
        hungry = {job_id: weight for job_id, weight in hungry.items() if shares[job_id] < counts[job_id]}
        room -= given
        if not given:
            break
    return shares


def pack(
    ready: Sequence[Ready], settings: Settings, slots: Mapping[str, int], *, behind: int = 0
) -> list[BatchMessage]:
    """Cut ready work into messages: by stage, by tokens and count, what is worth it even over the stage's slots.

    Suspects travel among themselves. Where nobody serves a stage yet, as at the start of a command, its workers will
    be as many as are set. `behind` is what will follow: with plenty of it no batch is made small for the sake of
    evenness.
    """
    messages = list(_quarantine([r for r in ready if r.company], settings))
    for stage in stages.names():
        trusted = [r for r in ready if r.stage == stage and not r.company]
        size = sum(r.size for r in trusted)
        parts = min(slots.get(stage) or settings.worker_count, max(1, size // EVEN_TOKENS))
        most = min(settings.batch_documents, max(1, math.ceil((len(trusted) + behind) / parts)))
        messages.extend(BatchMessage(stage, tuple(r.id for r in batch)) for batch in _cut(trusted, most, settings))
    return messages


def _quarantine(suspects: Iterable[Ready], settings: Settings) -> Iterator[BatchMessage]:
    """Suspects in the company that they may be in, and never in more: the largest groups, soonest cleared, first."""

    def group_of(entry: Ready) -> tuple[str, int]:
        return entry.stage, -(entry.company or 1)

    for (stage, company), group in groupby(sorted(suspects, key=group_of), key=group_of):
        for batch in _cut(group, min(-company, settings.batch_documents), settings):
            yield BatchMessage(stage, tuple(r.id for r in batch), alone=True)


def _cut(ready: Iterable[Ready], most: int, settings: Settings) -> Iterator[list[Ready]]:
    batch: list[Ready] = []
    size = 0
    for entry in ready:
        if batch and (len(batch) >= most or size + entry.size > settings.batch_tokens):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch
