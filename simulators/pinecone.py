"""Pinecone as its SDK 10.2 speaks it (API 2026-07): control plane, and the vectors API of the data plane.

Writes are seen late: each namespace has a log, a write answers with its position and is applied `lag_seconds` after,
and a query answers with the position it has reached. Limits are the vendor's (docs/facts.md), and so is the
bill (docs.pinecone.io, "Understand Pinecone cost"): by the gigabyte for a query, by ten records for a fetch, by the
request for a list, by the kilobyte that comes or was there before for writes and deletes. An answer tells whole units,
because the API's field is an integer; the bill has the quarter of one that a query of a small namespace costs.

Beside the chassis' faults, `late` delays the write that meets it by its `seconds`, `partial` drops the second half of
an upsert, and `slow` with many seconds and `match` on a namespace is a shard that is dead.

    GET /_sim/pinecone   what every namespace holds, as it is read now
"""

import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import orjson
from starlette.requests import Request

from embedmill.simulators.base import Call, Options, Refused, SimulatedReply, Simulator, new_id
from embedmill.simulators.limits import Quota
from embedmill.simulators.pinecone_index import (
    Index,
    Namespace,
    Record,
    as_match,
    check_query,
    check_record,
    find_nearest,
    kilobytes,
    meets,
    page_after,
    size_of,
)
from embedmill.simulators.reranking import rerank, units

MAX_RECORDS = 1_000
MAX_BYTES = 2 * 1024 * 1024
MAX_TOP_K = 10_000
MAX_RESULT_BYTES = 4 * 1024 * 1024
LIST_PAGE = 100
RERANKERS = ("bge-reranker-v2-m3", "cohere-rerank-3.5")
DEPLOYMENT = {"deployment_type": "managed", "cloud": "aws", "region": "us-east-1"}
"""Of an index that says nothing of it."""
GIGABYTE = 1000**3
"""As the vendor's examples of units have it."""
LEAST_QUERY_MILLIUNITS = 250
LEAST_WRITE_UNITS = 5
RECORDS_PER_UNIT = 10
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 413: 8, 429: 8, 500: 13, 503: 14}
"""gRPC's numbers, which the data plane answers with."""
RPC_STATUS = frozenset({"code", "message", "details"})
"""The fields of the data plane's errors; the control plane has others."""


