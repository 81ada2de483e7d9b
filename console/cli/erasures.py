"""`embedmill erase` and `embedmill erasures`: documents taken out of everything for good, with a receipt."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.documents import CollectionOption, print_spelled, read_where
from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import (
    DONE,
    FAILED,
    confirm,
    print_json,
    print_line,
    print_result,
    print_table,
    print_warning,
)

if TYPE_CHECKING:
    from embedmill.console.services.erasing import ErasedDocuments, ErasureList, ErasurePreview
    from embedmill.console.services.receipts import VerifiedReceipt

app = typer.Typer(no_args_is_help=True, help="See what was erased, and check receipts.")

SHOWN = 20


def erase(
    documents: Annotated[list[str], typer.Argument(metavar="URI|ID", help="URIs, paths or ids.")] = [],  # noqa: B006
    where: Annotated[
        list[str], typer.Option(metavar="NAME=VALUE", help="Instead, by state, source, job, uri, noted, metadata.NAME.")
    ] = [],  # noqa: B006
    subject: Annotated[
        str | None, typer.Option(metavar="VALUE", help="Instead, every document in which a person is named so.")
    ] = None,
    collection: CollectionOption = None,
    receipt: Annotated[Path | None, typer.Option(metavar="PATH", help="Write the receipt there as well.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Erase documents from everything, and keep them out.

    Queue, caches, stored texts, every shard and version, batches at vendors, feedback. A receipt says what is left.
    """
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services.erasing import erase_documents, preview_erasure

    query = read_where(where, collection=collection)
    with opened() as runtime:
        if dry_run or not yes:
            found = preview_erasure(runtime, documents, query, subject=subject)
            if dry_run:
                print_result(found, _print_preview, as_json=as_json)
                return
            if not as_json:
                print_spelled(found.spelled)
            if not confirm(f"erase {_documents(found.would_erase)} for good?"):
                _decline(as_json=as_json)
                return
        with heard(quiet=as_json) as listener:
            done = erase_documents(runtime, documents, query, subject=subject, listener=listener)
        if receipt is not None and done.erasures and done.receipt is not None:
            receipt.write_bytes(done.receipt.read_bytes())
    if yes and not as_json:
        print_spelled(done.spelled)
    print_result(done, _print_erased, as_json=as_json)
    raise typer.Exit(FAILED if done.waits_for else DONE)


def _documents(count: int) -> str:
    return f"{count} {'document' if count == 1 else 'documents'}"


def _decline(*, as_json: bool) -> None:
    if as_json:
        print_json({"erased": 0, "receipt": None, "declined": True})
    else:
        print_line("nothing was erased")


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most erasures.")] = 100, as_json: AsJson = False
) -> None:
    """List erasures, and what they wait for."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.erasing import list_erasures

    with opened_to_read() as runtime:
        found = list_erasures(runtime, limit=limit)
    print_result(found, _print_list, as_json=as_json)


@app.command()
def show(
    erasure: Annotated[str, typer.Argument(metavar="ID", help="The erasure's id.")], as_json: AsJson = False
) -> None:
    """Show the receipt of an erasure."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.erasing import show_receipt

    with opened_to_read() as runtime:
        found = show_receipt(runtime, erasure)
    print_result(found, _print_receipt, as_json=as_json)


@app.command()
def verify(
    receipt: Annotated[str, typer.Argument(metavar="PATH|ID", help="A receipt, or the id of its erasure.")],
    as_json: AsJson = False,
) -> None:
    """Check a receipt against what is here now."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.receipts import verify_receipt

    with opened() as runtime:
        found = verify_receipt(runtime, receipt)
    print_result(found, _print_verified, as_json=as_json)
    raise typer.Exit(DONE if found.ok else FAILED)


@app.command()
def lift(
    names: Annotated[list[str], typer.Argument(metavar="URI|MARK|ID", help="Documents, marks, or erasures.")],
    collection: CollectionOption = None,
    as_json: AsJson = False,
) -> None:
    """Let in what was erased, when its source is read next."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services.erasing import lift_tombstones

    with opened() as runtime:
        found = lift_tombstones(runtime, names, collection=collection)
    print_result(found, lambda found: print_line(f"tombstones lifted: {found.lifted}"), as_json=as_json)


def _print_preview(found: "ErasurePreview") -> None:
    print_line(f"documents that would be erased: {found.would_erase}")
    for uri in found.examples:
        print_line(f"  {uri}")
    if found.would_erase > len(found.examples):
        print_line(f"  … and {found.would_erase - len(found.examples)} more")
    print_spelled(found.spelled)
    if found.same_content:
        print_warning(f"{_documents(found.same_content)} with the same content would stay")


def _print_erased(done: "ErasedDocuments") -> None:
    print_line(f"documents erased: {done.erased}")
    for path in done.receipts:
        print_line(f"receipt: {path}")
    for left in done.left:
        print_warning(f"may still hold something: {left.where} — until: {left.until}")
    if done.waits_for:
        print_warning(f"not done: {done.waits_for}. It goes on with the workers, or when this is run again")


def _print_list(found: "ErasureList") -> None:
    columns = ("id", "state", "cause", "documents", "step", "waits_for", "created", "finished")
    print_table(found.erasures, columns, empty="nothing was erased")


def _print_receipt(found: Mapping[str, Any]) -> None:
    print_line(f"erasure {found['erasure']}: {_documents(len(found['documents']))}, done {found['done']}")
    for place in found["places"]:
        did = ", ".join(f"{name}: {count}" for name, count in place["did"].items())
        print_line(f"  {place['place']}" + (f" ({did})" if did else ""))
        _print_left(place["left"])


def _print_left(left: Sequence[Mapping[str, str]]) -> None:
    for entry in left:
        print_line(f"    left: {entry['where']} — until: {entry['until']}")


def _print_verified(found: "VerifiedReceipt") -> None:
    said = "nothing of them is here" if found.ok else "it does not hold"
    print_line(f"erasure {found.erasure}: {_documents(found.documents)}: {said}")
    for again in found.found:
        print_warning(f"{again.place}: {again.what} {again.document or ''}".rstrip())
    if found.lifted:
        print_line(f"  {_documents(found.lifted)} may come in again: tombstones were lifted")
