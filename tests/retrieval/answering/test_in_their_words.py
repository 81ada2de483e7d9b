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


SHUTS = "The chapel shuts its doors"
WRAPPED = (
    "at\n9 in the evening.",
    "at\n9. Bob has the key.",
    "on\n12 March 2026, a Thursday.",
    "at\n-5 degrees, or less.",
    "at nine\n(ten in summer) each day.",
    "at\n`closing` time, or *before*.",
    "at the hour\n*that is shown* outside.",
    "(at\n9) every day.",
    "at nine, i.e.\nbefore the night.",
    "as room\n#3 does.",
)
APART = (
    "- at nine",
    "1. at nine",
    "7) at nine\n8) at ten",
    "# At nine",
    "| at | nine |",
    "at | nine",
    "```\nat nine\n```",
    "\n9 in the evening",
    "* at nine",
)


@pytest.mark.parametrize("rest", WRAPPED)
def test_a_sentence_goes_on_where_its_line_was_wrapped(rest: str) -> None:
    text = f"{SHUTS} {rest}"
    whole = " ".join(text.removesuffix(" Bob has the key.").split())
    [shown] = [
        claim.text for claim in answer("the chapel shuts its doors when?", found((text, 0.9, None)), None).answer.claims
    ]
    assert shown == whole


@pytest.mark.parametrize("rest", APART)
def test_it_ends_before_an_item_a_paragraph_a_row_or_a_heading(rest: str) -> None:
    text = f"{SHUTS}\n{rest}"
    asked = "the chapel shuts its doors when?"
    assert [claim.text for claim in answer(asked, found((text, 0.9, None)), None).answer.claims] == [SHUTS]


def test_items_with_numbers_are_told_one_by_one() -> None:
    items = "Before:\n3. Ring the bell\n4. Shut the doors of the chapel\n5. Go home"
    shown = answer("shut the doors of the chapel", found((items, 0.9, None)), None).answer.claims
    assert "Ring" not in shown[0].text and "Go" not in shown[0].text
