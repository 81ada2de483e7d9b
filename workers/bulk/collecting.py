"""Follows batches to their end: looks for those whose creation was not answered, polls, stores results, pays, deletes.

Results go to the caches first, then the ledger, the items and the batch change together, and last the vendor's copy
is deleted. A process that dies in between leaves a batch that is taken up where it was: what is stored is stored again
with no effect, and what is paid is not paid again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from embedmill.shared.db import bulk_batches, bulk_items, bulk_waits, ledger
from embedmill.shared.db.bulk_batches import BulkBatch
from embedmill.shared.db.bulk_items import BulkItem, ItemEnds
from embedmill.shared.db.engine import Connection
from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused, ProviderUnavailable, StorageFailed
from embedmill.shared.ledger import BatchState, Tokens
from embedmill.shared.logs import get_logger
from embedmill.shared.providers.batches.base import UNREADABLE, BatchApi, BatchResult, BatchStatus, Lost
from embedmill.workers.bulk.client import BatchClient
from embedmill.workers.bulk.results import BatchBill, ResultReader
from embedmill.workers.bulk.submitting import custom_id

log = get_logger()

AGE_SHARE, MOST_PAUSES = 0.1, 20
"""A batch is looked at after a tenth of its age again, and at most so many first pauses later."""
MOST_READS = 3
"""So often results are fetched that cannot be read; then they are asked for at once."""
CARRIED_OUT = frozenset({"completed", "ended"})
"""Vendors' words for a batch that has a result for each of its requests."""
CANCELLING = frozenset({"canceling", "cancelling"})


