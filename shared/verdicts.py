"""The verdict cache: what models thought of chunks, by content address, shared by every process of a fleet.

It has the methods of the embedding cache. It lives in the tracking database, because a verdict is a few hundred bytes
and a second worker, on whatever host, must not pay for it again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.db import verdicts
from shared.db.engine import Database
from shared.db.verdicts import Origin, StoredVerdict


class VerdictCache:
    """Verdicts by address; `origin` is stored with those that are put. Raises StorageFailed."""

    def __init__(self, database: Database, origin: Origin) -> None:
        self._database = database
        self._origin = origin

    def get_many(self, addresses: Sequence[str]) -> dict[str, StoredVerdict]:
        """The verdicts that are known."""
        return self._database.query(lambda connection: verdicts.find_verdicts(connection, addresses))

    def put_many(self, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        """Store verdicts in one transaction; an address that is known already keeps its verdict."""
        self._database.transact(lambda connection: verdicts.store_verdicts(connection, bodies, origin=self._origin))

    def reserve(self, addresses: Sequence[str], *, owner: str, seconds: float) -> set[str]:
        """Those of the addresses that `owner` is to ask about now.

        A reservation ends with `put_many`, with `release`, or after `seconds`.
        """
        return self._database.transact(
            lambda connection: verdicts.hold_verdicts(connection, addresses, owner=owner, seconds=seconds)
        )

    def find_holders(self, addresses: Sequence[str]) -> set[str]:
        """Who has reserved any of the addresses."""
        return self._database.query(lambda connection: verdicts.find_verdict_holders(connection, addresses))

    def release(self, owner: str) -> None:
        """Give up what an owner has reserved and not stored."""
        self._database.transact(lambda connection: verdicts.release_verdicts(connection, owner))
