"""What answers a question where no model words it: the documents' own sentences, of what is near."""

import pytest

from embedmill.retrieval.answering.answering import answer
from embedmill.retrieval.hits import Hit, SearchResult, Understood
from embedmill.retrieval.relevance import Relevance

QUESTION = "what does ERR-2041 mean?"
CODE, LEASE = "ERR-2041: the inlet is blocked.", "The lease begins in April."


def found(*hits: tuple[str, float | None, int | None], relevance: Relevance = Relevance.GOOD) -> SearchResult:
    """An answer of these texts, each with its similarity and what a model said of it."""
    shown = [
        Hit(n, 1.0, f"d{n}", f"{n}.txt", "0", "", 0, len(text), text, "", None, {}, similarity=near, model_score=score)
        for n, (text, near, score) in enumerate(hits, start=1)
    ]
    asked = Understood(QUESTION, QUESTION, [])
    return SearchResult(shown, {}, asked, [], [], {}, degraded=False, notes=[], relevance=relevance)


def said(result: SearchResult) -> list[str]:
    return [claim.text for claim in answer(QUESTION, result, None).answer.claims]


@pytest.mark.parametrize(
    ("near", "score", "expected"), [(0.02, None, [CODE]), (0.2, None, [CODE, LEASE]), (0.02, 4, [CODE, LEASE])]
)
def test_what_is_not_near_is_not_shown_beside_what_is(near: float, score: int | None, expected: list[str]) -> None:
    assert said(found((CODE, 0.9, score), (LEASE, near, score))) == expected


def test_where_nobody_can_tell_what_is_near_the_best_are_shown() -> None:
    assert said(found((CODE, None, None), (LEASE, None, None))) == [CODE, LEASE]
    assert said(found((LEASE, 0.0, None), relevance=Relevance.WEAK)) == [LEASE]
    assert said(found((LEASE, 0.0, None), relevance=Relevance.NONE)) == []
