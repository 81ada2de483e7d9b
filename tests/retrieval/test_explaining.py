"""What is told of how an order came about: ranks after each stage, and what each moved, brought in and put out."""

from collections.abc import Sequence

import pytest

from embedmill.retrieval.explaining import Change, explain
from embedmill.retrieval.grading.grader import Judges
from embedmill.retrieval.grading.staged import Judge
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Step
from embedmill.retrieval.view import View
from embedmill.shared.errors import NotFound, ProviderUnavailable
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import Prompt
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.retrieval.grading.judge import Say, Scripted, ScriptedModel, grades, scores
from tests.retrieval.orchard import Tracker, fruit

EXPLAINED = View(explain=True)


def test_a_stage_is_compared_with_the_one_before_among_as_many_as_are_shown() -> None:
    trail = {
        "dense": list("abcd"),
        "lexical": list("dca"),
        "fused": list("adbc"),
        "fold": list("adb"),
        "rank": list("bda"),
    }
    steps = [Step(name, ran=True) for name in ("dense", "lexical", "fuse", "fold", "rank")]
    told = explain(trail, steps, {"b": (1, "d2", "2.txt", "c0"), "d": (2, "d4", "4.txt", "c0")}, depth=3)
    changes = {stage.name: stage.change for stage in told.stages}
    assert changes == {
        "dense": None,
        "lexical": None,
        "fuse": Change("dense", moved=1, entered=1, left=1),
        "fold": Change("fused", moved=0, entered=0, left=0),
        "rank": Change("fold", moved=2, entered=0, left=0),
    }
    assert [(hit.rank, hit.document, hit.ranks) for hit in told.hits] == [
        (1, "d2", {"dense": 2, "lexical": None, "fused": 3, "fold": 3, "rank": 1}),
        (2, "d4", {"dense": 4, "lexical": 1, "fused": 2, "fold": 2, "rank": 2}),
    ]


def test_words_alone_begin_an_order_too() -> None:
    told = explain(
        {"lexical": ["a", "b"], "fold": ["b"]}, [Step("fold", ran=True)], {"b": (1, "d", "d.txt", "c")}, depth=1
    )
    assert told.stages[0].change == Change("lexical", moved=0, entered=1, left=1)


def test_a_step_that_orders_nothing_tells_its_cost_alone() -> None:
    (told,) = explain({}, [Step("embed", ran=True, calls=1, usd=0.5, tokens_in=7, seconds=2.0)], {}, depth=5).stages
    assert (told.calls, told.usd, told.tokens_in, told.seconds, told.change) == (1, 0.5, 7, 2.0, None)


def last_first(shown: Sequence[tuple[str, str]], prompt: Prompt) -> str:
    """Likes what is later in the orchard."""
    if prompt.schema_name == "scores":
        return scores([{"id": id, "score": 3} for id, _ in shown])
    return grades([{"id": id, "quote": said, "score": 5 if said.endswith("9") else 1} for id, said in shown])


def first_first(shown: Sequence[tuple[str, str]], _: Prompt) -> str:
    return grades([{"id": id, "quote": said, "score": 1 if said.endswith("9") else 5} for id, said in shown])


def test_a_search_is_explained_where_it_is_asked_for(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    fruit(store, tracker)
    assert searcher.search("apple 0").explanation is None
    told = searcher.search("apple 0", top_k=3, view=EXPLAINED).explanation
    assert told is not None
    assert [hit.rank for hit in told.hits] == [1, 2, 3]
    assert all(hit.ranks["fold"] == hit.rank and "rank" not in hit.ranks for hit in told.hits)
    assert {stage.name for stage in told.stages if stage.change} == {"fuse", "feedback", "fold"}


def test_what_models_moved_is_told_hit_by_hit(store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher) -> None:
    fruit(store, tracker)
    judge = Judge(ScriptedModel(Scripted(last_first)), FreeMeter())
    searcher.judges = Judges(judge, judge)
    before = searcher.search("apple 0", top_k=10, view=EXPLAINED)
    assert before.explanation is not None
    moved = next(stage.change for stage in before.explanation.stages if stage.name == "rank")
    assert moved is not None and moved.after == "filter"
    ranks = [(hit.ranks["filter"], hit.ranks["rank"]) for hit in before.explanation.hits]
    assert [after for _, after in ranks] == list(range(1, len(ranks) + 1))
    assert moved.moved == sum(was != after for was, after in ranks)


@pytest.mark.parametrize(
    ("say", "why"),
    [
        (lambda *_: ProviderUnavailable("the judge is away"), "the judge is away"),
        (first_first, "the models that rank it judged otherwise"),
    ],
)
def test_a_page_that_models_make_another_is_refused_with_what_became_of_them(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher, say: Say, why: str
) -> None:
    fruit(store, tracker)
    script = Scripted(last_first)
    searcher.judges = Judges(rank=Judge(ScriptedModel(script), FreeMeter()))
    first = searcher.search("apple 0", top_k=3)
    assert searcher.search("apple 0", top_k=3, view=View(after=first.next)).hits
    script.say = say
    with pytest.raises(NotFound, match=why):
        searcher.search("apple 0", top_k=3, view=View(after=first.next))
