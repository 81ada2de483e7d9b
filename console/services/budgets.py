"""Budgets: limits on what may be spent, what is used of them, and the alerts that they set off."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.console.services.reach import installation
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.states import limits
from embedmill.shared.access.principals import Right
from embedmill.shared.db import budgets
from embedmill.shared.db.budgets import Budget
from embedmill.shared.db.collections import find_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.jobs import get_job
from embedmill.shared.durations import moment
from embedmill.shared.errors import UsageError, UserError
from embedmill.shared.ledger import FREE_PROVIDERS, NAMED_SCOPES, BudgetScope
from embedmill.shared.providers.names import ModelName
from embedmill.shared.runtime import Runtime

MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A limit and what is used of it, reservations included; no limit of a kind is None."""

    scope: BudgetScope
    name: str | None
    usd: float | None
    used_usd: float
    tokens: int | None
    used_tokens: int
    percent: float
    day: str | None
    stopped: bool

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.scope} {self.name or ''}".strip()


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """A budget that passed a threshold, for the first time in its life or in its day."""

    budget: str
    day: str | None
    percent: int
    at: str


@dataclass(frozen=True, slots=True)
class BudgetReport:
    """Every limit, and the alerts, newest first."""

    budgets: Sequence[BudgetUse]
    alerts: Sequence[RaisedAlert]


@dataclass(frozen=True, slots=True)
class BudgetName:
    """What a limit is for."""

    scope: BudgetScope
    name: str


@dataclass(frozen=True, slots=True)
class DeletedBudget:
    """The limit that is no more."""

    deleted: BudgetName


@serves("budget.set", Right.MANAGE, installation, told=("scope", "name", "tokens"), state=limits)
def set_budget(
    runtime: Runtime,
    scope: BudgetScope,
    name: str = "",
    *,
    usd: Decimal | None = None,
    tokens: int | None = None,
    listener: Listener = NOBODY,
) -> BudgetUse:
    """Set a limit or change one; what waits for money is woken. Raises UsageError, NotFound, UserError."""
    name = read_name(scope, name)
    # Down: a limit is never more than what was asked for.
    microusd = None if usd is None else int(usd * MICRO)
    runtime.database.query(lambda connection: _require_subject(connection, scope, name, listener))
    found = runtime.database.transact(
        lambda connection: budgets.set_budget(connection, scope, name, limit_microusd=microusd, limit_tokens=tokens)
    )
    return _describe(found)


@serves("budget.show", Right.OPERATE, installation, trace=Trace.NOTHING)
def show_budgets(runtime: Runtime) -> BudgetReport:
    """Every limit with what is used of it."""

    def find(connection: Connection) -> BudgetReport:
        found = {budget.id: budget for budget in budgets.list_budgets(connection)}
        alerts = [_describe_alert(alert, found[alert.budget_id]) for alert in budgets.list_alerts(connection)]
        return BudgetReport([_describe(budget) for budget in found.values()], alerts)

    return runtime.database.query(find)


@serves("budget.delete", Right.MANAGE, installation, told=("scope",), state=limits)
def delete_budget(runtime: Runtime, scope: BudgetScope, name: str = "") -> DeletedBudget:
    """Take a limit away; what waits for it goes on. Raises UsageError, NotFound."""
    name = read_name(scope, name)
    runtime.database.transact(lambda connection: budgets.delete_budget(connection, scope, name))
    return DeletedBudget(BudgetName(scope, name))


def read_name(scope: BudgetScope, name: str) -> str:
    """The name as calls are compared with it; raises UsageError for one that the scope does not take."""
    if bool(name) != (scope in NAMED_SCOPES):
        raise UsageError(f"a budget for {scope} takes {'a' if scope in NAMED_SCOPES else 'no'} --name")
    if scope is not BudgetScope.JOB:
        return name
    if not name.isdecimal():
        raise UsageError(f"{name!r} is not the number of a job")
    return str(int(name))


def _require_subject(connection: Connection, scope: BudgetScope, name: str, listener: Listener) -> None:
    """Raise for a job or provider that there is not: a limit on a slip of the pen would limit nothing."""
    match scope:
        case BudgetScope.JOB:
            get_job(connection, int(name))
        case BudgetScope.COLLECTION if find_collection(connection, name) is None:
            text = f"there is no collection named {name!r} yet; the limit holds once it is made"
            listener.on_notice(Notice(text))
        case BudgetScope.PROVIDER:
            paid = _paid_providers()
            if name not in paid:
                raise UserError(f"no paid provider named {name!r}; there are {', '.join(sorted(paid))}")


def _paid_providers() -> set[str]:
    from embedmill.shared.providers.embeddings.table import EMBEDDERS
    from embedmill.shared.providers.models.table import MODELS
    from embedmill.shared.providers.vectorstores.table import list_offers

    embedders = {ModelName.parse(name).provider for name in EMBEDDERS}
    return (embedders | set(MODELS) | {offer.provider for offer in list_offers()}) - FREE_PROVIDERS


def _describe(budget: Budget) -> BudgetUse:
    return BudgetUse(
        scope=budget.scope,
        name=budget.name or None,
        usd=None if budget.limit_microusd is None else budget.limit_microusd / MICRO,
        used_usd=budget.used_microusd / MICRO,
        tokens=budget.limit_tokens,
        used_tokens=budget.used_tokens,
        percent=round(budget.percent(), 2),
        day=budget.day or None,
        stopped=budget.refused_at is not None or budget.percent() >= 100,
    )


def _describe_alert(alert: budgets.PassedThreshold, budget: Budget) -> RaisedAlert:
    at = moment(alert.created_at).isoformat(timespec="seconds")
    return RaisedAlert(budget.label, alert.day or None, alert.percent, at)
