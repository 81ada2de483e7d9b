"""Owns how records are written: in packs of two megabytes, each for what it costs, remembered until they are seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.shared.errors import ProviderUnavailable
from embedmill.shared.providers.vectorstores.metering import MeteredRequests
from embedmill.shared.providers.vectorstores.pinecone import records, units
from embedmill.shared.providers.vectorstores.pinecone.asking import Asking
from embedmill.shared.providers.vectorstores.pinecone.freshness import Unseen


@dataclass(frozen=True, slots=True)
class _Pack:
    """The records of one request, and what it costs, by what was seen there, and at most."""

    records: Sequence[records.Record]
    cost: int
    most: int


def write_records(
    asking: Asking, unseen: Unseen, space: str, made: Sequence[records.Record], held: Mapping[str, Any]
) -> None:
    """Write records, some of which may replace what is `held`; raises ProviderUnavailable when not all were taken."""
    packs = [_pack(some, held) for some in records.packs(made)]
    ids = [record["id"] for record in made]
    most = sum(pack.most for pack in packs)
    with asking.metered(units.UPSERT, ids, milliunits=most, number=len(packs)) as requests:
        asking.all(packs, lambda pack: _send_on(asking, unseen, requests, space, pack))


def size_of_held(record: Any) -> int:
    """Bytes of a fetched record, as they are billed."""
    terms = len(record.sparse_values.indices) if record.sparse_values else 0
    return units.size_of(record.id, record.metadata or {}, dimensions=len(record.values), terms=terms)


def _size_of(record: records.Record) -> int:
    terms = len(record.get("sparse_values", {}).get("indices", ()))
    return units.size_of(record["id"], record["metadata"], dimensions=len(record["values"]), terms=terms)


def _pack(some: Sequence[records.Record], held: Mapping[str, Any]) -> _Pack:
    written = {record["id"]: _size_of(record) for record in some}
    replaced = {id: size_of_held(held[id]) for id in written if id in held}
    cost = units.milliunits_of_upsert(written.values(), replaced.values())
    # As if all were there already: a write whose answer is lost is there, unseen, when it is repeated.
    most = [max(size, replaced.get(id, 0)) for id, size in written.items()]
    return _Pack(some, cost, units.milliunits_of_upsert(written.values(), most))


def _send_on(asking: Asking, unseen: Unseen, requests: MeteredRequests, space: str, pack: _Pack) -> None:
    asking.persist(lambda: requests.send(pack.most, lambda: _send(asking, unseen, space, pack), lambda _: pack.cost))


def _send(asking: Asking, unseen: Unseen, space: str, pack: _Pack) -> None:
    answer = asking.client.call(space, lambda index: index.upsert(vectors=list(pack.records), namespace=space))
    if answer.has_errors or answer.upserted_count != len(pack.records):
        raise ProviderUnavailable(f"Pinecone took {answer.upserted_count} of {len(pack.records)} records")
    info = answer.response_info
    unseen.wrote(space, info.lsn_committed if info else None)
