"""Messages that no consumer could read: kept, counted, shown, discarded for a reason."""

import hashlib
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, func, select, update

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import unreadable_message
from embedmill.shared.errors import NotFound
from embedmill.shared.letters import KeptMessage

# What is kept of a body; a message of our own is never longer.
MAX_BODY_BYTES = 8 * 1024


def record(connection: Connection, *, queue: str, reason: str, body: str, headers: Mapping[str, Any]) -> None:
    """Keep a message; one with the same queue, reason and body that is kept already is counted instead."""
    query = insert_or(connection, unreadable_message).values(
        queue=queue,
        reason=reason,
        digest=_digest(queue, reason, body),
        body=_cut(body),
        headers=dict(headers),
        times=1,
        received_at=clock(),
        last_received_at=clock(),
    )
    query = query.on_conflict_do_update(
        index_elements=[unreadable_message.c.digest],
        index_where=unreadable_message.c.resolved_at.is_(None),
        set_={"times": unreadable_message.c.times + 1, "last_received_at": clock()},
    )
    connection.execute(query)


def list_messages(connection: Connection, *, include_resolved: bool = False, limit: int = 100) -> list[KeptMessage]:
    """Kept messages, newest first."""
    query = select(unreadable_message).order_by(unreadable_message.c.id.desc()).limit(limit)
    if not include_resolved:
        query = query.where(unreadable_message.c.resolved_at.is_(None))
    return [KeptMessage(**row._mapping) for row in connection.execute(query)]


def count_messages(connection: Connection) -> int:
    """How many kept messages nobody has looked after yet."""
    query = select(func.count()).where(unreadable_message.c.resolved_at.is_(None))
    return connection.execute(query).scalar_one()


def show_message(connection: Connection, message_id: int) -> KeptMessage:
    """One kept message; raises NotFound."""
    row = connection.execute(select(unreadable_message).where(unreadable_message.c.id == message_id)).first()
    if row is None:
        raise NotFound(f"no unreadable message {message_id}", hint="embedmill dlq list")
    return KeptMessage(**row._mapping)


def discard_message(connection: Connection, message_id: int, *, reason: str) -> None:
    """Give a kept message up, for a reason; raises NotFound when it is not there or was given up before."""
    query = (
        update(unreadable_message)
        .where(unreadable_message.c.id == message_id, unreadable_message.c.resolved_at.is_(None))
        .values(resolved_at=clock(), resolution="discarded", resolution_reason=reason)
    )
    if not connection.execute(query).rowcount:
        raise NotFound(f"no unreadable message {message_id} to discard", hint="embedmill dlq list")


def _digest(queue: str, reason: str, body: str) -> str:
    return hashlib.sha256(f"{queue}\0{reason}\0{body}".encode(errors="surrogatepass")).hexdigest()


def _cut(body: str) -> str:
    """The first 8 KB, without NUL characters, which Postgres does not store."""
    kept = body.replace("\0", "\ufffd").encode(errors="replace")[:MAX_BODY_BYTES]
    return kept.decode(errors="ignore")
