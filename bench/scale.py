"""The scale benchmark: what the tracking database takes for a batch when a job has a million documents.

`python -m bench scale [--rows 1000000] [--rounds 40] [--database-url postgresql://…]` fills an empty database (SQLite
in a temporary folder by default) and prints p50 and p95 in milliseconds of wall time, commit included.
"""

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from embedmill.shared import stages
from embedmill.shared.addresses import digest
from embedmill.shared.db import (
    claims,
    collections,
    documents,
    jobs,
    leases,
    queueing,
    scan_notes,
    scans,
    settlement,
    submitting,
    tallies,
    waits,
)
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.db.submission import Submission
from embedmill.shared.outcomes import Advance, Complete
from embedmill.shared.states import Result

T = TypeVar("T")

FILL, BATCH, WINDOW = 5000, 256, 2048
RETRY = RetryPolicy(base=1.0, longest=60.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Scale benchmark.")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--database-url", default="", help="an empty database; SQLite in a temporary folder otherwise")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        database = open_database(options.database_url or f"sqlite:///{Path(folder) / 'tracking.db'}")
        for name, value in measure(database, options.rows, rounds=options.rounds):
            print(f"{name:46} {value}", flush=True)
        database.close()


def measure(database: Database, rows: int, *, rounds: int) -> Iterator[tuple[str, str]]:
    """(figure, value) rows."""
    began = time.perf_counter()
    job_id = _fill(database, rows)
    yield f"rows of one job; filled at {rows / (time.perf_counter() - began):,.0f} a second", f"{rows:,}"
    _settle_statistics(database)
    before = _sequential_scans(database)
    took, queued = _Took(), deque[int]()
    for _ in range(rounds):
        _round(database, job_id, queued, took)
    for name, seconds in took.by_name.items():
        p50, p95 = (sorted(seconds)[int(len(seconds) * q)] * 1000 for q in (0.5, 0.95))
        yield f"{name}, p50 / p95 ms (target p95 <= 50)", f"{p50:.1f} / {p95:.1f}"
    if before is not None:
        yield "sequential scans of work meanwhile (target 0)", str((_sequential_scans(database) or 0) - before)
    with database.read() as connection:
        progress = tallies.measure_progress(connection, jobs.get_job(connection, job_id))
    yield "documents counted", f"{progress.documents['total']:,}"


class _Took:
    """Seconds by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, list[float]] = {}

    def __call__(self, name: str, call: Callable[[], T]) -> T:
        began = time.perf_counter()
        result = call()
        self.by_name.setdefault(name, []).append(time.perf_counter() - began)
        return result


def _round(database: Database, job_id: int, queued: deque[int], took: _Took) -> None:
    """What a dispatcher that keeps its window full, two stages of a worker, a rescuer and an operator do."""
    transact, query = database.transact, database.query
    took(
        "plan a dispatch",
        lambda: query(lambda c: (queueing.list_dispatchable(c), queueing.count_ready(c, job_id, limit=WINDOW))),
    )
    while len(queued) < WINDOW:
        ready = took(f"dispatch {BATCH}", lambda: transact(lambda c: queueing.queue_ready(c, job_id, limit=BATCH)))
        queued.extend(entry.id for entry in ready)
    ids = [queued.popleft() for _ in range(BATCH)]
    claim = took(f"claim {BATCH}", lambda: transact(lambda c: _claim(c, "chunk", ids)))
    values = {"chunks_expected": 3, "chunks_ref": "0" * 64 + ":0:100"}
    advance = {item.id: Advance("index", values) for item in claim.items}
    took(f"settle {BATCH}", lambda: transact(lambda c: settlement.settle(c, claim, advance, retry=RETRY)))
    last = transact(lambda c: _claim(c, "index", ids))
    took(f"switch {BATCH}", lambda: transact(lambda c: documents.switch_versions(c, last.token, ids)))
    done = {item.id: Complete(Result.INDEXED) for item in last.items}
    took(f"complete {BATCH}", lambda: transact(lambda c: settlement.settle(c, last, done, retry=RETRY)))
    took("look at leases", lambda: query(leases.find_leases))
    took(
        "look for lost messages",
        lambda: transact(lambda c: queueing.requeue_lost(c, after_seconds=dict.fromkeys(stages.names(), 3600))),
    )
    took("look for jobs that ended", lambda: query(jobs.find_completable))
    took("jobs show", lambda: query(lambda c: _show(c, job_id)))
    took("add up tallies", lambda: transact(tallies.add_up_tallies))


def _claim(connection: Connection, stage: str, ids: Sequence[int]) -> Lease:
    return leases.claim(connection, stage, ids, worker="bench", lease_seconds=600.0)


def _show(connection: Connection, job_id: int) -> object:
    found = jobs.get_job(connection, job_id)
    progress = tallies.measure_progress(connection, found)
    return (
        progress,
        scan_notes.list_notes(connection, job_id, limit=1000),
        waits.list_waiting(connection, jobs.get_job(connection, job_id)),
    )


def _fill(database: Database, rows: int) -> int:
    with database.write() as connection:
        collection = collections.create_collection(
            connection, "bench", settings={"embedding": "hash"}, model="hash", dimensions=8, chunker="1", shards=1
        )
        job_id = jobs.create_job(connection, collection_id=collection.id, identity="bench", sources=[], options={})
        source = scans.open_source(connection, collection_id=collection.id, identity="bench", spec={}).id
        (scan,) = scans.begin_scans(connection, job_id, [source])
    for start in range(0, rows, FILL):
        batch = [_submission(number) for number in range(start, min(start + FILL, rows))]
        with database.write() as connection:
            newest = scans.require_current(connection, scan)
            submitting.submit_batch(connection, batch, job_id=job_id, collection_id=collection.id, max_attempts=3)
            sightings = [claims.Sighting(s.document_id, s.content_hash) for s in batch]
            claims.record_claims(connection, scan, sightings, newest=newest)
    with database.write() as connection:
        jobs.end_enumeration(connection, job_id, held_deletions=0)
    return job_id


def _submission(number: int) -> Submission:
    content = digest("bench", str(number), length=64)
    return Submission(
        document_id=content[:32],
        uri=f"bench:{number}",
        title=f"Document {number}",
        content_hash=content,
        settings_hash="0" * 32,
        version=content[:16],
        size=100,
        origin={"kind": "row", "ref": "0" * 64 + ":0:100", "metadata": {}},
    )


def _settle_statistics(database: Database) -> None:
    """What autovacuum does by itself some time after a table was filled."""
    with database.write() as connection:
        connection.exec_driver_sql("ANALYZE")


def _sequential_scans(database: Database) -> int | None:
    if database.is_sqlite:
        return None
    with database.write() as connection:
        connection.exec_driver_sql("SELECT pg_stat_clear_snapshot()")
        query = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'work'"
        return int(connection.exec_driver_sql(query).scalar_one())


if __name__ == "__main__":
    main()
