"""The verdict cache: what models thought of chunks, by content address, shared by every process of a fleet.

It has the methods of the embedding cache. It lives in the tracking database, because a verdict is a few hundred bytes
and a second worker, on whatever host, must not pay for it again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from embedmill.shared.caches.embeddings import Size
from embedmill.shared.db import verdicts
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.db.verdicts import VERDICT, StoredVerdict, VerdictOrigin
from embedmill.shared.logs import get_logger

log = get_logger()

NOBODY = VerdictOrigin("", "", "")
"""For those who put none."""


class Seals(Protocol):
    """How bodies are kept where they are not open to read."""

    def seal(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A body as it is stored."""

    def open(self, text: str) -> str:
        """The JSON of a body that was sealed."""


class VerdictCache:
    """Verdicts by address; `origin` is stored with those that are put. Raises StorageFailed."""

    def __init__(self, database: Database, origin: VerdictOrigin = NOBODY, seals: Seals | None = None) -> None:
        self._database = database
        self._origin = origin
        self._seals = seals

    def get_many(self, addresses: Sequence[str]) -> dict[str, StoredVerdict]:
        """The verdicts that are known; they count as used now."""

        def find(connection: Connection) -> tuple[dict[str, StoredVerdict], list[str]]:
            found = verdicts.find_verdicts(connection, addresses)
            return found, verdicts.find_stale_verdicts(connection, list(found))

        found, stale = self._database.query(find)
        if stale:
            self._database.transact(lambda connection: verdicts.touch_verdicts(connection, stale))
        return {address: self._opened(stored) for address, stored in found.items()}

    def _opened(self, stored: StoredVerdict) -> StoredVerdict:
        return stored if self._seals is None else replace(stored, text=self._seals.open(stored.text))

    def drop_damaged(self, damaged: Mapping[str, StoredVerdict]) -> None:
        """Drop what cannot be read, and count it."""
        texts = {address: stored.text for address, stored in damaged.items()}
        dropped = self._database.transact(lambda connection: verdicts.drop_verdicts(connection, texts))
        log.warning("verdicts.damaged", entries=dropped)

    def count_damaged(self) -> int:
        """How many were dropped because they were damaged."""
        return self._database.query(verdicts.count_damaged_verdicts)

    def put_many(self, bodies: Mapping[str, Mapping[str, Any]]) -> None:
        """Store verdicts in one transaction; an address that is known already keeps its verdict, unless dropped."""
        kept = bodies if self._seals is None else {a: self._seals.seal(body) for a, body in bodies.items()}
        self._database.transact(lambda connection: verdicts.store_verdicts(connection, kept, origin=self._origin))

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

    def measure(self) -> dict[str, Size]:
        """What is held."""
        size = self._database.query(verdicts.measure_verdicts)
        return {VERDICT: size} if size.entries else {}

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        """As for vectors; what a person has decided about, or is to decide about, stays."""
        if VERDICT not in kinds:
            return {}
        size = self._database.transact(
            lambda connection: verdicts.evict_verdicts(
                connection, unused_seconds=unused_seconds, freeing=freeing, limit=limit
            )
        )
        return {VERDICT: size} if size.entries else {}
