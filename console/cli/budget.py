"""`embedmill budget`: set, show, delete."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_table, print_told
from embedmill.console.cli.typed import dollars
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import to_json
from embedmill.shared.ledger import BudgetScope

if TYPE_CHECKING:
    from embedmill.console.services.budgets import BudgetReport, BudgetUse

app = typer.Typer(no_args_is_help=True, help="Limit what may be spent on paid providers.")

Scope = Annotated[BudgetScope, typer.Option(help="What the limit is for; a day is one in UTC.")]
Name = Annotated[str, typer.Option(help="The job's number, the collection or the provider; none for day and total.")]


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
    from embedmill.console.listening import Listener
    from embedmill.console.services import budgets

    if usd is None and tokens is None:
        raise typer.BadParameter("give --usd, --tokens or both")
    limit = None if usd is None else dollars(usd)
    with opened() as runtime:
        listener = Listener(on_notice=print_told)
        found = budgets.set_budget(runtime, scope, name, usd=limit, tokens=tokens, listener=listener)
    print_result(found, _print_use, as_json=as_json)


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show every limit and what is used of it."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import budgets

    with opened_to_read() as runtime:
        found = budgets.show_budgets(runtime)
    print_result(found, _print_report, as_json=as_json)


@app.command()
def delete(scope: Scope = BudgetScope.DAY, name: Name = "", as_json: AsJson = False) -> None:
    """Take a limit away; work that waits for it goes on."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import budgets

    with opened() as runtime:
        done = budgets.delete_budget(runtime, scope, name)
    print_result(
        done,
        lambda done: print_line(f"no limit any more for {done.deleted.scope} {done.deleted.name}".rstrip()),
        as_json=as_json,
    )


def _print_use(found: "BudgetUse") -> None:
    print_line(f"{found.label}: {_limits(found)}; {found.percent:.1f} % used")


def _limits(found: "BudgetUse") -> str:
    parts = [] if found.usd is None else [format_usd(found.usd)]
    return " and ".join(parts + ([] if found.tokens is None else [f"{found.tokens} tokens"]))


def _print_report(report: "BudgetReport") -> None:
    columns = ("scope", "name", "usd", "used_usd", "tokens", "used_tokens", "percent", "stopped")
    rows = [_row(found) for found in report.budgets]
    print_table(rows, columns, empty="no budgets: embedmill budget set --scope day --usd 5")
    if report.alerts:
        print_table(report.alerts, ("budget", "day", "percent", "at"), empty="")


def _row(found: "BudgetUse") -> dict[str, Any]:
    usd = None if found.usd is None else format_usd(found.usd, sign="")
    told = {"usd": usd, "used_usd": format_usd(found.used_usd, sign=""), "stopped": found.stopped or None}
    return {**to_json(found), **told}
