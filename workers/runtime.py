"""What a worker process holds open beyond the shared runtime: the parser with its child process, and its claims."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from embedmill.shared.db.collections import Collection
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.presence import thread_name
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.workers.stored import HandedOn
from embedmill.workers.streams import Streams

if TYPE_CHECKING:
    from embedmill.shared.providers.blobs.base import BlobStore
    from embedmill.shared.providers.embeddings.base import Embedder
    from embedmill.shared.providers.models.base import Model
    from embedmill.shared.providers.vectorstores.base import VectorStore
    from embedmill.workers.parsing.sandbox import Parser


class HeldClaims:
    """The claims that a process works on at this moment, over all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: dict[str, Lease] = {}

    @contextmanager
    def holding(self, claim: Lease) -> Iterator[None]:
        """Count a claim as held until the block ends."""
        with self._lock:
            self._claims[claim.token] = claim
        try:
            yield
        finally:
            with self._lock:
                del self._claims[claim.token]

    def claims(self) -> list[Lease]:
        """What is held now."""
        with self._lock:
            return list(self._claims.values())


class WorkerRuntime(Runtime):
    """The runtime of one thread that works on stages.

    Threads of a process share the database's engines, the embedders, the models, the entry to paid calls, the log of
    queries, the list of what is held and the streams of texts. Everything else each opens for itself, because it keeps
    a connection, a child process or what the batch in hand has read.
    """

    def __init__(self, settings: Settings, *, process_id: str, slots: int = 1) -> None:
        super().__init__(settings, process_id=process_id, slots=slots)
        self.held = HeldClaims()
        most = settings.embed_max_concurrency
        self.streams = Streams(lambda: self.database, lambda: self.spender, is_shared=slots > 1, most=most)
        self.handed_on = HandedOn()
        self._opening = threading.Lock()

    def for_thread(self, number: int) -> "WorkerRuntime":
        """A runtime for another thread of this process; to be closed before this one."""
        other = WorkerRuntime(self.settings, process_id=self.process_id)
        other.owner = thread_name(self.process_id, number)
        other.held = self.held
        other.streams = self.streams
        other._opening = self._opening
        other._embedders = self._embedders
        other._models = self._models
        vars(other)["database"] = self.database
        vars(other)["spender"] = self.spender
        vars(other)["query_log"] = self.query_log
        return other

    def embedder(self, name: str) -> "Embedder":
        """The embedder by its settings name, one for all threads."""
        with self._opening:
            return super().embedder(name)

    def model(self, name: str) -> "Model":
        """The model by its settings name, one for all threads."""
        with self._opening:
            return super().model(name)

    @property
    def _sizing(self) -> Sizing:
        return replace(super()._sizing, by_batches=True)

    @cached_property
    def blobs(self) -> "BlobStore":
        """The blob store; opened by one thread at a time, because vendors' SDKs ask for that."""
        with self._opening:
            return super().blobs

    def store(self, collection: Collection, *, job_id: int | None = None) -> "VectorStore":
        """The vector store that holds a collection's shards; opened by one thread at a time."""
        with self._opening:
            return super().store(collection, job_id=job_id)

    @cached_property
    def parser(self) -> "Parser":
        """The parser and its child process."""
        from embedmill.workers.parsing.limits import ParserLimits
        from embedmill.workers.parsing.sandbox import Parser

        return Parser(ParserLimits.from_settings(self.settings))

    @property
    def retry(self) -> RetryPolicy:
        """Back-off between attempts."""
        settings = self.settings
        return RetryPolicy(settings.retry_base_seconds, settings.retry_max_seconds, 60 * settings.outage_minutes)

    def close(self) -> None:
        """Release everything that was opened here; a thread's runtime leaves alone what is shared."""
        if "parser" in vars(self):
            self.parser.close()
        if self.owner != self.process_id:
            vars(self).pop("database", None)
            vars(self).pop("spender", None)
            vars(self).pop("query_log", None)
            self._models, self._embedders = {}, {}
        super().close()
