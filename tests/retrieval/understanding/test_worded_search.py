"""Searches whose question is worded as the documents are: what that adds, and what it never changes."""

import json

import pytest

from embedmill.retrieval.question import Mode
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.understanding.asking import Adviser
from embedmill.retrieval.understanding.understanding import Advised, Understanding
from embedmill.retrieval.understanding.vocabulary import Vocabulary
from embedmill.retrieval.view import View
from embedmill.shared.errors import NotFound, ProviderUnavailable
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import make_row
from tests.retrieval.grading.judge import Scripted, ScriptedModel
from tests.retrieval.orchard import Tracker, angle, documents, write
from tests.retrieval.understanding.divider import Said, divider, listing
from tests.retrieval.understanding.test_divided_search import TurningEmbedder, near, step_of

QUESTION = "how often is the grease trap emptied?"
WORDED = "how often is the oil separator emptied?"
VOCABULARY = Vocabulary([("oil separator", "grease trap")])


def library(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    """The answer in the documents' words, one in the user's own, and much that is near to neither."""
    texts = {
        "separator": ("The oil separator is emptied each month.", angle(2)),
        "trap": ("A grease trap is a trap for grease.", angle(45)),
        **{f"near{n}": (f"Bin {n} is emptied often, how is not said.", near(n)) for n in range(12)},
    }
    for number, (name, (text, vector)) in enumerate(texts.items()):
        write(store, tracker, make_row(name, text=text, vector=vector), shard=f"s{number % 2}")


def searching(store: EmbeddedVectorStore, tracker: Tracker, said: Said) -> tuple[Searcher, Scripted]:
    def say(*_: object) -> Said:
        return said

    script = Scripted(say)
    adviser = Adviser(ScriptedModel(script), FreeMeter())
    searcher = Searcher(store, ["s0", "s1"], TurningEmbedder({WORDED: 0.0, QUESTION: 45.0}), tracker)
    searcher.understanding = Understanding(
        normaliser=Advised(lambda: adviser, adviser.model.name), open_vocabulary=lambda: VOCABULARY
    )
    return searcher, script


def wording(text: str) -> str:
    return json.dumps({"question": text})


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_what_the_documents_say_in_their_words_comes_up(
    store: EmbeddedVectorStore, tracker: Tracker, mode: Mode
) -> None:
    library(store, tracker)
    searcher, script = searching(store, tracker, wording(WORDED))
    plain = Searcher(store, ["s0", "s1"], TurningEmbedder({QUESTION: 45.0}), tracker).search(QUESTION, mode=mode)
    result = searcher.search(QUESTION, mode=mode)
    place = documents(result.hits).index("separator")
    assert place < documents(plain.hits).index("separator") if "separator" in documents(plain.hits) else place < 10
    assert (result.query.original, result.query.normalised) == (QUESTION, WORDED)
    assert (result.query.subqueries, len(script.prompts)) == ([], 1)
    step = step_of(result.steps, "normalise")
    assert (step.ran, step.out, step.model) == (True, 1, "anthropic/judge")


def test_the_users_own_words_have_half_of_the_weight(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker, wording(WORDED))
    hits = {hit.document: hit for hit in searcher.search(QUESTION, top_k=14).hits}
    plain = Searcher(store, ["s0", "s1"], TurningEmbedder({QUESTION: 45.0}), tracker).search(QUESTION, top_k=14)
    own = {hit.document: hit for hit in plain.hits}
    assert hits["trap"].score >= 0.5 * own["trap"].score
    assert {name: hit.similarity for name, hit in hits.items()} == {name: hit.similarity for name, hit in own.items()}


@pytest.mark.parametrize(
    "said", [wording(""), wording("which albums did Drake release?"), "no", ProviderUnavailable("away")], ids=str
)
def test_where_nothing_is_held_the_question_stands(store: EmbeddedVectorStore, tracker: Tracker, said: Said) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker, said)
    plain = Searcher(store, ["s0", "s1"], TurningEmbedder({QUESTION: 45.0}), tracker).search(QUESTION)
    result = searcher.search(QUESTION)
    assert result.hits == plain.hits
    assert result.query.normalised == QUESTION
    assert step_of(result.steps, "normalise").why


def test_filters_phrases_and_exclusions_hold_for_the_wording_too(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, _ = searching(store, tracker, wording(WORDED))
    assert "separator" not in documents(searcher.search(f"{QUESTION} -month", top_k=14).hits)
    assert documents(searcher.search(f'{QUESTION} "each month"', top_k=14).hits) == ["separator"]


def test_a_page_does_not_follow_where_the_wording_is_gone(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    searcher, script = searching(store, tracker, wording(WORDED))
    first = searcher.search(QUESTION, top_k=1)
    assert documents(searcher.search(QUESTION, top_k=1, view=View(after=first.next)).hits)
    script.say = lambda *_: ProviderUnavailable("away")
    with pytest.raises(NotFound, match="away"):
        searcher.search(QUESTION, top_k=1, view=View(after=first.next))


def test_a_question_is_worded_and_divided(store: EmbeddedVectorStore, tracker: Tracker) -> None:
    library(store, tracker)
    question = "how often is the grease trap emptied and who tells of the bin?"
    worded = "how often is the oil separator emptied and who tells of the bin?"
    searcher, _ = searching(store, tracker, wording(worded))
    dividing, _ = divider(listing("how often is the grease trap emptied", "who tells of the bin"))
    by = searcher.understanding
    searcher.understanding = Understanding(
        None, Advised(lambda: dividing, dividing.model.name), by.normaliser, by.open_vocabulary
    )
    result = searcher.search(question)
    assert (result.query.normalised, len(result.query.subqueries)) == (worded, 2)
