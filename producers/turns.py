"""Turns at hosts that all commands of one home share, in the tracking database."""

from embedmill.producers.sources.turns import Turns
from embedmill.shared.db import visits
from embedmill.shared.db.engine import Database


class SharedTurns(Turns):
    """Kept for each host: when it may be asked next, by the database's clock."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, place: str, pause_seconds: float) -> float:
        return self._database.transact(lambda connection: visits.take_turn(connection, place, pause_seconds))

    def rest(self, place: str, seconds: float) -> None:
        self._database.transact(lambda connection: visits.rest(connection, place, seconds))
