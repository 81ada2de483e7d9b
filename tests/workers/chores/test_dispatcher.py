"""The dispatcher: a bounded number of messages, fair to small jobs, full batches, suspects apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared import stages
from embedmill.shared.db import jobs, presence
from embedmill.shared.db.queueing import Ready
from embedmill.shared.outcomes import Fail
from embedmill.shared.settings import Settings
from embedmill.shared.states import State
from embedmill.workers.chores.dispatcher import Demand, dispatch, divide, pack, share_out, size_window
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker
from tests.waiting import wait_until


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
    ready = [Ready(id_, "embed", 1000) for id_ in range(80)]
    assert [len(m.work) for m in pack(ready, settings, {"embed": 8})] == [10] * 8
    assert [len(m.work) for m in pack(ready, settings, {"chunk": 8})] == [40] * 2, "nobody serves it yet"


def submit_large(tracker: Tracker, documents: int = 100) -> None:
    tracker.submit([f"file:///large/{n}" for n in range(documents)])
    tracker.end_scan()


def submit_small(tracker: Tracker, **urgency: int) -> int:
    small = tracker.create_job(f"small {urgency}")
    tracker.submit([f"file:///{small}/{n}" for n in range(5)], job=small)
    tracker.end_scan(small)
    with tracker.database.write() as connection:
        jobs.update_job(connection, small, priority=urgency.get("priority"), weight=urgency.get("weight"))
    return small


def test_a_small_job_starts_at_once_though_a_large_one_has_filled_the_window(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    narrow = runtime.settings.model_copy(update={"high_water": 20})
    submit_large(tracker)
    dispatch(runtime.database, narrow)
    assert tracker.states().count(State.QUEUED) == 20
    small = submit_small(tracker)
    dispatch(runtime.database, narrow)
    assert tracker.states(small) == [State.QUEUED] * 5
    assert tracker.states().count(State.QUEUED) == 20


def test_a_job_of_a_higher_priority_goes_first_and_lower_ones_get_what_it_leaves(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    narrow = runtime.settings.model_copy(update={"high_water": 8})
    submit_large(tracker)
    urgent = submit_small(tracker, priority=5)
    dispatch(runtime.database, narrow)
    assert tracker.states(urgent) == [State.QUEUED] * 5
    assert tracker.states().count(State.QUEUED) == 3


def test_a_job_of_a_lower_priority_waits_until_there_is_room(runtime: WorkerRuntime, tracker: Tracker) -> None:
    narrow = runtime.settings.model_copy(update={"high_water": 8})
    submit_large(tracker)
    patient = submit_small(tracker, priority=-5)
    dispatch(runtime.database, narrow)
    dispatch(runtime.database, narrow)
    assert tracker.states(patient) == [State.PENDING] * 5


def test_what_is_out_is_a_few_batches_for_each_worker_and_not_the_high_water_mark(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    small_batches = runtime.settings.model_copy(update={"batch_documents": 4, "workers": 3})
    submit_large(tracker)
    dispatch(runtime.database, small_batches)
    assert tracker.states().count(State.QUEUED) == 2 * 3 * 4
    with tracker.database.write() as connection:
        for name in ("a", "b", "c", "d"):
            presence.register_worker(connection, name, host="here", pid=1, queues=list(stages.names()))
    dispatch(runtime.database, small_batches)
    assert tracker.states().count(State.QUEUED) == 2 * 4 * 4


def test_a_job_that_is_being_scanned_waits_for_a_full_batch_while_others_work(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    small_batches = runtime.settings.model_copy(update={"batch_documents": 4})
    tracker.submit(["file:///first"])
    assert len(dispatch(runtime.database, small_batches)) == 1, "nothing else was to be done"
    tracker.submit([f"file:///{n}" for n in range(3)])
    assert dispatch(runtime.database, small_batches) == []
    tracker.submit(["file:///last"])
    assert sum(len(message.work) for message in dispatch(runtime.database, small_batches)) == 4


def test_the_window_is_bounded_by_the_high_water_mark() -> None:
    settings = Settings(batch_documents=256, high_water=1000, workers=2)
    assert size_window(settings, slots=1) == 512
    assert size_window(settings, slots=0) == 1000
    assert size_window(settings, slots=100) == 1000


def demand(job: int, *, priority: int = 0, weight: int = 1, out: int = 0, ready: int = 10_000) -> Demand:
    return Demand(job, priority, weight, out, ready)


def test_weights_divide_the_window_within_a_priority() -> None:
    assert share_out(100, [demand(1, weight=3), demand(2)], batch=10) == {1: 75, 2: 25}


def test_what_a_small_job_leaves_goes_to_the_others() -> None:
    assert share_out(100, [demand(1), demand(2, ready=10)], batch=10) == {1: 90, 2: 10}


def test_a_job_with_its_share_out_is_sent_no_more() -> None:
    assert share_out(100, [demand(1, out=100), demand(2, ready=30)], batch=10) == {1: 0, 2: 30}


def test_every_job_has_something_out_though_there_are_more_jobs_than_room() -> None:
    sends = share_out(4, [demand(n, out=1 if n < 4 else 0) for n in range(10)], batch=1)
    assert all(sends[n] == 1 for n in range(4, 10))


def test_a_job_waits_until_a_whole_batch_has_room_so_that_batches_stay_large() -> None:
    assert share_out(100, [demand(1, out=95)], batch=10) == {1: 0}
    assert share_out(100, [demand(1, out=90)], batch=10) == {1: 10}
    assert share_out(100, [demand(1, out=95, ready=3)], batch=10) == {1: 3}


def test_a_large_job_is_cut_into_full_batches_and_a_small_one_is_spread_over_the_workers() -> None:
    settings = Settings(batch_documents=100, workers=4)
    ready = [Ready(n, "chunk", 1000) for n in range(200)]
    assert [len(message.work) for message in pack(ready, settings, {}, behind=10_000)] == [100, 100]
    assert [len(message.work) for message in pack(ready, settings, {})] == [50] * 4


@pytest.mark.parametrize(("tokens", "batches"), [(10, [5]), (799, [5]), (800, [3, 2]), (2000, [2, 2, 1])])
def test_a_few_small_documents_are_one_batch_for_one_worker(tokens: int, batches: list[int]) -> None:
    ready = [Ready(n, "chunk", tokens) for n in range(5)]
    assert [len(message.work) for message in pack(ready, Settings(workers=4), {})] == batches


DEMANDS = st.lists(
    st.tuples(st.integers(-3, 3), st.integers(1, 100), st.integers(0, 200), st.integers(0, 500)), max_size=8
)


@given(st.integers(1, 500), DEMANDS, st.integers(1, 50))
def test_no_job_is_sent_more_than_it_has_and_what_is_out_stays_bounded(
    window: int, asked: list[tuple[int, int, int, int]], batch: int
) -> None:
    demands = [Demand(n, *values) for n, values in enumerate(asked)]
    sends = share_out(window, demands, batch=batch)
    for d in demands:
        assert 0 <= sends[d.job_id] <= d.ready
        assert not sends[d.job_id] or d.out + sends[d.job_id] <= window
    for priority in {d.priority for d in demands}:
        fresh = [d for d in demands if d.priority == priority and not d.out]
        assert sum(sends[d.job_id] for d in fresh) <= window + len(fresh)


@given(st.integers(1, 500), DEMANDS, st.integers(1, 50))
def test_something_is_sent_whenever_nothing_is_out_and_something_is_ready(
    window: int, asked: list[tuple[int, int, int, int]], batch: int
) -> None:
    demands = [Demand(n, priority, weight, 0, ready) for n, (priority, weight, _, ready) in enumerate(asked)]
    assert any(share_out(window, demands, batch=batch).values()) == any(d.ready for d in demands)


@given(
    st.integers(0, 500),
    st.dictionaries(st.integers(1, 20), st.tuples(st.integers(1, 10), st.integers(0, 300)), max_size=8),
)
def test_shares_fill_the_room_and_exceed_no_job(room: int, asked: dict[int, tuple[int, int]]) -> None:
    counts = {job: count for job, (_, count) in asked.items()}
    shares = divide(room, {job: weight for job, (weight, _) in asked.items()}, counts)
    assert all(0 <= shares[job] <= counts[job] for job in counts)
    assert sum(shares.values()) == min(room, sum(counts.values()))


COMPANY = st.none() | st.integers(1, 9)
FOUND = st.tuples(st.sampled_from(list(stages.names())), st.integers(0, 5000), COMPANY)


@given(st.lists(FOUND, max_size=60))
def test_every_ready_document_is_in_one_message_and_suspects_are_in_no_larger_company_than_they_may_be(
    found: list[tuple[str, int, int | None]],
) -> None:
    settings = Settings(batch_documents=7, batch_tokens=9000, workers=2)
    ready = [Ready(id_, stage, size, company) for id_, (stage, size, company) in enumerate(found)]
    messages = pack(ready, settings, {})
    assert sorted(id_ for message in messages for id_ in message.work) == list(range(len(ready)))
    for message in messages:
        members = [ready[id_] for id_ in message.work]
        assert {member.stage for member in members} == {message.stage}
        assert {member.company is not None for member in members} == {message.alone}
        assert all(len(members) <= (member.company or 7) for member in members)
        assert len(members) <= 7
        assert len(members) == 1 or sum(member.size for member in members) <= 9000
