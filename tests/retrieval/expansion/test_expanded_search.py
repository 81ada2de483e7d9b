"""Searches that look for other names too: what they find, what they never find, and what they say of it."""

import pytest

from embedmill.retrieval.expansion.thesaurus import Thesaurus
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.steps import Step
from embedmill.retrieval.understanding.understanding import Understanding
from embedmill.retrieval.view import View
from embedmill.shared.errors import StorageFailed, UsageError
from embedmill.shared.filtering.grammar import parse_filter
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from tests.contracts.rows import make_row
from tests.retrieval.orchard import AngleEmbedder, Tracker, angle, documents, write

THESAURUS = Thesaurus([["lift", "elevator"], ["pear", "apple"]])


@pytest.fixture
def expanding(store: EmbeddedVectorStore, tracker: Tracker) -> Searcher:
    write(store, tracker, make_row("own", text="the lift in the yard", vector=angle(0)))
    write(store, tracker, make_row("other", text="the elevator in the yard", vector=angle(0)))
    write(store, tracker, make_row("neither", text="the stairs in the yard", vector=angle(0)))
    searcher = Searcher(store, ["s0", "s1"], AngleEmbedder(), tracker)
    searcher.understanding = Understanding(lambda: THESAURUS)
    return searcher


def step_of(steps: list[Step], name: str = "expand") -> Step:
    return next(step for step in steps if step.name == name)


def test_other_names_are_found_behind_the_user_s_own(expanding: Searcher) -> None:
    result = expanding.search("lift", mode="lexical")
    assert documents(result.hits) == ["own", "other"]
    assert result.hits[0].score > 2 * result.hits[1].score
    assert (result.query.terms, result.query.expanded, result.query.normalised) == (["lift"], ["elevator"], "lift")
    step = step_of(result.steps)
    assert (step.ran, step.out, step.calls, step.usd) == (True, 1, 0, 0.0)


def test_a_query_whose_words_no_document_holds_is_found_by_other_names(expanding: Searcher) -> None:
    expanding.understanding = Understanding(lambda: Thesaurus([["hoist", "elevator"]]))
    assert documents(expanding.search("hoist", mode="lexical").hits) == ["other"]


def test_nothing_is_added_unless_it_was_asked_for(expanding: Searcher) -> None:
    expanding.understanding = Understanding()
    result = expanding.search("lift", mode="lexical")
    assert documents(result.hits) == ["own"]
    step = step_of(result.steps)
    assert (step.ran, step.why, result.query.expanded) == (False, "it was not asked for", [])


def test_meaning_alone_has_no_use_for_other_names(expanding: Searcher) -> None:
    assert step_of(expanding.search("lift 0", mode="dense").steps).why == "only meaning is asked for"


@pytest.mark.parametrize("mode", ["lexical", "hybrid"])
def test_filters_and_exclusions_hold_for_what_other_names_find(expanding: Searcher, mode: str) -> None:
    found = expanding.search("lift 0 -elevator", mode=mode).hits  # type: ignore[arg-type]
    assert "other" not in documents(found)
    where = parse_filter("document = own")
    assert documents(expanding.search("lift 0", mode=mode, where=where).hits) == ["own"]  # type: ignore[arg-type]


def test_a_phrase_is_not_said_otherwise(expanding: Searcher) -> None:
    result = expanding.search('"lift"', mode="lexical")
    assert (documents(result.hits), result.query.expanded) == (["own"], [])


def test_words_that_fail_to_be_read_leave_the_query_as_it_is(expanding: Searcher) -> None:
    def fail() -> Thesaurus:
        raise StorageFailed("the tracking database is away")

    expanding.understanding = Understanding(fail)
    result = expanding.search("lift", mode="lexical")
    assert documents(result.hits) == ["own"]
    assert (result.degraded, step_of(result.steps).failed) == (True, True)


def test_a_page_does_not_follow_one_that_was_made_without_other_names(expanding: Searcher) -> None:
    first = expanding.search("lift", mode="lexical", top_k=1)
    assert first.next
    assert documents(expanding.search("lift", mode="lexical", top_k=1, view=View(after=first.next)).hits) == ["other"]
    expanding.understanding = Understanding()
    with pytest.raises(UsageError, match="another query"):
        expanding.search("lift", mode="lexical", top_k=1, view=View(after=first.next))


def test_a_similarity_is_never_above_what_all_of_the_words_make(
    expanding: Searcher, store: EmbeddedVectorStore, tracker: Tracker
) -> None:
    write(store, tracker, make_row("both", text="lift or elevator", vector=angle(0)))
    write(store, tracker, *(make_row(f"d{n}", text=f"stairs {n}", vector=angle(0)) for n in range(50)))
    expanded = {hit.document: hit for hit in expanding.search("lift", mode="lexical").hits}
    expanding.understanding = Understanding()
    (best, *_) = (hit for hit in expanding.search("lift", mode="lexical").hits if hit.document == "own")
    assert expanded["both"].score > expanded["own"].score
    assert expanded["own"].similarity == best.similarity
    assert (expanded["both"].similarity or 0) <= 0.9999
