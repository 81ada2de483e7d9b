"""OpenAI's batches: a file of requests is uploaded, a batch made of it, and files of results are downloaded.

A batch carries our mark in its metadata, so that one whose creation was not answered is found by it. Results are read
line by line: those of 50,000 vectors are more than memory should hold.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import openai
import orjson

from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused
from embedmill.shared.json_bytes import json_bytes
from embedmill.shared.providers.answer_bounds import bound_lines
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
from embedmill.shared.providers.openai_client import make_client
from embedmill.shared.providers.openai_errors import CREDENTIALS, FORESEEN, PROVIDER, translate
from embedmill.shared.providers.translation import error_of
from embedmill.shared.vendor_codes import shown_code

TIMEOUT_SECONDS = 600.0
CONNECT_SECONDS = 5.0
MARK = "embedmill_batch"
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
QUEUE_FULL = "token_limit_exceeded"
QUEUE_FULL_SECONDS = 600.0
SKEW_SECONDS = 600.0
"""How far the vendor's clock may be behind ours."""
UNANSWERED = {"batch_expired": EXPIRED, "batch_cancelled": CANCELLED}


class OpenAIBatches(BatchApi):
    """Batches for one endpoint; at most 50,000 requests, and for embeddings as many inputs."""

    provider = PROVIDER
    foreseen = FORESEEN
    max_requests = 50_000
    max_inputs = 50_000

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._made: openai.OpenAI | None = None

    def size(self, request: BatchRequest) -> int:
        return len(self._line(request))

    def stage(self, requests: Sequence[BatchRequest], *, mark: str) -> str:
        content = b"".join(map(self._line, requests))
        with self.translating():
            return str(self._client.files.create(file=(_file_name(mark), content), purpose="batch").id)

    def create(self, requests: Sequence[BatchRequest], *, file_id: str | None, mark: str) -> BatchStatus:
        with self.translating():
            batch = self._client.batches.create(
                input_file_id=str(file_id),
                endpoint=self._endpoint,  # type: ignore[arg-type]  # a literal of the SDK
                completion_window="24h",
                metadata={MARK: mark},
            )
            return _status(batch)

    def find(self, lost: Lost) -> Search:
        with self.translating():
            for batch in self._client.batches.list(limit=100):
                if (batch.metadata or {}).get(MARK) == lost.mark:
                    return Search(_status(batch))
                if batch.created_at < lost.since - SKEW_SECONDS:
                    break
        return Search()

    def look(self, id: str) -> BatchStatus | None:
        with self.translating():
            try:
                return _status(self._client.batches.retrieve(id))
            except openai.NotFoundError:
                return None

    def results(self, status: BatchStatus) -> Iterator[BatchResult]:
        for file_id in status.result_files:
            yield from self.read_lines(self._lines(file_id))

    def _lines(self, file_id: str) -> Iterator[str]:
        with self.translating():
            try:
                with self._client.files.with_streaming_response.content(file_id) as response:
                    yield from response.iter_lines()
            except openai.APIStatusError as error:
                if error.status_code not in GONE:
                    raise
                yield NO_LINE

    def read_result(self, line: Any) -> BatchResult:
        return _result(line)

    def cancel(self, id: str) -> None:
        # One that has ended meanwhile is none to be cancelled.
        with self.translating(), suppress(openai.ConflictError, openai.NotFoundError):
            self._client.batches.cancel(id)

    def delete(self, status: BatchStatus) -> None:
        for file_id in (status.input_file, *status.result_files):
            if file_id is not None:
                self._delete_file(file_id)

    def delete_staged(self, mark: str, file_id: str | None) -> None:
        if file_id is not None:
            self._delete_file(file_id)
            return
        with self.translating():
            found = [file.id for file in self._client.files.list(purpose="batch") if file.filename == _file_name(mark)]
        for id_ in found:
            self._delete_file(id_)

    def translate(self, error: Exception) -> EmbedmillError:
        return translate(error)

    def close(self) -> None:
        if self._made is not None:
            self._made.close()

    @property
    def _client(self) -> openai.OpenAI:
        if self._made is None:
            require_sendable(self.provider, CREDENTIALS)
            timeout = openai.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
            try:
                self._made = make_client(timeout, bound=bound_lines)
            except openai.OpenAIError:
                raise KeyRefused(f"openai has no key: {CREDENTIALS} is not set") from None
        return self._made

    def _line(self, request: BatchRequest) -> bytes:
        line = {"custom_id": request.custom_id, "method": "POST", "url": self._endpoint, "body": request.body}
        return json_bytes(line, option=orjson.OPT_APPEND_NEWLINE)

    def _delete_file(self, file_id: str) -> None:
        with self.translating(), suppress(openai.NotFoundError):
            self._client.files.delete(file_id)


def _file_name(mark: str) -> str:
    return f"embedmill-{mark}.jsonl"


def _status(batch: Any) -> BatchStatus:
    return BatchStatus(
        batch.id,
        shown_code(batch.status),
        batch.status in ENDED,
        batch.expires_at,
        batch.input_file_id,
        tuple(file for file in (batch.output_file_id, batch.error_file_id) if file),
        _failure(batch) if batch.status == "failed" else None,
    )


def _failure(batch: Any) -> EmbedmillError:
    """Why the vendor did not begin with a batch."""
    errors = (batch.errors and batch.errors.data) or []
    code = str(errors[0].code or "") if errors else ""
    if code == QUEUE_FULL:
        return FlowControl("openai has no room for the batch", reason="rate", retry_after_seconds=QUEUE_FULL_SECONDS)
    return error_of(400, provider=PROVIDER, credentials=CREDENTIALS, code=code)


def _result(line: dict[str, Any]) -> BatchResult:
    custom_id, response = line["custom_id"], line.get("response")
    if response is None:
        if not line.get("error"):
            return BatchResult(custom_id)
        code = str(line["error"].get("code") or "")
        if code in UNANSWERED:
            return BatchResult(custom_id, unanswered=UNANSWERED[code])
        return BatchResult(custom_id, error=error_of(500, provider=PROVIDER, credentials=CREDENTIALS, code=code))
    status, body = response["status_code"], response["body"]
    if status == 200:
        return BatchResult(custom_id, body)
    fault = (body or {}).get("error") or {}
    error = error_of(
        status,
        provider=PROVIDER,
        credentials=CREDENTIALS,
        code=str(fault.get("code") or fault.get("type") or ""),
        message=str(fault.get("message") or ""),
    )
    return BatchResult(custom_id, error=error)
