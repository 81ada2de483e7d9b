"""In which collection something is that goes by a number."""

from sqlalchemy import Connection, select

from embedmill.shared.db.schema import collection, dead_letter, job, query_record, work


def find_job_collection(connection: Connection, job_id: int) -> str | None:
    """The collection of a job, by name; None where there is no such job."""
    query = select(collection.c.name).join_from(job, collection, collection.c.id == job.c.collection_id)
    return connection.execute(query.where(job.c.id == job_id)).scalar()


def find_letter_collection(connection: Connection, number: int) -> str | None:
    """The same of a dead letter."""
    query = (
        select(collection.c.name)
        .join_from(dead_letter, work, work.c.id == dead_letter.c.work_id)
        .join(job, job.c.id == work.c.job_id)
        .join(collection, collection.c.id == job.c.collection_id)
    )
    return connection.execute(query.where(dead_letter.c.id == number)).scalar()


def find_result_collection(connection: Connection, result: str) -> str | None:
    """The same of a result of a search."""
    query = select(collection.c.name).join_from(
        query_record, collection, collection.c.id == query_record.c.collection_id
    )
    return connection.execute(query.where(query_record.c.id == result)).scalar()
