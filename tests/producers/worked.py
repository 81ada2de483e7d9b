"""How the work of a random walk is done: claimed, ended by what stages would write, and settled."""

from hashlib import sha256
from pathlib import Path

from sqlalchemy import select

from embedmill.shared.addresses import version_id
from embedmill.shared.buckets.names import BucketPlace, ObjectState
from embedmill.shared.db import leases, queueing, settlement
from embedmill.shared.db.documents import Generations, find_read_versions, switch_versions
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.leases import Lease, WorkItem
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.errors import SourceGone
from embedmill.shared.loading.objects import read_object
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Return
from embedmill.shared.states import Result, State
from embedmill.shared.uris import uri_to_path
from tests.producers.memory_bucket import MemoryBucket
from tests.shared.db.tracker import RETRY


class WalkedWork:
    """The workers of a walk, which are none."""

    database: Database
    bucket: MemoryBucket
    settings_hash: str
    held: list[Lease]

    def claim(self, job_id: int, *, limit: int) -> bool:
        with self.database.write() as connection:
            queueing.queue_ready(connection, job_id, limit=limit)
            queued = select(work_table.c.id, work_table.c.stage).where(
                work_table.c.job_id == job_id, work_table.c.state == State.QUEUED
            )
            rows = connection.execute(queued.order_by(work_table.c.id).limit(limit)).all()
            for stage in {row.stage for row in rows}:
                ids = [row.id for row in rows if row.stage == stage]
                self.take(connection, stage, ids)
                # Who is a suspect is taken in no company.
                for id_ in {*ids} - {item.id for held in self.held for item in held.items}:
                    self.take(connection, stage, [id_])
        return bool(rows)

    def take(self, connection: Connection, stage: str, ids: list[int]) -> None:
        taken = leases.claim(connection, stage, ids, worker="worker", lease_seconds=60.0)
        if taken.items:
            self.held.append(taken)

    def finish(self, held: Lease) -> None:
        """What the stages write; a worker whose lease was lost comes here too."""
        if held.stage == "chunk":
            self.settle_claim(held, {item.id: self.chunk(item) for item in held.items})
            return
        with self.database.write() as connection:
            found = switch_versions(connection, held.token, [item.id for item in held.items])
        mine = [item for item in held.items if item.document_id in found]
        self.settle_claim(held, {item.id: conclude(item, found[item.document_id]) for item in mine})

    def settle_claim(self, held: Lease, outcomes: dict[int, Outcome]) -> None:
        with self.database.write() as connection:
            settlement.settle(connection, held, outcomes, retry=RETRY)

    def chunk(self, item: WorkItem) -> Outcome:
        if item.origin["kind"] == "s3":
            return self.chunk_object(item)
        if item.origin["kind"] != "file":
            return Advance("index", {"chunks_expected": 1})
        path = Path(uri_to_path(item.uri).decode())
        if not path.exists():
            return Fail(SourceGone("it is gone"))
        content = sha256(path.read_bytes()).hexdigest()
        version = version_id(content, self.settings_hash)
        return Advance("index", {"chunks_expected": 1, "content_hash": content, "version": version})

    def chunk_object(self, item: WorkItem) -> Outcome:
        """As the chunk stage does: what was read in another state and is as it was is unchanged."""
        state = ObjectState.read(item.origin["state"])
        try:
            data, found = read_object(self.bucket, BucketPlace.parse(item.uri), state, most=1000)
        except SourceGone as error:
            return Fail(error)
        content = sha256(data).hexdigest()
        version = version_id(content, self.settings_hash)
        with self.database.read() as connection:
            indexed = find_read_versions(connection, [item.document_id]).get(item.document_id)
        if not item.content_hash and indexed and indexed.version == version:
            return Complete(Result.UNCHANGED, state=str(found))
        read = {"chunks_expected": 1, "content_hash": content, "version": version, "source_state": str(found)}
        return Advance("index", read)


def conclude(item: WorkItem, standing: Generations) -> Outcome:
    """As the index stage ends its work (workers.stages.index)."""
    if item.deletes and standing.active < item.generation < standing.newest:
        return Complete(Result.SUPERSEDED)
    if standing.active < item.generation:
        return Return()
    if standing.active > item.generation:
        return Complete(Result.SUPERSEDED)
    return Complete(Result.DELETED if item.deletes else Result.INDEXED)
