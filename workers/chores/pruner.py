"""The pruner: lets caches forget what nobody uses, within the time and the space that the settings give them.

What unfinished work may need stays: everything used since the longest waiting document met the cache, and everything
used within an hour. The limits give way to that.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Protocol

from embedmill.shared.caches.embeddings import KINDS, TOUCH_SECONDS, Size
from embedmill.shared.db import kept_answers
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.retention import measure_need, record_evictions
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VERDICT
from embedmill.shared.errors import FlowControl
from embedmill.shared.logs import get_logger
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.stages import Product

log = get_logger()

ENTRIES_AT_ONCE = 500
YOUNGEST_SECONDS = 3600.0
MEBIBYTE = 1024 * 1024


class Prunable(Protocol):
    """What caches have in common here."""

    def measure(self) -> dict[str, Size]:
        """What is held, by kind."""

    def evict(self, *, kinds: Sequence[str], unused_seconds: float, freeing: int | None, limit: int) -> dict[str, Size]:
        """Remove up to `limit` of the longest unused entries; returns what went, by kind."""


@dataclass(frozen=True, slots=True)
class PrunePolicy:
    """How long kinds are kept without being used, and how much room there is; 0 means always, or any.

    What models answered about queries is kept for `answer_seconds` by kind, used or not.
    """

    keep_seconds: dict[str, float]
    vector_bytes: int
    verdict_bytes: int
    answer_seconds: Mapping[str, float]
    answer_bytes: int
    youngest_seconds: float = YOUNGEST_SECONDS

    @classmethod
    def from_settings(cls, settings: Settings) -> "PrunePolicy":
        """As configured."""
        return cls(
            settings.cache_keep_seconds,
            settings.cache_max_mb * MEBIBYTE,
            settings.cache_verdict_max_mb * MEBIBYTE,
            settings.answer_keep_seconds,
            settings.cache_answer_max_mb * MEBIBYTE,
        )

    def tightened(self, *, keep_seconds: float | None, vector_bytes: int | None) -> "PrunePolicy":
        """With another time for all kinds, and another room for vectors, where they are given."""
        # 0 would mean always.
        given = None if keep_seconds is None else max(keep_seconds, 1.0)
        keep = self.keep_seconds if given is None else dict.fromkeys(self.keep_seconds, given)
        answers = {
            kind: min(seconds or given or 0.0, given or seconds) for kind, seconds in self.answer_seconds.items()
        }
        return replace(
            self,
            keep_seconds=keep,
            answer_seconds=answers,
            vector_bytes=self.vector_bytes if vector_bytes is None else vector_bytes,
        )


def prune(runtime: Runtime, policy: PrunePolicy, *, seconds: float) -> dict[str, Size]:
    """Evict for at most about `seconds`, in small transactions; returns what went, by kind.

    A cache that is away is left for the next time.
    """
    deadline = time.monotonic() + seconds
    gone: dict[str, Size] = {}
    with closing(runtime.open_cache()) as cache:
        for pruned in (
            _Pruning(runtime, cache, policy, Product.VECTORS, KINDS, policy.vector_bytes),
            _Pruning(
                runtime, VerdictCache(runtime.database), policy, Product.VERDICTS, (VERDICT,), policy.verdict_bytes
            ),
        ):
            try:
                for some in pruned.run(deadline):
                    gone = _added(gone, some)
            except FlowControl as error:
                log.warning("cache.not_pruned", error=str(error))
    for some in forget_answers(runtime, policy, deadline):
        gone = _added(gone, some)
    return gone


def forget_answers(runtime: Runtime, policy: PrunePolicy, deadline: float) -> Iterator[dict[str, Size]]:
    """What models answered about queries and is too old, or was left behind by a change, or is too much."""

    def forget(connection: Connection) -> dict[str, Size]:
        kept_answers.forget_makers(connection)
        outdated = kept_answers.forget_outdated(connection, policy.answer_seconds, limit=ENTRIES_AT_ONCE)
        return outdated or kept_answers.forget_beyond(connection, policy.answer_bytes, limit=ENTRIES_AT_ONCE)

    yield from forget_while(runtime, forget, deadline)


def forget_while(
    runtime: Runtime, forget: Callable[[Connection], dict[str, Size]], deadline: float
) -> Iterator[dict[str, Size]]:
    """Forget some at a time until nothing is left to forget; what went is counted."""

    def forget_some(connection: Connection) -> dict[str, Size]:
        gone = forget(connection)
        record_evictions(connection, gone)
        return gone

    while time.monotonic() < deadline and (gone := runtime.database.transact(forget_some)):
        log.info("cache.evicted", **{kind: size.entries for kind, size in gone.items()})
        yield gone


def _added(gone: Mapping[str, Size], more: Mapping[str, Size]) -> dict[str, Size]:
    return {kind: gone.get(kind, Size()) + more.get(kind, Size()) for kind in {*gone, *more}}


@dataclass(frozen=True, slots=True)
class _Pruning:
    """The pruning of one cache."""

    runtime: Runtime
    cache: Prunable
    policy: PrunePolicy
    product: Product
    kinds: Sequence[str]
    most_bytes: int

    def run(self, deadline: float) -> Iterator[dict[str, Size]]:
        """Evict step by step what is too old, then what is too much."""
        times = {kind: seconds for kind in self.kinds if (seconds := self.policy.keep_seconds.get(kind, 0.0)) > 0}
        if not (times or self.most_bytes):
            return
        youngest = self._youngest()
        for kind, seconds in times.items():
            yield from self._evict((kind,), max(seconds, youngest), None, deadline)
        if self.most_bytes:
            excess = sum(size.bytes for size in self.cache.measure().values()) - self.most_bytes
            yield from self._evict(self.kinds, youngest, excess, deadline)

    def _youngest(self) -> float:
        needed = self.runtime.database.query(lambda connection: measure_need(connection, self.product))
        return max(self.policy.youngest_seconds, needed + TOUCH_SECONDS if needed else 0.0)

    def _evict(
        self, kinds: Sequence[str], unused_seconds: float, freeing: int | None, deadline: float
    ) -> Iterator[dict[str, Size]]:
        while (freeing is None or freeing > 0) and time.monotonic() < deadline:
            gone = self.cache.evict(kinds=kinds, unused_seconds=unused_seconds, freeing=freeing, limit=ENTRIES_AT_ONCE)
            if not gone:
                return
            self.runtime.database.transact(lambda connection, g=gone: record_evictions(connection, g))  # type: ignore[misc]
            log.info("cache.evicted", **{kind: size.entries for kind, size in gone.items()})
            yield gone
            freeing = None if freeing is None else freeing - sum(size.bytes for size in gone.values())
