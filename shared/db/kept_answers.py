"""What models answered about queries, and whole results: sealed, kept for a time, and gone with what they rest on.

Grades of passages, and what a question was divided into, rest on their own words. Results and answers rest on what
readers see of a collection: they are kept with the number of its changes (shared.db.collection_changes).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, func, or_, select

from embedmill.shared.caches.embeddings import Size
from embedmill.shared.db import presence
from embedmill.shared.db.bulk import among, insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import chore, collection_change, kept_answer
from embedmill.shared.paging import pages

GRADE, PLAN, RESULT, ANSWER = KEPT_KINDS = ("grade", "plan", "result", "answer")
PAGE = 500
MAKING = "answer-"
"""Before an address, in the name of the lease of whoever makes what will be kept there."""
FILLED_TO = 0.9
"""Where there is too much, the oldest go until so much of the room is filled."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """A sealed answer, and what had to be paid for it."""

    content: bytes
    tokens: int = 0
    microusd: int = 0


@dataclass(frozen=True, slots=True)
class AnswerOrigin:
    """Of which kind answers are, who gave them with which prompt, and of which collection at which of its changes."""

    kind: str
    model: str = ""
    prompt_hash: str = ""
    collection_id: int | None = None
    changes: int | None = None


def find_kept(connection: Connection, addresses: Sequence[str], *, younger_than: float) -> dict[str, KeptAnswer]:
    """Those that are there and not too old, in seconds; 0 takes those of any age."""
    columns = (kept_answer.c.address, kept_answer.c.content, kept_answer.c.tokens, kept_answer.c.microusd)
    found: dict[str, KeptAnswer] = {}
    for part in pages(addresses, PAGE):
        query = select(*columns).where(among(connection, kept_answer.c.address, part))
        if younger_than:
            query = query.where(kept_answer.c.created_at > clock() - younger_than)
        found |= {row.address: KeptAnswer(row.content, row.tokens, row.microusd) for row in connection.execute(query)}
    return found


def store_kept(connection: Connection, answers: Mapping[str, KeptAnswer], origin: AnswerOrigin) -> None:
    """Keep answers in the place of older ones; what the collection's changes have left behind goes at once."""
    if origin.collection_id is not None:
        of_it = (kept_answer.c.collection_id == origin.collection_id, kept_answer.c.changes < origin.changes)
        connection.execute(delete(kept_answer).where(*of_it))
    rows = [_row(address, kept, origin) for address, kept in sorted(answers.items())]
    connection.execute(delete(kept_answer).where(among(connection, kept_answer.c.address, sorted(answers))))
    make = insert_or(connection, kept_answer).values(created_at=clock())
    connection.execute(make.on_conflict_do_nothing(index_elements=[kept_answer.c.address]), rows)


def _row(address: str, kept: KeptAnswer, origin: AnswerOrigin) -> dict[str, Any]:
    return {
        "address": address,
        "kind": origin.kind,
        "model": origin.model,
        "prompt_hash": origin.prompt_hash,
        "collection_id": origin.collection_id,
        "changes": origin.changes,
        "content": kept.content,
        "bytes": len(kept.content),
        "tokens": kept.tokens,
        "microusd": kept.microusd,
    }


def begin_making(
    connection: Connection, address: str, *, holder: str, seconds: float, is_gone: Callable[[str], bool | None]
) -> bool:
    """Whether `holder` is to make what will be kept there, for so long; one who is known to be gone makes nothing."""
    return presence.seize_chore(connection, MAKING + address, holder=holder, seconds=seconds, is_gone=is_gone)


def find_maker(connection: Connection, address: str) -> str | None:
    """Who makes at this moment what will be kept there."""
    return presence.find_chore_holder(connection, MAKING + address)


def end_making(connection: Connection, address: str, *, holder: str) -> None:
    """Let others make it, where it was not kept."""
    presence.free_chore(connection, MAKING + address, holder=holder)


def forget_makers(connection: Connection) -> int:
    """Remove the leases of those who ended in the midst of making something; returns how many."""
    lapsed = (chore.c.name.startswith(MAKING, autoescape=True), chore.c.lease_until < clock())
    return connection.execute(delete(chore).where(*lapsed)).rowcount


def forget_outdated(connection: Connection, keep_seconds: Mapping[str, float], *, limit: int) -> dict[str, Size]:
    """Remove some that are too old for their kind, 0 meaning never, or whose collection has changed; by kind."""
    now = (
        select(func.coalesce(func.sum(collection_change.c.changes), 0))
        .where(collection_change.c.collection_id == kept_answer.c.collection_id)
        .scalar_subquery()
    )
    ages = [
        and_(kept_answer.c.kind == kind, kept_answer.c.created_at <= clock() - seconds)
        for kind, seconds in keep_seconds.items()
        if seconds
    ]
    return _forget(connection, or_(kept_answer.c.changes < now, *ages), limit=limit)


def forget_beyond(connection: Connection, most_bytes: int, *, limit: int) -> dict[str, Size]:
    """Remove some of the oldest where all of them take more room than that, in bytes; 0 is no limit."""
    excess = sum(size.bytes for size in measure_kept(connection).values()) - most_bytes
    if not most_bytes or excess <= 0:
        return {}
    oldest = select(kept_answer.c.address, kept_answer.c.bytes).order_by(kept_answer.c.created_at).limit(limit)
    chosen: list[str] = []
    left = excess + (1 - FILLED_TO) * most_bytes
    for row in connection.execute(oldest):
        if left <= 0:
            break
        chosen.append(row.address)
        left -= row.bytes
    return _forget(connection, among(connection, kept_answer.c.address, chosen), limit=limit)


def forget_all(connection: Connection, *, limit: int) -> dict[str, Size]:
    """Remove some, whatever they are."""
    return _forget(connection, kept_answer.c.bytes >= 0, limit=limit)


def measure_kept(connection: Connection) -> dict[str, Size]:
    """How many there are of each kind, and how large they are."""
    columns = (kept_answer.c.kind, func.count(), func.sum(kept_answer.c.bytes))
    return {row[0]: Size(int(row[1]), int(row[2])) for row in connection.execute(select(*columns).group_by(columns[0]))}


def _forget(connection: Connection, which: ColumnElement[bool], *, limit: int) -> dict[str, Size]:
    some = select(kept_answer.c.address).where(which).limit(limit).scalar_subquery()
    gone = delete(kept_answer).where(kept_answer.c.address.in_(some))
    return _add_up(connection.execute(gone.returning(kept_answer.c.kind, kept_answer.c.bytes)).all())


def _add_up(rows: Iterable[Any]) -> dict[str, Size]:
    gone: dict[str, Size] = {}
    for row in rows:
        gone[row.kind] = gone.get(row.kind, Size()) + Size(1, row.bytes)
    return gone
