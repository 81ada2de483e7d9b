"""`embedmill collections`: create, list, show, update, terms, fields, delete, reshard."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.collection_options import (
    Access,
    AnswerModel,
    Candidates,
    ChunkOverlap,
    ChunkTokens,
    Decompose,
    Domain,
    Expand,
    FastModel,
    KeepQueries,
    MaxUsd,
    Name,
    Normalise,
    Owner,
    Policy,
    Rank,
    Ranked,
    RankModel,
    Redact,
    RedactKeep,
    RejectBelow,
    Retain,
    SimilarityWeight,
    Validator,
)
from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import FAILED, confirm, print_line, print_result, print_table
from embedmill.console.rendering import documents_of, to_json
from embedmill.console.usual import USUAL
from embedmill.shared.durations import format_duration

if TYPE_CHECKING:
    from embedmill.console.services.collections import (
        CollectedTerms,
        CollectionReport,
        CollectionReports,
        RetentionReport,
    )
    from embedmill.console.services.fields import FieldReports
    from embedmill.console.services.resharding import Resharded


app = typer.Typer(no_args_is_help=True, help="Make collections and change their settings.")


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
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Encrypt what is stored of it, under a key of its own (EMBEDMILL_KEY).")
    ] = False,
    vectors: Annotated[
        str | None,
        typer.Option(
            "--vectors",
            metavar="HOW",
            help="How a store of somebody else's has the vectors of an encrypted collection: obfuscated (rotated in "
            "secret; distances stay open, and whoever knows 256 texts and their rows undoes 256 dimensions) or plain.",
        ),
    ] = None,
    validator: Validator = None,
    policy: Policy = None,
    reject_below: RejectBelow = None,
    redact: Redact = None,
    redact_keep: RedactKeep = None,
    rank: Rank = None,
    expand: Expand = None,
    normalise: Normalise = None,
    decompose: Decompose = None,
    domain: Domain = None,
    access: Access = None,
    owner: Owner = None,
    keep_queries: KeepQueries = None,
    fast_model: FastModel = None,
    rank_model: RankModel = None,
    answer_model: AnswerModel = None,
    similarity_weight: SimilarityWeight = None,
    candidates: Candidates = None,
    ranked: Ranked = None,
    max_usd: MaxUsd = None,
    retain_days: Retain = None,
    as_json: AsJson = False,
) -> None:
    """Make a collection."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import collections

    with opened() as runtime:
        made = collections.create_collection(
            runtime,
            name,
            chunk_tokens=chunk_tokens,
            chunk_overlap=chunk_overlap,
            shards=shards,
            embedding=embedding,
            encrypt=encrypt or None,
            vectors=vectors,
            validator=validator,
            policy=policy,
            reject_below=reject_below,
            redact=redact,
            redact_keep=redact_keep or None,
            rank=rank,
            expand=expand,
            normalise=normalise,
            decompose=decompose,
            domain=domain,
            access=access,
            owner=owner,
            keep_queries=keep_queries,
            fast_model=fast_model,
            rank_model=rank_model,
            answer_model=answer_model,
            similarity_weight=similarity_weight,
            candidates=candidates,
            ranked=ranked,
            max_usd=max_usd,
            retain_days=retain_days,
        )
    print_result(made, _print_collection, as_json=as_json)


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List collections."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import collections

    with opened_to_read() as runtime:
        found = collections.list_collections(runtime)
    print_result(found, _print_collections, as_json=as_json)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a collection's settings and size."""
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import collections

    with opened_to_read() as runtime:
        found = collections.show_collection(runtime, name)
    print_result(found, _print_collection, as_json=as_json)


@app.command()
def update(
    name: Name,
    chunk_tokens: ChunkTokens = None,
    chunk_overlap: ChunkOverlap = None,
    validator: Validator = None,
    policy: Policy = None,
    reject_below: RejectBelow = None,
    redact: Redact = None,
    redact_keep: RedactKeep = None,
    rank: Rank = None,
    expand: Expand = None,
    normalise: Normalise = None,
    decompose: Decompose = None,
    domain: Domain = None,
    access: Access = None,
    owner: Owner = None,
    keep_queries: KeepQueries = None,
    fast_model: FastModel = None,
    rank_model: RankModel = None,
    answer_model: AnswerModel = None,
    similarity_weight: SimilarityWeight = None,
    candidates: Candidates = None,
    ranked: Ranked = None,
    max_usd: MaxUsd = None,
    retain_days: Retain = None,
    as_json: AsJson = False,
) -> None:
    """Change how documents are split, judged and found.

    Ingest the sources again to apply it to what is indexed already.
    """
    from embedmill.console.cli.session import opened
    from embedmill.console.services import collections

    with opened() as runtime:
        changed = collections.update_collection(
            runtime,
            name,
            chunk_tokens=chunk_tokens,
            chunk_overlap=chunk_overlap,
            validator=validator,
            policy=policy,
            reject_below=reject_below,
            redact=redact,
            redact_keep=redact_keep or None,
            rank=rank,
            expand=expand,
            normalise=normalise,
            decompose=decompose,
            domain=domain,
            access=access,
            owner=owner,
            keep_queries=keep_queries,
            fast_model=fast_model,
            rank_model=rank_model,
            answer_model=answer_model,
            similarity_weight=similarity_weight,
            candidates=candidates,
            ranked=ranked,
            max_usd=max_usd,
            retain_days=retain_days,
        )
    print_result(changed, _print_collection, as_json=as_json)


