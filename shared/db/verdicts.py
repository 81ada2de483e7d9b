"""Verdicts by content address, and who is getting which at this moment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Text,
    cast,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    update,
)

from embedmill.shared.caches.embeddings import TOUCH_SECONDS, CacheEntry, Size, choose
from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import cache_damage, review, verdict, verdict_hold
from embedmill.shared.paging import pages

VERDICT = "verdict"
DROPPED = '{"dropped": "damaged"}'
"""In the place of a verdict that could not be read back, until there is a new one."""
MADE_ANEW = ("model", "prompt_name", "prompt_hash", "source", "body", "created_at", "used_at")
PAGE = 500
# As text, because what was damaged may be no JSON any more.
_stored: ColumnElement[str] = cast(verdict.c.body, Text)
_LENGTH = func.length(_stored)
_IS_DROPPED = _stored == DROPPED
# A hold that ends later than this was made by a clock that has since been put back.
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict's JSON as it was stored, perhaps damaged since; and what a person has decided about it, if anybody."""

    text: str
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class VerdictOrigin:
    """Who gave a verdict: the model and the prompt it was asked with."""

    model: str
    prompt_name: str
    prompt_hash: str


def find_verdicts(connection: Connection, addresses: Sequence[str]) -> dict[str, StoredVerdict]:
    """The verdicts that are known."""
    found: dict[str, StoredVerdict] = {}
    for part in pages(addresses, PAGE):
        query = select(verdict.c.address, _stored.label("text"), verdict.c.decision)
        query = query.where(verdict.c.address.in_(part), ~_IS_DROPPED)
        found |= {row.address: StoredVerdict(row.text, row.decision) for row in connection.execute(query)}
    return found


def drop_verdicts(connection: Connection, damaged: Mapping[str, str]) -> int:
    """Drop verdicts that are still stored as these texts, and count them; what a person has decided stays."""
    dropped = 0
    for address, text in sorted(damaged.items()):
        query = update(verdict).where(verdict.c.address == address, _stored == text)
        dropped += connection.execute(query.values(body=literal_column(f"'{DROPPED}'"))).rowcount
    if dropped:
        count = insert_or(connection, cache_damage).values(kind=VERDICT, entries=dropped)
        count = count.on_conflict_do_update(
            index_elements=[cache_damage.c.kind], set_={"entries": cache_damage.c.entries + count.excluded.entries}
        )
        connection.execute(count)
    return dropped


def count_damaged_verdicts(connection: Connection) -> int:
    """How many were dropped since the beginning."""
    return int(connection.execute(select(func.coalesce(func.sum(cache_damage.c.entries), 0))).scalar_one())


def find_stale_verdicts(connection: Connection, addresses: Sequence[str]) -> list[str]:
    """Those whose last use is noted as so long ago that this one has to be noted."""
    stale = verdict.c.used_at < clock() - literal(TOUCH_SECONDS)
    found: list[str] = []
    for part in pages(addresses, PAGE):
        found += connection.execute(select(verdict.c.address).where(verdict.c.address.in_(part), stale)).scalars()
    return sorted(found)


def touch_verdicts(connection: Connection, addresses: Sequence[str]) -> None:
    """Note that verdicts were used."""
    for part in pages(addresses, PAGE):
        connection.execute(update(verdict).where(verdict.c.address.in_(part)).values(used_at=clock()))


def measure_verdicts(connection: Connection) -> Size:
    """How many there are, and the length of their bodies."""
    row = connection.execute(select(func.count(), func.sum(_LENGTH)).select_from(verdict).where(~_IS_DROPPED)).one()
    return Size(int(row[0]), int(row[1] or 0))


def evict_verdicts(connection: Connection, *, unused_seconds: float, freeing: int | None, limit: int) -> Size:
    """Remove the longest unused; what a person has decided about, or is to decide about, stays."""
    is_reviewed = exists().where(review.c.address == verdict.c.address, review.c.resolved_at.is_(None))
    query = (
        select(verdict.c.address, _LENGTH.label("bytes"))
        .where(verdict.c.used_at <= clock() - literal(unused_seconds), verdict.c.decision.is_(None), ~is_reviewed)
        .order_by(verdict.c.used_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    oldest = (CacheEntry(row.address.encode(), VERDICT, row.bytes) for row in connection.execute(query))
    chosen = choose(oldest, freeing)
    for part in pages([entry.address.decode() for entry in chosen], PAGE):
        connection.execute(delete(verdict).where(verdict.c.address.in_(part)))
    return sum((Size(1, entry.bytes) for entry in chosen), Size())


def store_verdicts(connection: Connection, bodies: Mapping[str, Mapping[str, Any]], *, origin: VerdictOrigin) -> None:
    """Store verdicts and end the holds on them; an address that is known already keeps its verdict.

    One whose verdict was dropped gets the new one, and keeps what a person has decided.
    """
    if not bodies:
        return
    rows = [{"address": address, "source": body["source"], "body": dict(body)} for address, body in bodies.items()]
    query = insert_or(connection, verdict).values(
        model=origin.model,
        prompt_name=origin.prompt_name,
        prompt_hash=origin.prompt_hash,
        created_at=clock(),
        used_at=clock(),
    )
    anew = {name: query.excluded[name] for name in MADE_ANEW}
    query = query.on_conflict_do_update(index_elements=[verdict.c.address], set_=anew, where=_IS_DROPPED)
    connection.execute(query, sorted(rows, key=lambda row: row["address"]))
    for part in pages(sorted(bodies), PAGE):
        connection.execute(delete(verdict_hold).where(verdict_hold.c.address.in_(part)))


def hold_verdicts(connection: Connection, addresses: Sequence[str], *, owner: str, seconds: float) -> set[str]:
    """Those of the addresses that `owner` is to ask about now: nobody has asked or is asking."""
    known = find_verdicts(connection, addresses)
    wanted = sorted(set(addresses) - known.keys())
    query = insert_or(connection, verdict_hold).values(owner=owner, until=clock() + seconds)
    query = query.on_conflict_do_update(
        index_elements=[verdict_hold.c.address],
        set_={"owner": query.excluded.owner, "until": query.excluded.until},
        where=or_(
            verdict_hold.c.until < clock(),
            verdict_hold.c.until > clock() + literal(LONGEST_SECONDS),
            verdict_hold.c.owner == owner,
        ),
    )
    if wanted:
        connection.execute(query, [{"address": address} for address in wanted])
    mine = {address for address, holder in _holders(connection, wanted) if holder == owner}
    # A statement of its own, after the holds are ours: it sees what was stored while they were waited for.
    stored = find_verdicts(connection, sorted(mine)).keys()
    for part in pages(sorted(stored), PAGE):
        connection.execute(delete(verdict_hold).where(verdict_hold.c.address.in_(part)))
    return mine - stored


def find_verdict_holders(connection: Connection, addresses: Sequence[str]) -> set[str]:
    """Who holds any of the addresses."""
    return {holder for _, holder in _holders(connection, addresses)}


def release_verdicts(connection: Connection, owner: str) -> None:
    """Give up what an owner holds and has not stored."""
    connection.execute(delete(verdict_hold).where(verdict_hold.c.owner == owner))


def _holders(connection: Connection, addresses: Sequence[str]) -> Iterator[tuple[str, str]]:
    for part in pages(addresses, PAGE):
        query = select(verdict_hold.c.address, verdict_hold.c.owner).where(verdict_hold.c.address.in_(part))
        yield from ((row.address, row.owner) for row in connection.execute(query))
