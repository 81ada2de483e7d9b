"""`embedmill ask`: a question, answered from the documents."""

import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from embedmill.console.cli.explained import print_explanation
from embedmill.console.cli.found import INDENT, KEPT, width
from embedmill.console.cli.options import (
    AsJson,
    Collection,
    Decompose,
    Expand,
    Explain,
    MaxUsd,
    NoCache,
    Normalise,
    Rank,
)
from embedmill.console.cli.output import print_line, print_result, print_warning
from embedmill.console.dollars import format_usd
from embedmill.console.rendering import counted
from embedmill.console.usual import USUAL

if TYPE_CHECKING:
    from embedmill.console.services.asking import AskedClaim, Reply


def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What you want to know.")],
    collection: Collection = USUAL,
    where: Annotated[
        str | None, typer.Option(metavar="FILTER", help="Only documents that meet it, as for search.")
    ] = None,
    rank: Rank = None,
    expand: Expand = None,
    normalise: Normalise = None,
    decompose: Decompose = None,
    max_usd: MaxUsd = None,
    explain: Explain = False,
    no_cache: NoCache = False,
    as_json: AsJson = False,
) -> None:
    """Answer a question from the documents.

    Each sentence is shown with the words of a document that bear it, and these were checked. What nothing bears is left
    out. Without a model the passages that come nearest are shown as they stand.
    """
    from embedmill.console.cli.session import opened_to_read
    from embedmill.console.services import asking
    from embedmill.retrieval.view import EVERY_SAYING, EXPLAINED_SAYING

    with opened_to_read(takes_long=True) as runtime:
        reply = asking.ask(
            runtime,
            question,
            collection=collection,
            where=where,
            view=EXPLAINED_SAYING if explain else EVERY_SAYING,
            rank=rank,
            expand=expand,
            normalise=normalise,
            decompose=decompose,
            max_usd=max_usd,
            cache=not no_cache,
            on_claim=None if as_json else _Sentences(),
        )
        for note in reply.notes:
            print_warning(note)
        print_result(reply, _print_reply, as_json=as_json)


class _Sentences:
    """Shows the sentences of an answer as they come, each when it is whole and its quotes were held."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, claim: "AskedClaim") -> None:
        self._count += 1
        for line in textwrap.wrap(f"{claim.text} [{self._count}]", width()):
            print_line(line)
        sys.stdout.flush()


def _print_reply(reply: "Reply") -> None:
    """What there is to say beside the sentences, which were shown."""
    if not reply.answered:
        print_line("the documents don't say")
    if reply.claims:
        print_line("")
    for number, claim in enumerate(reply.claims, start=1):
        _print_sources(number, claim)
    if reply.claims and not reply.by:
        print_line(f"no model worded this: these are the documents' own words ({_why_unworded(reply)})")
    if reply.cut:
        print_line("the answer was cut off: there may be more to say")
    if reply.removed:
        sentences = "a sentence was" if reply.removed == 1 else f"{reply.removed} sentences were"
        print_line(f"{sentences} left out, because no document bears them out")
    if reply.cached:
        print_line(KEPT)
    if reply.spend.calls:
        print_line(f"{counted(reply.spend.calls, 'call')}, {format_usd(reply.spend.usd)}")
    print_explanation(reply.explanation)


def _why_unworded(reply: "Reply") -> str:
    """Why the step that answers did not run, or how to have it run."""
    from embedmill.retrieval.answering.answering import ANSWER, NO_MODEL

    why = next((step.why for step in reply.steps if step.name == ANSWER), NO_MODEL)
    return "--rank asks one" if why == NO_MODEL else why


def _print_sources(number: int, claim: "AskedClaim") -> None:
    for quote in claim.quotes:
        print_line(f"[{number}] {quote.uri}  [{quote.start}:{quote.end}]")
        text = f'"{" ".join(quote.text.split())}"'
        for line in textwrap.wrap(text, width(), initial_indent=INDENT, subsequent_indent=INDENT):
            print_line(line)
