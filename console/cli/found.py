"""How a search's answer is shown to people: the hits, how near they are, what they stand for, and what is missing."""

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from embedmill.console.cli.output import print_line

if TYPE_CHECKING:
    from embedmill.retrieval.hits import Hit, SearchResult
    from embedmill.retrieval.neighbours import Neighbour

SNIPPET = 240
WIDTH = 80
"""Columns where there is no terminal that has its own."""
INDENT = "    "
NOT_GOOD = {
    "none": "no good match: nothing here is close to the query",
    "weak": "weak matches: nothing here is very close to the query",
}


KEPT = "kept from before: nothing was asked of a model (--no-cache asks again)"


def print_found(result: "SearchResult", *, offset: int = 0) -> None:
    """An answer for people."""
    for line in _lines(result, offset):
        print_line(line)


def _lines(result: "SearchResult", offset: int) -> Iterator[str]:
    from embedmill.retrieval.passages import RELEVANT
    from embedmill.shared.words.queries import parse_query

    graded = any((hit.model_score or 0) >= RELEVANT for hit in result.hits)
    if result.hits and result.relevance in NOT_GOOD and not graded:
        by = f", by {result.judged_by} alone" if result.judged_by in ("words", "meaning") else ""
        yield NOT_GOOD[result.relevance] + by
    terms = parse_query(result.query.original).terms
    for hit in result.hits:
        yield from _hit(hit, terms)
    if not result.hits:
        yield "no more hits" if offset else "nothing found"
    if result.cached:
        yield KEPT
    if result.next:
        yield f"more: --offset {result.hits[-1].rank}"


def _hit(hit: "Hit", terms: Collection[int]) -> Iterator[str]:
    near = "" if hit.similarity is None else f"  ~{hit.similarity:.2f}"
    near += "" if hit.model_score is None else f"  {hit.model_score}/5"
    place = hit.uri + _pages(hit.pages)
    yield f"{hit.rank:2}. {hit.score:.3f}{near}  {place}  [{hit.start}:{hit.end}]"
    if heading := _heading(hit):
        yield INDENT + textwrap.shorten(heading, width() - len(INDENT), placeholder=" …")
    if hit.quote is not None:
        yield from _wrapped(f'"{" ".join(hit.quote.text.split())}"')
    if hit.context is None:
        yield from _wrapped(_snippet(hit.text, terms))
    else:
        yield from _around(hit)
    if hit.copy_count:
        others = "another that says" if hit.copy_count == 1 else f"{hit.copy_count} others that say"
        yield f"{INDENT}and {others} nearly the same (--json names them)"
    if hit.more_of_document:
        yield f"{INDENT}and {len(hit.more_of_document)} more of this document (--json names them)"


def _pages(pages: tuple[int, int] | None) -> str:
    if pages is None:
        return ""
    first, last = pages
    return f", page {first}" if first == last else f", pages {first}-{last}"


def _heading(hit: "Hit") -> str:
    title = "" if hit.section.startswith(hit.title) else hit.title
    return " > ".join(part for part in (title, hit.section) if part)


def _around(hit: "Hit") -> Iterator[str]:
    """A hit's text whole, between its neighbours; where the section changes, a line says so."""
    assert hit.context is not None
    section = hit.context.before[0].section if hit.context.before else hit.section
    for part in hit.context.before:
        yield from _neighbour(part, section)
        section = part.section
    yield from _section(hit.section, section)
    yield from _wrapped(" ".join(hit.text.split()), mark="> ")
    section = hit.section
    for part in hit.context.after:
        yield from _neighbour(part, section)
        section = part.section


def _neighbour(part: "Neighbour", section: str) -> Iterator[str]:
    yield from _section(part.section, section)
    yield from _wrapped(" ".join(part.text.split()))


def _section(section: str, before: str) -> Iterator[str]:
    if section != before:
        yield f"{INDENT}-- {section or 'another section'}"


def _snippet(text: str, terms: Collection[int]) -> str:
    """The part of a text that has most of the query's words."""
    from embedmill.retrieval.snippets import snippet

    text = " ".join(text.split())
    start, end = snippet(text, terms, width=SNIPPET)
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")


def _wrapped(text: str, mark: str = "  ") -> Iterator[str]:
    indent = INDENT + mark if mark.strip() else INDENT
    yield from textwrap.wrap(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def width() -> int:
    """Columns of a line."""
    return shutil.get_terminal_size((WIDTH, 24)).columns if sys.stdout.isatty() else WIDTH
