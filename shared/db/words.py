"""What people wrote: the texts of queries where they are kept, and the reasons of feedback."""

from collections.abc import Callable

from sqlalchemy import Connection, select, update

from embedmill.shared.db.schema import feedback, query_record
from embedmill.shared.db.sealed import FEEDBACK, QUERY, open_sealed


def forget_where(connection: Connection, collection_id: int, is_meant: Callable[[str], bool]) -> int:
    """Forget those of a collection that are meant, sealed or not; returns how many."""
    texts = select(query_record.c.id, query_record.c.text).where(
        query_record.c.collection_id == collection_id, query_record.c.text.is_not(None)
    )
    reasons = (
        select(feedback.c.id, feedback.c.why)
        .join(query_record, query_record.c.id == feedback.c.query_id)
        .where(query_record.c.collection_id == collection_id, feedback.c.why.is_not(None))
    )
    asked = [id for id, text in connection.execute(texts) if is_meant(open_sealed(connection, QUERY, text))]
    told = [id for id, why in connection.execute(reasons) if is_meant(open_sealed(connection, FEEDBACK, why))]
    for id in asked:
        connection.execute(update(query_record).where(query_record.c.id == id).values(text=None))
    for id in told:
        connection.execute(update(feedback).where(feedback.c.id == id).values(why=None))
    return len(asked) + len(told)
