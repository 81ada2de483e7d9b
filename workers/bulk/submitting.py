"""Makes batches of what waits: drafts requests, reserves their money, and takes them to the vendor.

Each step is written down before it is taken. Until `submitting` is written, the vendor was asked for nothing that costs
anything; from then on, only the vendor knows (see the collector).
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.shared.db import bulk_batches, bulk_items
from embedmill.shared.db.bulk_batches import Assignment, BulkBatch
from embedmill.shared.db.bulk_items import BulkGroup
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    KeyRefused,
    ProviderRefused,
    ProviderUnavailable,
    StorageFailed,
)
from embedmill.shared.ledger import BatchState, Lane, Tokens, Usage
from embedmill.shared.logs import get_logger
from embedmill.shared.providers.batches.base import BatchApi, BatchRequest, BatchStatus
from embedmill.shared.spend.call import PaidCall
from embedmill.shared.states import WaitReason
from embedmill.workers.bulk.client import BatchClient
from embedmill.workers.bulk.question import AnyQuestion, BatchDraft, DraftedRequest, draft_requests

log = get_logger()

BATCHES_A_ROUND = 4
"""Of one group, before open batches are looked at again."""
REST_SECONDS = 30.0
"""After the vendor could not take a batch and does not say when it can."""


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch that is written down, with its requests."""

    batch: BulkBatch
    call: PaidCall
    requests: list[BatchRequest]


