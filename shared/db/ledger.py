"""The ledger: a row for every provider call, reserved against every budget before the call and settled after it.

A reservation locks the budgets that it concerns in the order of their numbers, compares, and adds itself to all of them
or to none, in one transaction: what is spent and reserved never passes a limit, whoever else reserves at that moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    insert,
    or_,
    select,
    update,
)

from embedmill.shared.db import budgets
from embedmill.shared.db.budgets import Budget
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import is_literally, usage
from embedmill.shared.errors import UnknownPrice
from embedmill.shared.ledger import FREE, NO_TOKENS, BudgetScope, Entry, EntryState, Lane, Tokens

# A call that has not ended after this long never will: whoever made it is gone.
LONGEST_CALL_SECONDS = 3600.0


def columns_of(entry: Entry) -> dict[str, Any]:
    """The values of an entry's row."""
    used = entry.usage
    return {
        "job_id": used.job_id,
        "collection_id": used.collection_id,
        "documents": list(used.documents) or None,
        "provider": used.provider,
        "model": used.model,
        "operation": used.purpose or used.operation,
        "lane": used.lane,
        "inputs": used.inputs,
        "cached": entry.cached,
        "cached_tokens": entry.cached_tokens,
        **token_columns(used.tokens),
        "milliunits": used.milliunits,
        "price": entry.price,
        "cost_microusd": entry.cost_microusd,
        "cache_saved_microusd": entry.cache_saved_microusd,
        "lane_saved_microusd": entry.lane_saved_microusd,
        "request_id": entry.request_id,
        "owner": entry.owner,
    }


def token_columns(tokens: Tokens) -> dict[str, int]:
    """Tokens as columns of a row."""
    return {
        "tokens_in": tokens.into,
        "tokens_out": tokens.out,
        "cache_read": tokens.cache_read,
        "cache_write": tokens.cache_write,
    }


