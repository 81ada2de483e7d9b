"""`embedmill review`: verdicts that a person should look at before they are acted upon."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.output import DONE, print_json, print_line, print_table

if TYPE_CHECKING:
    from embedmill.shared.db.engine import Connection
    from embedmill.shared.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Decide on verdicts of a model that are in doubt.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Numbers = Annotated[list[int], typer.Argument(metavar="ID", help="Numbers of review entries.")]


@app.command("list")
def list_(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only this collection.")] = None,
    resolved: Annotated[bool, typer.Option("--resolved", help="Instead, those that were decided.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most entries.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List doubtful verdicts with their chunks.

    Each with the reasons why it is in doubt.
    """
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import collections, reviews

    with opened() as runtime:
        with runtime.database.read() as connection:
            found = collections.get_collection(connection, collection).id if collection else None
            rows = reviews.list_reviews(connection, collection_id=found, resolved=resolved, limit=limit)
        entries = _described(runtime, rows)
    if as_json:
        print_json({"reviews": entries})
        return
    shown = [{**e, "doubts": "; ".join(e["doubts"]), "score": (e["verdict"] or {}).get("score")} for e in entries]
    columns = ("id", "collection", "uri", "ordinal", "score", "doubts", "text")
    print_table(shown, columns, empty="nothing is in doubt")


@app.command()
def accept(
    numbers: Numbers,
    work: Annotated[bool, typer.Option("--work", help="Apply it in this process until done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say that verdicts are right, and apply them.

    Applying them costs nothing.
    """
    from embedmill.console.cli.reports import exit_status
    from embedmill.console.cli.session import heard, opened
    from embedmill.console.services.jobs import describe_job
    from embedmill.console.services.working import work_on_job

    with opened() as runtime:
        jobs = runtime.database.transact(lambda connection: _accept(connection, numbers, runtime.settings.max_attempts))
        with heard(quiet=as_json) as listener:
            for job in jobs if work else ():
                work_on_job(runtime, job, listener)
        reports = [describe_job(runtime, job) for job in jobs]
    _report({"accepted": numbers, "jobs": reports}, f"{len(numbers)} accepted", as_json=as_json)
    raise typer.Exit(max((exit_status(report) for report in reports), default=DONE) if work else DONE)


def _accept(connection: "Connection", numbers: list[int], attempts: int) -> list[int]:
    """Decide, and submit what follows from it; returns the jobs."""
    from embedmill.shared.collections import read_collection_settings
    from embedmill.shared.db import collections, repairs, reviews

    about: dict[int, set[str]] = {}
    for number in numbers:
        for collection_id, document in reviews.resolve_review(connection, number, "accepted"):
            about.setdefault(collection_id, set()).add(document)
    return [
        repairs.submit_revalidation(connection, id_, sorted(documents), max_attempts=attempts)
        for id_, documents in about.items()
        if read_collection_settings(collections.get_collection_by_id(connection, id_).settings).gates
    ]


@app.command()
def reject(numbers: Numbers, as_json: AsJson = False) -> None:
    """Say that verdicts are wrong; chunks stay.

    A rejected verdict is never acted upon.
    """
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import reviews

    def decide(connection: "Connection") -> None:
        for number in numbers:
            reviews.resolve_review(connection, number, "rejected")

    with opened() as runtime:
        runtime.database.transact(decide)
    _report({"rejected": numbers}, f"{len(numbers)} rejected", as_json=as_json)


def _described(runtime: "Runtime", rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries as they are shown; `text` is null when the document has changed since."""
    from embedmill.shared.errors import BlobMissing
    from embedmill.workers.stored import read_stored

    found = runtime.blobs.get_pack(list({row["chunks_ref"] for row in rows if row["chunks_ref"]}))

    def text_of(row: dict[str, Any]) -> str | None:
        try:
            chunk_set, _, _ = read_stored(row["chunks_ref"], None, found)
        except BlobMissing:
            return None
        if row["chunk"] not in chunk_set.ids:
            return None
        return chunk_set.chunks[chunk_set.ids.index(row["chunk"])].body(chunk_set.text)

    names = (
        "id collection document_id uri chunk ordinal doubts verdict model prompt_hash created_at resolved_at resolution"
    )
    return [
        {{"document_id": "document"}.get(name, name): row[name] for name in names.split()} | {"text": text_of(row)}
        for row in rows
    ]


def _report(document: dict[str, Any], line: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        print_line(line)