class BatchSubmitter:
    """Sends groups. `may_act` says whether this process may still act for the lane."""

    def __init__(self, client: BatchClient, *, may_act: Callable[[], bool]) -> None:
        self._client = client
        self._may_act = may_act

    def submit_ready(self) -> int:
        """Send what is whole, full, or old enough; returns how many batches that made."""
        groups = self._client.database.query(bulk_items.find_groups)
        return sum(self._submit(group) for group in groups)

    def _submit(self, group: BulkGroup) -> int:
        try:
            question = self._client.question(group.kind, group.target)
            api = self._client.api(question.provider, question.operation)
        except StorageFailed:
            raise
        except EmbedmillError as error:
            self._fail(group, error)
            return 0
        if self._is_refused(question):
            return 0
        most = min(api.max_requests, self._client.settings.bulk_max_requests)
        full = group.items >= most * question.items_per_request
        if not (group.is_whole or full or group.seconds >= self._client.settings.bulk_gather_seconds):
            return 0
        made = 0
        while made < BATCHES_A_ROUND and self._may_act() and self._submit_one(group, question, api, most):
            made += 1
        return made

    def _is_refused(self, question: AnyQuestion) -> bool:
        """Whether the vendor does not accept the key at this time; then nothing is drafted."""
        try:
            self._client.runtime.spender.keys.use(
                question.provider, question.key, operation=question.operation
            ).require()
        except KeyRefused as error:
            self._client.refused[question.provider] = error
            return True
        return False

    def _submit_one(self, group: BulkGroup, question: AnyQuestion, api: BatchApi, most: int) -> bool:
        """BatchDraft, reserve and send one batch; False when there was nothing to send, or no way to."""
        limit = most * question.items_per_request
        items = self._client.database.query(lambda connection: bulk_items.list_ready(connection, group, limit=limit))
        if not items:
            return False
        draft = draft_requests(question, items)
        self._forget(draft)
        key = secrets.token_hex(16)
        chosen = list(_fit(draft.requests, api, most, key))
        if not chosen:
            return bool(draft.known or draft.gone)
        try:
            prepared = self._prepare(group, question, chosen, key)
        except StorageFailed:
            raise
        except KeyRefused as error:
            self._client.refused[question.provider] = error
            return False
        except FlowControl as error:
            if error.reason != WaitReason.BUDGET:
                raise
            self._await_budget(chosen, error)
            return False
        except EmbedmillError as error:
            self._fail_items([item.id for drafted in chosen for item in drafted.items], error)
            return False
        return self._send(prepared, api)

    def _forget(self, draft: BatchDraft) -> None:
        if draft.known:
            self._client.database.transact(lambda connection: bulk_items.settle_known(connection, draft.known))
        if draft.gone:
            self._client.database.transact(lambda connection: bulk_items.drop_lost(connection, draft.gone))

    def _prepare(
        self, group: BulkGroup, question: AnyQuestion, chosen: Sequence[DraftedRequest], key: str
    ) -> PreparedBatch:
        """Reserve money and write the batch down in one transaction; as much of it as the budgets have room for."""
        count = len(chosen)
        while True:
            part = chosen[:count]
            try:
                return self._reserve(group, question, part, key)
            except FlowControl as error:
                if count == 1 or error.reason != WaitReason.BUDGET:
                    raise
            count = count * 2 // 3

    def _reserve(
        self, group: BulkGroup, question: AnyQuestion, part: Sequence[DraftedRequest], key: str
    ) -> PreparedBatch:
        made: list[int] = []
        documents = sorted({item.document_id for drafted in part for item in drafted.items})
        usage = Usage(
            question.provider,
            question.model_name,
            question.operation,
            sum((drafted.tokens for drafted in part), Tokens()),
            inputs=sum(len(d.items) for d in part),
            lane=Lane.BULK,
            job_id=group.job_id,
            collection_id=group.collection_id,
            documents=tuple(documents),
            key=question.key,
            calls=len(part),
        )
        values = {
            "key": key,
            "job_id": group.job_id,
            "kind": group.kind,
            "target": group.target,
            "provider": usage.provider,
            "model": usage.model,
            "operation": usage.operation,
            "requests": usage.calls,
            "inputs": usage.inputs,
            "tokens_in": usage.tokens.prompt,
            "tokens_out": usage.tokens.out,
        }

        def write_down(connection: Connection, row: int) -> None:
            made[:] = [bulk_batches.create_batch(connection, values, list(_assign(part)), usage_id=row)]

        call = self._client.runtime.spender.begin(usage, note=write_down)
        batch = self._client.database.query(lambda connection: bulk_batches.get_batch(connection, made[0]))
        assert batch is not None
        log.info("bulk.prepared", batch=batch.id, job=group.job_id, requests=len(part), tokens=usage.tokens.total)
        return PreparedBatch(batch, call, [_request(key, number, d) for number, d in enumerate(part)])

    def _send(self, prepared: PreparedBatch, api: BatchApi) -> bool:
        batch = prepared.batch
        try:
            file_id = api.stage(prepared.requests, mark=batch.key)
        except KeyRefused as error:
            self._leave_prepared(prepared, error)
            return False
        except EmbedmillError as error:
            self._give_up(prepared, api, error)
            return False
        if not self._move(batch, BatchState.PREPARED, BatchState.PREPARED, file_id=file_id):
            return False
        if not self._may_act() or not self._move(batch, BatchState.PREPARED, BatchState.SUBMITTING):
            return False
        try:
            status = api.create(prepared.requests, file_id=file_id, mark=batch.key)
        except ProviderUnavailable as error:
            prepared.call.key.give_back()
            self._note_unanswered(batch, error)
            return False
        except KeyRefused as error:
            self._move(batch, BatchState.SUBMITTING, BatchState.PREPARED)
            self._leave_prepared(prepared, error)
            return False
        except EmbedmillError as error:
            self._give_up(prepared, api, error, start=BatchState.SUBMITTING, file_id=file_id)
            return False
        self._note_submitted(batch, status)
        prepared.call.key.accepted()
        self._client.refused.pop(batch.provider, None)
        return True

    def _move(self, batch: BulkBatch, start: BatchState, target: BatchState, **values: Any) -> bool:
        return self._client.database.transact(
            lambda connection: bulk_batches.move_batch(connection, batch.id, start, target, **values)
        )

    def _note_submitted(self, batch: BulkBatch, status: BatchStatus) -> None:
        self._move(
            batch,
            BatchState.SUBMITTING,
            BatchState.SUBMITTED,
            vendor_id=status.id,
            vendor_state=status.state,
            expires_at=status.expires_at,
        )
        log.info("bulk.submitted", batch=batch.id, job=batch.job_id, vendor=status.id, requests=batch.requests)

    def _note_unanswered(self, batch: BulkBatch, error: EmbedmillError) -> None:
        """It may have been made: the collector looks for it."""
        log.warning("bulk.unanswered", batch=batch.id, error_class=type(error).__name__)
        self._client.database.transact(
            lambda connection: bulk_batches.note_look(connection, batch.id, due_in_seconds=0.0, error=str(error))
        )

    def _leave_prepared(self, prepared: PreparedBatch, error: KeyRefused) -> None:
        """The vendor did not accept the key: the collector clears it away once there is one that it accepts."""
        batch = prepared.batch
        prepared.call.key.refused(error)
        self._client.refused[batch.provider] = error
        self._client.database.transact(
            lambda connection: bulk_batches.note_look(
                connection, batch.id, due_in_seconds=error.retry_after_seconds, error=str(error)
            )
        )

    def _give_up(
        self,
        prepared: PreparedBatch,
        api: BatchApi,
        error: EmbedmillError,
        *,
        start: BatchState = BatchState.PREPARED,
        file_id: str | None = None,
    ) -> None:
        """The vendor did not take it: money and items are given back, and whoever is at fault is told."""
        batch = prepared.batch
        if isinstance(error, InputRefused):
            error = ProviderRefused(f"{batch.provider} does not take the batch: {error}")
        log.warning(
            "bulk.refused", batch=batch.id, job=batch.job_id, error_class=type(error).__name__, error=str(error)
        )
        try:
            api.delete_staged(batch.key, file_id)
        except EmbedmillError as trouble:
            log.warning("bulk.not_deleted", batch=batch.id, file=file_id, error_class=type(trouble).__name__)

        def release(connection: Connection, _row: int) -> None:
            if not bulk_batches.move_batch(connection, batch.id, start, BatchState.RELEASED, error=str(error)):
                return
            sent = [item.id for item in bulk_items.list_sent(connection, batch.id)]
            bulk_items.return_items(connection, batch.id)
            if isinstance(error, FlowControl | ProviderUnavailable):
                wait = error.retry_after_seconds if isinstance(error, FlowControl) else REST_SECONDS
                bulk_batches.rest(connection, batch.id, seconds=wait)
            else:
                bulk_items.fail_items(connection, sent, error)

        prepared.call.release(note=release)

    def _await_budget(self, chosen: Sequence[DraftedRequest], error: FlowControl) -> None:
        ids = [item.id for drafted in chosen for item in drafted.items]
        self._client.database.transact(
            lambda connection: bulk_items.await_budget(connection, ids, seconds=error.retry_after_seconds)
        )

    def _fail(self, group: BulkGroup, error: EmbedmillError) -> None:
        items = self._client.database.query(
            lambda connection: bulk_items.list_ready(connection, group, limit=group.items)
        )
        self._fail_items([item.id for item in items], error)

    def _fail_items(self, ids: Sequence[int], error: EmbedmillError) -> None:
        log.warning("bulk.failed", items=len(ids), error_class=type(error).__name__)
        self._client.database.transact(lambda connection: bulk_items.fail_items(connection, ids, error))


def _fit(requests: Sequence[DraftedRequest], api: BatchApi, most: int, key: str) -> Iterator[DraftedRequest]:
    """As many of the first requests as one batch takes; at least one."""
    size = inputs = 0
    for number, drafted in enumerate(requests):
        size += api.size(_request(key, number, drafted))
        inputs += len(drafted.items)
        too_many = number >= most or (api.max_inputs is not None and inputs > api.max_inputs)
        if number and (too_many or size > api.max_bytes):
            return
        yield drafted


def _request(key: str, number: int, drafted: DraftedRequest) -> BatchRequest:
    return BatchRequest(custom_id(key, number), drafted.body)


def custom_id(key: str, number: int) -> str:
    """By which a result is known to be the answer to a request of ours."""
    return f"{key}-{number}"


def _assign(part: Sequence[DraftedRequest]) -> Iterator[Assignment]:
    for number, drafted in enumerate(part):
        for place, item in enumerate(drafted.items):
            yield Assignment(item.id, number, place, drafted.token)
