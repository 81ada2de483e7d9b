"""What chores and supervisors ask again and again reads no whole table on SQLite either."""

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from embedmill.shared.db import (
    agenda,
    budgets,
    bulk_lane,
    bulk_waits,
    flow,
    leases,
    ledger,
    presence,
    queueing,
    samples,
    waits,
)
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.transitions import wake_work
from embedmill.shared.settings import Settings
from embedmill.shared.states import WaitReason
from tests.shared.db.statements import read_plans

LOOKS: dict[str, Callable[[Connection], object]] = {
    "find_queued_stages": queueing.find_queued_stages,
    "count_indexing": lambda c: leases.count_indexing(c, 1, claimed_until=1.0),
    "read_agenda": agenda.read_agenda,
    "count_queued": queueing.count_queued,
    "find_leases": leases.find_leases,
    "claim": lambda c: leases.claim(c, "chunk", [1, 2, 3], worker="w", lease_seconds=1.0),
    "find_cause": lambda c: waits.find_cause(c, 1, WaitReason.BUDGET),
    "forget_refusals": budgets._forget_refusals,
    "wake_budgets": lambda c: wake_work(c, WaitReason.BUDGET),
    "wake_circuit": flow.wake_circuit,
    "wake_keys": flow.wake_keys,
    "was_refused_here": lambda c: waits.was_refused_here(c, 1, supervisor="s"),
    "find_providers": lambda c: bulk_waits.find_providers(c, 1),
    "list_shown_workers": lambda c: presence.list_shown_workers(c, silent_seconds=1.0),
    "list_reserving_owners": ledger.list_reserving_owners,
    "abandon": lambda c: ledger.abandon(c, owners=["gone"]),
    "has_due_business": bulk_lane.has_due_business,
    "has_due_samples": samples.has_due_samples,
    "take_samples": lambda c: samples.take_samples(c, limit=10),
}


@pytest.mark.parametrize("name", LOOKS)
def test_a_look_goes_through_an_index_of_the_rows_that_it_is_about(settings: Settings, name: str) -> None:
    settings.home_path.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database)
    lines = read_plans(database, LOOKS[name])
    database.close()
    whole = [f"SCAN {table}" for table in ("work", "usage", "sample", "document", "bulk_entry")]
    assert not [line for line in lines if line in whole], lines
