"""Budgets: limits on what is spent and reserved, what is used of them, alerts, and the work that waits for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, exists, func, or_, select, update

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.schema import budget, budget_alert, collection, in_state, usage, work
from embedmill.shared.db.transitions import wake_work
from embedmill.shared.errors import NotFound
from embedmill.shared.ledger import FREE, BudgetScope, EntryState
from embedmill.shared.states import State, WaitReason

ALERT_PERCENTS = (75, 90, 100)
DAY_SECONDS = 86_400.0
# A refusal is remembered for so long though nothing waits, because what it stopped is still on its way to waiting.
REFUSED_SECONDS = 60.0
# The number of Postgres' advisory lock on the set of budgets; 7166230 is migrations', 7166231 the embedding cache's.
BUDGETS_LOCK = 7166240


_NOTHING_REFUSED = {"refused_microusd": None, "refused_tokens": None, "refused_at": None}


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit and what is used of it, reservations included; None limits nothing, 0 stops everything."""

    id: int
    scope: BudgetScope
    name: str
    limit_microusd: int | None
    limit_tokens: int | None
    used_microusd: int
    used_tokens: int
    day: str
    refused_microusd: int | None
    refused_tokens: int | None
    refused_at: float | None
    created_at: float

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.scope} {self.name}".strip()

    def has_room(self, *, microusd: int, tokens: int | None) -> bool:
        """Whether a call fits; without tokens, as of a vector store, a limit of those is no matter of it."""
        pays = _fits(self.limit_microusd, self.used_microusd, microusd)
        return pays and (tokens is None or _fits(self.limit_tokens, self.used_tokens, tokens))

    def percent(self) -> float:
        """How much is used of the limit that is nearer; a limit of 0 is used up."""
        pairs = ((self.limit_microusd, self.used_microusd), (self.limit_tokens, self.used_tokens))
        return max((100.0 * used / limit if limit else 100.0) for limit, used in pairs if limit is not None)

    def seconds_left(self, now: float) -> float | None:
        """Until it starts again by itself."""
        return DAY_SECONDS - now % DAY_SECONDS if self.scope is BudgetScope.DAY else None


def _fits(limit: int | None, used: int, wanted: int) -> bool:
    return limit is None or (limit > 0 and used + wanted <= limit)


@dataclass(frozen=True, slots=True)
class Alert:
    """A budget passed a threshold for the first time in its life, or in its day."""

    budget: str
    percent: int


def _row(row: Any) -> Budget:
    return Budget(**{**row._mapping, "scope": BudgetScope(row.scope)})


def hold_still(connection: Connection, *, alone: bool = False) -> None:
    """Let no budget come or go until the transaction ends; `alone`, no call be reserved or settled either.

    A budget is made by summing the ledger. A call that had looked for budgets before and wrote its row after would be
    missing from that sum.
    """
    if connection.dialect.name == "postgresql":
        lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
        connection.execute(select(getattr(func, lock)(BUDGETS_LOCK)))


def lock_budgets(
    connection: Connection, provider: str, *, job_id: int | None, collection_id: int | None
) -> tuple[float, list[Budget]]:
    """The time, and the budgets that a call concerns, locked in the order of their numbers; a past day's start again.

    The time is read once they are locked: whoever waited over midnight charges the new day, and says so in the ledger.
    """
    named = [
        budget.c.scope.in_((BudgetScope.DAY, BudgetScope.TOTAL)),
        and_(budget.c.scope == BudgetScope.PROVIDER, budget.c.name == provider),
    ]
    if job_id is not None:
        named.append(and_(budget.c.scope == BudgetScope.JOB, budget.c.name == str(job_id)))
    if collection_id is not None:
        name = select(collection.c.name).where(collection.c.id == collection_id).scalar_subquery()
        named.append(and_(budget.c.scope == BudgetScope.COLLECTION, budget.c.name == name))
    query = select(budget).where(or_(*named)).order_by(budget.c.id).with_for_update()
    found = [_row(row) for row in connection.execute(query).all()]
    now = read_clock(connection)
    return now, [_begin_day(connection, entry, now=now) for entry in found]


