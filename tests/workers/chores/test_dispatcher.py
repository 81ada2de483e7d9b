"""The dispatcher: a bounded number of messages, fair to small jobs, full batches, suspects alone."""

from hypothesis import given
from hypothesis import strategies as st

from shared.db.work import Ready
from shared.outcomes import Fail
from shared.settings import Settings
from shared.states import Stage, State
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until
from workers.chores.dispatcher import dispatch, divide, pack
from workers.runtime import WorkerRuntime


def test_no_more_than_the_high_water_mark_is_out(runtime: WorkerRuntime, tracker: Tracker) -> None:
    narrow = runtime.settings.model_copy(update={"high_water": 10})
    tracker.submit([f"file:///{n}" for n in range(30)])
    tracker.end_scan()
    dispatch(runtime.database, narrow)
    dispatch(runtime.database, narrow)
    assert tracker.states().count(State.QUEUED) == 10


def test_a_retry_is_sent_when_it_is_due_though_nothing_else_is_to_be_sent(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    claim = tracker.take(["file:///a"])
    tracker.end_scan()
    tracker.settle(claim, Fail(RuntimeError("odd")))
    wait_until(lambda: dispatch(runtime.database, runtime.settings), "the retry is sent")
    assert tracker.states() == [State.QUEUED]


def test_a_small_job_gets_its_share_beside_a_large_one(runtime: WorkerRuntime, tracker: Tracker) -> None:
    narrow = runtime.settings.model_copy(update={"high_water": 20})
    tracker.submit([f"file:///large/{n}" for n in range(100)])
    tracker.end_scan()
    small = tracker.create_job("small")
    tracker.submit([f"file:///small/{n}" for n in range(5)], job=small)
    tracker.end_scan(small)
    dispatch(runtime.database, narrow)
    assert tracker.states(small) == [State.QUEUED] * 5
    assert tracker.states().count(State.QUEUED) == 15


def test_paused_jobs_are_sent_nothing(runtime: WorkerRuntime, tracker: Tracker) -> None:
    tracker.submit(["file:///a"])
    tracker.end_scan()
    tracker.control("pause_job")
    assert dispatch(runtime.database, runtime.settings) == []


def test_messages_are_cut_by_the_slots_that_are_there() -> None:
    settings = Settings(batch_documents=100, workers=2)
    ready = [Ready(id_, Stage.EMBED, 1, suspect=False) for id_ in range(80)]
    assert [len(m.work) for m in pack(ready, settings, {Stage.EMBED: 8})] == [10] * 8
    assert [len(m.work) for m in pack(ready, settings, {Stage.CHUNK: 8})] == [40] * 2, "nobody serves it yet"


@given(
    st.integers(0, 500),
    st.dictionaries(st.integers(1, 20), st.tuples(st.integers(1, 10), st.integers(0, 300)), max_size=8),
)
def test_shares_fill_the_room_and_exceed_no_job(room: int, asked: dict[int, tuple[int, int]]) -> None:
    counts = {job: count for job, (_, count) in asked.items()}
    shares = divide(room, {job: weight for job, (weight, _) in asked.items()}, counts)
    assert all(0 <= shares[job] <= counts[job] for job in counts)
    assert sum(shares.values()) == min(room, sum(counts.values()))


@given(st.lists(st.tuples(st.sampled_from(list(Stage)), st.integers(0, 5000), st.booleans()), max_size=60))
def test_every_ready_document_is_in_one_message_and_suspects_are_alone(found: list[tuple[Stage, int, bool]]) -> None:
    settings = Settings(batch_documents=7, batch_tokens=9000, workers=2)
    ready = [Ready(id_, stage, size, suspect) for id_, (stage, size, suspect) in enumerate(found)]
    messages = pack(ready, settings, {})
    assert sorted(id_ for message in messages for id_ in message.work) == list(range(len(ready)))
    for message in messages:
        members = [ready[id_] for id_ in message.work]
        assert {member.stage for member in members} == {message.stage}
        assert message.alone == any(member.suspect for member in members)
        assert len(members) == 1 or not message.alone
        assert len(members) <= 7
        assert len(members) == 1 or sum(member.size for member in members) <= 9000
