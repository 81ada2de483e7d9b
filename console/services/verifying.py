"""The tracker against the vector store, and the mending of what differs.

A repair deletes rows by names that nobody will write again: those of generations that are left behind. What is missing
is indexed again, under the generation that readers see, by work as any other. So it undoes nothing of what others do.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, replace
from functools import partial

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services import shards
from embedmill.console.services.comparing import SHOWN, Difference, Findings, Held, compare, find_differences
from embedmill.console.services.jobs import JobSpend, measure_cost
from embedmill.console.services.lost_texts import find_documents, find_lost_objects
from embedmill.console.services.reach import in_collection
from embedmill.console.services.serving import serves
from embedmill.console.services.working import work_on_job
from embedmill.shared.access.principals import Right
from embedmill.shared.db import collections, manifest, repairs
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.repairs import Unmended
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.vectorstores.rows import edition_of
from embedmill.shared.runtime import Runtime
from embedmill.workers.word_counts import count_differing, cut_anew, mend_counts

REINDEXED_AT_ONCE = 10_000
"""Documents in one job of a repair."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found in one collection: documents of which the store lacks rows, and editions that it has too many.

    `faulty_shards` cannot be read, or lack all that they should hold, each with the reason. Documents of those that do
    not answer now are not judged: `unanswered` is their number. `uncounted_words` are documents whose words are not
    counted as they are, for a store whose service counts none. `lost_texts` are documents whose stored text is gone, so
    that nothing could be made anew of it.
    """

    collection: str
    ok: bool
    documents: int
    chunks: int
    vectors: int
    missing: int
    orphan: int
    stale: int
    in_flight: int
    unanswered: int
    examples: Mapping[str, list[str]]
    faulty_shards: Mapping[str, str]
    uncounted_words: int
    lost_texts: int


@dataclass(frozen=True, slots=True)
class StillDiffering:
    """What differs after a repair."""

    missing: int
    orphan: int
    stale: int
    lost_texts: int


@dataclass(frozen=True, slots=True)
class Repaired(Compared):
    """What was found in a collection that was repaired, what was done, and what is left; `ok` is as it is now.

    `set_aside` is where damaged shards are kept that were made anew. `unmended` are the first of the documents that
    could not be indexed again; they are not tried once more while their letters are open.
    `embedded_anew` chunks had no vector in the cache: what these took of tokens and dollars is `spend`.
    """

    repaired: bool
    repair_job: int | None
    deleted_vectors: int
    indexed_again: int
    left: StillDiffering
    set_aside: Mapping[str, str]
    unmended: Sequence[Unmended]
    embedded_anew: int
    spend: JobSpend


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the store agrees with the tracker, collection by collection."""

    ok: bool
    collections: list[Compared]


@serves("verify", Right.OPERATE, in_collection(), told=("repair",))
def verify(
    runtime: Runtime, collection: str | None = None, *, repair: bool = False, listener: Listener = NOBODY
) -> Verification:
    """Compare one collection or all; with `repair`, mend and compare again. Raises NotFound."""
    with runtime.database.read() as connection:
        chosen = (
            [collections.get_collection(connection, collection)]
            if collection
            else collections.list_collections(connection)
        )
    lost = find_lost_objects(runtime)
    found = [_repair(runtime, each, lost, listener) if repair else _compare(runtime, each, lost) for each in chosen]
    return Verification(all(each.ok for each in found), found)


def _compare(runtime: Runtime, collection: Collection, lost: set[str]) -> Compared:
    unreadable = shards.find_unreadable(runtime.store(collection), collection.reading_shards)
    silent = shards.find_silent(unreadable)
    findings = compare(runtime, collection, without=unreadable.keys() - silent, silent=silent)
    faults = _faults(runtime, collection, unreadable)
    uncounted, without_text = (
        count_differing(runtime, collection.id),
        find_documents(runtime, lost, collection_id=collection.id),
    )
    found = _compared(collection, findings, faults, uncounted, without_text)
    return replace(found, ok=found.ok and not uncounted)


def _faults(runtime: Runtime, collection: Collection, unreadable: Mapping[str, EmbedmillError]) -> dict[str, str]:
    readable = [shard for shard in collection.reading_shards if shard not in unreadable]
    reasons = {shard: str(error) for shard, error in unreadable.items()}
    return reasons | shards.find_lost(runtime, collection, readable)


