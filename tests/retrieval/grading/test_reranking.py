"""A vendor's reranker in the place of the model that sifts: it orders, and puts nothing out."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.grading.reranking import VendorJudge
from embedmill.retrieval.grading.staged import Judge, StagedOrder, Standing, rank_staged
from embedmill.retrieval.passages import Passage
from embedmill.retrieval.steps import Step, Steps
from embedmill.shared.errors import EmbedmillError, FlowControl, InputRefused, ProviderUnavailable
from embedmill.shared.ledger import Usage
from embedmill.shared.metering import FreeMeter, Meter, Reservation, Tally
from embedmill.shared.providers.rerankers.base import Reranked, Reranker, read_relevance
from embedmill.shared.spend.metering import LedgerMeter
from tests.retrieval.grading.judge import Say, Scripted, ScriptedModel, by_text, passages
from tests.shared.db.tracker import Tracker
from tests.shared.spend.conftest import spenders, tracked  # noqa: F401 - fixtures

Says = Callable[[Sequence[str]], "list[tuple[Any, Any]] | EmbedmillError"]


class ScriptedReranker(Reranker):
    """Says of texts what a test writes down."""

    provider = "cohere"
    extra = package = "cohere"

    def __init__(self, says: Says) -> None:
        super().__init__("cohere/rerank-v3.5", "rerank-v3.5")
        self._says = says
        self.asked: list[list[str]] = []

    @property
    def key_hash(self) -> str:
        return ""

    def rerank(self, query: str, texts: Sequence[str]) -> Reranked:
        self.asked.append(list(texts))
        said = self._says(texts)
        if isinstance(said, EmbedmillError):
            raise said
        return Reranked(*read_relevance(said, len(texts)), 1, "r")


def number_of(text: str) -> int:
    """Of a passage that `passages` made."""
    return int(text.split()[2])


def later_is_better(texts: Sequence[str]) -> list[tuple[Any, Any]]:
    return [(place, number_of(text) / 100) for place, text in enumerate(texts)]


def ranked(
    says: Says, count: int = 30, *, rank: Say | None = None, meter: Meter | None = None
) -> tuple[StagedOrder, ScriptedReranker, Step]:
    reranker, steps = ScriptedReranker(says), Steps("filter", "rank")
    sift = VendorJudge(reranker, meter or FreeMeter())
    judge = None if rank is None else Judge(ScriptedModel(Scripted(rank)), FreeMeter())
    order = rank_staged(AskedQuestion("what do they say?"), passages(count), sift=sift, rank=judge, steps=steps)
    return order, reranker, steps.told()[0]


def ids(order: StagedOrder) -> list[str]:
    return [item.passage.id for item in order.judged]


def test_its_order_is_the_order_where_nothing_else_grades() -> None:
    order, reranker, step = ranked(later_is_better)
    assert ids(order) == [f"p{n}" for n in range(29, -1, -1)]
    assert {item.standing for item in order.judged} == {Standing.UNJUDGED}, "a relevance is no verdict"
    assert all(one.score >= other.score for one, other in zip(order.judged, order.judged[1:], strict=False))
    assert ([len(texts) for texts in reranker.asked], step.out, step.model) == ([30], 30, "cohere/rerank-v3.5")


def test_the_strong_model_grades_what_it_holds_nearest() -> None:
    seen: list[int] = []

    def grade(shown: Sequence[tuple[str, str]], prompt: Any) -> Any:
        seen.extend(number_of(text) for _, text in shown)
        return by_text({text: 2 for _, text in shown})(shown, prompt)

    order, _, _ = ranked(later_is_better, rank=grade)
    assert sorted(seen) == list(range(10, 30))
    assert ids(order)[:10] == [f"p{n}" for n in range(9, -1, -1)], "what was graded bad stands behind them"


def test_the_order_within_a_call_tells_no_rank() -> None:
    _, reranker, _ = ranked(later_is_better)
    numbers = [number_of(text) for text in reranker.asked[0]]
    assert numbers not in (sorted(numbers), sorted(numbers, reverse=True))


@pytest.mark.parametrize(
    "error",
    [
        ProviderUnavailable("500"),
        FlowControl("429", reason="rate", retry_after_seconds=1),
        InputRefused("400"),
    ],
)
def test_where_it_fails_the_order_of_similarity_stands(error: EmbedmillError) -> None:
    order, _, step = ranked(lambda _: error, count=8)
    assert ids(order) == [f"p{n}" for n in range(8)]
    assert (step.failed, step.ran) == (True, False) and step.why


def test_what_it_leaves_out_is_asked_for_once_more_and_is_then_neither_good_nor_bad() -> None:
    def half(texts: Sequence[str]) -> list[tuple[Any, Any]]:
        return [(place, number_of(text) / 100) for place, text in enumerate(texts) if number_of(text) % 2]

    order, reranker, step = ranked(half, count=10)
    assert [len(texts) for texts in reranker.asked] == [10, 5]
    assert "5 of 10 were not judged" in step.why
    assert sorted(ids(order)) == sorted(f"p{n}" for n in range(10))
    assert ids(order).index("p9") < ids(order).index("p7") < ids(order).index("p1")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda texts: [(99, 0.5), (-1, 0.5), ("0", 0.5)],
        lambda texts: [(place, float("nan")) for place in range(len(texts))],
        lambda texts: [(place, 7) for place in range(len(texts))],
        lambda texts: [(place, value) for place in range(len(texts)) for value in (0.1, 0.9)],
        lambda texts: [],
    ],
    ids=["foreign", "not a number", "out of range", "said twice", "nothing"],
)
def test_what_cannot_be_is_not_believed(wrong: Says) -> None:
    order, reranker, step = ranked(wrong, count=8)
    assert ids(order) == [f"p{n}" for n in range(8)]
    assert step.failed and len(reranker.asked) == 2


def test_a_call_is_booked_in_search_units_before_and_after(spenders: Any, tracked: Tracker) -> None:  # noqa: F811
    tally = Tally()
    tally.begin(None)
    ranked(later_is_better, meter=LedgerMeter(spenders(), collection_id=tracked.collection.id, tally=tally))
    assert (tally.calls, tally.microusd) == (1, 2000)


@pytest.mark.parametrize(("most", "calls"), [(0.0, 0), (0.001, 0), (0.002, 1)])
def test_the_bound_of_a_query_holds(spenders: Any, tracked: Tracker, most: float, calls: int) -> None:  # noqa: F811
    tally = Tally()
    tally.begin(most)
    order, reranker, step = ranked(
        later_is_better, meter=LedgerMeter(spenders(), collection_id=tracked.collection.id, tally=tally)
    )
    assert (len(reranker.asked), step.failed) == (calls, not calls)
    assert len(ids(order)) == 30


class Asking(FreeMeter):
    """Remembers what was reserved."""

    def __init__(self) -> None:
        self.reserved: list[Usage] = []

    def reserve(self, usage: Usage) -> Reservation:
        self.reserved.append(usage)
        return super().reserve(usage)


def test_a_long_query_is_reserved_at_more_units() -> None:
    long = "word " * 600
    found = [Passage(f"p{n}", f"d{n}", "", "", "", f"passage {n} {long}") for n in range(50)]
    meter = Asking()
    for question in ("short", long):
        judge = VendorJudge(ScriptedReranker(lambda texts: [(n, 0.5) for n in range(len(texts))]), meter)
        rank_staged(AskedQuestion(question), found, sift=judge, rank=None, steps=Steps("filter", "rank"))
    assert [usage.milliunits for usage in meter.reserved] == [1000, 1000]
    assert all(usage.purpose == "filter" and usage.operation == "rerank" for usage in meter.reserved)
