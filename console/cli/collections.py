"""`embedmill collections`: create, list, show, update, delete."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from embedmill.console.cli.output import FAILED, confirm, print_json, print_line, print_table

if TYPE_CHECKING:
    from embedmill.shared.db.collections import Collection
    from embedmill.shared.db.engine import Connection
    from embedmill.shared.runtime import Runtime

app = typer.Typer(no_args_is_help=True, help="Make collections and change their settings.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The collection's name.")]
ChunkTokens = Annotated[int | None, typer.Option("--chunk-tokens", help="Size that chunks aim at, 16 to 1024 tokens.")]
ChunkOverlap = Annotated[int | None, typer.Option("--chunk-overlap", help="Tokens that a chunk repeats.")]
Validator = Annotated[
    str | None, typer.Option("--validator", help="rules, off, or a model such as anthropic/claude-opus-4-7.")
]
Policy = Annotated[
    str | None, typer.Option("--policy", help="What a model validator does: gate (before embedding) or audit (beside).")
]
RejectBelow = Annotated[
    int | None, typer.Option("--reject-below", help="Under gate, chunks with a lower score are rejected; 1 keeps all.")
]


@app.command()
def create(
    name: Name,
    chunk_tokens: ChunkTokens = None,
    chunk_overlap: ChunkOverlap = None,
    shards: Annotated[int | None, typer.Option("--shards", help="Shards of the index, 1 to 256.")] = None,
    embedding: Annotated[
        str | None,
        typer.Option(
            "--embedding", help="local, local/minilm, hash, or a model such as openai/text-embedding-3-large."
        ),
    ] = None,
    validator: Validator = None,
    policy: Policy = None,
    reject_below: RejectBelow = None,
    as_json: AsJson = False,
) -> None:
    """Make a collection."""
    from embedmill.console.cli.session import opened
    from embedmill.producers.submission import create_collection

    chosen: dict[str, Any] = {
        "chunk_tokens": chunk_tokens,
        "chunk_overlap": _overlap(chunk_tokens, chunk_overlap),
        "shards": shards,
        "embedding": embedding,
        "validator": validator,
        "policy": policy,
        "reject_below": reject_below,
    }
    with opened() as runtime:
        made = create_collection(runtime, name, **{k: v for k, v in chosen.items() if v is not None})
        _print(runtime, made, as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List collections."""
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import collections

    with opened() as runtime:
        found = runtime.database.query(collections.list_collections)
        rows = [_describe(runtime, collection) for collection in found]
    if as_json:
        print_json({"collections": rows})
    else:
        columns = ("name", "documents", "chunks", "model", "dimensions", "shards")
        print_table(rows, columns, empty="no collections yet: embedmill ingest FOLDER")


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a collection's settings and size."""
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import collections

    with opened() as runtime:
        found = runtime.database.query(lambda connection: collections.get_collection(connection, name))
        _print(runtime, found, as_json=as_json)


@app.command()
def update(
    name: Name,
    chunk_tokens: ChunkTokens = None,
    chunk_overlap: ChunkOverlap = None,
    validator: Validator = None,
    policy: Policy = None,
    reject_below: RejectBelow = None,
    as_json: AsJson = False,
) -> None:
    """Change how documents are split or validated.

    Ingest the sources again to apply it to what is indexed already.
    """
    from embedmill.console.cli.session import opened
    from embedmill.producers.submission import fit_chunks
    from embedmill.shared.collections import CollectionSettings
    from embedmill.shared.db import collections

    chosen = {
        "chunk_tokens": chunk_tokens,
        "chunk_overlap": chunk_overlap,
        "validator": validator,
        "policy": policy,
        "reject_below": reject_below,
    }

    def change(connection: "Connection") -> "Collection":
        found = collections.get_collection(connection, name)
        given = {k: v for k, v in chosen.items() if v is not None}
        settings = fit_chunks(CollectionSettings(**{**found.settings, **given}), given)
        collections.update_settings(connection, found.id, settings.as_json())
        return collections.get_collection(connection, name)

    with opened() as runtime:
        _print(runtime, runtime.database.transact(change), as_json=as_json)