class Collector:
    """Takes one step with every batch that is due. `may_act` says whether this process may still act for the lane."""

    def __init__(self, client: BatchClient, *, may_act: Callable[[], bool]) -> None:
        self._client = client
        self._may_act = may_act
        self.has_concluded = False

    def step_all(self) -> int:
        """One step with every batch that is due; returns how many there were."""
        due = self._client.database.query(bulk_batches.list_due_batches)
        for batch in due:
            if self._may_act():
                self._step(batch)
        return len(due)

    def _step(self, batch: BulkBatch) -> None:
        try:
            api = self._client.api(batch.provider, batch.operation)
            if batch.state is BatchState.PREPARED and not api.stages:
                self._release(batch, api)
                return
            with self._client.using_key(batch):
                self._step_by_vendor(batch, api)
            if batch.state is BatchState.SUBMITTED:
                self._step_collected(batch)
        except StorageFailed:
            raise
        except KeyRefused as error:
            self._note_refused(batch, error)
        except EmbedmillError as error:
            self._note_trouble(batch, error)

    def _step_collected(self, batch: BulkBatch) -> None:
        """Results are deleted at the vendor as soon as they are here."""
        collected = self._client.database.query(lambda connection: bulk_batches.get_batch(connection, batch.id))
        if collected is not None and collected.state is BatchState.COLLECTED:
            self._step(collected)

    def _step_by_vendor(self, batch: BulkBatch, api: BatchApi) -> None:
        match batch.state:
            case BatchState.PREPARED:
                # Whoever prepared it is gone: nothing was asked for, and its requests went with it.
                self._release(batch, api)
            case BatchState.SUBMITTING:
                self._search(batch, api)
            case BatchState.SUBMITTED:
                self._look(batch, api)
            case BatchState.COLLECTED:
                self._clear_away(batch, api)

    def _search(self, batch: BulkBatch, api: BatchApi) -> None:
        """Find out what became of a batch whose creation was not answered, before it is made a second time."""
        since = batch.submitting_at or batch.created_at
        search = api.find(Lost(batch.key, batch.requests, since, self._find_ours))
        if search.found is not None:
            status = search.found
            log.info("bulk.found", batch=batch.id, vendor=status.id)
            self._move(
                batch,
                BatchState.SUBMITTED,
                vendor_id=status.id,
                vendor_state=status.state,
                expires_at=status.expires_at,
                error=None,
            )
        elif search.is_open or batch.now - since < self._client.settings.bulk_lost_seconds:
            self._look_later(batch)
        else:
            self._release(batch, api)

    def _find_ours(self, ids: Any) -> set[str]:
        return self._client.database.query(lambda connection: bulk_batches.find_known_vendor_ids(connection, ids))

    def _release(self, batch: BulkBatch, api: BatchApi) -> None:
        """It was never made: money and items are given back."""
        api.delete_staged(batch.key, batch.file_id)

        def release(connection: Connection, _row: int) -> None:
            if bulk_batches.move_batch(connection, batch.id, batch.state, BatchState.RELEASED):
                bulk_items.return_items(connection, batch.id)

        log.info("bulk.released", batch=batch.id, job=batch.job_id, state=batch.state)
        self._conclude(batch, None, release)

    def _look(self, batch: BulkBatch, api: BatchApi) -> None:
        assert batch.vendor_id is not None
        if batch.cancelled_at is not None and batch.vendor_state not in CANCELLING:
            api.cancel(batch.vendor_id)
            log.info("bulk.cancelled", batch=batch.id, job=batch.job_id, vendor=batch.vendor_id)
        status = api.look(batch.vendor_id)
        if status is None:
            self._lose(batch)
        elif not status.has_ended:
            self._look_later(batch, vendor_state=status.state, expires_at=status.expires_at, troubles=0, error=None)
        elif status.error is not None:
            self._return_failed(batch, status, status.error)
        else:
            self._collect(batch, status, api)

    def _collect(self, batch: BulkBatch, status: BatchStatus, api: BatchApi) -> None:
        question = self._client.question(batch.kind, batch.target)
        sent: dict[int, list[BulkItem]] = {}
        for item in self._client.database.query(lambda connection: bulk_items.list_sent(connection, batch.id)):
            sent.setdefault(item.request or 0, []).append(item)
        found = FoundResults()
        reader = ResultReader(question, sent)
        reader.read(_numbered(batch, api.results(status), found))
        lacking = batch.requests - len(found.seen) if found.unreadable or status.state in CARRIED_OUT else 0
        if lacking and batch.troubles + 1 < MOST_READS:
            # What could be read is stored; the rest may have been spoiled on the way.
            message = f"{lacking} of {batch.requests} results cannot be read"
            self._note_trouble(batch, ProviderUnavailable(f"{batch.provider}: {message}"))
            return
        reader.bill.unaccounted += lacking
        self._end(batch, status, reader.bill, reader.ends(found.seen, were_lost=lacking > 0), lacking=lacking)

    def _end(self, batch: BulkBatch, status: BatchStatus, bill: BatchBill, ends: ItemEnds, *, lacking: int) -> None:
        most = self._client.settings.bulk_returns
        error = f"{lacking} results could not be read; they are asked for at once" if lacking else None
        if error is not None:
            log.warning("bulk.unreadable", batch=batch.id, vendor=batch.vendor_id, results=lacking)

        def end(connection: Connection, _row: int) -> None:
            counts = {
                "succeeded": bill.answers,
                "errored": len(ends.failed),
                "returned": len(ends.returned) + len(ends.again) + len(ends.lost),
            }
            values = {"vendor_state": status.state, "troubles": 0, "error": error, **counts}
            if bulk_batches.move_batch(connection, batch.id, BatchState.SUBMITTED, BatchState.COLLECTED, **values):
                waited = bulk_items.end_items(connection, batch.id, ends, most_returns=most)
                bulk_waits.wake_answered(connection, waited)

        log.info(
            "bulk.collected",
            batch=batch.id,
            job=batch.job_id,
            vendor=batch.vendor_id,
            state=status.state,
            answered=bill.answers,
            failed=len(ends.failed),
            returned=len(ends.returned) + len(ends.again) + len(ends.lost),
        )
        self._conclude(batch, bill, end)

    def _return_failed(self, batch: BulkBatch, status: BatchStatus, error: EmbedmillError) -> None:
        """The vendor looked at a batch and did not begin: nothing was billed."""

        def give_back(connection: Connection, _row: int) -> None:
            values = {"vendor_state": status.state, "error": str(error)}
            if not bulk_batches.move_batch(connection, batch.id, BatchState.SUBMITTED, BatchState.COLLECTED, **values):
                return
            sent = [item.id for item in bulk_items.list_sent(connection, batch.id)]
            bulk_items.return_items(connection, batch.id)
            if isinstance(error, FlowControl):
                bulk_batches.rest(connection, batch.id, seconds=error.retry_after_seconds)
            else:
                bulk_items.fail_items(connection, sent, error)

        log.warning("bulk.failed", batch=batch.id, vendor=batch.vendor_id, error_class=type(error).__name__)
        self._conclude(batch, None, give_back)

    def _lose(self, batch: BulkBatch) -> None:
        """Somebody deleted it at the vendor, with what it may have answered: that counts as spent."""
        message = "the vendor has no such batch any more"

        def lose(connection: Connection) -> None:
            values = {"error": message}
            if bulk_batches.move_batch(connection, batch.id, BatchState.SUBMITTED, BatchState.ENDED, **values):
                if batch.usage_id is not None:
                    ledger.leave_unsettled(connection, batch.usage_id)
                sent = [item.id for item in bulk_items.list_sent(connection, batch.id)]
                returned = ItemEnds(returned=sent)
                waited = bulk_items.end_items(
                    connection, batch.id, returned, most_returns=self._client.settings.bulk_returns
                )
                bulk_waits.wake_answered(connection, waited)

        self.has_concluded = True
        log.warning("bulk.lost", batch=batch.id, vendor=batch.vendor_id)
        self._client.database.transact(lose)

    def _clear_away(self, batch: BulkBatch, api: BatchApi) -> None:
        """Results hold what documents say; they are not left at the vendor."""
        assert batch.vendor_id is not None
        status = api.look(batch.vendor_id)
        if status is not None:
            api.delete(status)
        self._move(batch, BatchState.ENDED)

    def _conclude(self, batch: BulkBatch, bill: BatchBill | None, note: Callable[[Any, int], None]) -> None:
        """Settle a batch's money together with what `note` writes down."""
        self.has_concluded = True
        call = self._client.reservation(batch)
        if call is None:
            self._client.database.transact(lambda connection: note(connection, 0))
        elif bill is not None and bill.is_unknown:
            self._leave_unsettled(batch, note)
        elif bill is None or bill.tokens == Tokens():
            call.release(note=note)
        else:
            if bill.doubts:
                log.warning("usage.not_believed", batch=batch.id, provider=batch.provider, answers=bill.doubts)
            call.settle(bill.tokens + bill.doubtful, inputs=bill.inputs, request_id=batch.vendor_id, note=note)

    def _leave_unsettled(self, batch: BulkBatch, note: Callable[[Any, int], None]) -> None:
        """The reservation goes on counting: it is never less than what was billed."""

        def leave(connection: Connection) -> None:
            if batch.usage_id is not None:
                ledger.leave_unsettled(connection, batch.usage_id)
            note(connection, 0)

        self._client.database.transact(leave)

    def _move(self, batch: BulkBatch, target: BatchState, **values: Any) -> None:
        self._client.database.transact(
            lambda connection: bulk_batches.move_batch(connection, batch.id, batch.state, target, **values)
        )

    def _look_later(self, batch: BulkBatch, **values: Any) -> None:
        self._client.database.transact(
            lambda connection: bulk_batches.note_look(connection, batch.id, due_in_seconds=self._pause(batch), **values)
        )

    def _note_trouble(self, batch: BulkBatch, error: EmbedmillError) -> None:
        """The vendor could not be asked: later, and later each time."""
        log.warning("bulk.trouble", batch=batch.id, error_class=type(error).__name__, error=str(error))
        seconds = min(self._client.settings.bulk_poll_seconds * 2.0**batch.troubles, self._longest)
        if isinstance(error, FlowControl):
            seconds = max(seconds, error.retry_after_seconds)
        values = {"troubles": batch.troubles + 1, "error": str(error)}
        self._client.database.transact(
            lambda connection: bulk_batches.note_look(connection, batch.id, due_in_seconds=seconds, **values)
        )

    def _note_refused(self, batch: BulkBatch, error: KeyRefused) -> None:
        """The vendor did not accept the key: it stays as it is, and is looked at as soon as that may have changed."""
        seconds = error.retry_after_seconds
        self._client.database.transact(
            lambda connection: bulk_batches.note_look(connection, batch.id, due_in_seconds=seconds, error=str(error))
        )

    def _pause(self, batch: BulkBatch) -> float:
        age = batch.now - (batch.submitted_at or batch.submitting_at or batch.created_at)
        return min(max(self._client.settings.bulk_poll_seconds, AGE_SHARE * age), self._longest)

    @property
    def _longest(self) -> float:
        return MOST_PAUSES * self._client.settings.bulk_poll_seconds


@dataclass(slots=True)
class FoundResults:
    """The numbers of the requests whose results were read, and how many lines could not be."""

    seen: set[int] = field(default_factory=set)
    unreadable: int = 0


def _numbered(
    batch: BulkBatch, results: Iterator[BatchResult], found: FoundResults
) -> Iterator[tuple[int, BatchResult]]:
    """Results with the number of their request, each once; what bears no id of ours is none of ours.

    Where two say different things of one request, what was answered was paid for, and holds.
    """
    numbers = {custom_id(batch.key, number): number for number in range(batch.requests)}
    unanswered: dict[int, BatchResult] = {}
    for result in results:
        number = numbers.get(result.custom_id)
        if result.unanswered == UNREADABLE:
            found.unreadable += 1
        elif number is None or number in found.seen:
            continue
        elif result.body is None:
            unanswered.setdefault(number, result)
        else:
            found.seen.add(number)
            yield number, result
    for number, result in unanswered.items():
        if number not in found.seen:
            found.seen.add(number)
            yield number, result
