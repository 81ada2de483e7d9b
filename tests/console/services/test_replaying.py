"""Replays: previewed with their cost, sent, refused with a reason, tracked, and what their end says."""

import pytest

from embedmill.console.cli.letters import replay_status
from embedmill.console.listening import Listener, Notice
from embedmill.console.services.dead_letters import discard_letters, explain_letter
from embedmill.console.services.replaying import list_replays, preview_replay, replay_letters
from embedmill.shared.errors import NotFound, UnreadableDocument, UserError
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Complete, Fail
from embedmill.shared.runtime import Runtime
from embedmill.shared.states import Result
from tests.shared.db.tracker import Tracker

TORN = Fail(UnreadableDocument("torn"))


@pytest.fixture(autouse=True)
def letters(tracker: Tracker) -> None:
    """Two torn documents in a job that has ended."""
    tracker.settle(tracker.take(["file:///a", "file:///b"]), TORN)
    tracker.end_scan()
    tracker.complete_jobs()


def test_a_preview_sends_nothing_and_says_what_would_go(runtime: Runtime) -> None:
    found = preview_replay(runtime)
    assert (found.would_replay, found.would_refuse, len(found.dead_letters)) == (2, 0, 2)
    assert [(cause.count, cause.stage) for cause in found.groups] == [(2, "chunk")]
    assert [(at.stage, at.documents, at.tokens) for at in found.stages] == [("chunk", 2, 20)]
    assert (found.cost.documents, found.cost.tokens, found.cost.exact) == (2, 20, False)
    assert list_replays(runtime).replays == []


def test_a_cancelled_job_without_letters_is_refused_with_what_to_do(runtime: Runtime, tracker: Tracker) -> None:
    job = tracker.create_job("cancelled")
    tracker.submit(["file:///c", "file:///d"], job=job)
    tracker.control("cancel_job", job)
    with pytest.raises(UserError, match=f"job {job} was cancelled with 2 documents") as refused:
        replay_letters(runtime, LetterFilter(job=job))
    assert "Ingest the source again" in refused.value.hint


def test_a_job_whose_letters_were_discarded_says_what_tries_them_again(runtime: Runtime, tracker: Tracker) -> None:
    discard_letters(runtime, LetterFilter(), reason="never")
    with pytest.raises(UserError, match=f"job {tracker.job} has no open .* discarded") as refused:
        replay_letters(runtime, LetterFilter(job=tracker.job))
    assert "--retry-dead" in refused.value.hint


def test_a_document_that_was_submitted_again_is_left_alone(runtime: Runtime, tracker: Tracker) -> None:
    tracker.submit(["file:///a"], text="mended", job=tracker.create_job("again"))
    assert (preview_replay(runtime).would_replay, preview_replay(runtime).would_refuse) == (1, 0)
    done = replay_letters(runtime, LetterFilter(ids=[1, 2, 77]))
    assert done.ids == [2]
    assert {refusal.id: refusal.reason for refusal in done.refused} == {
        77: "there is no such dead letter",
        1: "its document was submitted again; the newer work speaks for it",
    }


def test_a_replay_keeps_who_asked_and_what_became_of_each_letter(runtime: Runtime, tracker: Tracker) -> None:
    told: list[Notice] = []
    done = replay_letters(runtime, LetterFilter(stage="chunk"), by="a test", listener=Listener(told.append))
    assert [notice.text for notice in told] == ["nobody serves any queue: embedmill workers start"]
    assert (done.replayed, done.outcomes["running"], [job.job for job in done.jobs]) == (2, 2, [tracker.job])
    first, second = tracker.queue()
    tracker.settle(tracker.claim([first, second]), {first: Complete(Result.INDEXED), second: TORN})
    (replay,) = list_replays(runtime).replays
    assert (replay.by, replay.filter, replay.count) == ("a test", {"stage": "chunk"}, 2)
    assert replay.outcomes == {"completed": 1, "dead again": 1, "cancelled": 0, "running": 0}
    assert explain_letter(runtime, 1).outcome == "completed"


def test_a_replay_that_has_ended_is_waited_for_no_longer(runtime: Runtime) -> None:
    done = replay_letters(runtime, LetterFilter(stage="embed"), wait=True)
    assert (done.replay, done.replayed, set(done.outcomes.values())) == (None, 0, {0})


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [({"completed": 2}, 0), ({"completed": 1, "dead again": 1}, 3), ({"running": 1, "dead again": 1}, 1)],
)
def test_the_end_of_a_replay_is_that_of_its_letters(outcomes: dict[str, int], status: int) -> None:
    nothing = dict.fromkeys(("completed", "dead again", "cancelled", "running"), 0)
    assert replay_status(nothing | outcomes) == status


def test_what_there_is_not_is_no_replay_of_nothing(runtime: Runtime) -> None:
    for wanted in (LetterFilter(job=99), LetterFilter(collection="none")):
        with pytest.raises(NotFound):
            replay_letters(runtime, wanted)
        with pytest.raises(NotFound):
            preview_replay(runtime, wanted)
    with pytest.raises(NotFound):
        list_replays(runtime, 7)
