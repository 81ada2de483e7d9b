"""OpenAI's batch lane: files of requests that are uploaded, answered together, and downloaded."""

import json
from collections.abc import Callable, Mapping, Sequence
from email.parser import BytesParser
from typing import Any

from embedmill.simulators.base import Call, Handler, Refused, SimulatedReply, Simulator, new_id, refuse_on_order
from embedmill.simulators.batches import Batches, VendorBatch

MAX_BATCH_LINES, MAX_FILE_BYTES = 50_000, 200 * 1000**2
STATUS = {"canceled": "cancelled", "expired": "expired"}


class SimulatedBatches:
    """The files and batches of a simulator; `handlers` are the endpoints that a batch may be for."""

    def __init__(self, owner: Simulator, handlers: Mapping[str, Callable[..., SimulatedReply]]) -> None:
        self._owner = owner
        self._handlers = handlers
        self._batches = Batches(owner.clock, prefix="batch_")
        self._files: dict[str, tuple[dict[str, Any], bytes]] = {}

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        """What it adds to the API."""
        return (
            ("POST", "/v1/files", self._upload),
            ("GET", "/v1/files", self._list_files),
            ("GET", "/v1/files/{id}", self._file),
            ("DELETE", "/v1/files/{id}", self._delete_file),
            ("GET", "/v1/files/{id}/content", self._content),
            ("POST", "/v1/batches", self._create_batch),
            ("GET", "/v1/batches", self._list_batches),
            ("GET", "/v1/batches/{id}", self._batch),
            ("POST", "/v1/batches/{id}/cancel", self._cancel_batch),
        )

    def _upload(self, call: Call) -> SimulatedReply:
        fields = _multipart(call)
        name, content = fields.get("file", ("", b""))
        if len(content) > MAX_FILE_BYTES:
            raise Refused(413, "The file is too large")
        return SimulatedReply(self._store(content, name or "file.jsonl", fields.get("purpose", ("", b""))[1].decode()))

    def _store(self, content: bytes, name: str, purpose: str) -> dict[str, Any]:
        id = new_id("file-")
        described: dict[str, Any] = {
            "id": id,
            "object": "file",
            "bytes": len(content),
            "created_at": int(self._owner.clock.now()),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
        }
        self._files[id] = (described, content)
        return described

    def forget(self) -> None:
        """As if nothing had ever been uploaded."""
        self._files.clear()
        self._batches.forget_all()

    @property
    def files(self) -> list[dict[str, Any]]:
        """The files that are kept."""
        return [described for described, _ in self._files.values()]

    def _list_files(self, call: Call) -> SimulatedReply:
        purpose = call.params.get("purpose")
        data = [described for described in self.files if purpose in (None, described["purpose"])]
        return SimulatedReply({"object": "list", "data": data[::-1], "has_more": False})

    def _file(self, call: Call) -> SimulatedReply:
        return SimulatedReply(self._found(call.params["id"])[0])

    def _delete_file(self, call: Call) -> SimulatedReply:
        described, _ = self._found(call.params["id"])
        del self._files[described["id"]]
        return SimulatedReply({"id": described["id"], "object": "file", "deleted": True})

    def _content(self, call: Call) -> SimulatedReply:
        return SimulatedReply(self._found(call.params["id"])[1], media_type="application/octet-stream")

    def _found(self, id: str) -> tuple[dict[str, Any], bytes]:
        if id not in self._files:
            raise Refused(404, f"No such File object: {id}")
        return self._files[id]

    def _create_batch(self, call: Call) -> SimulatedReply:
        body = _fields(call)
        _, content = self._found(str(body.get("input_file_id")))
        if body.get("endpoint") not in self._handlers:
            raise Refused(400, "Invalid value: 'endpoint'")
        entries = _lines(content, endpoint=body["endpoint"])
        kept = {name: body.get(name) for name in ("endpoint", "input_file_id", "completion_window", "metadata")}
        return SimulatedReply(self._described(self._batches.create(call, entries, **kept)))

    def _batch(self, call: Call) -> SimulatedReply:
        return SimulatedReply(self._described(self._settled(self._batches.find(call.params["id"]))))

    def _list_batches(self, _: Call) -> SimulatedReply:
        data = [self._described(self._settled(batch)) for batch in self._batches.all()]
        return SimulatedReply({"object": "list", "data": data, "has_more": False})

    def _cancel_batch(self, call: Call) -> SimulatedReply:
        batch = self._batches.find(call.params["id"])
        self._batches.cancel(batch)
        return SimulatedReply(self._described(batch))

    def _settled(self, batch: VendorBatch) -> VendorBatch:
        before = batch.results
        self._batches.settle(batch, answer=self._answer_line, unanswered=_unanswered)
        if before is None and batch.results is not None:
            good = [r for r in batch.results if r["response"] and r["response"]["status_code"] == 200]
            bad = [r for r in batch.results if r not in good]
            for name, results in (("output_file_id", good), ("error_file_id", bad)):
                # The real ones come in no order either.
                content = b"".join(json.dumps(result).encode() + b"\n" for result in reversed(results))
                batch.meta[name] = self._store(content, f"{batch.id}.jsonl", "batch_output")["id"] if results else None
            batch.meta["counts"] = (len(good), len(bad))
        return batch

    def _answer_line(self, entry: dict[str, Any]) -> dict[str, Any]:
        raw = json.dumps(entry["body"]).encode()
        faults = self._owner.faults.take(entry["url"], json.dumps(entry["body"], ensure_ascii=False))
        call = Call("POST", entry["url"], {}, {}, raw, entry["body"], faults)
        try:
            refuse_on_order(call)
            reply = self._handlers[entry["url"]](call, lane=".batch")
        except Refused as refused:
            reply = self._owner.error(refused)
        response = {"status_code": reply.status, "request_id": new_id("req_"), "body": json.loads(reply.body)}
        return {"id": new_id("batch_req_"), "custom_id": entry["custom_id"], "response": response, "error": None}

    def _described(self, batch: VendorBatch) -> dict[str, Any]:
        status = "in_progress"
        if batch.results is not None:
            status = "cancelled" if batch.cancelled_at is not None else "expired" if batch.expired else "completed"
        elif batch.cancelled_at is not None:
            status = "cancelling"
        completed, failed = batch.meta.get("counts", (0, 0))
        return {
            "id": batch.id,
            "object": "batch",
            **{k: batch.meta[k] for k in ("endpoint", "input_file_id", "completion_window", "metadata")},
            "errors": None,
            "status": status,
            "output_file_id": batch.meta.get("output_file_id"),
            "error_file_id": batch.meta.get("error_file_id"),
            "created_at": int(batch.created_at),
            "expires_at": int(batch.expires_at),
            "completed_at": int(batch.ends_at) if status == "completed" else None,
            "request_counts": {"total": len(batch.entries), "completed": completed, "failed": failed},
        }