@dataclass(frozen=True, slots=True)
class Reserved:
    """The number of the new row, and the alerts that it set off."""

    id: int
    alerts: tuple[budgets.Alert, ...]


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The budget without room; `seconds` until it starts again, None when it never does by itself."""

    budget: Budget
    seconds: float | None
    alerts: tuple[budgets.Alert, ...]


def reserve(connection: Connection, entry: Entry) -> Reserved | NoRoom:
    """Write a row for what a call may cost at most, unless a budget has no room for it; commit in either case."""
    budgets.hold_still(connection)
    used = entry.usage
    now, concerned = budgets.lock_budgets(
        connection, used.provider, job_id=used.job_id, collection_id=used.collection_id
    )
    if entry.cost_microusd is None:
        _require_no_dollars(concerned, entry)
    cost, tokens = entry.cost_microusd or 0, used.tokens.total
    for found in concerned:
        if not found.has_room(microusd=cost, tokens=None if used.milliunits else tokens):
            alert = budgets.refuse(connection, found, microusd=cost, tokens=tokens)
            return NoRoom(found, found.seconds_left(now), alert)
    alerts = budgets.charge(connection, concerned, microusd=cost, tokens=tokens)
    key = connection.execute(
        insert(usage).values(state=EntryState.RESERVED, created_at=now, **columns_of(entry))
    ).inserted_primary_key
    assert key is not None
    return Reserved(int(key[0]), alerts)


def settle(connection: Connection, id_: int, entry: Entry) -> tuple[budgets.Alert, ...]:
    """Put what a call did cost in the place of its reservation; for whom it was made stays as it was written then.

    A job or collection that was deleted meanwhile is gone from the row already, and cannot be named again.
    """
    return _end_as(connection, id_, entry, EntryState.SETTLED)


def leave_at(connection: Connection, id_: int, entry: Entry) -> tuple[budgets.Alert, ...]:
    """Of several requests some were answered, and nobody knows of the rest: put the most that was billed in place."""
    return _end_as(connection, id_, entry, EntryState.UNSETTLED)


def _end_as(connection: Connection, id_: int, entry: Entry, state: EntryState) -> tuple[budgets.Alert, ...]:
    known = {"job_id", "collection_id", "documents"}
    told = {name: value for name, value in columns_of(entry).items() if name not in known}
    values = {**told, "state": state, "settled_at": clock()}
    return _end(connection, id_, values, entry.cost_microusd or 0, entry.usage.tokens.total)


def release(connection: Connection, id_: int) -> None:
    """The provider certainly did not bill the call: the reservation is given back and the row costs nothing."""
    nothing = {**token_columns(NO_TOKENS), "milliunits": 0, "cost_microusd": 0, "price": FREE, "inputs": 0}
    _end(connection, id_, {**nothing, "state": EntryState.RELEASED, "settled_at": clock()}, 0, 0)


def leave_unsettled(connection: Connection, id_: int) -> None:
    """Nobody knows what the provider billed: the reservation goes on counting as spent."""
    query = update(usage).where(usage.c.id == id_, usage.c.state == EntryState.RESERVED)
    connection.execute(query.values(state=EntryState.UNSETTLED, settled_at=clock()))


def _end(
    connection: Connection, id_: int, values: Mapping[str, Any], microusd: int, tokens: int
) -> tuple[budgets.Alert, ...]:
    budgets.hold_still(connection)
    # Budgets before the row, as a reservation does, so that two transactions never wait for each other.
    found = connection.execute(select(usage).where(usage.c.id == id_)).mappings().one()
    for_whom = {name: found[name] for name in ("job_id", "collection_id")}
    _, concerned = budgets.lock_budgets(connection, found["provider"], **for_whom)
    query = update(usage).where(usage.c.id == id_, usage.c.state.in_((EntryState.RESERVED, EntryState.UNSETTLED)))
    if not connection.execute(query.values(values)).rowcount:
        return ()
    day = day_of(found["created_at"])
    counted = [b for b in concerned if b.scope is not BudgetScope.DAY or b.day == day]
    before = sum(found[name] for name in token_columns(NO_TOKENS))
    return budgets.charge(
        connection, counted, microusd=microusd - (found["cost_microusd"] or 0), tokens=tokens - before
    )


def record(connection: Connection, entries: Sequence[Entry]) -> None:
    """Write rows of calls that cost nothing, or of inputs that the cache answered; no budget is asked."""
    if entries:
        query = insert(usage).values(state=EntryState.SETTLED, created_at=clock(), settled_at=clock())
        connection.execute(query, [columns_of(entry) for entry in entries])


def select_reserved() -> Select[int]:
    """Calls that are under way, as far as the ledger knows."""
    return select(usage.c.id).where(_is_reserved(), usage.c.lane == Lane.LIVE, usage.c.owner.is_not(None))


def list_reserving_owners(connection: Connection) -> list[str]:
    """Processes that have calls under way, as far as the ledger knows."""
    query = select_reserved().with_only_columns(usage.c.owner)
    return [str(owner) for owner in connection.execute(query.distinct()).scalars()]


def abandon(connection: Connection, *, owners: Sequence[str], older_than_seconds: float = LONGEST_CALL_SECONDS) -> int:
    """Mark as unsettled what processes that are gone, or calls that are too old, left reserved; returns how many."""
    old = usage.c.created_at <= clock() - older_than_seconds
    # A batch outlives whoever submitted it, and is settled by whoever polls it.
    query = update(usage).where(_is_reserved(), usage.c.lane == Lane.LIVE, or_(usage.c.owner.in_(list(owners)), old))
    return connection.execute(query.values(state=EntryState.UNSETTLED, settled_at=clock())).rowcount


def _is_reserved() -> ColumnElement[bool]:
    return is_literally(usage.c.state, EntryState.RESERVED)


def day_of(seconds: float) -> str:
    """The day in UTC of a point in time, as budgets write it."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _require_no_dollars(concerned: Sequence[Budget], entry: Entry) -> None:
    limited = [found.label for found in concerned if found.limit_microusd is not None]
    if limited:
        raise UnknownPrice(
            f"{entry.usage.provider}/{entry.usage.model} has no price, and the budget for {limited[0]} is in dollars",
            hint="Add its price (docs/spend.md), or limit tokens instead of dollars.",
        )
