"""The bookkeeper: wakes the work whose budget has room again, and closes entries whose caller is gone."""

from pathlib import Path

from embedmill.shared.db import budgets, ledger
from embedmill.shared.db.engine import Database
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone

log = get_logger()


def wake_affordable(database: Database) -> int:
    """Wake what waits for a budget that has room, because a day began or calls cost less; returns how much."""
    if not database.query(lambda connection: budgets.has_refused(connection, lock=False)):
        return 0
    woken = database.transact(budgets.wake_affordable)
    if woken:
        log.info("budget.woken", work=woken)
    return woken


def close_entries(database: Database, run_folder: Path) -> int:
    """Mark as unsettled what dead processes left reserved; returns how many entries."""
    owners = database.query(ledger.list_reserving_owners)
    if not owners:
        return 0
    gone = [owner for owner in owners if is_gone(run_folder, owner)]
    closed = database.transact(lambda connection: ledger.abandon(connection, owners=gone))
    if closed:
        log.warning("ledger.unsettled", entries=closed)
    return closed
