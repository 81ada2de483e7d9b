"""The streams of paid texts of one process: what its threads embed for one job with one model shares requests."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from embedmill.shared import stages
from embedmill.shared.asking.stream import HOLD_SECONDS
from embedmill.shared.db import queueing, tallies
from embedmill.shared.db.engine import Connection, Database
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.streaming import TextStream
from embedmill.shared.spend.metering import LedgerMeter
from embedmill.shared.spend.spender import Spender
from embedmill.shared.stages import Product
from embedmill.workers.retrials import Company

GATHERED_SECONDS = 1.5
"""What failed together is due again within such a time."""


@dataclass(frozen=True, slots=True)
class StreamKey:
    """What shares requests, and how large they may be (`workers.retrials`)."""

    embedding: str
    job_id: int
    collection_id: int
    company: Company


class Streams:
    """The streams of a process; safe between threads.

    With `is_shared`, several threads fill them, and a request that is not full waits for what comes next. `most` is how
    many requests may be in flight at all, where that is set.
    """

    def __init__(
        self, database: Callable[[], Database], spender: Callable[[], Spender], *, is_shared: bool, most: int = 0
    ) -> None:
        self._database = database
        self._spender = spender
        self._is_shared = is_shared
        self._most = most
        self._lock = threading.Lock()
        self._streams: dict[StreamKey, TextStream] = {}
        self._coming: set[int] = set()
        self.is_full: Callable[[], bool] = lambda: False
        """Whether no other claim can come before one of those that are here has ended."""
        self._stage = stages.maker(Product.VECTORS)

    @contextmanager
    def approaching(self, stage: str) -> Iterator[None]:
        """This thread takes work of a stage; if that asks for vectors, what it lacks will be asked for."""
        if stage == self._stage:
            self._coming.add(threading.get_ident())
        try:
            yield
        finally:
            self.arrive()

    def arrive(self) -> None:
        """What the claim of this thread lacks is asked for now, or waited for because others have asked."""
        self._coming.discard(threading.get_ident())

    def find(self, key: StreamKey, embedder: Embedder, meter: LedgerMeter) -> TextStream:
        """The stream of that name; those that nobody needs any more are forgotten."""
        with self._lock:
            self._streams = {k: stream for k, stream in self._streams.items() if k == key or not stream.is_idle}
            if key not in self._streams:
                self._streams[key] = self._open(key, embedder, meter)
            return self._streams[key]

    def _open(self, key: StreamKey, embedder: Embedder, meter: LedgerMeter) -> TextStream:
        spender = self._spender()
        concurrency = spender.concurrency(embedder.provider, embedder.model)
        return TextStream(
            embedder,
            meter,
            concurrency=lambda: min(concurrency.allowed, self._most or concurrency.allowed),
            headroom=spender.headroom,
            expects_more=lambda: self._is_shared and self._is_more_coming(key),
            # A worker that has but one thread has something better to do.
            hold_seconds=HOLD_SECONDS if self._is_shared else 0.0,
            parts=key.company.parts,
            tries_first=key.company.is_failing,
        )

    def _is_more_coming(self, key: StreamKey) -> bool:
        if key.company.alone:
            return False
        if self._coming:
            return True
        if self.is_full():
            return False
        return self._database().query(partial(self._finds_more, key=key))

    def _finds_more(self, connection: Connection, key: StreamKey) -> bool:
        if key.company.is_failing and queueing.is_retrial_due(
            connection, key.job_id, self._stage, within_seconds=GATHERED_SECONDS
        ):
            return True
        return tallies.is_more_coming(connection, key.job_id, self._stage)
