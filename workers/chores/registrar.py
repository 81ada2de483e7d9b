"""The registrar: marks workers as lost that died or fell silent, and forgets what ended long ago."""

from pathlib import Path

from embedmill.shared.db import presence
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.logs import get_logger
from embedmill.shared.presence import is_gone
from embedmill.shared.settings import Settings

log = get_logger()

# How long an ended worker's row is kept, to look things up by the name in a dead letter's attempts.
KEPT_SECONDS = 24 * 3600.0


def tidy(database: Database, settings: Settings, *, run_folder: Path, kept_seconds: float = KEPT_SECONDS) -> int:
    """Bring the list of workers and supervisors up to date; returns how many workers were found lost."""
    dead = lose_dead(database, run_folder=run_folder)
    with database.write() as connection:
        silent = presence.lose_silent(connection, silent_seconds=settings.silent_seconds)
        presence.forget_stopped(connection, older_than_seconds=kept_seconds)
    if dead or silent:
        log.warning("registrar.workers_lost", dead=dead, silent=silent)
    return dead + silent


def lose_dead(database: Database, *, run_folder: Path) -> int:
    """Mark workers of this home as lost whose locks are free; returns how many. Without any it writes nothing."""
    dead = [row["id"] for row in database.query(presence.list_workers) if is_gone(run_folder, row["id"])]

    def lose(connection: Connection) -> None:
        for worker_id in dead:
            presence.lose_worker(connection, worker_id)

    if dead:
        database.transact(lose)
    return len(dead)
