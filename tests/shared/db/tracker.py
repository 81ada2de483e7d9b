"""Drives the tracking database as producers, workers and chores do, one transaction a call."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, select, update

from embedmill.shared.addresses import digest, document_id, version_id
from embedmill.shared.db import (
    claims,
    collections,
    documents,
    jobs,
    leases,
    queueing,
    rescues,
    scans,
    settlement,
    submitting,
    tallies,
)
from embedmill.shared.db.claims import Sighting
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.engine import Database
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.rescues import Rescue
from embedmill.shared.db.scans import Scan
from embedmill.shared.db.schema import attempt, document
from embedmill.shared.db.schema import job as job_table
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.db.submission import Submission
from embedmill.shared.db.submitting import SubmittedBatch
from embedmill.shared.outcomes import Advance, Complete, Outcome
from embedmill.shared.states import Result, State

RETRY = RetryPolicy(base=0.02, longest=0.1)
SETTINGS_HASH = digest("settings")


def submission(uri: str, text: str = "text") -> Submission:
    """A document as its source gives it."""
    content_hash = digest(text, length=64)
    return Submission(
        document_id=document_id("default", uri),
        uri=uri,
        title="",
        content_hash=content_hash,
        settings_hash=SETTINGS_HASH,
        version=version_id(content_hash, SETTINGS_HASH),
        size=10,
        origin={"kind": "file", "metadata": {}},
    )


class Tracker:
    """A database with one collection and one source; `job` is the job that calls are about by default."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.collection = self.create_collection("default")
        with database.write() as connection:
            self.source = scans.open_source(
                connection, collection_id=self.collection.id, identity="folder", spec={"kind": "folder"}
            ).id
        self.job = self.create_job()

    def create_collection(self, name: str) -> Collection:
        with self.database.write() as connection:
            return collections.create_collection(
                connection,
                name,
                settings={"embedding": "hash"},
                model="hash",
                dimensions=8,
                chunker="1/384/32",
                shards=1,
            )

    def create_job(self, identity: str = "job") -> int:
        with self.database.write() as connection:
            return jobs.create_job(
                connection, collection_id=self.collection.id, identity=identity, sources=[], options={}
            )

    def submit(
        self,
        uris: Iterable[str],
        *,
        text: str = "text",
        job: int | None = None,
        max_attempts: int = 3,
        passes_over_dead: bool = True,
    ) -> SubmittedBatch:
        with self.database.write() as connection:
            return submitting.submit_batch(
                connection,
                [submission(uri, text) for uri in uris],
                job_id=job or self.job,
                collection_id=self.collection.id,
                max_attempts=max_attempts,
                passes_over_dead=passes_over_dead,
            )

    def scan(self, job: int | None = None, source: int | None = None) -> Scan:
        """Begin to read the source for a job."""
        with self.database.write() as connection:
            return scans.begin_scans(connection, job or self.job, [source or self.source])[0]

    def meet(self, scan: Scan, uris: Iterable[str], *, text: str = "text") -> SubmittedBatch:
        """A batch of a scan, under its fence."""
        met = [submission(uri, text) for uri in uris]
        with self.database.write() as connection:
            newest = scans.require_current(connection, scan)
            done = submitting.submit_batch(
                connection, met, job_id=scan.job_id, collection_id=self.collection.id, max_attempts=3
            )
            sightings = [Sighting(s.document_id, s.content_hash) for s in met]
            claims.record_claims(connection, scan, sightings, newest=newest)
        return done

    def depart(self, scan: Scan) -> int:
        """Let go what a scan did not meet; returns how many documents leave."""
        which = claims.not_met_by(scan)
        with self.database.write() as connection:
            scans.require_current(connection, scan)
            ids = claims.list_claimed(connection, which)
            return claims.end_claims(connection, which, ids, job_id=scan.job_id, max_attempts=3)

    def end_scan(self, job: int | None = None) -> None:
        with self.database.write() as connection:
            jobs.end_enumeration(connection, job or self.job, held_deletions=0)

    def queue(self, *, job: int | None = None, limit: int = 1000) -> list[int]:
        with self.database.write() as connection:
            return [ready.id for ready in queueing.queue_ready(connection, job or self.job, limit=limit)]

    def claim(
        self, ids: Sequence[int], stage: str = "chunk", *, worker: str = "worker", lease_seconds: float = 60.0
    ) -> Lease:
        with self.database.write() as connection:
            return leases.claim(connection, stage, ids, worker=worker, lease_seconds=lease_seconds)

    def claim_each(self, ids: Sequence[int], stage: str = "chunk") -> list[Lease]:
        """Claim each alone, as what was lost in company may always be."""
        return [self.claim([id_], stage) for id_ in ids]

    def take(self, uris: Sequence[str], **options: Any) -> Lease:
        """Submit, queue and claim together."""
        self.submit(uris, **options)
        return self.claim(self.queue())

    def remove_all(self) -> Lease:
        """Claim the removal of all documents, as after a scan that met none of them."""
        job = self.create_job(f"removal {len(self.rows(job_table))}")
        with self.database.write() as connection:
            ids = list(connection.execute(select(document.c.id)).scalars())
            claims.end_claims(connection, claims.of_anybody, ids, job_id=job, max_attempts=3)
        return self.claim(self.queue(job=job), "index")

    def settle(self, claim: Lease, outcomes: Mapping[int, Outcome] | Outcome) -> dict[str, list[int]]:
        if not isinstance(outcomes, Mapping):
            outcomes = {item.id: outcomes for item in claim.items}
        with self.database.write() as connection:
            return settlement.settle(connection, claim, outcomes, retry=RETRY)

    def rescue(self, claim: Lease) -> Rescue:
        with self.database.write() as connection:
            return rescues.rescue(connection, claim.token)

    def rescue_silent(self, claim: Lease) -> Rescue:
        with self.database.write() as connection:
            return rescues.rescue_silent(connection, claim.token)

    def switch(self, claim: Lease) -> dict[str, int]:
        """Returns the active generation of each document whose work is still held."""
        with self.database.write() as connection:
            found = documents.switch_versions(connection, claim.token, [item.id for item in claim.items])
        return {id_: standing.active for id_, standing in found.items()}

    def index(self, claim: Lease) -> None:
        """Bring a claim of the chunk stage to its end: every document is indexed and readers see it."""
        ids = [item.id for item in claim.items]
        self.settle(claim, Advance("index", {"chunks_ref": None, "chunks_expected": 2}))
        last = self.claim(ids, "index")
        self.switch(last)
        self.settle(last, Complete(Result.INDEXED))

    def control(self, function: str, job: int | None = None) -> None:
        with self.database.write() as connection:
            getattr(jobs, function)(connection, job or self.job)

    def complete_jobs(self) -> list[int]:
        with self.database.write() as connection:
            return jobs.complete_jobs(connection)

    def get_job(self, job: int | None = None) -> jobs.Job:
        with self.database.read() as connection:
            return jobs.get_job(connection, job or self.job)

    def progress(self, job: int | None = None) -> tallies.Progress:
        with self.database.read() as connection:
            return tallies.measure_progress(connection, jobs.get_job(connection, job or self.job))

    def row(self, id_: int, table: Table = work_table) -> dict[str, Any]:
        with self.database.read() as connection:
            return dict(connection.execute(select(table).where(table.c.id == id_)).mappings().one())

    def rows(self, table: Table = work_table) -> list[dict[str, Any]]:
        with self.database.read() as connection:
            return [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]

    def states(self, job: int | None = None) -> list[State]:
        return [State(row["state"]) for row in self.rows() if row["job_id"] == (job or self.job)]

    def attempts(self, id_: int) -> list[tuple[int, str]]:
        """(epoch, outcome) of every recorded attempt at a piece of work."""
        rows = [row for row in self.rows(attempt) if row["work_id"] == id_]
        return sorted((row["epoch"], row["outcome"]) for row in rows)

    def write(self, id_: int, table: Table = work_table, **values: Any) -> None:
        """Change a row behind the product's back, as a moved clock or a bug would."""
        with self.database.write() as connection:
            connection.execute(update(table).where(table.c.id == id_).values(**values))

    def write_job(self, **values: Any) -> None:
        self.write(self.job, job_table, **values)
