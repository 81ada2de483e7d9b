"""Statements are per batch, never per document or chunk."""

from functools import partial

import pytest

from embedmill.shared.db.settlement import settle
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park
from embedmill.shared.states import Result
from tests.shared.db.statements import count_statements, texts_of
from tests.shared.db.tracker import RETRY, Tracker


@pytest.mark.parametrize("documents", [1, 200])
def test_a_batch_costs_the_same_few_statements_whatever_its_size(tracker: Tracker, documents: int) -> None:
    uris = [f"file:///{n}" for n in range(documents)]
    assert count_statements(tracker, lambda: tracker.submit(uris)) <= 5
    assert count_statements(tracker, tracker.queue) <= 2
    ids = [row["id"] for row in tracker.rows()]
    claims = []
    assert count_statements(tracker, lambda: claims.append(tracker.claim(ids))) <= 1
    ended = Advance("index", {"chunks_expected": 1})
    assert count_statements(tracker, lambda: tracker.settle(claims[0], ended)) <= 3
    assert count_statements(tracker, lambda: claims.append(tracker.claim(ids, "index"))) <= 1
    assert count_statements(tracker, lambda: tracker.switch(claims[1])) <= 2
    assert count_statements(tracker, lambda: tracker.settle(claims[1], Complete(Result.INDEXED))) <= 3


def test_settlements_of_batches_of_all_sizes_are_the_same_statements(tracker: Tracker) -> None:
    texts = set[str]()
    for documents in (40, 41, 80):
        claim = tracker.take([f"file:///{documents}/{n}" for n in range(documents)])
        outcomes: dict[int, Outcome] = {
            item.id: Advance("index", {"chunks_expected": n % 2}) for n, item in enumerate(claim.items)
        }
        texts |= texts_of(tracker, partial(settle, claim=claim, outcomes=outcomes, retry=RETRY))
    assert sum(text.startswith("UPDATE work") for text in texts) == 1


def test_a_batch_of_mixed_outcomes_costs_a_statement_an_outcome(tracker: Tracker) -> None:
    claim = tracker.take([f"file:///{n}" for n in range(90)])
    kinds: list[Outcome] = [Advance("embed"), Fail(RuntimeError("odd")), Park("rate", 1.0)]
    outcomes = {item.id: kinds[n % 3] for n, item in enumerate(claim.items)}
    assert count_statements(tracker, lambda: tracker.settle(claim, outcomes)) <= 6


def test_rescuing_a_batch_costs_three_statements(tracker: Tracker) -> None:
    claim = tracker.take([f"file:///{n}" for n in range(90)])
    assert count_statements(tracker, lambda: tracker.rescue(claim)) <= 4