def _fields(call: Call) -> dict[str, Any]:
    if not isinstance(call.body, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    return call.body


def _multipart(call: Call) -> dict[str, tuple[str, bytes]]:
    """The fields of a multipart form: name to file name and content."""
    head = f"Content-Type: {call.headers.get('content-type', '')}\r\n\r\n".encode()
    fields = {}
    for part in BytesParser().parsebytes(head + call.raw).walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = (part.get_filename() or "", content)
    return fields


def _lines(content: bytes, *, endpoint: str) -> list[dict[str, Any]]:
    try:
        entries = [json.loads(line) for line in content.splitlines() if line.strip()]
        fine = all(entry["url"] == endpoint and isinstance(entry["body"], dict) for entry in entries)
        ids = {entry["custom_id"] for entry in entries}
    except (ValueError, KeyError, TypeError):
        raise Refused(400, "The input file is not JSONL of batch requests.") from None
    if not fine or len(ids) < len(entries) or not 1 <= len(entries) <= MAX_BATCH_LINES:
        raise Refused(400, f"1 to {MAX_BATCH_LINES} requests to {endpoint}, each with its own custom_id, are allowed.")
    return entries


def _unanswered(entry: dict[str, Any], why: str) -> dict[str, Any]:
    error = {"code": f"batch_{STATUS[why]}", "message": f"This request was not executed: the batch {STATUS[why]}."}
    return {"id": new_id("batch_req_"), "custom_id": entry["custom_id"], "response": None, "error": error}
