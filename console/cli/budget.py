"""`embedmill budget`: set, show, delete."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.output import print_json, print_line, print_table, print_warning
from embedmill.console.dollars import format_usd
from embedmill.shared.errors import UserError
from embedmill.shared.ledger import FREE_PROVIDERS, NAMED_SCOPES, BudgetScope

if TYPE_CHECKING:
    from embedmill.shared.db.engine import Connection

app = typer.Typer(no_args_is_help=True, help="Limit what may be spent on paid providers.")

Scope = Annotated[BudgetScope, typer.Option(help="What the limit is for; a day is one in UTC.")]
Name = Annotated[str, typer.Option(help="The job's number, the collection or the provider; none for day and total.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]

MICRO = 1_000_000


@app.command("set")
def set_(
    scope: Scope = BudgetScope.DAY,
    name: Name = "",
    usd: Annotated[str | None, typer.Option(help="Limit in dollars; 0 stops every paid call.")] = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="Limit in tokens, in and out together.")] = None,
    as_json: AsJson = False,
) -> None:
    """Set a limit, or change one.

    Work that waits for money goes on by itself when its limit is raised.
    """
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import budgets

    name = _require_name(scope, name)
    if usd is None and tokens is None:
        raise typer.BadParameter("give --usd, --tokens or both")
    microusd = None if usd is None else _microusd(usd)
    with opened() as runtime:
        runtime.database.query(lambda connection: _require_subject(connection, scope, name))
        found = runtime.database.transact(
            lambda connection: budgets.set_budget(connection, scope, name, limit_microusd=microusd, limit_tokens=tokens)
        )
    row = _describe(found)
    if as_json:
        print_json(row)
    else:
        print_line(f"{found.label}: {_limits(row)}; {row['percent']:.1f} % used")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show every limit and what is used of it."""
    from datetime import UTC, datetime

    from embedmill.console.cli.session import opened
    from embedmill.shared.db import budgets

    with opened() as runtime, runtime.database.read() as connection:
        found = {b.id: b for b in budgets.list_budgets(connection)}
        alerts = [
            {
                "budget": found[alert["budget_id"]].label,
                "day": alert["day"] or None,
                "percent": alert["percent"],
                "at": datetime.fromtimestamp(alert["created_at"], UTC).isoformat(timespec="seconds"),
            }
            for alert in budgets.list_alerts(connection)
        ]
    rows = [_describe(b) for b in found.values()]
    if as_json:
        print_json({"budgets": rows, "alerts": alerts})
        return
    columns = ("scope", "name", "usd", "used_usd", "tokens", "used_tokens", "percent", "stopped")
    print_table(_printed(rows), columns, empty="no budgets: embedmill budget set --scope day --usd 5")
    if alerts:
        print_table(alerts, ("budget", "day", "percent", "at"), empty="")


@app.command()
def delete(scope: Scope = BudgetScope.DAY, name: Name = "", as_json: AsJson = False) -> None:
    """Take a limit away; work that waits for it goes on."""
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import budgets

    name = _require_name(scope, name)
    with opened() as runtime:
        runtime.database.transact(lambda connection: budgets.delete_budget(connection, scope, name))
    if as_json:
        print_json({"deleted": {"scope": str(scope), "name": name}})
    else:
        print_line(f"no limit any more for {scope} {name}".rstrip())


def _require_name(scope: BudgetScope, name: str) -> str:
    """The name as calls are compared with it."""
    if bool(name) != (scope in NAMED_SCOPES):
        raise typer.BadParameter(f"a budget for {scope} takes {'a' if scope in NAMED_SCOPES else 'no'} --name")
    if scope is not BudgetScope.JOB:
        return name
    if not name.isdecimal():
        raise typer.BadParameter(f"{name!r} is not the number of a job")
    return str(int(name))


def _require_subject(connection: "Connection", scope: BudgetScope, name: str) -> None:
    """Raise for a job or provider that there is not: a limit on a slip of the pen would limit nothing."""
    from embedmill.shared.db.collections import find_collection
    from embedmill.shared.db.jobs import get_job
    from embedmill.shared.providers.embeddings.table import EMBEDDERS
    from embedmill.shared.providers.models.table import MODELS
    from embedmill.shared.providers.vectorstores.table import OFFERS

    match scope:
        case BudgetScope.JOB:
            get_job(connection, int(name))
        case BudgetScope.COLLECTION if find_collection(connection, name) is None:
            print_warning(f"there is no collection named {name!r} yet; the limit holds once it is made")
        case BudgetScope.PROVIDER:
            stores = {offer.provider for offer in OFFERS.values()}
            known = {model.partition("/")[0] for model in EMBEDDERS} | set(MODELS) | stores
            if name not in known - FREE_PROVIDERS:
                paid = ", ".join(sorted(known - FREE_PROVIDERS))
                raise UserError(f"no paid provider named {name!r}; there are {paid}")


def _microusd(usd: str) -> int:
    try:
        amount = Decimal(usd.removeprefix("$")) * MICRO
    except InvalidOperation:
        raise typer.BadParameter(f"{usd!r} is no amount of dollars") from None
    if not amount.is_finite() or amount < 0:
        raise typer.BadParameter(f"{usd!r} is no amount of dollars")
    # Down: a limit is never more than what was asked for.
    return int(amount)


def _describe(budget: Any) -> dict[str, Any]:
    return {
        "scope": str(budget.scope),
        "name": budget.name or None,
        "usd": None if budget.limit_microusd is None else budget.limit_microusd / MICRO,
        "used_usd": budget.used_microusd / MICRO,
        "tokens": budget.limit_tokens,
        "used_tokens": budget.used_tokens,
        "percent": round(budget.percent(), 2),
        "day": budget.day or None,
        "stopped": budget.refused_at is not None or budget.percent() >= 100,
    }


def _printed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, **_dollars(row), "stopped": row["stopped"] or None} for row in rows]


def _dollars(row: dict[str, Any]) -> dict[str, str | None]:
    return {name: None if row[name] is None else format_usd(row[name], sign="") for name in ("usd", "used_usd")}


def _limits(row: dict[str, Any]) -> str:
    parts = [] if row["usd"] is None else [format_usd(row["usd"])]
    return " and ".join(parts + ([] if row["tokens"] is None else [f"{row['tokens']} tokens"]))
