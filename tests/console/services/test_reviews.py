"""Reviews: entries with their chunks, and what follows from deciding about them."""

import pytest

from embedmill.console.services.reviews import accept_reviews, list_reviews, reject_reviews
from embedmill.shared.db import collections, reviews
from embedmill.shared.db.reviews import Doubt
from embedmill.shared.db.schema import document
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.errors import NotFound, UserError
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker

ADDRESSES = ["a" * 32, "b" * 32]


@pytest.fixture
def entries(runtime: Runtime, tracker: Tracker) -> list[int]:
    """Two doubtful verdicts on one document."""
    tracker.index(tracker.take(["file:///a"]))
    tracker.end_scan()
    tracker.complete_jobs()
    verdict = {"score": 1, "model": "m", "source": "model", "prompt_name": "p", "prompt_hash": "h"}
    VerdictCache(runtime.database).put_many({address: dict(verdict) for address in ADDRESSES})
    (found,) = tracker.rows(document)
    doubts = [Doubt(tracker.collection.id, found["id"], "c" * 24, n, ADDRESSES[n], ("odd",)) for n in range(2)]
    runtime.database.transact(lambda connection: reviews.submit_reviews(connection, doubts))
    return [1, 2]


def judge(runtime: Runtime, tracker: Tracker, policy: str) -> None:
    settings = {"embedding": "hash", "validator": "anthropic/claude-opus-4-7", "policy": policy}
    runtime.database.transact(lambda c: collections.update_settings(c, tracker.collection.id, settings))


def test_entries_are_listed_and_one_whose_chunk_is_gone_has_no_text(runtime: Runtime, entries: list[int]) -> None:
    found = list_reviews(runtime).reviews
    assert [(entry.id, entry.doubts, entry.score, entry.text) for entry in found] == [
        (number, ["odd"], 1, None) for number in entries
    ]
    assert list_reviews(runtime, resolved=True).reviews == []
    with pytest.raises(NotFound):
        list_reviews(runtime, collection="none")


def test_what_is_accepted_is_applied_where_verdicts_decide_about_chunks(
    runtime: Runtime, tracker: Tracker, entries: list[int]
) -> None:
    judge(runtime, tracker, "gate")
    done = accept_reviews(runtime, entries)
    assert (done.accepted, [job.state for job in done.jobs]) == (entries, ["running"])
    assert [entry.resolution for entry in list_reviews(runtime, resolved=True).reviews] == ["accepted"] * 2


def test_what_is_accepted_changes_nothing_where_a_model_only_looks(
    runtime: Runtime, tracker: Tracker, entries: list[int]
) -> None:
    judge(runtime, tracker, "audit")
    assert accept_reviews(runtime, [1], work=True).jobs == []


def test_what_is_rejected_is_never_acted_upon(runtime: Runtime, tracker: Tracker, entries: list[int]) -> None:
    judge(runtime, tracker, "gate")
    assert reject_reviews(runtime, [1]).rejected == [1]
    with pytest.raises(UserError, match="rejected already"):
        accept_reviews(runtime, [2, 1])
    assert [entry.id for entry in list_reviews(runtime).reviews] == [2], "nothing is decided by half"