def _repair(runtime: Runtime, collection: Collection, lost: set[str], listener: Listener) -> Compared:
    store = runtime.store(collection)
    unreadable = shards.find_unreadable(store, collection.reading_shards)
    faults = _faults(runtime, collection, unreadable)
    aside = shards.set_aside(store, unreadable)
    silent = shards.find_silent(unreadable)
    mender = _Mender(runtime, collection, listener, without=unreadable.keys() - aside.keys(), silent=silent)
    without_text = find_documents(runtime, lost, collection_id=collection.id)
    mender.add(without_text)
    found = mender.mend_all()
    cut_anew(runtime, collection, [shard for shard in collection.reading_shards if shard not in mender.without])
    before = _compared(collection, found, faults, mend_counts(runtime, collection.id), without_text)
    if before.ok:
        return before
    # What was indexed again makes rows of 0.1.0 superfluous.
    mender.mend_all()
    after = compare(runtime, collection, without=mender.without - mender.silent, silent=mender.silent)
    still = len(find_documents(runtime, find_lost_objects(runtime), collection_id=collection.id)) if without_text else 0
    is_whole = after.ok and not still
    embedded_anew, spend = measure_cost(runtime, mender.jobs)
    return Repaired(
        **{f.name: getattr(before, f.name) for f in fields(before)} | {"ok": is_whole},
        repaired=is_whole,
        repair_job=mender.jobs[-1] if mender.jobs else None,
        deleted_vectors=mender.deleted,
        indexed_again=mender.indexed_again,
        left=StillDiffering(after.missing, after.orphan, after.stale, still),
        set_aside=aside,
        unmended=list(mender.unmended.values())[:SHOWN],
        embedded_anew=embedded_anew,
        spend=spend,
    )


class _Mender:
    """Deletes what readers do not see, and has indexed again, from what is stored, what the store lacks."""

    def __init__(
        self,
        runtime: Runtime,
        collection: Collection,
        listener: Listener = NOBODY,
        *,
        without: AbstractSet[str] = frozenset(),
        silent: Iterable[str] = (),
    ) -> None:
        self._runtime = runtime
        self._collection = collection
        self._listener = listener
        self.without = frozenset(without)
        """Shards that cannot be read, nor written anew: what belongs there is left as it is."""
        self.silent = frozenset(silent)
        """Those of them that do not answer now."""
        self._missing: dict[str, None] = {}
        self.jobs: list[int] = []
        self.deleted = 0
        self.indexed_again = 0
        self.unmended: dict[str, Unmended] = {}

    def add(self, documents: Iterable[str]) -> None:
        """Have documents indexed again beside those of which the store lacks rows."""
        self._missing |= {
            document: None for document in documents if self._collection.home(document) not in self.without
        }

    def mend_all(self) -> Findings:
        """Mend what differs; returns what that was."""
        found = Findings(unread=self.without - self.silent, silent=self.silent)
        for differences in find_differences(self._runtime, self._collection, found):
            self._mend(differences)
        self._index_again()
        return found

    def _mend(self, differences: Sequence[Difference]) -> None:
        """Delete the surplus of some documents; what they lack is indexed many at a time."""
        self._delete(differences)
        self.add(difference.document for difference in differences if difference.lacks_rows)
        if len(self._missing) >= REINDEXED_AT_ONCE:
            self._index_again()

    def _index_again(self) -> None:
        missing, self._missing = list(self._missing), {}
        if wanted := self._without_letter(missing):
            with self._runtime.database.write() as connection:
                job = repairs.submit_repair(
                    connection, self._collection.id, wanted, max_attempts=self._runtime.settings.max_attempts
                )
            self.jobs.append(job)
            work_on_job(self._runtime, job, self._listener)
            self.indexed_again += self._runtime.database.query(partial(repairs.count_indexed, job_id=job))
            self._without_letter(wanted)

    def _without_letter(self, documents: Sequence[str]) -> list[str]:
        """Those that no repair has given up; of the others the letters are noted."""
        given_up = self._runtime.database.query(partial(repairs.find_unmended, ids=documents))
        self.unmended |= given_up
        return [document for document in documents if document not in given_up]

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


def _compared(
    collection: Collection,
    findings: Findings,
    faults: Mapping[str, str],
    uncounted: int,
    without_text: Mapping[str, str],
) -> Compared:
    return Compared(
        collection=collection.name,
        ok=findings.ok and not without_text,
        documents=findings.documents,
        chunks=findings.chunks,
        vectors=findings.vectors,
        missing=findings.missing,
        orphan=findings.orphan,
        stale=findings.stale,
        in_flight=findings.in_flight,
        unanswered=findings.unanswered,
        examples=findings.examples | {"lost": list(without_text.values())[:SHOWN]},
        faulty_shards=faults,
        uncounted_words=uncounted,
        lost_texts=len(without_text),
    )
