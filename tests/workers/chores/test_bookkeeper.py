"""The bookkeeper: closes the entries of the dead, and wakes what a budget has room for again."""

from pathlib import Path

from embedmill.shared.db import budgets, ledger
from embedmill.shared.db.ledger import NoRoom, Reserved
from embedmill.shared.db.schema import usage
from embedmill.shared.ledger import BudgetScope
from embedmill.shared.outcomes import Park
from embedmill.shared.presence import Presence
from embedmill.shared.states import State
from embedmill.workers.chores.bookkeeper import close_entries, wake_affordable
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.spending import entry
from tests.shared.db.tracker import Tracker


def reserve(tracker: Tracker, owner: str) -> int:
    with tracker.database.write() as connection:
        found = ledger.reserve(connection, entry(microusd=50, tokens=50))
    assert isinstance(found, Reserved)
    tracker.write(found.id, usage, owner=owner)
    return found.id


def test_entries_of_dead_processes_are_closed_and_those_of_live_ones_are_not(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path
) -> None:
    with Presence(runtime.run_folder) as other:
        dead = other.id
    alive, lost = reserve(tracker, runtime.process_id), reserve(tracker, dead)
    assert close_entries(tracker.database, runtime.run_folder) == 1
    assert tracker.row(lost, usage)["state"] == "unsettled"
    assert tracker.row(alive, usage)["state"] == "reserved"
    assert close_entries(tracker.database, runtime.run_folder) == 0


def test_work_that_waits_for_a_budget_is_woken_when_there_is_room_and_not_before(
    runtime: WorkerRuntime, tracker: Tracker
) -> None:
    with tracker.database.write() as connection:
        budgets.set_budget(connection, BudgetScope.TOTAL, "", limit_microusd=60, limit_tokens=None)
    row = reserve(tracker, runtime.process_id)
    with tracker.database.write() as connection:
        assert isinstance(ledger.reserve(connection, entry(microusd=30, tokens=30)), NoRoom)
    claim = tracker.take(["file:///a"])
    tracker.settle(claim, Park("budget", 3600.0, is_woken=True))
    assert wake_affordable(tracker.database) == 0
    with tracker.database.write() as connection:
        ledger.settle(connection, row, entry(microusd=20, tokens=20))
    assert wake_affordable(tracker.database) == 1
    assert tracker.states() == [State.PENDING]
