"""What the Python API does for readers: searches, answers, what is said of them and how good they are."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Unpack

from embedmill.choices import SearchChoices, require_known, split_view
from embedmill.console.services import asking as asking_service
from embedmill.console.services import evaluating as evaluation_service
from embedmill.console.services import feedback as feedback_service
from embedmill.console.services import query_stats, searching
from embedmill.console.services.asking import OnClaim, Reply
from embedmill.console.services.evaluating import Evaluation
from embedmill.console.services.feedback import ExportedFeedback, FeedbackReport, Judged
from embedmill.console.services.query_stats import QueryStats
from embedmill.console.services.searching import Answered, Query
from embedmill.console.services.switches import Switches
from embedmill.console.usual import USUAL
from embedmill.lender import Lender
from embedmill.retrieval.hits import SearchResult
from embedmill.retrieval.question import Mode
from embedmill.retrieval.view import EVERY_SAYING, EXPLAINED_SAYING


class Readers(Lender):
    """Methods with the commands' names over the runtimes that a mill lends."""

    def search(
        self,
        query: str,
        *,
        collection: str = USUAL,
        top_k: int = 10,
        mode: Mode = "hybrid",
        where: str | None = None,
        **choices: Unpack[SearchChoices],
    ) -> SearchResult:
        """The best chunks for a query, by meaning and by words; raises NotFound, UsageError.

        `where` is a filter as `embedmill search --where` takes it. `rank` says whether models rank what is found,
        `expand` whether synonyms are looked for, `normalise` whether a model words the query as the documents do,
        `decompose` whether one divides a question that asks several things, `max_usd` the most that it may cost, where
        that is not to be as settings and collection have it. Without `cache` models are asked again, and nothing is
        kept.
        """
        view, switches = split_view(choices)
        with self._lend() as runtime:
            return searching.search(
                runtime,
                query,
                collection=collection,
                top_k=top_k,
                mode=mode,
                where=where,
                view=view,
                **switches,
            )

    def search_each(
        self,
        queries: Iterable[tuple[object, str]],
        *,
        collection: str = USUAL,
        top_k: int = 10,
        mode: Mode = "hybrid",
        where: str | None = None,
        **choices: Unpack[SearchChoices],
    ) -> Iterator[Answered]:
        """The answers to many queries, each an id and a text, in their order, streamed; raises NotFound."""
        asked = (Query(id_, text) for id_, text in queries)
        view, switches = split_view(choices)
        with self._lend() as runtime:
            yield from searching.search_each(
                runtime,
                asked,
                collection=collection,
                top_k=top_k,
                mode=mode,
                where=where,
                view=view,
                **switches,
            )

    def ask(
        self,
        question: str,
        *,
        collection: str = USUAL,
        where: str | None = None,
        explain: bool = False,
        on_claim: OnClaim | None = None,
        **switches: Unpack[Switches],
    ) -> Reply:
        """An answer from the documents, each sentence with quotes that were checked; raises NotFound, UsageError.

        `rank` says whether models rank and answer, where that is not to be as settings and collection have it;
        `expand`, `normalise`, `decompose`, `max_usd` and `cache` are as for a search. `explain` tells what each step
        cost and changed. `on_claim` is given each sentence as soon as it is whole and its quotes are held, in this
        thread, while the model words the next.
        """
        require_known(switches, Switches)
        view = EXPLAINED_SAYING if explain else EVERY_SAYING
        with self._lend() as runtime:
            return asking_service.ask(
                runtime, question, collection=collection, where=where, view=view, on_claim=on_claim, **switches
            )

    def add_feedback(self, result: str, chunk: str, *, helpful: bool, why: str | None = None) -> Judged:
        """Say of a hit of a result, by their ids, whether it helped; raises NotFound, UsageError.

        What was said of it before is replaced.
        """
        with self._lend() as runtime:
            return feedback_service.add_feedback(runtime, result, chunk, helpful=helpful, why=why)

    def feedback(self, *, collection: str | None = None, limit: int = 20) -> FeedbackReport:
        """What was said of hits, and the worst queries; raises NotFound."""
        with self._lend() as runtime:
            return feedback_service.report_feedback(runtime, collection=collection, limit=limit)

    def judgements(self, *, collection: str = USUAL) -> ExportedFeedback:
        """Queries and judgements as `evaluate` takes them, of queries whose texts were kept; raises NotFound."""
        with self._lend() as runtime:
            return feedback_service.export_feedback(runtime, collection)

    def query_stats(self, *, days: int = 7, collection: str | None = None) -> QueryStats:
        """How searches and answers went in so many days, today's included; raises NotFound."""
        with self._lend() as runtime:
            return query_stats.measure_queries(runtime, days=days, collection=collection)

    def evaluate(
        self,
        queries: str | os.PathLike[str],
        qrels: str | os.PathLike[str],
        *,
        collection: str = USUAL,
        against: str | None = None,
    ) -> Evaluation:
        """How good the search is, by files of queries and judgements as `embedmill eval` takes them; raises UserError.

        `against` is another collection, or a report of `embedmill eval --json`.
        """
        with self._lend() as runtime:
            return evaluation_service.evaluate(
                runtime, Path(queries), Path(qrels), collection=collection, against=against
            )
