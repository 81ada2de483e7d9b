"""`embedmill tokens`: create, list, revoke."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_notice, print_result, print_table
from embedmill.console.cli.typed import duration
from embedmill.console.rendering import to_json
from embedmill.shared.access.principals import Role

if TYPE_CHECKING:
    from embedmill.console.services.tokens import RevokedToken, TokenReport, TokenReports

app = typer.Typer(no_args_is_help=True, help="Say who may do what.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whoever will use it; the audit calls them so.")],
    role: Annotated[Role, typer.Option(help="What they are there for.")] = Role.VIEWER,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", help="A collection that they reach; again for more.")
    ] = None,
    level: Annotated[list[str] | None, typer.Option(help="An access level that they read; again for more.")] = None,
    expires: Annotated[str | None, typer.Option(metavar="SPAN", help="For how long it holds, such as 90d.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token, which is shown this once.

    Without --collection it reaches every collection, without --level it reads every level.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import tokens

    seconds = None if expires is None else duration(expires)
    with opened() as runtime:
        made = tokens.create_token(
            runtime, name, role=role, collections=collection or (), levels=level or (), seconds=seconds
        )
    print_result(made, _print_made, as_json=as_json)


@app.command("list")
def list_(
    ended: Annotated[bool, typer.Option("--all", help="Also those that expired or were revoked.")] = False,
    as_json: AsJson = False,
) -> None:
    """List tokens; their texts are kept nowhere."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import tokens

    with opened_to_read() as runtime:
        found = tokens.list_tokens(runtime, ended=ended)
    print_result(found, _print_tokens, as_json=as_json)


@app.command()
def revoke(
    id_: Annotated[str, typer.Argument(metavar="ID", help="The id of a token, as `tokens list` has it.")],
    as_json: AsJson = False,
) -> None:
    """End a token at once."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import tokens

    with opened() as runtime:
        done = tokens.revoke_token(runtime, id_)
    print_result(done, _print_revoked, as_json=as_json)


def _print_made(made: "TokenReport") -> None:
    print_notice(f"token {made.id} for {made.name}, {made.role}; it is shown this once: set EMBEDMILL_TOKEN to it")
    print_line(str(made.token))


def _print_tokens(found: "TokenReports") -> None:
    columns = ("id", "name", "role", "collections", "levels", "state", "expires")
    rows = [
        {**to_json(each), "collections": ", ".join(each.collections), "levels": ", ".join(each.levels)}
        for each in found.tokens
    ]
    print_table(rows, columns, empty="no tokens: embedmill tokens create NAME --role viewer")


def _print_revoked(done: "RevokedToken") -> None:
    print_line(f"token {done.revoked} was revoked")
