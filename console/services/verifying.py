"""`embedmill verify`: the tracker against the vector store, and the mending of what differs.

A repair deletes rows by names that nobody will write again: those of generations that are left behind. What is missing
is indexed again, under the generation that readers see, by work as any other. So it undoes nothing of what others do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from embedmill.console.cli.output import print_line
from embedmill.console.cli.session import opened
from embedmill.console.services.comparing import Difference, Findings, Held, compare, find_differences
from embedmill.console.services.ingesting import work_on_job
from embedmill.shared.db import collections, manifest, repairs
from embedmill.shared.db.collections import Collection
from embedmill.shared.providers.vectorstores.rows import edition_of
from embedmill.shared.runtime import Runtime

REINDEXED_AT_ONCE = 10_000
"""Documents in one job of a repair."""


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
    if not repair:
        return _describe(collection, compare(runtime, collection))
    mender = _Mender(runtime, collection, quiet=quiet)
    found = mender.mend_all()
    report = _describe(collection, found)
    if not found.ok:
        # What was indexed again makes rows of 0.1.0 superfluous.
        mender.mend_all()
        after = compare(runtime, collection)
        report |= {
            "ok": after.ok,
            "repaired": after.ok,
            "repair_job": mender.jobs[-1] if mender.jobs else None,
            "deleted_vectors": mender.deleted,
            "indexed_again": mender.indexed_again,
            "left": {"missing": after.missing, "orphan": after.orphan, "stale": after.stale},
        }
    return report


class _Mender:
    """Deletes what readers do not see, and has indexed again, from what is stored, what the store lacks."""

    def __init__(self, runtime: Runtime, collection: Collection, *, quiet: bool) -> None:
        self._runtime = runtime
        self._collection = collection
        self._quiet = quiet
        self._missing: list[str] = []
        self.jobs: list[int] = []
        self.deleted = 0
        self.indexed_again = 0

    def mend_all(self) -> Findings:
        """Mend what differs; returns what that was."""
        found = Findings()
        for differences in find_differences(self._runtime, self._collection, found):
            self._mend(differences)
        self._index_again()
        return found

    def _mend(self, differences: Sequence[Difference]) -> None:
        """Delete the surplus of some documents; what they lack is indexed many at a time."""
        self._delete(differences)
        self._missing += [difference.document for difference in differences if difference.lacks_rows]
        if len(self._missing) >= REINDEXED_AT_ONCE:
            self._index_again()

    def _index_again(self) -> None:
        missing, self._missing = self._missing, []
        if not missing:
            return
        with self._runtime.database.write() as connection:
            job = repairs.submit_repair(
                connection, self._collection.id, missing, max_attempts=self._runtime.settings.max_attempts
            )
        self.jobs.append(job)
        self.indexed_again += len(missing)
        work_on_job(self._runtime, job, quiet=self._quiet)

    def _delete(self, differences: Sequence[Difference]) -> None:
        surplus = {(held.shard, held.document, held.edition): held for d in differences for held in d.surplus}
        self._leave_behind(surplus.values())
        store = self._runtime.store(self._collection)
        for shard in sorted({held.shard for held in surplus.values()}):
            held = sorted({document for at, document, _ in surplus if at == shard})
            rows = store.fetch_documents(shard, held)
            gone = [id for id, row in rows.items() if (shard, row.document, edition_of(row)) in surplus]
            self.deleted += store.delete_ids(shard, gone)

    def _leave_behind(self, surplus: Iterable[Held]) -> None:
        """See that no work to come is given a generation whose rows are about to go, as after a restored backup."""
        reached: dict[str, int] = {}
        for held in surplus:
            reached[held.document] = max(reached.get(held.document, 0), held.edition.generation or 0)
        self._runtime.database.transact(lambda connection: manifest.leave_behind(connection, reached))


def _describe(collection: Collection, findings: Findings) -> dict[str, Any]:
    return {
        "collection": collection.name,
        "ok": findings.ok,
        "documents": findings.documents,
        "chunks": findings.chunks,
        "vectors": findings.vectors,
        "missing": findings.missing,
        "orphan": findings.orphan,
        "stale": findings.stale,
        "in_flight": findings.in_flight,
        "examples": findings.examples,
    }


def print_verification(report: Mapping[str, Any]) -> None:
    """The comparison for people."""
    for found in report["collections"]:
        counts = f"{found['documents']} documents, {found['chunks']} chunks"
        print_line(f"{found['collection']}: {counts}; {_verdict(found)}")
        if "left" in found or not found["ok"]:
            print_line(f"  missing {found['missing']}, orphan {found['orphan']}, stale {found['stale']} documents")
        if "left" in found:
            print_line(
                f"  {found['deleted_vectors']} vectors deleted, {found['indexed_again']} documents indexed again"
            )
        if found["in_flight"]:
            print_line(f"  {found['in_flight']} documents are being worked on and were not judged")
    if not report["collections"]:
        print_line("no collections yet: embedmill ingest FOLDER")


def _verdict(found: Mapping[str, Any]) -> str:
    if found["ok"]:
        return "repaired, agrees with its store" if "left" in found else "agrees with its store"
    if "left" not in found:
        return "DIFFERS from its store: embedmill verify --repair"
    left = found["left"]
    return f"STILL DIFFERS: missing {left['missing']}, orphan {left['orphan']}, stale {left['stale']}"