@app.command()
def terms(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Most terms.")] = 200,
    as_json: AsJson = False,
) -> None:
    """List terms and synonyms found in documents.

    A model validator collects them from a sample of the documents.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import collections

    with opened_to_read() as runtime:
        found = collections.list_terms(runtime, name, limit=limit)
    print_result(found, _print_terms, as_json=as_json)


@app.command()
def fields(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="The collection's name.", show_default="default")
    ] = USUAL,
    as_json: AsJson = False,
) -> None:
    """List the fields that a search can filter by.

    Of a large collection some ten thousand documents are looked at.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services.fields import list_fields

    with opened_to_read() as runtime:
        found = list_fields(runtime, name)
    print_result(found, _print_fields, as_json=as_json)


@app.command()
def delete(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a collection with its index and its history."""
    from embedmill.console.cli.session import opened
    from embedmill.console.services import collections

    with opened() as runtime:
        collections.require_deletable(runtime, name)
        if not yes and not confirm(f"delete {name} with everything in it?"):
            print_line("nothing was deleted")
            raise typer.Exit(FAILED)
        done = collections.delete_collection(runtime, name)
    print_result(done, lambda done: print_line(f"{done.deleted} deleted"), as_json=as_json)


@app.command()
def reshard(
    name: Name,
    shards: Annotated[int, typer.Option("--shards", help="Shards from now on, 1 to 256.")],
    as_json: AsJson = False,
) -> None:
    """Move a collection to more or fewer shards.

    It can be searched and written meanwhile. Run the command again to take up a move.
    """
    from embedmill.console.cli.session import heard, opened_to_work
    from embedmill.console.services.resharding import reshard_collection

    with opened_to_work() as runtime, heard(quiet=as_json) as listener:
        done = reshard_collection(runtime, name, shards=shards, listener=listener)
    print_result(done, _print_resharded, as_json=as_json)
    if not done.finished:
        raise typer.Exit(FAILED)


def _print_collections(found: "CollectionReports") -> None:
    columns = ("name", "documents", "chunks", "model", "dimensions", "shards")
    print_table(found.collections, columns, empty="no collections yet: embedmill ingest FOLDER")


def _print_collection(found: "CollectionReport") -> None:
    audit = f"sampled {found.audit.sampled}, judged {found.audit.judged}, errors {found.audit.errors}"
    settings = {**found.settings, "rank": _who_ranks(**found.settings)}
    shown = {**to_json(found), "audit": audit, "retention": _in_words(found.retention), **settings}
    for name, value in shown.items():
        if name not in ("settings", "unranked"):
            print_line(f"{name:14} {value}")


def _who_ranks(*, rank: bool = False, unranked: bool = False, **_others: object) -> str:
    """What one setting says and the other takes back."""
    if rank:
        return "models rank what is found here"
    return (
        "no model ranks what is found here"
        if unranked
        else "models rank here where EMBEDMILL_FAST_MODEL or EMBEDMILL_RANK_MODEL is set"
    )


def _in_words(retention: "RetentionReport | None") -> str:
    if retention is None:
        return "documents are kept"
    span = f"{retention.days:g} days" if retention.days >= 1 else format_duration(retention.days * 86_400)
    last = f", the last {to_json(retention.last)}" if retention.last else ""
    return f"documents are kept for {span}; {retention.due} are due, {retention.erased} were erased{last}"


def _print_terms(found: "CollectedTerms") -> None:
    rows = [{**to_json(term), "synonyms": ", ".join(each.synonym for each in term.synonyms)} for term in found.terms]
    empty = "no terms yet: they are collected when a model validates (docs/validation.md)"
    print_table(rows, ("term", "documents", "mentions", "synonyms"), empty=empty)


def _print_fields(found: "FieldReports") -> None:
    rows = [
        {
            **to_json(field),
            "types": ", ".join(field.types),
            "values": "many" if field.values is None else field.values,
            "range": "" if field.least is None else f"{field.least} to {field.greatest}",
            "examples": ", ".join(map(str, field.examples)),
        }
        for field in found.fields
    ]
    empty = "no metadata; there are document, uri, title, section and page"
    print_table(rows, ("name", "types", "documents", "values", "range", "examples"), empty=empty)
    if found.looked_at < found.documents:
        print_line(f"of {found.looked_at} of {documents_of(found.documents)}")


def _print_resharded(done: "Resharded") -> None:
    print_line(
        f"{done.collection}: {done.shards} shards; {documents_of(done.documents)} with "
        f"{done.vectors} vectors moved, nothing was embedded"
    )
    if done.repaired:
        print_line(f"  {documents_of(done.repaired)} not whole, and indexed again from the cache")
    if not done.finished:
        print_line("  some documents are not whole in any shard: embedmill verify --repair, then run this again")
