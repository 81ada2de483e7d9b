"""What the batch lane's two halves share: the vendors' APIs, the questions, and the entry to money."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from embedmill.shared.db.bulk_batches import BulkBatch
from embedmill.shared.db.bulk_items import EMBED, VERDICT
from embedmill.shared.errors import EmbedmillError, KeyRefused, StorageFailed
from embedmill.shared.ledger import Lane, Tokens, Usage
from embedmill.shared.providers.batches.base import BatchApi
from embedmill.shared.providers.batches.table import open_batches
from embedmill.shared.runtime import Runtime
from embedmill.shared.spend.call import PaidCall
from embedmill.workers.bulk.embeddings import VectorBatches
from embedmill.workers.bulk.question import AnyQuestion
from embedmill.workers.bulk.verdicts import VerdictBatches

QUESTIONS: dict[str, Callable[[Runtime, str], AnyQuestion]] = {EMBED: VectorBatches, VERDICT: VerdictBatches}


class BatchClient:
    """Opened by one thread and used by it alone."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.database = runtime.database
        self.settings = runtime.settings
        self.refused: dict[str, KeyRefused] = {}
        """By provider, that its key was not accepted when it was last used here."""
        self._apis: dict[tuple[str, str], BatchApi] = {}

    def api(self, provider: str, operation: str) -> BatchApi:
        """A vendor's batch API."""
        key = provider, operation
        if key not in self._apis:
            self._apis[key] = open_batches(provider, operation)
        return self._apis[key]

    def question(self, kind: str, target: str) -> AnyQuestion:
        """What is asked of a model; raises MissingExtra, SettingsError."""
        return QUESTIONS[kind](self.runtime, target)

    @contextmanager
    def using_key(self, batch: BulkBatch) -> Iterator[None]:
        """Requests about a batch; raises KeyRefused, without one, while the vendor does not accept the key."""
        try:
            with self.runtime.spender.keys.using(batch.provider, self._find_key(batch), operation=batch.operation):
                yield
        except KeyRefused as error:
            self.refused[batch.provider] = error
            raise
        self.refused.pop(batch.provider, None)

    def _find_key(self, batch: BulkBatch) -> str:
        try:
            return self.question(batch.kind, batch.target).key
        except StorageFailed:
            raise
        except EmbedmillError:
            return ""  # of a model that is not to be had any more; its batches are looked after all the same

    def reservation(self, batch: BulkBatch) -> PaidCall | None:
        """The call by which a batch is paid for; None when its row in the ledger was deleted."""
        if batch.usage_id is None:
            return None
        usage = Usage(
            batch.provider,
            batch.model,
            batch.operation,
            Tokens(into=batch.tokens_in, out=batch.tokens_out),
            inputs=batch.inputs,
            lane=Lane.BULK,
            calls=batch.requests,
        )
        return self.runtime.spender.resume(batch.usage_id, usage)

    def close(self) -> None:
        """Release connections."""
        for api in self._apis.values():
            api.close()
        self._apis.clear()
