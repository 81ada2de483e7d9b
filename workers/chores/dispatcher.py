"""The dispatcher: moves ready work into the queues up to a high-water mark, fairly across jobs."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.db import jobs, work
from shared.db.engine import Database
from shared.db.pools import count_slots
from shared.db.work import Ready
from shared.messages import BatchMessage
from shared.settings import Settings
from shared.states import Stage


@dataclass(frozen=True, slots=True)
class Share:
    """How many documents of a job may be sent now."""

    job_id: int
    documents: int


def dispatch(database: Database, settings: Settings) -> list[BatchMessage]:
    """Mark ready work as queued and return the messages to publish, now that it is committed."""
    shares = _plan(database, settings)
    if not shares:
        return []
    with database.read() as connection:
        slots = count_slots(connection, silent_seconds=settings.silent_seconds)
    messages: list[BatchMessage] = []
    for share in shares:
        messages.extend(pack(_queue(database, share), settings, slots))
    return messages


def _queue(database: Database, share: Share) -> list[Ready]:
    return database.transact(lambda connection: work.queue_ready(connection, share.job_id, limit=share.documents))


def _plan(database: Database, settings: Settings) -> list[Share]:
    with database.read() as connection:
        open_jobs = jobs.list_dispatchable(connection)
        if not open_jobs:
            return []
        out = work.count_queued(connection)
        room = settings.high_water - out
        if room <= 0:
            return []
        counts = {job_id: work.count_ready(connection, job_id, limit=room) for job_id, _, _ in open_jobs}
    # A job that is still being scanned waits for a full batch, unless the workers have nothing else to do.
    worth = {
        job_id: weight
        for job_id, weight, enumerated in open_jobs
        if counts[job_id] and (enumerated or out == 0 or counts[job_id] >= settings.batch_documents)
    }
    return [Share(job_id, share) for job_id, share in divide(room, worth, counts).items() if share]


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


def pack(ready: Sequence[Ready], settings: Settings, slots: Mapping[Stage, int]) -> list[BatchMessage]:
    """Cut ready work into messages: by stage, by tokens and count, even over the stage's slots; suspects travel alone.

    Where nobody serves a stage yet, as at the start of a command, its workers will be as many as are set.
    """
    messages = [BatchMessage(r.stage, (r.id,), alone=True) for r in ready if r.suspect]
    for stage in Stage:
        trusted = [r for r in ready if r.stage == stage and not r.suspect]
        parts = slots.get(stage) or settings.worker_count
        most = min(settings.batch_documents, max(1, math.ceil(len(trusted) / parts)))
        messages.extend(BatchMessage(stage, tuple(r.id for r in batch)) for batch in _cut(trusted, most, settings))
    return messages


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