def _begin_day(connection: Connection, found: Budget, *, now: float) -> Budget:
    current = _on_day(connection, found, now=now)
    if current is not found:
        fresh = {name: getattr(current, name) for name in ("day", "used_microusd", "used_tokens")}
        connection.execute(update(budget).where(budget.c.id == found.id).values(fresh))
    return current


def _on_day(connection: Connection, found: Budget, *, now: float) -> Budget:
    """The budget as of today, by the ledger: a clock that is put back comes to a day that was there before."""
    if found.scope is not BudgetScope.DAY or found.day == _day_of(now):
        return found
    used: dict[str, Any] = _measure_used(connection, found.scope, found.name, now=now)
    return replace(found, day=_day_of(now), **used)


def _day_of(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def charge(connection: Connection, concerned: Sequence[Budget], *, microusd: int, tokens: int) -> tuple[Alert, ...]:
    """Add an amount, which may be negative, to locked budgets; returns the alerts that this set off."""
    if not concerned or not (microusd or tokens):
        return ()
    query = (
        update(budget)
        .where(budget.c.id.in_([found.id for found in concerned]))
        .values(used_microusd=budget.c.used_microusd + microusd, used_tokens=budget.c.used_tokens + tokens)
        .returning(budget)
    )
    changed = [_row(row) for row in connection.execute(query)]
    return tuple(alert for found in changed for alert in _alert(connection, found, found.percent()))


def refuse(connection: Connection, found: Budget, *, microusd: int, tokens: int) -> tuple[Alert, ...]:
    """Note that a call did not fit; the smallest such call decides when the work that waits is woken."""
    values = {
        "refused_microusd": min(microusd, microusd if found.refused_microusd is None else found.refused_microusd),
        "refused_tokens": min(tokens, tokens if found.refused_tokens is None else found.refused_tokens),
        "refused_at": clock(),
    }
    connection.execute(update(budget).where(budget.c.id == found.id).values(values))
    return _alert(connection, found, found.percent())


def _alert(connection: Connection, found: Budget, percent: float) -> tuple[Alert, ...]:
    passed = [threshold for threshold in ALERT_PERCENTS if percent >= threshold]
    if not passed:
        return ()
    rows = [{"budget_id": found.id, "day": found.day, "percent": threshold} for threshold in passed]
    query = (
        insert_or(connection, budget_alert)
        .values([row | {"created_at": clock()} for row in rows])
        .on_conflict_do_nothing()
    )
    new = connection.execute(query.returning(budget_alert.c.percent)).scalars()
    return tuple(Alert(found.label, threshold) for threshold in new)


def set_budget(
    connection: Connection,
    scope: BudgetScope,
    name: str,
    *,
    limit_microusd: int | None,
    limit_tokens: int | None,
) -> Budget:
    """Set a limit in the place of an older one, count what the ledger says is used of it, and wake what waited."""
    hold_still(connection, alone=True)
    now = read_clock(connection)
    limits = {"limit_microusd": limit_microusd, "limit_tokens": limit_tokens}
    values = {"scope": scope, "name": name, "created_at": clock(), **limits}
    connection.execute(
        insert_or(connection, budget)
        .values(values)
        .on_conflict_do_update(index_elements=["scope", "name"], set_=limits)
    )
    day = _day_of(now) if scope is BudgetScope.DAY else ""
    used = _measure_used(connection, scope, name, now=now)
    this = (budget.c.scope == scope, budget.c.name == name)
    query = update(budget).where(*this).values({"day": day, **used, **_NOTHING_REFUSED}).returning(budget)
    changed = _row(connection.execute(query).one())
    percent = changed.percent()
    over = budget_alert.c.budget_id == changed.id, budget_alert.c.percent > int(percent)
    connection.execute(delete(budget_alert).where(*over))
    _alert(connection, changed, percent)
    wake_work(connection, WaitReason.BUDGET)
    return changed


def _measure_used(connection: Connection, scope: BudgetScope, name: str, *, now: float) -> dict[str, int]:
    tokens = usage.c.tokens_in + usage.c.tokens_out + usage.c.cache_read + usage.c.cache_write
    query = select(func.coalesce(func.sum(usage.c.cost_microusd), 0), func.coalesce(func.sum(tokens), 0)).where(
        usage.c.price != FREE, usage.c.state != EntryState.RELEASED
    )
    match scope:
        case BudgetScope.DAY:
            midnight = now - now % DAY_SECONDS
            query = query.where(usage.c.created_at >= midnight, usage.c.created_at < midnight + DAY_SECONDS)
        case BudgetScope.JOB:
            query = query.where(usage.c.job_id == int(name))
        case BudgetScope.COLLECTION:
            query = query.where(usage.c.collection_id.in_(select(collection.c.id).where(collection.c.name == name)))
        case BudgetScope.PROVIDER:
            query = query.where(usage.c.provider == name)
        case BudgetScope.TOTAL:
            pass
    row = connection.execute(query).one()
    return {"used_microusd": int(row[0]), "used_tokens": int(row[1])}


def delete_budget(connection: Connection, scope: BudgetScope, name: str) -> None:
    """Take a limit away and wake what waited for it; raises NotFound."""
    hold_still(connection, alone=True)
    found = connection.execute(delete(budget).where(budget.c.scope == scope, budget.c.name == name)).rowcount
    if not found:
        raise NotFound(f"no budget for {scope} {name}".rstrip(), hint="embedmill budget show")
    wake_work(connection, WaitReason.BUDGET)


def list_budgets(connection: Connection) -> list[Budget]:
    """Every budget as it is today, also when nobody has spent anything today."""
    now = read_clock(connection)
    return [_on_day(connection, _row(row), now=now) for row in connection.execute(select(budget).order_by(budget.c.id))]


@dataclass(frozen=True, slots=True)
class PassedThreshold:
    """An alert on record; `day` is empty for a budget that is not of a day."""

    budget_id: int
    day: str
    percent: int
    created_at: float


def list_alerts(connection: Connection) -> list[PassedThreshold]:
    """Alerts, newest first."""
    query = select(
        budget_alert.c.budget_id, budget_alert.c.day, budget_alert.c.percent, budget_alert.c.created_at
    ).order_by(budget_alert.c.created_at.desc(), budget_alert.c.percent.desc())
    return [PassedThreshold(*row) for row in connection.execute(query)]


def select_refused() -> Select[int]:
    """Budgets that hold work up."""
    return select(budget.c.id).where(budget.c.refused_at.is_not(None))


def has_refused(connection: Connection, *, lock: bool) -> bool:
    """Whether any budget still holds work up; with `lock`, nobody can change that before this transaction ends."""
    query = select_refused().order_by(budget.c.id)
    rows = connection.execute(query.with_for_update(read=True) if lock else query).all()
    return bool(rows)


def wake_affordable(connection: Connection) -> int:
    """Wake the work that waits for budgets which have room again, because calls cost less or a day began."""
    query = select(budget).where(budget.c.refused_at.is_not(None)).order_by(budget.c.id).with_for_update()
    refused = [_row(row) for row in connection.execute(query).all()]
    if not refused:
        return 0
    now = read_clock(connection)
    current = [_begin_day(connection, found, now=now) for found in refused]
    roomy = [b.id for b in current if b.has_room(microusd=b.refused_microusd or 0, tokens=b.refused_tokens or 0)]
    if not roomy:
        _forget_refusals(connection)
        return 0
    connection.execute(update(budget).where(budget.c.id.in_(roomy)).values(_NOTHING_REFUSED))
    return wake_work(connection, WaitReason.BUDGET)


def _forget_refusals(connection: Connection) -> None:
    """Refusals that nothing waits for any more, as after a job was cancelled; each is looked at once a minute."""
    old = budget.c.refused_at <= clock() - REFUSED_SECONDS
    waits = exists().where(in_state(State.WAITING), work.c.wait_reason == WaitReason.BUDGET)
    connection.execute(update(budget).where(old, ~waits).values(_NOTHING_REFUSED))
    connection.execute(update(budget).where(old).values(refused_at=clock()))
