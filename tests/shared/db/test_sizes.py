"""What is known of a job's documents before they are read: sums of two kinds of sizes, and an even spread of some."""

from itertools import pairwise

from sqlalchemy import Connection

from embedmill.shared.db.sizes import Sizes, list_some, sum_sizes
from embedmill.shared.outcomes import Advance
from tests.shared.db.statements import count_statements, read_plans
from tests.shared.db.tracker import Tracker


def test_sizes_in_bytes_and_in_tokens_are_summed_apart_and_removals_not_at_all(tracker: Tracker) -> None:
    tracker.settle(tracker.take(["file:///a", "file:///b"]), Advance("embed", {"size": 7}))
    tracker.submit([f"file:///{n}" for n in range(5)])
    tracker.write(tracker.rows()[-1]["id"], deletes=True)
    with tracker.database.read() as connection:
        assert sum_sizes(connection, tracker.job) == {False: Sizes(4, 40), True: Sizes(2, 14)}
        assert sum_sizes(connection, tracker.job + 1) == {}


def test_some_documents_are_listed_evenly_over_their_order(tracker: Tracker) -> None:
    tracker.submit([f"file:///{n:03d}" for n in range(100)])
    with tracker.database.read() as connection:
        assert len(list_some(connection, tracker.job, documents=100, most=200)) == 100
        some = [one.uri for one in list_some(connection, tracker.job, documents=100, most=10)]
    places = [int(uri[-3:]) for uri in some]
    assert len(places) == 10
    assert {b - a for a, b in pairwise(places)} == {10}


def test_both_are_one_statement_that_reads_the_job_and_nothing_else(tracker: Tracker) -> None:
    tracker.submit(["file:///a"])

    def ask(connection: Connection) -> None:
        sum_sizes(connection, tracker.job)
        list_some(connection, tracker.job, documents=1, most=10)

    def both() -> None:
        with tracker.database.read() as connection:
            ask(connection)

    assert count_statements(tracker, both) == 2
    if tracker.database.is_sqlite:
        plans = read_plans(tracker.database, ask)
        assert not any(plan.startswith("SCAN") for plan in plans), plans
