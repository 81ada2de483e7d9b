"""Owns a page of an answer: the hits of an order from a place on, with what they stand for and what is around them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from embedmill.retrieval.hits import Copy, Hit, Part
from embedmill.retrieval.judging import RelevanceJudge
from embedmill.retrieval.look import Looking
from embedmill.retrieval.neighbours import Context, context, ids_after, ids_before
from embedmill.retrieval.order import Order, RankedPlace
from embedmill.retrieval.paging import Cursor, stands_for
from embedmill.retrieval.passages import Quote
from embedmill.retrieval.relevance import JUDGED_HITS, Relevance
from embedmill.shared.headed import place_of, within_one
from embedmill.shared.providers.vectorstores.rows import Match, VectorRow

LEAST_TAKEN = 20
"""So many places are taken however few are shown: what is told of the first does not depend on how many are wanted."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some hits of an answer, and how good all of it is.

    `shown` stands for the ids of all hits up to its end, `before` for those up to its beginning; `end` is None where no
    page follows. `ends_early` where nothing follows though the collection holds more. `ids` are those of all places
    that were taken.
    """

    hits: list[Hit]
    relevance: Relevance | None
    judged_by: str
    before: str
    shown: str
    end: int | None
    ends_early: bool
    ids: Sequence[str] = ()

    def next(self, asked: str, *, without: Sequence[str], by_words: bool) -> Cursor | None:
        """Where the next page begins."""
        return None if self.end is None else Cursor(self.end, asked, self.shown, tuple(without), by_words)


NO_PAGE = Page([], Relevance.NONE, "", "", "", None, ends_early=False)


def make_page(order: Order, judge: RelevanceJudge, *, begin: int, top_k: int) -> Page:
    """The page of `top_k` hits that begins behind the first `begin`."""
    end = begin + top_k
    places = list(islice(order.places(), max(LEAST_TAKEN, end + 1)))
    shown = places[begin:end]
    around = _context(order.look, shown, order.view.context)
    firsts = _first_of_each(places)
    hits = [
        _hit(rank, place, judge, order, around, is_first=firsts[place.row.document] is place)
        for rank, place in enumerate(shown, begin + 1)
    ]
    told = {place.row.id: hit.similarity for place, hit in zip(shown, hits, strict=True)}
    return Page(
        hits=hits,
        relevance=judge.judge(
            told[place.row.id] if place.row.id in told else judge.similarity(place) for place in places[:JUDGED_HITS]
        ),
        judged_by=judge.by,
        before=_stands_for(places[:begin]),
        shown=_stands_for(places[:end]),
        end=end if len(places) > end else None,
        ends_early=order.ends_early and len(places) <= end,
        ids=[place.row.id for place in places],
    )


def _stands_for(places: Sequence[RankedPlace]) -> str:
    return stands_for(place.row.id for place in places)


def _first_of_each(places: Sequence[RankedPlace]) -> Mapping[str, RankedPlace]:
    return {place.row.document: place for place in reversed(places)}


def _context(look: Looking, places: Sequence[RankedPlace], count: int) -> dict[str, Context]:
    """What is around each hit, by its id; nothing where nothing is wanted."""
    if not count or not places:
        return {}
    rows = look.fetch_beside([match for place in places for match in _beside(place, count)])
    return {place.row.id: context(place.row, count, rows) for place in places}


def _beside(place: RankedPlace, count: int) -> list[Match]:
    row, shard = place.row, place.match.shard
    ids = (*ids_before(row.id, count), *ids_after(row.id, count))
    return [Match(id, row.document, row.version, 0.0, shard) for id in ids]


def _hit(
    rank: int, place: RankedPlace, judge: RelevanceJudge, order: Order, around: Mapping[str, Context], *, is_first: bool
) -> Hit:
    row = place.row
    copies = [Copy(copy.document, copy.uri, copy.chunk) for copy in order.copies_of(row)]
    left_out = order.left_out_of(row.document) if is_first else []
    return Hit(
        rank=rank,
        score=place.score,
        document=row.document,
        uri=row.uri,
        chunk=row.chunk,
        section=row.section,
        start=row.start,
        end=row.end,
        text=row.text,
        title=row.title,
        page=row.page,
        pages=row.pages,
        head=row.head,
        stages=place.stages,
        similarity=judge.similarity(place),
        model_score=None if place.grade is None else place.grade.score,
        quote=_quote(place),
        copies=copies,
        copy_count=len(copies),
        more_of_document=[_part(other) for other in left_out] if order.view.per_document else None,
        context=around.get(row.id),
    )


def _quote(place: RankedPlace) -> Quote | None:
    """The quote with offsets into the document's text; a chunk that is no span of it, as a mended one, has its own."""
    quote, row = place.grade.quote if place.grade else None, place.row
    if quote is None:
        return None
    if len(row.body) != row.end - row.start:
        return Quote(quote.text, row.start, row.end)
    start, end = within_one(quote.start, quote.end, row.head)
    return Quote(row.text[start:end], *place_of(start, end, head=row.head, begin=row.start))


def _part(row: VectorRow) -> Part:
    return Part(row.chunk, row.section, row.page, row.start, row.end)
