"""What the ledger adds up to: by model, job or day, what caches saved, and what jobs were expected to cost."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, case, cast, exists, func, select, update

from embedmill.shared.db.ledger import day_of
from embedmill.shared.db.schema import collection, job, usage
from embedmill.shared.errors import UsageError
from embedmill.shared.ledger import EntryState

MICRO = 1_000_000


GROUPS: dict[str, Any] = {
    "model": usage.c.provider + "/" + usage.c.model,
    "job": usage.c.job_id,
    "collection": collection.c.name,
    "provider": usage.c.provider,
    "operation": usage.c.operation,
    "lane": usage.c.lane,
}


def sum_spend(
    connection: Connection, *, by: str, since: float | None = None, job_id: int | None = None
) -> list[dict[str, Any]]:
    """Amounts by `by` (a key of GROUPS, or `day`), by key; what is reserved or unsettled is summed apart as well."""
    if by not in (known := (*GROUPS, "day")):
        raise UsageError(f"spending is not summed by {by!r}: choose from {', '.join(known)}")
    key = _day(connection) if by == "day" else GROUPS[by]
    query = _amounts(key).where(usage.c.state != EntryState.RELEASED)
    if since is not None:
        query = query.where(usage.c.created_at >= since)
    if job_id is not None:
        query = query.where(usage.c.job_id == job_id)
    rows = [dict(row) for row in connection.execute(query.group_by(key).order_by(key)).mappings()]
    if by == "day":
        rows = [row | {"key": day_of(float(row["key"]) * 86400)} for row in rows]
    return rows


def _day(connection: Connection) -> Any:
    """Days since 1970; SQLite has no floor everywhere, and Postgres rounds when it casts."""
    days = usage.c.created_at / 86400
    return func.floor(days) if connection.dialect.name == "postgresql" else cast(days, Integer)


def _amounts(key: Any) -> Select[Any]:
    open_ = _is_open()

    def total(column: Any, where: Any = None) -> Any:
        summed = func.sum(column) if where is None else func.sum(column).filter(where)
        return func.coalesce(summed, 0)

    called = usage.c.inputs > 0
    return select(
        key.label("key"),
        total(usage.c.cost_microusd).label("microusd"),
        total(usage.c.tokens_in).label("tokens_in"),
        total(usage.c.tokens_out).label("tokens_out"),
        total(usage.c.cache_read).label("cache_read"),
        total(usage.c.cache_write).label("cache_write"),
        total(usage.c.milliunits).label("milliunits"),
        func.count().filter(called).label("calls"),
        total(usage.c.inputs).label("inputs"),
        total(usage.c.cached).label("cached"),
        total(usage.c.cached_tokens).label("cached_tokens"),
        total(usage.c.cache_saved_microusd).label("cache_saved_microusd"),
        total(usage.c.lane_saved_microusd).label("lane_saved_microusd"),
        func.count().filter(open_).label("unsettled_calls"),
        total(usage.c.cost_microusd, open_).label("unsettled_microusd"),
        total(usage.c.tokens_in + usage.c.tokens_out + usage.c.cache_read + usage.c.cache_write, open_).label(
            "unsettled_tokens"
        ),
        total(usage.c.milliunits, open_).label("unsettled_milliunits"),
        func.count().filter(and_(called, usage.c.cost_microusd.is_(None))).label("unpriced_calls"),
    ).outerjoin_from(usage, collection, usage.c.collection_id == collection.c.id)


CACHED_OPERATIONS = ("embed", "message")
KIND_OF_OPERATION = {
    "message": "verdict",
    "filter": "grade",
    "rank": "grade",
    "decompose": "plan",
    "result": "result",
    "answer": "answer",
}
"""Of which kind of entry an answer is that was kept or not, by what the ledger calls its calls."""


def measure_caches(connection: Connection) -> dict[str, dict[str, int]]:
    """What caches answered and what they did not, by kind of entry.

    Each has `{"hits", "misses", "saved_tokens", "saved_microusd"}`. Queries are
    embedded for a collection and no job. A miss is an input that a model was given; vector stores have no cache.
    """
    is_query = and_(usage.c.job_id.is_(None), usage.c.collection_id.is_not(None))
    kinds = [(usage.c.operation == operation, kind) for operation, kind in KIND_OF_OPERATION.items()]
    kind = case(*kinds, (is_query, "query"), else_="document").label("kind")

    def total(column: Any) -> Any:
        return func.coalesce(func.sum(column), 0)

    operations = (*CACHED_OPERATIONS, *KIND_OF_OPERATION)
    query = select(
        kind,
        total(usage.c.cached).label("hits"),
        total(usage.c.inputs).label("misses"),
        total(usage.c.cached_tokens).label("saved_tokens"),
        total(usage.c.cache_saved_microusd).label("saved_microusd"),
    ).where(usage.c.state != EntryState.RELEASED, usage.c.operation.in_(operations))
    rows = connection.execute(query.group_by(kind)).mappings()
    return {row["kind"]: {name: int(row[name]) for name in row if name != "kind"} for row in rows}


def measure_spends(connection: Connection, job_ids: Sequence[int]) -> dict[int, dict[str, float]]:
    """What jobs did cost, by their numbers; tokens in include those of a provider's prompt cache.

    What is reserved and what may have been billed counts as spent; `reserved_usd` is that part of `usd`, where there is
    any. `units` are there when a vector store billed any; `unpriced_calls` when any call had no price, because `usd` is
    short of what those cost.
    """

    def total(column: Any, where: Any = None) -> Any:
        return func.coalesce(func.sum(column) if where is None else func.sum(column).filter(where), 0)

    query = select(
        usage.c.job_id,
        total(usage.c.cost_microusd).label("microusd"),
        total(usage.c.tokens_in + usage.c.cache_read + usage.c.cache_write).label("tokens_in"),
        total(usage.c.tokens_out).label("tokens_out"),
        total(usage.c.cost_microusd, _is_open()).label("reserved"),
        total(usage.c.milliunits).label("milliunits"),
        func.count().filter(usage.c.cost_microusd.is_(None)).label("unpriced_calls"),
    )
    rows = connection.execute(query.where(usage.c.job_id.in_(list(job_ids))).group_by(usage.c.job_id))
    nothing = {"usd": 0.0, "tokens_in": 0, "tokens_out": 0}
    return {id_: dict(nothing) for id_ in job_ids} | {int(row.job_id): _describe_spend(row) for row in rows}


def _describe_spend(row: Any) -> dict[str, float]:
    spend = {"usd": int(row.microusd) / MICRO, "tokens_in": int(row.tokens_in), "tokens_out": int(row.tokens_out)}
    more = {
        "reserved_usd": int(row.reserved) / MICRO,
        "units": int(row.milliunits) / 1000,
        "unpriced_calls": int(row.unpriced_calls),
    }
    return spend | {name: amount for name, amount in more.items() if amount}


def _is_open() -> ColumnElement[bool]:
    """Whether it is not known yet, or never will be, what a call cost."""
    return usage.c.state.in_((EntryState.RESERVED, EntryState.UNSETTLED))


def measure_due(connection: Connection, job_id: int) -> dict[str, float]:
    """By operation, the share of what a job needed that no cache had; only of operations of which it needed any."""
    query = select(usage.c.operation, func.sum(usage.c.inputs), func.sum(usage.c.cached)).where(
        usage.c.job_id == job_id, usage.c.operation.in_(CACHED_OPERATIONS), usage.c.state != EntryState.RELEASED
    )
    rows = connection.execute(query.group_by(usage.c.operation))
    return {operation: inputs / (inputs + cached) for operation, inputs, cached in rows if inputs + cached}


LEAST_ANSWERED = 200
"""Answers of which the average is told."""


def measure_answers(connection: Connection, *, provider: str, model: str) -> float | None:
    """Tokens that a model answered for each thing that it was asked about; None before there are enough to tell."""
    query = select(func.sum(usage.c.tokens_out), func.sum(usage.c.inputs)).where(
        usage.c.provider == provider,
        usage.c.model == model,
        usage.c.operation == "message",
        usage.c.state == EntryState.SETTLED,
    )
    answered, asked = connection.execute(query).one()
    return int(answered) / int(asked) if asked and asked >= LEAST_ANSWERED else None


def store_estimate(connection: Connection, job_id: int, estimate: Mapping[str, Any]) -> None:
    """Keep with a job what it was expected to cost."""
    options = connection.execute(select(job.c.options).where(job.c.id == job_id)).scalar_one()
    connection.execute(update(job).where(job.c.id == job_id).values(options={**options, "estimate": dict(estimate)}))


def list_estimates(connection: Connection) -> dict[int, Mapping[str, Any]]:
    """The estimates of jobs that have one, by job."""
    rows = connection.execute(select(job.c.id, job.c.options).where(exists().where(usage.c.job_id == job.c.id)))
    return {row.id: row.options["estimate"] for row in rows if "estimate" in row.options}
