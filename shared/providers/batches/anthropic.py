"""Anthropic's message batches: one request makes a batch, and its results say by our ids whose it is.

A batch carries nothing else of ours. One whose creation was not answered is therefore looked for among those of the
same size and time, and known for certain by its results only: until all that it could be have ended, nobody can tell.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import anthropic
import orjson
from anthropic.types.messages import MessageBatchIndividualResponse

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.answer_bounds import bound_lines
from embedmill.shared.providers.anthropic_client import client_options
from embedmill.shared.providers.anthropic_errors import FORESEEN, KEYS, translate
from embedmill.shared.providers.batches.base import (
    CANCELLED,
    EXPIRED,
    GONE,
    NO_LINE,
    BatchApi,
    BatchRequest,
    BatchResult,
    BatchStatus,
    Lost,
    Search,
)
from embedmill.shared.providers.credentials import require_sendable
from embedmill.shared.providers.translation import error_of
from embedmill.shared.vendor_codes import shown_code

TIMEOUT_SECONDS = 600.0
SKEW_SECONDS = 600.0
"""How far the vendor's clock may be behind ours."""
CREDENTIALS = "ANTHROPIC_API_KEY"
UNANSWERED = {"expired": EXPIRED, "canceled": CANCELLED}
STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The HTTP status of an error, which a result does not have."""


class AnthropicBatches(BatchApi):
    """At most 100,000 requests a batch."""

    provider = "anthropic"
    foreseen = FORESEEN
    stages = False
    max_requests = 100_000

    def __init__(self, endpoint: str) -> None:
        del endpoint  # there is but one
        self._made: anthropic.Anthropic | None = None

    def size(self, request: BatchRequest) -> int:
        return len(orjson.dumps({"custom_id": request.custom_id, "params": request.body})) + 1

    def stage(self, requests: Sequence[BatchRequest], *, mark: str) -> None:
        """Nothing is uploaded before."""

    def create(self, requests: Sequence[BatchRequest], *, file_id: str | None, mark: str) -> BatchStatus:
        entries: Any = [{"custom_id": request.custom_id, "params": request.body} for request in requests]
        with self.translating():
            return _status(self._client.messages.batches.create(requests=entries))

    def find(self, lost: Lost) -> Search:
        with self.translating():
            candidates = [_status(batch) for batch in self._candidates(lost)]
        others = lost.is_ours([status.id for status in candidates])
        statuses = [status for status in candidates if status.id not in others]
        for status in statuses:
            if status.has_ended and self._is_marked(status, lost.mark):
                return Search(status)
        return Search(is_open=any(not status.has_ended for status in statuses))

    def _candidates(self, lost: Lost) -> Iterator[Any]:
        """Batches that a lost one may be: made since then, with as many requests."""
        for batch in self._client.messages.batches.list(limit=100):
            if batch.created_at.timestamp() < lost.since - SKEW_SECONDS:
                return
            counts = batch.request_counts
            total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
            if total == lost.requests:
                yield batch

    def _is_marked(self, status: BatchStatus, mark: str) -> bool:
        first = next(self.results(status), None)
        return first is not None and first.custom_id.startswith(mark)

    def look(self, id: str) -> BatchStatus | None:
        with self.translating():
            try:
                return _status(self._client.messages.batches.retrieve(id))
            except anthropic.NotFoundError:
                return None

    def results(self, status: BatchStatus) -> Iterator[BatchResult]:
        yield from self.read_lines(self._lines(status.id))

    def _lines(self, id: str) -> Iterator[str]:
        """The lines as they are: the SDK's own reader stops at the first that is no JSON."""
        with self.translating():
            try:
                with closing(self._client.messages.batches.results(id)) as answer:
                    yield from answer.http_response.iter_lines()
            except anthropic.APIStatusError as error:
                if error.status_code not in GONE:
                    raise
                yield NO_LINE
            except anthropic.APIError:
                raise
            except anthropic.AnthropicError:  # the vendor keeps results for a time only, and says where no longer
                yield NO_LINE

    def read_result(self, line: Any) -> BatchResult:
        return _result(MessageBatchIndividualResponse.construct(**line))

    def cancel(self, id: str) -> None:
        # One that has ended meanwhile is none to be cancelled.
        with self.translating(), suppress(anthropic.BadRequestError, anthropic.ConflictError, anthropic.NotFoundError):
            self._client.messages.batches.cancel(id)

    def delete(self, status: BatchStatus) -> None:
        with self.translating(), suppress(anthropic.NotFoundError):
            self._client.messages.batches.delete(status.id)

    def delete_staged(self, mark: str, file_id: str | None) -> None:
        """Nothing was staged."""

    def translate(self, error: Exception) -> EmbedmillError:
        return translate(error, provider=self.provider, credentials=CREDENTIALS)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    @property
    def _client(self) -> anthropic.Anthropic:
        if self._made is None:
            require_sendable(self.provider, *KEYS)
            self._made = anthropic.Anthropic(**client_options(TIMEOUT_SECONDS, bound=bound_lines))
        return self._made


def _status(batch: Any) -> BatchStatus:
    ended = batch.processing_status == "ended"
    return BatchStatus(batch.id, shown_code(batch.processing_status), ended, batch.expires_at.timestamp())


def _result(line: Any) -> BatchResult:
    match line.result.type:
        case "succeeded":
            return BatchResult(line.custom_id, line.result.message)
        case "errored":
            fault = line.result.error.error
            error = error_of(
                STATUS.get(fault.type, 500),
                provider="anthropic",
                credentials=CREDENTIALS,
                code=str(fault.type),
                message=str(fault.message),
            )
            return BatchResult(line.custom_id, error=error)
    return BatchResult(line.custom_id, unanswered=UNANSWERED.get(line.result.type, EXPIRED))
