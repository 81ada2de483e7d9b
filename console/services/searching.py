"""Searching a collection: what the vector store finds, as far as readers may see it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cache, partial
from typing import Self, Unpack

from embedmill.console.services.fields import note_unknown
from embedmill.console.services.judges import open_judges
from embedmill.console.services.keeping import Keeping, open_shelf
from embedmill.console.services.lost_shards import ShardWatch
from embedmill.console.services.reach import in_collection, reach_within
from embedmill.console.services.recording import CameTo, Door, note_query
from embedmill.console.services.seeing import Sight
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.stage_settings import read_stage_settings
from embedmill.console.services.switches import Switches
from embedmill.console.services.understanding import open_understanding
from embedmill.retrieval.explaining import Explanation
from embedmill.retrieval.hits import LEFT_OUT, Hit, SearchResult, Understood
from embedmill.retrieval.question import Mode
from embedmill.retrieval.relevance import Relevance
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Step
from embedmill.retrieval.view import FIRST_PAGE, View
from embedmill.shared.access.labels import condition_of
from embedmill.shared.access.principals import Right
from embedmill.shared.collections import read_collection_settings
from embedmill.shared.db import collections
from embedmill.shared.db.collections import Collection
from embedmill.shared.errors import EmbedmillError, UsageError
from embedmill.shared.filtering.conditions import Condition
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.metering import Tally
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.queries import RememberedQueries
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.metering import LedgerMeter, is_free
from embedmill.workers.word_counts import catch_up


@dataclass(frozen=True, slots=True)
class Query:
    """One of several queries; `id` is whatever its answer is to be known by, `where` its own filter."""

    id: object
    text: str
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """What was found for one of several queries: a result with the query's `id`."""

    id: object
    hits: Sequence[Hit]
    timings: Mapping[str, float]
    query: Understood
    steps: Sequence[Step]
    partial: Sequence[str]
    failures: Mapping[str, str]
    degraded: bool
    notes: Sequence[str]
    relevance: Relevance | None
    judged_by: str
    next: str | None
    faults: Mapping[str, int]
    cached: bool
    unsettled: bool | None = field(metadata=LEFT_OUT)
    explanation: Explanation | None = field(metadata=LEFT_OUT)
    result: str | None
    """The id of the result; that of the query stands before everything."""

    @classmethod
    def of(cls, id_: object, result: SearchResult) -> Self:
        """The answer to a query of that id."""
        same = {each.name: getattr(result, each.name) for each in fields(result) if each.name != "id"}
        return cls(id_, **same, result=result.id)


@dataclass(frozen=True, slots=True)
class Unanswered:
    """One of several queries that could not be answered, and why."""

    id: object
    error: str
    hint: str
    hits: Sequence[Hit] = ()
    timings: Mapping[str, float] = field(default_factory=dict)


@serves("search", Right.READ, in_collection(), filters=True)
def search(
    runtime: Runtime,
    query: str,
    *,
    collection: str,
    top_k: int,
    mode: Mode,
    where: str | None = None,
    view: View = FIRST_PAGE,
    **switches: Unpack[Switches],
) -> SearchResult:
    """The best chunks for a query, of those that a filter allows; raises NotFound, UsageError."""
    text, condition = question_text(query, where, hint='embedmill search "what you look for"')
    with open_searcher(runtime, collection, **switches) as searcher:
        condition = hidden_condition(searcher, where, condition)
        found = searcher.search(text, top_k=top_k, mode=mode, where=condition, view=view)
        found = _noted(runtime, collection, searcher, found, mode=mode, where=condition)
    return _with_unknown(runtime, found, condition, partial(note_unknown, runtime, collection))


@serves("search", Right.READ, in_collection(), filters=True, trace=Trace.EACH)
def search_each(
    runtime: Runtime,
    queries: Iterator[Query],
    *,
    collection: str,
    top_k: int,
    mode: Mode,
    where: str | None = None,
    view: View = FIRST_PAGE,
    **switches: Unpack[Switches],
) -> Iterator[Answered]:
    """The answers to many queries, in their order; `where` is for those without one; raises NotFound, UsageError."""
    _condition(where)
    with open_searcher(runtime, collection, **switches) as searcher:
        ask = _asking(runtime, collection, searcher, top_k=top_k, mode=mode, view=view)
        for query in queries:
            yield _answer(query, ask, otherwise=where)


@serves("search", Right.READ, in_collection(), filters=True, trace=Trace.EACH)
def answer_each(
    runtime: Runtime,
    queries: Iterator[Query],
    *,
    collection: str,
    top_k: int,
    mode: Mode,
    where: str | None = None,
    view: View = FIRST_PAGE,
    **switches: Unpack[Switches],
) -> Iterator[Answered | Unanswered]:
    """The same, where a query that cannot be answered keeps nobody from the others; raises NotFound, UsageError."""
    _condition(where)
    with open_searcher(runtime, collection, **switches) as searcher:
        ask = _asking(runtime, collection, searcher, top_k=top_k, mode=mode, view=view)
        for query in queries:
            try:
                yield _answer(query, ask, otherwise=where)
            except EmbedmillError as error:
                yield Unanswered(query.id, str(error), error.hint)


