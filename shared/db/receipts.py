"""Receipts of transactions on Postgres (see `embedmill.shared.db.engine`)."""

from sqlalchemy import Connection, delete

from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import receipt


def forget_receipts(connection: Connection, *, older_than_seconds: float) -> int:
    """Remove receipts of sessions that ended long ago; returns how many."""
    query = delete(receipt).where(receipt.c.written_at < clock() - older_than_seconds)
    return connection.execute(query).rowcount
