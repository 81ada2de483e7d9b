"""Owns the answering of a query: embed it, look at the shards until nothing moves meanwhile, and show the best."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice

from embedmill.retrieval import look as looking
from embedmill.retrieval.candidates import ActiveEditions, Visibility
from embedmill.retrieval.embedding import EMBED, embed
from embedmill.retrieval.hits import Asked, Hit, SearchResult
from embedmill.retrieval.look import Look
from embedmill.retrieval.order import Place, places
from embedmill.retrieval.question import Mode, Question, ask, texts_of
from embedmill.retrieval.shards import Shards
from embedmill.retrieval.steps import Steps
from embedmill.shared.editions import Edition
from embedmill.shared.errors import UsageError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.metering import Tally
from embedmill.shared.paging import batched
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.vectorstores.base import VectorRow, VectorStore

MOST_HITS = 1000
CHUNKS_PER_DOCUMENT = 3
"""Enough to answer from one good document, too few for it to fill the page; quality is the same from 1 to all."""
LOOKS = 3
"""A query that met a document in the middle of its switch looks again, so that the document is not missing."""
SECONDS = 10.0
VERSIONS = "versions"
STEPS = (EMBED, looking.DENSE, looking.LEXICAL, VERSIONS, looking.PHRASES, looking.FUSE, looking.FETCH)
NOTHING_ASKED = "nothing is asked: a query needs a word that is not excluded"


FindLost = Callable[[Sequence[str]], Mapping[str, str]]
"""Of some shards, those that hold nothing though they should, each with the reason."""


def _lose_none(_: Sequence[str]) -> Mapping[str, str]:
    return {}


class Searcher:
    """Answers queries over one collection's shards.

    Shards are asked in the order given. A function in their place is called for every query, because documents can be
    moved to other shards at any time. An embedder that cannot be had, where a function opens it, is one that failed.

    `active_editions` maps document ids to their active edition and leaves out documents that have none; it is asked
    during every query, so that a superseded or deleted document is gone from the next answer on. `find_lost` is asked
    about shards that put up nothing. `seconds` is how long a pass over the shards may take, `tally` what paid calls
    come to.
    """

    def __init__(
        self,
        store: VectorStore,
        shards: Sequence[str] | Callable[[], Sequence[str]],
        embedder: Embedder | Callable[[], Embedder],
        active_editions: ActiveEditions,
        *,
        seconds: float = SECONDS,
        find_lost: FindLost = _lose_none,
        tally: Tally | None = None,
    ) -> None:
        self._store = store
        self._find_shards = shards if callable(shards) else lambda: shards
        self._open_embedder = (lambda: embedder) if isinstance(embedder, Embedder) else embedder
        self._active_editions = active_editions
        self._seconds = seconds
        self._find_lost = find_lost
        self._tally = tally

    def search(
        self,
        text: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        where: Condition | None = None,
        chunks_per_document: int | None = CHUNKS_PER_DOCUMENT,
    ) -> SearchResult:
        """The best chunks for a query; no hits for a query without words.

        The best `chunks_per_document` chunks of each document come first and the others after all of those; None
        ranks chunks without regard to their documents. What fails is said in the result, as long as something answers.
        Raises UsageError; StorageFailed when no shard answers; and what the embedder raises in mode `dense`.
        """
        question = ask(text, mode=mode, where=where)
        _check_top_k(top_k)
        steps, failed = Steps(*STEPS, tally=self._tally), dict[str, str]()
        if not question.asks:
            return _result([], question, steps, failed, NOTHING_ASKED)
        vector = embed(question, self._open_embedder, steps)
        hits: list[Hit] = []
        for _ in range(LOOKS):
            names = tuple(self._find_shards())
            shards = Shards(self._store, names, seconds=self._seconds, failed=failed)
            visibility = Visibility(_timed(self._active_editions, steps))
            look = Look(question, vector, shards, visibility, steps)
            hits = _best_hits(look, top_k, chunks_per_document)
            if not (visibility.moved or look.vanished or shards.broke) and tuple(self._find_shards()) == names:
                break
        shards.leave_out(self._find_lost(shards.silent) if shards.silent else {})
        return _result(hits, question, steps, failed)


def _check_top_k(top_k: int) -> None:
    if type(top_k) is not int or not 1 <= top_k <= MOST_HITS:
        raise UsageError(f"top_k is {top_k!r}, and not a number from 1 to {MOST_HITS}")


def _timed(look_up: ActiveEditions, steps: Steps) -> ActiveEditions:
    def timed(documents: Collection[str]) -> Mapping[str, Edition]:
        with steps.step(VERSIONS, given=len(documents)) as step:
            active = look_up(documents)
            step.out = len(active)
        return active

    return timed


def _best_hits(look: Look, top_k: int, chunks_per_document: int | None) -> list[Hit]:
    """The best rows with their texts; a row deleted meanwhile is replaced by the next one."""
    ordered = places(look, chunks_per_document=chunks_per_document)
    return [_hit(rank, *found) for rank, found in enumerate(islice(_read(look, ordered, page=top_k), top_k), 1)]


def _read(look: Look, ordered: Iterator[Place], *, page: int) -> Iterator[tuple[Place, VectorRow]]:
    for some in batched(ordered, page):
        rows = look.fetch([place.match for place in some])
        yield from ((place, rows[place.match.id]) for place in some if place.match.id in rows)


def _hit(rank: int, place: Place, row: VectorRow) -> Hit:
    nearness = place.stages.get(looking.DENSE)
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
        stages=place.stages,
        similarity=None if nearness is None else nearness.score,
    )


def _result(hits: list[Hit], question: Question, steps: Steps, failed: Mapping[str, str], *notes: str) -> SearchResult:
    words = question.words
    return SearchResult(
        hits=hits,
        timings=steps.timings(),
        query=Asked(question.text, words.plain, texts_of(words.words)),
        steps=steps.told(),
        partial=list(failed),
        failures=failed,
        degraded=steps.degraded or bool(failed),
        notes=[*notes, *words.notes],
    )