class PineconeSimulator(Simulator):
    """Indexes with namespaces; an index answers under `<url>/i/<name>`, which is its `host`."""

    name: ClassVar[str] = "pinecone"
    url_variable: ClassVar[str] = "PINECONE_CONTROLLER_HOST"
    key_variable: ClassVar[str] = "PINECONE_API_KEY"

    def __init__(self, options: Options | None = None, *, lag_seconds: float = 0.1) -> None:
        super().__init__(options)
        self.lag_seconds = lag_seconds
        self.indexes: dict[str, Index] = {}
        self._lock = threading.RLock()

    def routes(self) -> Sequence[tuple[str, str, Callable[[Call], SimulatedReply]]]:
        """The control plane, and the data plane of every index."""
        control = (
            ("GET", "/_sim/pinecone", self._show),
            ("GET", "/indexes", self._list_indexes),
            ("POST", "/indexes", self._create_index),
            ("GET", "/indexes/{index}", lambda call: SimulatedReply(self._described(self._index(call), call))),
            ("DELETE", "/indexes/{index}", self._delete_index),
            ("POST", "/rerank", self._rerank),
        )
        data: tuple[tuple[str, str, Callable[[Call], SimulatedReply]], ...] = (
            ("POST", "/vectors/upsert", self._upsert),
            ("POST", "/query", self._query),
            ("GET", "/vectors/fetch", self._fetch),
            ("POST", "/vectors/fetch_by_metadata", self._fetch_by_metadata),
            ("POST", "/vectors/delete", self._delete),
            ("GET", "/vectors/list", self._list),
            ("POST", "/describe_index_stats", self._stats),
            ("GET", "/namespaces", self._list_namespaces),
            ("POST", "/namespaces", self._create_namespace),
            ("DELETE", "/namespaces/{namespace}", self._delete_namespace),
        )
        return [*control, *((method, f"/i/{{index}}{path}", self._locked(handler)) for method, path, handler in data)]

    def _rerank(self, call: Call) -> SimulatedReply:
        body = call.body if isinstance(call.body, dict) else {}
        model, documents = str(body.get("model")), body.get("documents")
        if model not in RERANKERS:
            raise Refused(404, f"Model '{model}' not found")
        (field,) = body.get("rank_fields") or ["text"]
        texts = [document.get(field) for document in documents] if isinstance(documents, list) else documents
        ranked = rerank(call, body.get("query"), texts, body.get("top_n"))
        billed = units(body["documents"])
        self.bill.charge(model, "rerank", search_units=billed, inputs=len(body["documents"]))
        data = [{"index": place, "score": relevance} for place, relevance in ranked]
        return SimulatedReply(json.dumps({"model": model, "data": data, "usage": {"rerank_units": billed}}).encode())

    def make_limiter(self) -> Quota:
        """Requests a minute, counted for each namespace."""
        return Quota({"requests": self.options.requests_per_minute}, clock=self.clock)

    def authorised(self, call: Call) -> bool:
        """Any key will do."""
        return bool(call.headers.get("api-key"))

    def error(self, refused: Refused) -> SimulatedReply:
        """The control plane names its errors, the data plane numbers them, and a wrong key gets one bare word."""
        if refused.status == 401:
            return SimulatedReply(b"Unauthorized", 401, refused.headers, "text/plain")
        code = refused.code or {404: "NOT_FOUND", 409: "ALREADY_EXISTS", 429: "TOO_MANY_REQUESTS"}.get(refused.status)
        numbered = {"code": CODES.get(refused.status, 2), "message": refused.message, "details": []}
        named = {"error": {"code": code or "UNKNOWN", "message": refused.message}, "status": refused.status}
        return SimulatedReply(
            {**numbered, **named}, refused.status, {"x-pinecone-request-id": new_id(""), **refused.headers}
        )

    def _answer(self, call: Call) -> SimulatedReply:
        reply = super()._answer(call)
        if reply.status < 400 or not isinstance(reply.content, dict):
            return reply
        of_data = call.path.startswith("/i/")
        return replace(reply, content={k: v for k, v in reply.content.items() if (k in RPC_STATUS) == of_data})

    def vectors(self, index: str, namespace: str) -> dict[str, Record]:
        """What a namespace holds when everything written is applied: for tests."""
        with self._lock:
            held = self.indexes[index].namespaces.get(namespace, Namespace())
            return dict(held.catch_up(math.inf).records)

    async def _call(self, request: Request) -> Call:
        """As the chassis does, but ids come as a repeated parameter, and faults match a namespace in the URL too."""
        raw, path, query = await request.body(), request.url.path, request.query_params
        text = f"{raw.decode('utf-8', 'replace')}\n{query}"
        faults = () if path.startswith("/_sim") else self.faults.take(path, text)
        params = {**query, "ids": orjson.dumps(query.getlist("ids")).decode()}
        return Call(request.method, path, params, dict(request.headers), raw, _parsed(raw), faults)

    def _locked(self, handler: Callable[[Call], SimulatedReply]) -> Callable[[Call], SimulatedReply]:
        def answer(call: Call) -> SimulatedReply:
            with self._lock:
                return handler(call)

        return answer

    # Control plane

    def _show(self, call: Call) -> SimulatedReply:
        with self._lock:
            now = self.clock.now()
            held = {
                name: {space: len(found.catch_up(now).records) for space, found in index.namespaces.items()}
                for name, index in self.indexes.items()
            }
        return SimulatedReply(held)

    def _list_indexes(self, call: Call) -> SimulatedReply:
        return SimulatedReply({"indexes": [self._described(index, call) for index in self.indexes.values()]})

    def _create_index(self, call: Call) -> SimulatedReply:
        body = call.body or {}
        name = body.get("name", "")
        if name in self.indexes:
            raise Refused(409, f"index {name} exists")
        fields = body.get("schema", {}).get("fields", {})
        values = fields.get("_values")
        if not name or not values or values.get("type") != "dense_vector":
            raise Refused(400, "an index needs a name and a dense vector", code="INVALID_ARGUMENT")
        # An index of vectors is told to have sparse ones too, whatever it was made with.
        schema = {"fields": body["schema"]["fields"] | {"_sparse_values": {"type": "sparse_vector"}}}
        description = {"schema": schema, "deployment": body.get("deployment") or DEPLOYMENT, "tags": body.get("tags")}
        has_sparse = "_sparse_values" in fields
        index = Index(name, values["dimension"], values.get("metric", "cosine"), description, has_sparse=has_sparse)
        self.indexes[name] = index
        return SimulatedReply(self._described(index, call), 201)

    def _delete_index(self, call: Call) -> SimulatedReply:
        del self.indexes[self._index(call).name]
        return SimulatedReply(b"", 202)

    def _index(self, call: Call) -> Index:
        found = self.indexes.get(call.params["index"])
        if found is None:
            raise Refused(404, f"Resource {call.params['index']} not found")
        return found

    def _described(self, index: Index, call: Call) -> dict[str, Any]:
        return {
            "name": index.name,
            "host": f"http://{call.headers['host']}/i/{index.name}",
            "status": {"ready": True, "state": "Ready"},
            "deletion_protection": "disabled",
            **index.description,
        }

    # Data plane

    def _space(self, call: Call, name: str, *, create: bool = False) -> Namespace:
        exceeded = self.limiter.take(name, {"requests": 1})
        if exceeded is not None:
            seconds = str(max(1, math.ceil(exceeded.retry_after_seconds)))
            message = f"too many requests for namespace {name}: {exceeded.limit} a minute"
            raise Refused(429, message, headers={"retry-after": seconds})
        index = self._index(call)
        found = index.namespaces.get(name, Namespace())
        if create:
            index.namespaces[name] = found
        return found.catch_up(self.clock.now())

    def _visible_at(self, call: Call) -> float:
        late = call.fault("late")
        return self.clock.now() + (late.seconds if late else self.lag_seconds)

    def _upsert(self, call: Call) -> SimulatedReply:
        index = self._index(call)
        given = call.body["vectors"]
        if len(call.raw) > MAX_BYTES:
            raise Refused(413, f"Request size {len(call.raw)} exceeds the maximum of {MAX_BYTES} bytes")
        if len(given) > MAX_RECORDS:
            raise Refused(400, f"{len(given)} records, at most {MAX_RECORDS}", code="INVALID_ARGUMENT")
        for record in given:
            check_record(record, index)
        space = self._space(call, call.body.get("namespace", ""), create=True)
        kept = given[: len(given) // 2] if call.fault("partial") else given
        fresh = {record["id"]: record for record in kept}
        position = space.write(lambda records: records.update(fresh), visible_at=self._visible_at(call))
        sizes = {id: size_of(record) for id, record in fresh.items()}
        units = max(LEAST_WRITE_UNITS, kilobytes(sizes.values())) + kilobytes(space.forget(sizes))
        space.sizes |= sizes
        self.bill.charge(index.name, "upsert", write_units=units, records=len(kept))
        return SimulatedReply({"upsertedCount": len(kept)}, headers={"x-pinecone-lsn-committed": str(position)})

    def _query(self, call: Call) -> SimulatedReply:
        body, index = call.body, self._index(call)
        if not 1 <= body["topK"] <= MAX_TOP_K:
            raise Refused(400, f"top_k {body['topK']}, at most {MAX_TOP_K}", code="INVALID_ARGUMENT")
        space = self._space(call, body.get("namespace", ""))
        vector = body.get("vector") or space.records.get(body.get("id", ""), {}).get("values")
        if vector is None or len(vector) != index.dimension:
            message = (
                f"Vector dimension {len(vector or ())} does not match the dimension of the index {index.dimension}"
            )
            raise Refused(400, message, code="INVALID_ARGUMENT")
        check_query(body, index)
        matches = [as_match(record, score, body) for record, score in find_nearest(space, body, index)]
        milliunits = max(LEAST_QUERY_MILLIUNITS, math.ceil(space.size_bytes * 1000 / GIGABYTE))
        told = math.ceil(milliunits / 1000)
        self.bill.charge(index.name, "query", read_milliunits=milliunits, told_milliunits=1000 * told)
        content = {"matches": matches, "namespace": body.get("namespace", ""), "usage": {"readUnits": told}}
        if len(orjson.dumps(content)) > MAX_RESULT_BYTES:
            raise Refused(400, "the result is larger than 4 MB", code="INVALID_ARGUMENT")
        return SimulatedReply(content, headers={"x-pinecone-lsn-reconciled": str(space.applied)})

    def _fetch(self, call: Call) -> SimulatedReply:
        ids, name = orjson.loads(call.params["ids"]), call.params.get("namespace", "")
        if not 1 <= len(ids) <= MAX_RECORDS:
            raise Refused(400, f"{len(ids)} ids, at most {MAX_RECORDS}", code="INVALID_ARGUMENT")
        space = self._space(call, name)
        found = {id: space.records[id] for id in ids if id in space.records}
        units = self._charge_fetch(call, len(found))
        return SimulatedReply({"vectors": found, "namespace": name, "usage": {"readUnits": units}})

    def _fetch_by_metadata(self, call: Call) -> SimulatedReply:
        body = call.body
        space = self._space(call, body.get("namespace", ""))
        met = sorted(id for id, record in space.records.items() if meets(record, body["filter"]))
        page, rest = page_after(met, body.get("paginationToken"), body.get("limit", LIST_PAGE))
        units = self._charge_fetch(call, len(page))
        content = {"vectors": {id: space.records[id] for id in page}, "namespace": body.get("namespace", "")}
        return SimulatedReply(content | {"usage": {"readUnits": units}} | rest)

    def _charge_fetch(self, call: Call, records: int) -> int:
        units = max(1, math.ceil(records / RECORDS_PER_UNIT))
        self.bill.charge(self._index(call).name, "fetch", read_milliunits=1000 * units, told_milliunits=1000 * units)
        return units

    def _delete(self, call: Call) -> SimulatedReply:
        body, index = call.body, self._index(call)
        ids = body.get("ids", [])
        if len(ids) > MAX_RECORDS:
            raise Refused(400, f"{len(ids)} ids, at most {MAX_RECORDS}", code="INVALID_ARGUMENT")
        if "filter" in body:
            raise Refused(400, "this simulator's indexes are serverless: delete by id", code="INVALID_ARGUMENT")
        if body.get("namespace", "") not in index.namespaces:
            raise Refused(404, "Namespace not found")
        space = self._space(call, body.get("namespace", ""))

        def forget(records: dict[str, Record]) -> None:
            for id in list(records) if body.get("deleteAll") else ids:
                records.pop(id, None)

        position = space.write(forget, visible_at=self._visible_at(call))
        if body.get("deleteAll"):
            space.sizes.clear()
        units = max(LEAST_WRITE_UNITS, kilobytes(space.forget(ids)))
        self.bill.charge(index.name, "delete", write_units=units, records=len(ids))
        return SimulatedReply({}, headers={"x-pinecone-lsn-committed": str(position)})

    def _list(self, call: Call) -> SimulatedReply:
        name, prefix = call.params.get("namespace", ""), call.params.get("prefix", "")
        space = self._space(call, name)
        ids = sorted(id for id in space.records if id.startswith(prefix))
        page, rest = page_after(ids, call.params.get("paginationToken"), int(call.params.get("limit", LIST_PAGE)))
        self.bill.charge(self._index(call).name, "list", read_milliunits=1000, told_milliunits=1000)
        content = {"vectors": [{"id": id} for id in page], "namespace": name, "usage": {"readUnits": 1}}
        return SimulatedReply(content | rest)

    def _list_namespaces(self, call: Call) -> SimulatedReply:
        spaces, prefix = self._index(call).namespaces, call.params.get("prefix", "")
        names, rest = page_after(
            sorted(n for n in spaces if n.startswith(prefix)), call.params.get("paginationToken"), 100
        )
        return SimulatedReply({"namespaces": [_namespace(name, spaces[name]) for name in names], **rest})

    def _create_namespace(self, call: Call) -> SimulatedReply:
        spaces, name = self._index(call).namespaces, (call.body or {}).get("name", "")
        if name in spaces:
            raise Refused(409, f"namespace {name} exists")
        return SimulatedReply(_namespace(name, spaces.setdefault(name, Namespace())))

    def _delete_namespace(self, call: Call) -> SimulatedReply:
        if self._index(call).namespaces.pop(call.params["namespace"], None) is None:
            raise Refused(404, "Namespace not found")
        return SimulatedReply({})

    def _stats(self, call: Call) -> SimulatedReply:
        index = self._index(call)
        now = self.clock.now()
        counts = {name: len(space.catch_up(now).records) for name, space in index.namespaces.items()}
        return SimulatedReply(
            {
                "namespaces": {name: {"vectorCount": count} for name, count in counts.items() if count},
                "dimension": index.dimension,
                "indexFullness": 0,
                "totalVectorCount": sum(counts.values()),
                "metric": index.metric,
                "vectorType": "dense",
            }
        )


def _namespace(name: str, space: Namespace) -> dict[str, Any]:
    return {"name": name, "record_count": str(len(space.records))}


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