@app.command()
def terms(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most terms.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List terms and synonyms found in documents.

    A model validator collects them from a sample of the documents.
    """
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import collections
    from embedmill.shared.db import terms as stored

    def find(connection: "Connection") -> list[dict[str, Any]]:
        return stored.list_terms(connection, collections.get_collection(connection, name).id, limit=limit)

    with opened() as runtime:
        rows = runtime.database.query(find)
    if as_json:
        print_json({"collection": name, "terms": rows})
        return
    shown = [{**row, "synonyms": ", ".join(s["synonym"] for s in row["synonyms"])} for row in rows]
    empty = "no terms yet: they are collected when a model validates (docs/validation.md)"
    print_table(shown, ("term", "documents", "mentions", "synonyms"), empty=empty)


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a collection with its index and its history."""
    from embedmill.console.cli.session import opened
    from embedmill.shared.db import collections

    with opened() as runtime:

        def find(connection: "Connection") -> collections.Collection:
            found = collections.get_collection(connection, name)
            collections.require_idle(connection, found.id)
            return found

        found = runtime.database.query(find)
        if not yes and not confirm(f"delete {name} with everything in it?"):
            print_line("nothing was deleted")
            raise typer.Exit(FAILED)
        # The vectors first: if the store refuses, the collection is still there, and the same command goes on.
        store = runtime.store(found)
        for shard in found.reading_shards:
            store.drop(shard)
        runtime.database.transact(lambda connection: collections.delete_collection(connection, found.id))
    if as_json:
        print_json({"deleted": name})
    else:
        print_line(f"{name} deleted")


@app.command()
def reshard(
    name: Name,
    shards: Annotated[int, typer.Option("--shards", help="Shards from now on, 1 to 256.")],
    as_json: AsJson = False,
) -> None:
    """Move a collection to more or fewer shards.

    It can be searched and written meanwhile. Run the command again to take up a move.
    """
    from embedmill.console.services.resharding import print_move, reshard

    report = reshard(name, shards=shards, quiet=as_json)
    if as_json:
        print_json(report)
    else:
        print_move(report)
    if not report["finished"]:
        raise typer.Exit(FAILED)


def _overlap(chunk_tokens: int | None, chunk_overlap: int | None) -> int | None:
    """The usual overlap shrinks with small chunks."""
    if chunk_overlap is None and chunk_tokens is not None:
        return min(32, chunk_tokens // 8)
    return chunk_overlap


def _describe(runtime: "Runtime", collection: "Collection") -> dict[str, Any]:
    from embedmill.shared.db import collections
    from embedmill.shared.db.reviews import count_open_reviews
    from embedmill.shared.db.samples import VERDICT, count_samples, get_counts

    def count(connection: "Connection") -> tuple[Any, ...]:
        id_ = collection.id
        documents, chunks = collections.count_documents(connection, id_)
        counts, samples = get_counts(connection, id_, VERDICT), count_samples(connection, id_)
        return documents, chunks, counts, samples, count_open_reviews(connection, id_)

    documents, chunks, counts, samples, in_doubt = runtime.database.query(count)
    return {
        "name": collection.name,
        "documents": documents,
        "chunks": chunks,
        "settings": dict(collection.settings),
        "model": collection.model,
        "dimensions": collection.dimensions,
        "index_version": collection.index_version,
        "shards": len(collection.shards),
        "moving": bool(collection.leaving),
        "audit": {"sampled": counts.sampled, "judged": counts.judged, "errors": counts.errors, "samples": samples},
        "in_doubt": in_doubt,
    }


def _print(runtime: "Runtime", collection: "Collection", *, as_json: bool) -> None:
    described = _describe(runtime, collection)
    if as_json:
        print_json(described)
        return
    audit = ", ".join(f"{name} {described['audit'][name]}" for name in ("sampled", "judged", "errors"))
    for name, value in {**described, "audit": audit, **described["settings"]}.items():
        if name != "settings":
            print_line(f"{name:14} {value}")
