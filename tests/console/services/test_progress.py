"""What a job does and what would get it going: one word for it, and the command that mends it."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import update

from embedmill.console.cli.progress import format_pace
from embedmill.console.cli.reports import print_jobs, print_report, print_waiting
from embedmill.console.services import doctor
from embedmill.console.services.jobs import explain_job, list_jobs
from embedmill.console.services.progress import TELLING, Pace
from embedmill.shared import stages
from embedmill.shared.db import jobs, pools, presence
from embedmill.shared.db.clock import clock
from embedmill.shared.db.dead_letters import discard_letters
from embedmill.shared.db.schema import worker
from embedmill.shared.errors import BlobMissing, EmbedmillError, NotFound, ProviderUnavailable, SourceGone
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Advance, Fail, Park
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import JobState
from embedmill.workers.executor import outcome_of
from tests.shared.db.tracker import Tracker


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Presence(settings.home_path / "run") as presence_:
        opened = Runtime(settings, process_id=presence_.id)
        yield opened
        opened.close()


@pytest.fixture
def tracker(runtime: Runtime) -> Tracker:
    return Tracker(runtime.database)


def staff(runtime: Runtime, *queues: str) -> None:
    with runtime.database.write() as connection:
        presence.register_worker(connection, runtime.process_id, host="here", pid=1, queues=list(queues))


def scale(runtime: Runtime, queue: str, slots: int | None) -> None:
    with runtime.database.write() as connection:
        pools.scale_pool(connection, queue, slots)


def test_a_queue_that_was_scaled_to_nothing_is_named_with_what_mends_it(
    runtime: Runtime, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker.settle(tracker.take(["file:///a"]), Advance("embed", {}))
    staff(runtime, "chunk", "validate", "index")
    scale(runtime, "embed", 0)
    report = explain_job(runtime, tracker.job)
    assert (report.state, report.activity) == ("running", "waiting for workers")
    assert [row.reason for row in report.waiting] == ["scaled"]
    (found,) = report.hindrances
    assert found.reason == "scaled"
    print_report(report, [])
    print_waiting(report)
    shown = capsys.readouterr()
    assert "embedmill workers scale embed N" in shown.err and "scale embed --reset" in shown.err
    assert "workers start" not in shown.err + shown.out
    assert "job 1 running, waiting for workers: 1 document (none done yet)" in shown.out


@pytest.mark.parametrize(
    ("paused", "slots", "reason", "commands"),
    [
        (True, None, "paused", ["embedmill workers resume embed"]),
        (False, 0, "scaled", ["embedmill workers scale embed N, or embedmill workers scale embed --reset"]),
        (True, 0, "paused", ["embedmill workers resume embed", "embedmill workers scale embed N"]),
        (False, None, "unserved", ["embedmill workers start --queue embed"]),
        (False, 3, "unserved", ["embedmill workers start --queue embed"]),
    ],
)
@pytest.mark.parametrize("outcome", [Advance("embed", {}), Park("budget", 300.0), Park("bulk", 300.0)])
def test_everything_that_keeps_a_queue_from_being_served_is_named_also_for_what_waits_for_something_else(
    runtime: Runtime,
    tracker: Tracker,
    outcome: Advance | Park,
    *,
    paused: bool,
    slots: int | None,
    reason: str,
    commands: list[str],
) -> None:
    tracker.settle(tracker.take(["file:///a"]), Advance("embed", {}))
    if isinstance(outcome, Park):
        tracker.settle(tracker.claim(tracker.queue()), outcome)
    staff(runtime, "chunk", "validate", "index")
    scale(runtime, "embed", slots)
    if paused:
        runtime.database.transact(lambda connection: pools.pause_pool(connection, "embed"))
    found = {row.reason: row for row in explain_job(runtime, tracker.job).hindrances}
    assert [command for command in commands if command not in found[reason].command] == []


@pytest.mark.parametrize("reason", ["budget", "circuit"])
def test_without_workers_one_command_is_named_and_after_what_all_of_the_work_waits_for(
    runtime: Runtime, tracker: Tracker, reason: str
) -> None:
    def told() -> list[tuple[str, str]]:
        return [(row.reason, row.command) for row in explain_job(runtime, tracker.job).hindrances]

    start = ("unserved", "embedmill workers start")
    claim = tracker.take(["file:///a"])
    first = [item.id for item in claim.items]
    tracker.settle(claim, Advance("embed", {}))
    tracker.submit(["file:///b"])
    assert told() == [start]
    assert {row.start for row in explain_job(runtime, tracker.job).queues_without_consumer} == {start[1]}
    for stage, ids in {"embed": first, "chunk": tracker.queue()}.items():
        tracker.settle(tracker.claim(ids, stage), Park(reason, 300.0))
    assert [row[0] for row in told()] == [reason, reason, "unserved"], "nothing is ready"
    assert told()[-1] == start
    tracker.submit(["file:///c"])
    assert told()[0] == start, "workers have something to take"


def test_a_queue_that_nobody_serves_is_named_with_what_it_holds_back(runtime: Runtime, tracker: Tracker) -> None:
    tracker.settle(tracker.take(["file:///a"]), Advance("embed", {}))
    tracker.submit(["file:///b"])
    staff(runtime, "chunk")
    found = {row.reason: row for row in explain_job(runtime, tracker.job).hindrances}
    assert found["unserved"].command == found["crowded"].command == "embedmill workers start --queue embed"
    assert found["crowded"].stage == "chunk"


@pytest.mark.parametrize(
    ("worked", "ended", "are_left"),
    [
        (40.0, 40.0, True),
        (40.0, None, True),
        (40.0, 5.0, False),
        (40.0, -5.0, False),
        (5.0, 40.0, False),
    ],
    ids=["ended long ago", "never were", "end and begin again", "are done", "workers have just come"],
)
def test_chores_that_nobody_runs_while_workers_wait_are_named(
    runtime: Runtime, tracker: Tracker, *, worked: float, ended: float | None, are_left: bool
) -> None:
    tracker.submit(["file:///a"])
    staff(runtime, "chunk")
    with runtime.database.write() as connection:
        if ended is not None:
            presence.take_chore(connection, presence.CHORES, holder="scheduler", seconds=-ended)
        connection.execute(worker.update().values(started_at=clock() - worked))
    report = explain_job(runtime, tracker.job)
    wanted = [("chores", "embedmill workers start --only-chores")] if are_left else []
    assert [(row.reason, row.command) for row in report.hindrances] == wanted
    assert report.activity == ("waiting for chores" if are_left else "working")
    assert report.seconds_left is None
    if are_left:
        with pytest.raises(EmbedmillError, match="nobody runs the chores"):
            doctor._PROBES["chores"](runtime)
    else:
        assert "run by" in doctor._PROBES["chores"](runtime)


def test_a_job_without_chores_is_given_no_time(runtime: Runtime, tracker: Tracker) -> None:
    tracker.index(tracker.take([f"file:///{n}" for n in range(TELLING - 1)]))
    tracker.submit(["file:///b"])
    tracker.queue()
    staff(runtime, "chunk")
    assert explain_job(runtime, tracker.job).seconds_left is None, "what is done is too little to tell"
    tracker.index(tracker.take(["file:///a"]))
    assert explain_job(runtime, tracker.job).seconds_left is not None
    with runtime.database.write() as connection:
        connection.execute(worker.update().values(started_at=clock() - 40.0))
    found = explain_job(runtime, tracker.job)
    assert (found.activity, found.seconds_left) == ("working", None), "what is in the queue is worked on"


def test_what_a_job_does_is_told_apart_from_its_state(runtime: Runtime, tracker: Tracker) -> None:
    def activity() -> str:
        (row,) = list_jobs(runtime, limit=1).jobs
        return row.activity

    assert activity() == "scanning"
    tracker.submit(["file:///a", "file:///b"])
    assert activity() == "waiting for workers"
    staff(runtime, "chunk")
    assert activity() == "working"
    claim = tracker.claim(tracker.queue())
    tracker.settle(claim, Park("budget", 300.0))
    assert activity() == "waiting for money"
    tracker.control("pause_job")
    assert activity() == "paused"
    tracker.control("cancel_job")
    assert activity() == "cancelled"


def test_a_job_that_cannot_move_has_no_rate_and_no_time_left(runtime: Runtime, tracker: Tracker) -> None:
    tracker.index(tracker.take(["file:///a", "file:///b"]))
    tracker.submit(["file:///c"])
    report = explain_job(runtime, tracker.job)
    assert (report.rate, report.seconds_left) == (0.0, None)
    staff(runtime, "chunk")
    assert explain_job(runtime, tracker.job).rate > 0


@pytest.mark.parametrize(
    ("rate", "left", "text"),
    [
        (40.4, 240.0, "40/s, 4 min left"),
        (0.2, 50.0, "12/min, 50 s left"),
        (0.001, 7200.0, "slowly, 2.0 h left"),
        (0.0, None, "waiting for workers"),
    ],
)
def test_a_pace_is_said_in_few_words(rate: float, left: float | None, text: str) -> None:
    assert format_pace(Pace("waiting for workers", rate, left)) == text


def test_an_error_is_told_while_it_holds_and_not_after_the_next_attempt_succeeded(
    runtime: Runtime, tracker: Tracker
) -> None:
    def errors() -> list[str | None]:
        return [row.last_error for row in explain_job(runtime, tracker.job).waiting]

    claim = tracker.take(["file:///a"])
    tracker.settle(claim, Fail(BlobMissing("it is away")))
    assert errors() == ["BlobMissing: it is away"]
    tracker.write(claim.items[0].id, available_at=0.0)
    again = tracker.claim(tracker.queue())
    assert errors() == ["BlobMissing: it is away"], "it is tried again, and has not got over it yet"
    tracker.settle(again, Advance("embed", {}))
    assert errors() == [None]


def test_what_a_budget_let_go_on_is_not_said_to_be_stopped_by_it(runtime: Runtime, tracker: Tracker) -> None:
    claim = tracker.take(["file:///a"])
    tracker.settle(claim, Park("budget", 0.0, told="the budget is used up"))
    assert explain_job(runtime, tracker.job).waiting[0].last_error == "the budget is used up"
    tracker.queue()
    assert explain_job(runtime, tracker.job).waiting[0].last_error is None


def test_jobs_are_found_by_state_collection_and_time_and_have_name_time_and_source(
    runtime: Runtime, tracker: Tracker
) -> None:
    other = tracker.create_collection("other")
    with runtime.database.write() as connection:
        sources = [{"kind": "folder", "uri": "file:///manuals"}]
        named = jobs.create_job(
            connection, collection_id=other.id, identity="x", sources=sources, options={}, name="nightly"
        )
    tracker.control("pause_job")
    (row,) = list_jobs(runtime, collection="other").jobs
    assert (row.id, row.name, row.collection) == (named, "nightly", "other")
    assert row.source == "file:///manuals"
    assert row.created.timestamp() == pytest.approx(tracker.get_job(named).created_at)
    (paused,) = list_jobs(runtime, state=JobState.PAUSED).jobs
    assert (paused.id, paused.name) == (tracker.job, None)
    tracker.write_job(created_at=1000.0)
    (late,) = list_jobs(runtime, since=2000.0).jobs
    assert late.id == named
    assert len(list_jobs(runtime, limit=1).jobs) == 1
    with pytest.raises(NotFound):
        list_jobs(runtime, collection="none")


def test_a_removal_that_died_is_in_the_total_as_it_is_among_the_dead(runtime: Runtime, tracker: Tracker) -> None:
    tracker.index(tracker.take(["file:///a"]))
    tracker.submit(["file:///b"])
    (id_,) = tracker.queue()
    tracker.write(id_, deletes=True)
    tracker.settle(tracker.claim([id_]), Fail(SourceGone("it is gone")))
    tracker.end_scan()
    tracker.complete_jobs()
    (row,) = list_jobs(runtime, limit=1).jobs
    documents = row.documents
    assert (documents.total, documents.completed, documents.dead) == (2, 1, 1)


def test_a_circuit_that_is_open_is_named_with_the_time_at_which_it_goes_on(
    runtime: Runtime, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    # However slow the machine is, it is looked at before it is tried again.
    runtime.settings = runtime.settings.model_copy(update={"circuit_seconds": 600.0})
    down = ProviderUnavailable("openai answered 503", may_be_billed=False)
    told: BaseException = down
    while told is down:
        told = runtime.spender.circuit("openai:embed").failed(down)
    assert explain_job(runtime, tracker.job).circuits == [], "nothing of this job waits for it"
    tracker.settle(tracker.take(["file:///a"]), outcome_of(told))
    report = explain_job(runtime, tracker.job)
    (circuit,) = report.circuits
    assert (circuit.name, circuit.state) == ("openai:embed", "open")
    assert 0 < circuit.seconds_left <= runtime.settings.circuit_seconds
    print_waiting(report)
    assert "openai:embed does not answer and is left alone" in capsys.readouterr().out
    print_waiting(replace(report, circuits=[replace(circuit, seconds_left=0.0)]))
    assert "openai:embed does not answer and is tried again now" in capsys.readouterr().out


def test_what_was_discarded_and_what_was_written_anew_are_called_so(
    runtime: Runtime, tracker: Tracker, capsys: pytest.CaptureFixture[str]
) -> None:
    tracker.settle(tracker.take(["file:///a"]), Fail(SourceGone("it is gone")))
    tracker.end_scan()
    tracker.complete_jobs()
    discard_letters(tracker.database, LetterFilter(), reason="known")
    with tracker.database.write() as connection:
        half = jobs.Rewriting(5, 10, decrypts=False, process=runtime.process_id)
        rewriting = jobs.open_rewriting(connection, tracker.collection.id, half)
    (anew, discarded) = list_jobs(runtime).jobs
    print_jobs([discarded])
    shown = capsys.readouterr().out
    assert "discarded" in shown and "cancelled" not in shown
    assert discarded.documents.cancelled == 1, "what is published stays"
    print_jobs([anew])
    assert "keys re-encrypt" in capsys.readouterr().out
    report = explain_job(runtime, rewriting)
    print_report(report, [])
    print_waiting(report)
    shown = capsys.readouterr().out
    assert "10 documents (5 written anew)" in shown
    assert "chunks" not in shown and "nothing waits" not in shown


def test_what_is_known_of_workers_that_are_gone_or_silent_is_said(runtime: Runtime, tracker: Tracker) -> None:
    def said() -> tuple[str, str]:
        (found,) = explain_job(runtime, tracker.job).hindrances
        return found.says, found.command

    def age(seconds: float) -> None:
        with runtime.database.write() as connection:
            connection.execute(update(worker).values(heartbeat_at=clock() - seconds))

    tracker.submit(["file:///a"])
    assert said() == ("nobody serves any queue", "embedmill workers start")
    staff(runtime, *stages.names())
    assert explain_job(runtime, tracker.job).hindrances == []
    silent = runtime.settings.silent_seconds
    age(0.5 * silent)
    says, command = said()
    assert says.startswith(f"no worker was heard of for {silent / 2:.0f} s; after {silent:.0f} s they count as lost")
    assert command == "embedmill workers list"
    age(10 * silent)
    assert said()[0].startswith(f"nobody serves any queue; a worker was last heard of {10 * silent:.0f} s ago")
    own = [{"queues": ["chunk"]}]
    with runtime.database.write() as connection:
        presence.lose_worker(connection, runtime.process_id)
        presence.register_supervisor(connection, "elsewhere-1-00", host="elsewhere", pid=1, pools=own)
    says, command = said()
    assert says.endswith("a supervisor is there, which starts others") and command == "embedmill workers list"


def test_a_queue_whose_supervisor_starts_workers_needs_no_other(runtime: Runtime, tracker: Tracker) -> None:
    tracker.submit(["file:///a"])
    staff(runtime, "index")
    own = [{"queues": ["chunk"]}]
    with runtime.database.write() as connection:
        presence.register_supervisor(connection, "elsewhere-1-00", host="elsewhere", pid=1, pools=own)
    (found,) = explain_job(runtime, tracker.job).hindrances
    assert found.says == "nobody serves the queue chunk, where work waits; a supervisor is there, which starts others"
    assert found.command == "embedmill workers list"


def test_a_broker_that_is_away_is_named_where_nothing_moves(
    settings: Settings, runtime: Runtime, tracker: Tracker
) -> None:
    tracker.submit(["file:///a"])
    tracker.end_scan()
    staff(runtime, *stages.names())
    runtime.settings = settings.model_copy(update={"broker_url": "redis://127.0.0.1:9/0"})
    (found,) = explain_job(runtime, tracker.job).hindrances
    assert (found.reason, found.documents, found.command) == ("broker", 1, "embedmill doctor")
    assert found.says.startswith("the broker cannot be reached") and found.says.endswith("goes on when it is back")


def test_a_reading_that_was_cut_short_is_not_said_to_go_on(runtime: Runtime, tracker: Tracker) -> None:
    reading = presence.name_reading(tracker.job)
    assert explain_job(runtime, tracker.job).activity == "scanning"
    with runtime.database.write() as connection:
        presence.take_chore(connection, reading, holder=runtime.process_id, seconds=30.0)
    assert explain_job(runtime, tracker.job).activity == "scanning"
    gone = runtime.process_id[:-1] + ("0" if runtime.process_id[-1] != "0" else "1")
    with runtime.database.write() as connection:
        presence.free_chore(connection, reading, holder=runtime.process_id)
        presence.take_chore(connection, reading, holder=gone, seconds=30.0)
    report = explain_job(runtime, tracker.job)
    (found,) = report.hindrances
    assert (report.activity, found.reason) == ("cut short", "cut_short")
    assert found.command.endswith(f"embedmill jobs cancel {tracker.job}")
    tracker.end_scan()
    assert explain_job(runtime, tracker.job).activity != "cut short"
