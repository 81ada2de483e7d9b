"""Searches whose question is divided: what the parts add, what they never change, and what is said of it."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedmill.retrieval.question import Mode
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Step
from embedmill.retrieval.understanding.parts import merge
from embedmill.retrieval.understanding.understanding import Advised, Understanding
from embedmill.retrieval.view import View
from embedmill.shared.errors import NotFound, ProviderUnavailable, SettingsError
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import DIMENSIONS, make_row, unit_vector
from tests.retrieval.grading.judge import Scripted
from tests.retrieval.orchard import AngleEmbedder, Tracker, angle, documents, write
from tests.retrieval.understanding.divider import Said, divider, listing

QUESTION = "How long is the warranty of the pump and who repairs the valve?"
PARTS = ("warranty of the pump", "who repairs the valve")
MODES: list[Mode] = ["dense", "lexical", "hybrid"]


class TurningEmbedder(AngleEmbedder):
    """Has a vector for each of some texts, and one for all others."""

    def __init__(self, degrees: dict[str, float], fails_for: str = "") -> None:
        self._degrees = degrees
        self._fails_for = fails_for
        self.asked: list[str] = []

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        assert input_type == "query"
        self.asked += texts
        if self._fails_for in texts:
            raise ProviderUnavailable("the embedder is away")
        return np.stack([angle(self._degrees.get(text, 45)) for text in texts])


DEGREES = {PARTS[0]: 0.0, PARTS[1]: 90.0}


THINGS = [f"{a} {b} {a}{b} {b}{a}" for a in ("oak", "elm", "ash", "fir", "yew") for b in ("bed", "box", "bow", "bin")]


def near(n: int) -> NDArray[np.float32]:
    """Nearer to the whole than the answers are, and far from both parts."""
    return unit_vector(1, 1, 1 + n / 100)


def library(store: EmbeddedVectorStore, tracker: Tracker, shards: int = 2) -> None:
    """An answer to each part at both ends, and between them much that is near to the whole."""
    texts = {
        "warranty": ("The warranty of the pump is two years.", angle(2)),
        "valve": ("The workshop repairs the valve.", angle(88)),
        **{f"near{n:02}": (f"How long is {words} and who knows?", near(n)) for n, words in enumerate(THINGS)},
    }
    for number, (name, (text, vector)) in enumerate(texts.items()):
        write(store, tracker, make_row(name, text=text, vector=vector), shard=f"s{number % shards}")


def searching(store: EmbeddedVectorStore, tracker: Tracker, *said: Said, **chosen: Any) -> tuple[Searcher, Scripted]:
    dividing, script = divider(*(said or (listing(*PARTS),)))
    embedder = chosen.get("embedder") or TurningEmbedder(DEGREES)
    searcher = Searcher(store, ["s0", "s1"], embedder, tracker)
    searcher.understanding = Understanding(divider=Advised(lambda: dividing, dividing.model.name))
    return searcher, script


def step_of(steps: Sequence[Step], name: str) -> Step:
    return next(step for step in steps if step.name == name)


@pytest.mark.parametrize("mode", MODES)
def test_the_answers_to_the_parts_come_up(store: EmbeddedVectorStore, tracker: Tracker, mode: Mode) -> None:
    library(store, tracker)
    searcher, script = searching(store, tracker)
    result = searcher.search(QUESTION, mode=mode, top_k=5)
    assert {"warranty", "valve"} <= set(documents(result.hits))
    assert result.query.subqueries == list(PARTS)
    assert result.query.original == result.query.normalised == QUESTION
    divided, searched = (step_of(result.steps, name) for name in ("decompose", "subqueries"))
    assert (divided.ran, divided.out, divided.why) == (True, 2, "")
    assert (searched.ran, searched.given) == (True, 2)
    assert not result.degraded
    assert len(script.prompts) == 1
    assert [hit.score for hit in result.hits] == sorted((hit.score for hit in result.hits), reverse=True)
    assert all(hit.stages["subqueries"].score == hit.score for hit in result.hits)


def test_meaning_alone_finds_the_ends_by_the_parts_only(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker)
    assert {"warranty", "valve"} <= set(documents(searcher.search(QUESTION, mode="dense", top_k=10).hits))
    searcher.understanding = Understanding()
    assert not {"warranty", "valve"} & set(documents(searcher.search(QUESTION, mode="dense", top_k=10).hits))


@pytest.mark.parametrize(
    "said",
    [
        "",
        "no list",
        listing(),
        listing(PARTS[0]),
        listing("price of milk", "x" * 5000),
        ProviderUnavailable("HTTP 500"),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_what_cannot_be_divided_is_found_as_ever(
    store: EmbeddedVectorStore, tracker: Tracker, mode: Mode, said: Said
) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker, said)
    divided = searcher.search(QUESTION, mode=mode)
    searcher.understanding = Understanding()
    whole = searcher.search(QUESTION, mode=mode)
    assert divided.hits == whole.hits
    assert divided.query == whole.query
    assert step_of(divided.steps, "decompose").why
    assert step_of(divided.steps, "subqueries").why == "the question is looked for as a whole"


def test_a_question_that_asks_one_thing_costs_no_call(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, script = searching(store, tracker)
    for query in ("pump", "ERR-2041 and ERR-2042", '"the valve" and "the pump"', "who repairs the valve"):
        step = step_of(searcher.search(query).steps, "decompose")
        assert (step.ran, bool(step.why), step.failed) == (False, True, False)
    assert not script.prompts


def test_no_part_is_divided_again(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    compound = "compare the warranty of the pump and what it costs, why and when"
    searcher, script = searching(store, tracker, listing(compound, PARTS[1]))
    assert searcher.search(QUESTION).query.subqueries == [compound, PARTS[1]]
    assert len(script.prompts) == 1


@pytest.mark.parametrize("mode", MODES)
def test_filters_and_signs_of_the_question_hold_for_its_parts(
    store: EmbeddedVectorStore, tracker: Tracker, mode: Mode
) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker)
    excluding = searcher.search(f"{QUESTION} -workshop", mode=mode, top_k=100)
    assert excluding.query.subqueries == list(PARTS)
    assert "valve" not in documents(excluding.hits)
    where = parse_filter("document != valve and document != near03")
    filtered = documents(searcher.search(QUESTION, mode=mode, top_k=100, where=where).hits)
    assert not {"valve", "near03"} & set(filtered)
    phrase = searcher.search(f'{QUESTION} "two years"', mode=mode, top_k=100)
    assert documents(phrase.hits) == ["warranty"]


def test_signs_that_a_model_writes_mean_nothing(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker, listing("warranty of the pump -years NEAR * ^", PARTS[1]))
    result = searcher.search(QUESTION, mode="lexical", top_k=100)
    assert len(result.query.subqueries) == 2
    assert "warranty" in documents(result.hits)


@pytest.mark.parametrize("mode", MODES)
def test_the_order_does_not_depend_on_shards_nor_on_how_many_are_wanted(
    store: EmbeddedVectorStore, tracker: Tracker, mode: Mode, tmp_path: Path
) -> None:
    library(store, tracker, shards=2)
    searcher, _ = searching(store, tracker)
    many = searcher.search(QUESTION, mode=mode, top_k=30)
    assert searcher.search(QUESTION, mode=mode, top_k=3).hits == many.hits[:3]
    with closing(EmbeddedVectorStore(tmp_path / "other", dimensions=DIMENSIONS)) as other:
        library(other, tracker, shards=1)
        alone = searching(other, tracker)[0].search(QUESTION, mode=mode, top_k=30)
    assert [(hit.document, hit.score) for hit in alone.hits] == [(hit.document, hit.score) for hit in many.hits]


def test_pages_follow_each_other(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker)
    whole = documents(searcher.search(QUESTION, mode="dense", top_k=10).hits)
    first = searcher.search(QUESTION, mode="dense", top_k=5)
    assert first.next
    searcher, _ = searching(store, tracker)
    second = searcher.search(QUESTION, mode="dense", top_k=5, view=View(after=first.next))
    assert documents(first.hits) + documents(second.hits) == whole
    searcher, _ = searching(store, tracker, ProviderUnavailable("the model is away"))
    with pytest.raises(NotFound, match="the model is away"):
        searcher.search(QUESTION, mode="dense", top_k=5, view=View(after=first.next))


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_a_part_that_cannot_be_embedded_leaves_the_question(
    store: EmbeddedVectorStore, tracker: Tracker, mode: Mode
) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker, embedder=TurningEmbedder(DEGREES, fails_for=PARTS[1]))
    result = searcher.search(QUESTION, mode=mode)
    step = step_of(result.steps, "subqueries")
    assert (step.failed, step.why, result.degraded) == (True, "the embedder is away", True)
    searcher.understanding = Understanding()
    assert result.hits == searcher.search(QUESTION, mode=mode).hits


def test_without_a_vector_the_parts_are_looked_for_by_words(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    embedder = TurningEmbedder(DEGREES, fails_for=QUESTION)
    searcher, _ = searching(store, tracker, embedder=embedder)
    result = searcher.search(QUESTION)
    assert result.query.subqueries == list(PARTS)
    assert embedder.asked == [QUESTION]
    assert set(documents(result.hits)[:2]) == {"warranty", "valve"}


def test_a_model_that_cannot_be_had_leaves_the_question(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    def fail() -> Any:
        raise SettingsError("no key is set")

    library(store, tracker)
    searcher, _ = searching(store, tracker)
    searcher.understanding = Understanding(divider=Advised(fail, "anthropic/none"))
    result = searcher.search(QUESTION)
    assert (step_of(result.steps, "decompose").failed, len(result.hits)) == (True, 10)


def test_the_question_as_it_stands_has_half_of_the_weight() -> None:
    merged = merge({"a": 2.0, "b": 1.0, "c": -1.0}, [{"a": 0.0, "b": 5.0, "c": 0.1}, {"a": 1.0, "b": 0.0, "c": 4.0}])
    assert merged == {"b": pytest.approx(1.5), "a": pytest.approx(1.25), "c": pytest.approx(0.5)}
    assert list(merged) == ["b", "a", "c"]


def test_parts_that_find_nothing_change_no_order() -> None:
    whole = {"b": 0.9, "a": 0.5, "c": 0.5}
    assert list(merge(whole, [{}, {"a": 0.0}, {"b": -1.0}])) == ["b", "a", "c"]