def _asking(
    runtime: Runtime, collection: str, searcher: Searcher, *, top_k: int, mode: Mode, view: View
) -> Callable[..., SearchResult]:
    """Searches, and leaves records; what a filter's fields are is looked up once for all queries that have it."""
    unknown = cache(partial(note_unknown, runtime, collection))

    def ask(text: str, *, where: str | None) -> SearchResult:
        condition = hidden_condition(searcher, where, _condition(where))
        found = searcher.search(text, top_k=top_k, mode=mode, where=condition, view=view)
        found = _noted(runtime, collection, searcher, found, mode=mode, where=condition)
        return _with_unknown(runtime, found, condition, unknown)

    return ask


def _with_unknown(
    runtime: Runtime, found: SearchResult, condition: Condition | None, unknown: Callable[[Condition], Sequence[str]]
) -> SearchResult:
    """The result with a note for each field of the filter that no document has, where nothing was found."""
    if found.hits or condition is None or not runtime.principal.reads_every_level:
        return found
    return replace(found, notes=[*found.notes, *unknown(condition)])


def _noted(
    runtime: Runtime, collection: str, searcher: Searcher, found: SearchResult, *, mode: Mode, where: Condition | None
) -> SearchResult:
    """The result, with an id by which its record is known."""
    ranked = searcher.judges is not None
    door = Door("search", collection, mode, filtered=where is not None, ranked=ranked)
    came_to = CameTo(found.steps, found.new_faults, found.degraded, found.timings["total"] / 1000)
    return replace(found, id=note_query(runtime, door, found, came_to))


def _answer(query: Query, ask: Callable[..., SearchResult], *, otherwise: str | None) -> Answered:
    """The answer under the query's own filter, or `otherwise`."""
    return Answered.of(query.id, ask(query.text, where=query.where or otherwise))


def question_text(query: str, where: str | None, *, hint: str) -> tuple[str, Condition | None]:
    """What is asked, and under which condition; raises UsageError with the hint for what is no text or empty."""
    if not _text("a query", query).strip():
        raise UsageError("the query is empty", hint=hint)
    return query, _condition(where)


def hidden_condition(searcher: Searcher, where: str | None, condition: Condition | None) -> Condition | None:
    """The condition without values, as the documents' own are; itself where nothing is hidden."""
    return condition if where is None or (hidden := searcher.hide(where)) == where else _condition(hidden)


def _condition(where: str | None) -> Condition | None:
    return None if where is None else parse_filter(_text("a filter", where))


def _text(what: str, given: object) -> str:
    """What was given, when it is a text; raises UsageError."""
    if not isinstance(given, str):
        raise UsageError(f"{what} is a text, and not {type(given).__name__}")
    return given


@contextmanager
def open_searcher(runtime: Runtime, collection: str, **switches: Unpack[Switches]) -> Iterator[Searcher]:
    """A searcher over a collection, with the steps that somebody wants; raises NotFound, SettingsError."""
    name = _text("a collection's name", collection)
    found = runtime.database.query(lambda connection: collections.get_collection(connection, name))
    catch_up(runtime, found.id, seconds=runtime.settings.search_seconds)
    tally, sight = Tally(), Sight(runtime.database, found.id, runtime.seen)
    store = runtime.tallied_store(found, tally)
    stages = read_stage_settings(runtime, found, **switches)
    keeping = None if switches.get("cache") is False else Keeping(runtime, found, tally)
    with ExitStack() as opened:
        searcher = Searcher(
            store,
            sight.find_shards,
            cache(lambda: _open_embedder(runtime, found, tally, opened)),
            sight.find_editions,
            seconds=runtime.settings.search_seconds,
            find_lost=ShardWatch(runtime, found.id, store).find_lost,
            tally=tally,
            judges=open_judges(runtime, found, stages, tally, keeping),
        )
        searcher.find_seen = sight.find_seen
        searcher.understanding = open_understanding(runtime, found, stages, tally, keeping)
        searcher.word_weight = stages.word_weight
        searcher.stages = stages
        if (redactor := runtime.redactor(found.id)).is_on:
            searcher.hide = lambda text: redactor.redact(text).text
        searcher.shelf = open_shelf(runtime, found, stages, keeping)
        searcher.reach = condition_of(reach_within(runtime.principal, found))
        yield searcher


def _open_embedder(runtime: Runtime, collection: Collection, tally: Tally, opened: ExitStack) -> Embedder:
    """The collection's embedder; one that costs money is asked once for each query, and waited for as long as a shard.

    Raises EmbedmillError when it cannot be had, as without its extra.
    """
    embedder = runtime.embedder(read_collection_settings(collection.settings).embedding)
    if is_free(embedder):
        return embedder
    kept = opened.enter_context(closing(runtime.open_cache()))
    meter = LedgerMeter(runtime.spender, collection_id=collection.id, tally=tally)
    cache = runtime.cache_of(collection.id, kept)
    return RememberedQueries(
        embedder,
        cache,
        meter,
        seconds=runtime.settings.search_seconds,
        process_id=runtime.process_id,
        run_folder=runtime.run_folder,
        scope=runtime.principal.scope,
    )
