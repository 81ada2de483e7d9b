"""Anthropic's batch lane: requests that are taken together, answered one by one, and read as lines."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from embedmill.simulators.base import Call, Handler, Refused, SimulatedReply, Simulator, refuse_on_order
from embedmill.simulators.batches import Batches, VendorBatch
from embedmill.simulators.claude_rules import body_of

MOST_BATCH_BYTES, MOST_BATCH_REQUESTS = 256 * 1024**2, 100_000

WriteMessage = Callable[..., tuple[dict[str, Any], Mapping[str, str]]]
"""The message that answers a call and its body, on a lane of the bill; with headers."""


class SimulatedMessageBatches:
    """The batches of a simulator, each request of which is answered by `write`."""

    def __init__(self, owner: Simulator, write: WriteMessage) -> None:
        self._owner = owner
        self._write = write
        self._batches = Batches(owner.clock, prefix="msgbatch_")

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """What it adds to the API."""
        return (
            ("POST", "/v1/messages/batches", self._create_batch),
            ("GET", "/v1/messages/batches", self._list_batches),
            ("GET", "/v1/messages/batches/{id}", self._batch),
            ("DELETE", "/v1/messages/batches/{id}", self._delete_batch),
            ("POST", "/v1/messages/batches/{id}/cancel", self._cancel_batch),
            ("GET", "/v1/messages/batches/{id}/results", self._results),
        )

    def _create_batch(self, call: Call) -> SimulatedReply:
        requests = body_of(call).get("requests")
        if len(call.raw) > MOST_BATCH_BYTES:
            raise Refused(413, "The batch is too large")
        if not isinstance(requests, list) or not 1 <= len(requests) <= MOST_BATCH_REQUESTS:
            raise Refused(400, f"requests: 1 to {MOST_BATCH_REQUESTS} requests are allowed")
        if len({request.get("custom_id") for request in requests}) < len(requests):
            raise Refused(400, "requests: custom_id must be unique")
        return SimulatedReply(self._described(self._batches.create(call, requests), call))

    def _batch(self, call: Call) -> SimulatedReply:
        return SimulatedReply(self._described(self._settled(call), call))

    def _list_batches(self, call: Call) -> SimulatedReply:
        batches = [self._settle(batch) for batch in self._batches.all()]
        data = [self._described(batch, call) for batch in batches]
        first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
        return SimulatedReply({"data": data, "has_more": False, "first_id": first, "last_id": last})

    def _cancel_batch(self, call: Call) -> SimulatedReply:
        batch = self._settled(call)
        self._batches.cancel(batch)
        return SimulatedReply(self._described(batch, call))

    def _delete_batch(self, call: Call) -> SimulatedReply:
        batch = self._settled(call)
        if batch.results is None:
            raise Refused(400, "A batch in progress cannot be deleted; cancel it first")
        self._batches.forget(batch)
        return SimulatedReply({"id": batch.id, "type": "message_batch_deleted"})

    def _results(self, call: Call) -> SimulatedReply:
        batch = self._settled(call)
        if batch.results is None:
            raise Refused(404, "The batch has no results yet")
        # The real ones come in no order either.
        lines = [json.dumps(result).encode() + b"\n" for result in reversed(batch.results)]
        return SimulatedReply(b"".join(lines), media_type="application/x-jsonl")

    def _settled(self, call: Call) -> VendorBatch:
        return self._settle(self._batches.find(call.params["id"]))

    def _settle(self, batch: VendorBatch) -> VendorBatch:
        return self._batches.settle(batch, answer=self._answer_entry, unanswered=_unanswered)

    def _answer_entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        body = entry.get("params", {})
        text = json.dumps(body, ensure_ascii=False)
        call = Call("POST", "/v1/messages", {}, {}, text.encode(), body, self._owner.faults.take("/v1/messages", text))
        try:
            refuse_on_order(call)
            message, _ = self._write(call, body, lane=".batch")
        except Refused as refused:
            error = self._owner.error(refused).content
            return {"custom_id": entry.get("custom_id"), "result": {"type": "errored", "error": error}}
        return {"custom_id": entry.get("custom_id"), "result": {"type": "succeeded", "message": message}}

    def _described(self, batch: VendorBatch, call: Call) -> dict[str, Any]:
        ended, stamp = batch.results is not None, self._owner.clock.stamp
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        for kind in (r["result"]["type"] for r in batch.results or []):
            counts[kind] += 1
        counts["processing"] = 0 if ended else len(batch.entries)
        url = f"http://{call.headers['host']}/v1/messages/batches/{batch.id}/results"
        cancelled = None if batch.cancelled_at is None else stamp(batch.cancelled_at)
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if cancelled else "in_progress",
            "request_counts": counts,
            "created_at": stamp(batch.created_at),
            "expires_at": stamp(batch.expires_at),
            "ended_at": stamp() if ended else None,
            "archived_at": None,
            "cancel_initiated_at": cancelled,
            "results_url": url if ended else None,
        }


def _unanswered(entry: dict[str, Any], why: str) -> dict[str, Any]:
    return {"custom_id": entry.get("custom_id"), "result": {"type": why}}
