"""What vendors were given of documents that are erased: batches that are still there, and who was asked at all."""

from collections.abc import Sequence

from sqlalchemy import Connection, func, select, update

from embedmill.shared.db.bulk import among
from embedmill.shared.db.schema import bulk_batch, bulk_entry, usage
from embedmill.shared.ledger import FREE_PROVIDERS, BulkState


def find_open_batches(connection: Connection, ids: Sequence[str]) -> list[int]:
    """Batches that hold texts of documents and that their vendor may still have."""
    query = (
        select(bulk_batch.c.id)
        .distinct()
        .join(bulk_entry, bulk_entry.c.batch_id == bulk_batch.c.id)
        .where(among(connection, bulk_entry.c.document_id, ids), bulk_batch.c.ended_at.is_(None))
    )
    return list(connection.execute(query).scalars())


def count_open(connection: Connection, batches: Sequence[int]) -> int:
    """How many of some batches are not deleted at their vendor yet."""
    query = select(func.count()).select_from(bulk_batch)
    found = query.where(among(connection, bulk_batch.c.id, list(batches)), bulk_batch.c.ended_at.is_(None))
    return int(connection.execute(found).scalar_one()) if batches else 0


def find_items(connection: Connection, ids: Sequence[str]) -> list[int]:
    """The items of the batch lane that documents asked for first."""
    query = select(bulk_entry.c.id).where(among(connection, bulk_entry.c.document_id, ids))
    return list(connection.execute(query).scalars())


def reopen(connection: Connection, items: Sequence[int]) -> None:
    """Have items count as not sent, whatever became of them, so that they can be dropped."""
    values = {"state": BulkState.WANTED, "batch_id": None, "error_class": None, "error": None}
    here = among(connection, bulk_entry.c.id, list(items))
    connection.execute(update(bulk_entry).where(here).values(**values))


def find_asked(connection: Connection, jobs: Sequence[int]) -> set[str]:
    """The vendors that jobs paid for."""
    query = select(usage.c.provider).distinct().where(among(connection, usage.c.job_id, list(jobs)))
    return set(connection.execute(query).scalars()) - FREE_PROVIDERS if jobs else set()
