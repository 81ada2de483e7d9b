"""`embedmill verify`: the tracker against the vector store."""

from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.options import AsJson
from embedmill.console.cli.output import DONE, FAILED, print_line, print_result
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import counted, documents_of

if TYPE_CHECKING:
    from embedmill.console.services.verifying import Compared, Repaired, Verification


SHOWN_TEXTS = 3


def verify(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only this collection.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the records with the vector store.

    It names what is missing, orphaned or stale in the store, shards that are damaged or gone, and documents whose
    stored text is gone. A repair writes what is missing from what is stored already, at no cost where the cache has its
    vectors; it says what was embedded anew. A text that is gone is read from its source again.
    """
    from embedmill.console.cli.session import heard, opened_to_read, opened_to_work
    from embedmill.console.services import verifying

    with opened_to_work() if repair else opened_to_read(takes_long=True) as runtime, heard(quiet=as_json) as listener:
        report = verifying.verify(runtime, collection, repair=repair, listener=listener)
    print_result(report, print_verification, as_json=as_json)
    raise typer.Exit(DONE if report.ok else FAILED)


def print_verification(report: "Verification") -> None:
    """The comparison for people."""
    for found in report.collections:
        _print_collection(found)
    if not report.collections:
        print_line("no collections yet: embedmill ingest FOLDER")


def _print_collection(found: "Compared") -> None:
    from embedmill.console.services.verifying import Repaired

    print_line(f"{found.collection}: {documents_of(found.documents)}, {found.chunks} chunks; {_verdict(found)}")
    if isinstance(found, Repaired) or not found.ok:
        print_line(f"  missing {found.missing}, orphan {found.orphan}, stale {documents_of(found.stale)}")
    for shard, reason in found.faulty_shards.items():
        print_line(f"  shard {shard}: {reason}")
    if found.uncounted_words:
        print_line(f"  the words of {documents_of(found.uncounted_words)} {'were' if found.ok else 'are'} not counted")
    if found.lost_texts:
        some = ", ".join(found.examples["lost"][:SHOWN_TEXTS])
        print_line(f"  the stored text of {documents_of(found.lost_texts)} {'was' if found.ok else 'is'} gone: {some}")
    if isinstance(found, Repaired):
        for shard, kept in found.set_aside.items():
            print_line(f"  shard {shard} is made anew; its damaged file is kept as {kept}")
        print_line(f"  {found.deleted_vectors} vectors deleted, {documents_of(found.indexed_again)} indexed again")
        _print_cost(found)
        _print_unmended(found)
    if found.unanswered:
        print_line(f"  not judged nor changed, since their shards do not answer: {documents_of(found.unanswered)}")
    if found.in_flight:
        print_line(f"  not judged, since it is being worked on: {documents_of(found.in_flight)}")


def _print_unmended(found: "Repaired") -> None:
    """What could not be indexed again, why, and what to do."""
    for one in found.unmended:
        print_line(f"  {one.uri} cannot be indexed again, dead letter {one.letter}: {one.error}")
        print_line(f"    next: {one.hint}")
    if found.unmended:
        print_line("  a repair leaves these alone; when the cause is gone: embedmill dlq replay LETTER")


def _print_cost(found: "Repaired") -> None:
    """What was paid again, where the cache did not have all of what the store lacked."""
    if found.embedded_anew:
        spend = found.spend
        print_line(
            f"  {counted(found.embedded_anew, 'chunk')} embedded anew, for want of a cached vector: "
            f"{counted(spend.tokens_in, 'token')}, {format_usd(spend.usd)}"
        )


def _verdict(found: "Compared") -> str:
    from embedmill.console.services.verifying import Repaired

    differ = found.left if isinstance(found, Repaired) else found
    match found:
        case Repaired(ok=True):
            return "repaired, agrees with its store"
        case _ if found.unanswered and not (differ.missing or differ.orphan or differ.stale or differ.lost_texts):
            return "NOT COMPARED: the store does not answer for all of it; try again when it does"
        case Repaired(left=left):
            texts = f", without its stored text {left.lost_texts}" if left.lost_texts else ""
            return f"STILL DIFFERS: missing {left.missing}, orphan {left.orphan}, stale {left.stale}{texts}"
    return "agrees with its store" if found.ok else "DIFFERS from what is stored: embedmill verify --repair"
