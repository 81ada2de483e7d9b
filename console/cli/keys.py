"""`embedmill keys`: show, make, rotate, re-encrypt."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import print_line, print_result, print_table
from embedmill.console.rendering import documents_of, to_json

if TYPE_CHECKING:
    from embedmill.console.services.keys import KeyReports, MadeKey, Rotated
    from embedmill.console.services.resealing import Resealed

app = typer.Typer(no_args_is_help=True, help="Keys of what is encrypted.")


@app.command()
def show(as_json: AsJson = False) -> None:
    """Show which keys there are, never a key itself."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import keys

    with opened_to_read() as runtime:
        found = keys.show_keys(runtime)
    print_result(found, _print_keys, as_json=as_json)


@app.command()
def make(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where to write it; there must be no such file.")],
    as_json: AsJson = False,
) -> None:
    """Make a root key in a file.

    Keep a copy elsewhere: what is encrypted cannot be read without it.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import keys

    with opened() as runtime:
        made = keys.make_key(runtime, path)
    print_result(made, _print_made, as_json=as_json)


@app.command()
def rotate(
    to: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="The new root key: file://PATH, env://NAME or kms://KEY-ID."),
    ] = None,
    old: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Another root key that wrapped some of the keys; several times for several."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Wrap all keys by another root key.

    No document is read or written. Without --to it is the one that EMBEDMILL_KEY names, or, where that is not set, a
    new one of the installation's own. Set EMBEDMILL_KEY to it afterwards, and restart the workers.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import keys

    with opened() as runtime:
        done = keys.rotate_keys(runtime, to=to, old=old or ())
    print_result(done, _print_rotated, as_json=as_json)


@app.command("re-encrypt")
def re_encrypt(
    name: Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection.")],
    decrypt: Annotated[bool, typer.Option("--decrypt", help="Store it open to read instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a collection anew under a new key.

    One that is not encrypted is from then on. Nothing is embedded or paid again. It is a job of its own, and no other
    one of the collection may be open. Run the command again to take up one that was cut short.
    """
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services.resealing import reseal_collection

    with opened() as runtime, heard(quiet=as_json) as listener:
        done = reseal_collection(runtime, name, wanted="decrypt" if decrypt else "encrypt", listener=listener)
    print_result(done, _print_resealed, as_json=as_json)


def _print_resealed(done: "Resealed") -> None:
    how = f"encrypted under key {done.key}" if done.encrypted else "open to read"
    print_line(f"{done.collection}: {documents_of(done.documents)} {how}")


def _print_keys(found: "KeyReports") -> None:
    print_line(f"root key {found.root or 'missing'}: {found.root_name or 'none was needed yet'}")
    rows = [{**to_json(key), "opens": "yes" if key.here else "no"} for key in found.keys]
    print_table(rows, ("id", "kind", "collection", "state", "root", "opens", "created"), empty="no keys yet")


def _print_made(made: "MadeKey") -> None:
    print_line(f"{made.path} was made: set EMBEDMILL_KEY={made.setting}, and keep a copy of the file elsewhere")


def _print_rotated(done: "Rotated") -> None:
    print_line(f"{done.rewrapped} keys were wrapped anew; all are wrapped by root key {done.root} ({done.root_name})")
    if done.unused:
        print_line(f"{done.unused} is of no use to this installation any more, and opens copies from before: remove it")
