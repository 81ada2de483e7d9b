"""`embedmill verify`: the tracker against the vector store, and the mending of what differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.output import print_line
from console.running import work_on_job
from console.session import opened
from shared.db import collections, documents, repairs
from shared.db.collections import Collection
from shared.db.documents import Tracked
from shared.paging import pages
from shared.providers.vectorstores.base import VectorStore
from shared.runtime import Runtime

PAGE = 500
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Held:
    """A version of a document as a shard holds it."""

    shard: str
    document: str
    version: str


@dataclass(slots=True)
class Findings:
    """What differs in one collection.

    `missing` are documents of which the store lacks vectors; `stale` are versions that readers do not see any more,
    `orphans` versions of documents that the tracker does not know as indexed.
    """

    documents: int = 0
    chunks: int = 0
    vectors: int = 0
    missing: list[Tracked] = field(default_factory=list)
    stale: list[Held] = field(default_factory=list)
    orphans: list[Held] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether store and tracker agree."""
        return not (self.missing or self.stale or self.orphans)


def verify(collection: str | None, *, repair: bool, quiet: bool) -> dict[str, Any]:
    """Compare one collection or all; with `repair`, mend and compare again."""
    with opened() as runtime:
        with runtime.database.read() as connection:
            chosen = (
                [collections.get_collection(connection, collection)]
                if collection
                else collections.list_collections(connection)
            )
        reports = [_verify(runtime, found, repair=repair, quiet=quiet) for found in chosen]
    return {"ok": all(report["ok"] for report in reports), "collections": reports}


def _verify(runtime: Runtime, collection: Collection, *, repair: bool, quiet: bool) -> dict[str, Any]:
    findings = compare(runtime, collection)
    report = _describe(collection, findings)
    if repair and not findings.ok:
        job = _repair(runtime, collection, findings, quiet=quiet)
        after = compare(runtime, collection)
        report |= {"ok": after.ok, "repaired": after.ok, "repair_job": job}
    return report


def compare(runtime: Runtime, collection: Collection) -> Findings:
    """Read both sides, the tracker by pages; work in flight is not held against anybody."""
    findings = Findings()
    held = _read_store(runtime, collection, findings)
    with runtime.database.read() as connection:
        for page in documents.list_tracked(connection, collection.id):
            for tracked in page:
                _compare_document(tracked, held.pop(tracked.id, []), collection, findings)
        findings.orphans = [Held(shard, document, version) for document in held for shard, version, _ in held[document]]
        differing = {t.id for t in findings.missing} | {h.document for h in (*findings.stale, *findings.orphans)}
        flying = documents.find_in_flight(connection, collection.id, sorted(differing))
    findings.missing = [tracked for tracked in findings.missing if tracked.id not in flying]
    findings.stale = [entry for entry in findings.stale if entry.document not in flying]
    findings.orphans = [entry for entry in findings.orphans if entry.document not in flying]
    return findings


def _read_store(runtime: Runtime, collection: Collection, findings: Findings) -> dict[str, list[tuple[str, str, int]]]:
    """(shard, version, rows) of every version held, by document."""
    held: dict[str, list[tuple[str, str, int]]] = {}
    store = runtime.store(collection)
    for shard in collection.reading_shards:
        for document, version, rows in store.list_versions(shard):
            held.setdefault(document, []).append((shard, version, rows))
            findings.vectors += rows
    return held


def _compare_document(
    tracked: Tracked, held: Sequence[tuple[str, str, int]], collection: Collection, findings: Findings
) -> None:
    home = _place(tracked, held, collection)
    rows = sum(n for shard, version, n in held if (shard, version) == (home, tracked.version))
    findings.documents += 1
    findings.chunks += tracked.indexed
    if rows != tracked.indexed:
        findings.missing.append(tracked)
    # Between its copy and its deletion a document that is being moved is at both homes.
    homes = {home, collection.home(tracked.id), collection.former_home(tracked.id)}
    findings.stale += [
        Held(shard, tracked.id, version)
        for shard, version, _ in held
        if shard not in homes or version != tracked.version
    ]


def _place(tracked: Tracked, held: Sequence[tuple[str, str, int]], collection: Collection) -> str:
    """Where a document's rows should be: at home, or where an unfinished move has not fetched them yet."""
    home, former = collection.home(tracked.id), collection.former_home(tracked.id)
    waits = former is not None and (former, tracked.version, tracked.indexed) in held
    arrived = (home, tracked.version, tracked.indexed) in held
    return former if former is not None and waits and not arrived else home


def _repair(runtime: Runtime, collection: Collection, findings: Findings, *, quiet: bool) -> int | None:
    """Delete what readers do not see, then index again, from what is stored, what the store lacks."""
    store = runtime.store(collection)
    _delete(store, {*findings.stale, *findings.orphans})
    if not findings.missing:
        return None
    with runtime.database.write() as connection:
        job = repairs.submit_repair(
            connection,
            collection.id,
            [tracked.id for tracked in findings.missing],
            max_attempts=runtime.settings.max_attempts,
        )
    work_on_job(runtime, job, quiet=quiet)
    return job


def _delete(store: VectorStore, entries: set[Held]) -> None:
    for shard in {entry.shard for entry in entries}:
        held = sorted({entry.document for entry in entries if entry.shard == shard})
        for some in pages(held, PAGE):
            rows = store.fetch_documents(shard, some)
            store.delete_ids(
                shard, [id for id, row in rows.items() if Held(shard, row.document, row.version) in entries]
            )


def _describe(collection: Collection, findings: Findings) -> dict[str, Any]:
    return {
        "collection": collection.name,
        "ok": findings.ok,
        "documents": findings.documents,
        "chunks": findings.chunks,
        "vectors": findings.vectors,
        "missing": len(findings.missing),
        "orphan": len(findings.orphans),
        "stale": len(findings.stale),
        "examples": {
            "missing": [tracked.uri for tracked in findings.missing[:SHOWN]],
            "orphan": [entry.document for entry in findings.orphans[:SHOWN]],
            "stale": [entry.document for entry in findings.stale[:SHOWN]],
        },
    }


def print_verification(report: Mapping[str, Any]) -> None:
    """The comparison for people."""
    for found in report["collections"]:
        verdict = "agrees with its store" if found["ok"] else "DIFFERS from its store: embedmill verify --repair"
        print_line(f"{found['collection']}: {found['documents']} documents, {found['chunks']} chunks; {verdict}")
        if "repair_job" in found or not found["ok"]:
            print_line(f"  missing {found['missing']}, orphan {found['orphan']}, stale {found['stale']} documents")
    if not report["collections"]:
        print_line("no collections yet: embedmill ingest FOLDER")
