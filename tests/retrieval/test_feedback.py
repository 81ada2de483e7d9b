"""Feedback: what the first hits share says what else belongs to the answer."""

from embedmill.retrieval.feedback import FIRST, MOST_TERMS, profile, reinforce, weigh_terms, why_not
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import EVERY_CHUNK
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.words.counts import TermCounts
from embedmill.shared.words.cutting import count_terms
from embedmill.shared.words.queries import parse_query
from embedmill.shared.words.weighing import WordCounts, score
from tests.contracts.rows import make_row
from tests.retrieval.orchard import Tracker, angle, write


def cut(text: str) -> TermCounts:
    return count_terms(text=text)


def counted(rows: list[TermCounts], *, of: int = 1000) -> WordCounts:
    terms = {term for row in rows for term in row.terms.tolist()}
    holding = {term: sum(term in row.terms for row in rows) for term in terms}
    return WordCounts(of, 10 * of, holding)


def test_what_shares_the_rare_words_of_the_first_rises() -> None:
    first = [cut("the wing flutters in the slipstream"), cut("flutter of a wing in a slipstream")]
    learned = profile(weigh_terms(first, 10.0), counted(first), 10.0)
    assert learned is not None
    fused = {"one": 0.9, "two": 0.8, "other": 0.71, "akin": 0.7}
    texts = {"akin": "a slipstream makes the wing flutter", "other": "the heat of a plate"}
    scores = {id: score(cut(text), learned) for id, text in texts.items()}
    found = reinforce(fused, scores, learned, 0.8)
    assert found["akin"] > found["other"]
    assert fused["akin"] < found["akin"] <= fused["akin"] + 0.8


def test_common_words_are_not_learned_and_no_more_than_so_many() -> None:
    rows = [cut(" ".join(f"word{n}" for n in range(100)) + " everywhere")]
    known = counted(rows)
    common = set(cut("everywhere").terms.tolist())
    holding = {term: 900 if term in common else count for term, count in (known.holding or {}).items()}
    learned = profile(weigh_terms(rows, 10.0), WordCounts(1000, 10_000, holding), 10.0)
    assert learned is not None
    assert len(learned.weights) == MOST_TERMS
    assert not common & learned.weights.keys()
    assert profile(weigh_terms(rows, 10.0), WordCounts(1, 100, known.holding), 10.0) is None
    assert profile({}, WordCounts(), 10.0) is None


def test_what_is_asked_for_to_the_letter_has_no_use_for_it() -> None:
    assert not why_not(parse_query("wing flutter"), 0.8)
    assert all(why_not(parse_query(query), 0.8) for query in ('"wing flutter"', "ERR-2041"))


def test_a_search_learns_from_its_first_hits_and_says_so(
    store: EmbeddedVectorStore, tracker: Tracker, searcher: Searcher
) -> None:
    texts = [*["apple orchard grafting"] * 3, *["apple tin can"] * 12, "apple grafting orchard"]
    texts += ["nothing of that"] * 60
    nearness = [0, 1, 2, *range(60, 72), 75, *range(100, 160)]
    rows = [
        make_row(f"d{n:02}", text=text, vector=angle(degrees))
        for n, (text, degrees) in enumerate(zip(texts, nearness, strict=True))
    ]
    write(store, tracker, *rows)
    result = searcher.search("apple 0", top_k=5, view=EVERY_CHUNK)
    step = next(step for step in result.steps if step.name == "feedback")
    assert step.ran
    assert step.given >= FIRST
    order = [hit.document for hit in result.hits]
    assert order == ["d00", "d01", "d02", "d15", "d03"]
    assert all(hit.stages["feedback"].rank == hit.rank for hit in result.hits)
    assert [hit.stages["fused"].rank for hit in result.hits] == [1, 2, 3, 16, 4]
    again = searcher.search("apple 0", top_k=40, view=EVERY_CHUNK)
    assert [hit.document for hit in again.hits[:5]] == order
