"""The comparison of tracker and store: beside work in progress, on rows of the first release, in bounded memory."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from embedmill.console.cli.verify import print_verification
from embedmill.console.services import comparing
from embedmill.console.services.comparing import Findings, Held, compare, find_differences
from embedmill.console.services.verifying import _Mender, verify
from embedmill.shared.db import manifest, repairs
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.manifest import Tracked
from embedmill.shared.db.schema import dead_letter, document, job
from embedmill.shared.editions import Edition
from embedmill.shared.errors import FlowControl, SourceGone
from embedmill.shared.outcomes import Fail
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.workers.runtime import WorkerRuntime
from tests.contracts.rows import make_row, unit_vector
from tests.shared.db.tracker import Tracker
from tests.workers.test_freezes import Scene

COLLECTION = Collection(1, "default", {}, 1, "hash", 8, ("s0", "s1"))


@pytest.fixture
def scene(runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path) -> Iterator[Scene]:
    opened = Scene(runtime, tracker, tmp_path / "documents")
    yield opened
    opened.other.close()


def store_of(scene: Scene) -> VectorStore:
    return scene.other.store(scene.other.collection(1))


def test_what_is_indexed_during_the_comparison_is_no_difference(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(store_of(scene))
    list_editions = kind.list_editions

    def busy(store: VectorStore, shard: str) -> Iterator[tuple[str, Edition, int]]:
        scene.finish(scene.next_version())
        return list_editions(store, shard)

    monkeypatch.setattr(kind, "list_editions", busy)
    found = compare(scene.runtime, scene.runtime.collection(1))
    assert found.ok
    assert found.vectors == 2


def row_of(scene: Scene, document: str, **fields: Any) -> VectorRow:
    dimensions = scene.other.collection(1).dimensions
    return make_row(document, vector=unit_vector(1, dimensions=dimensions), **fields)


def test_rows_of_work_that_is_not_over_are_nobodys_fault(scene: Scene) -> None:
    claim = scene.next_version()
    store = store_of(scene)
    item = claim.items[0]
    store.upsert("v1-000", [row_of(scene, item.document_id, version=item.version, generation=item.generation)])
    found = compare(scene.runtime, scene.runtime.collection(1))
    assert (found.ok, found.in_flight) == (True, 1)


def test_a_repair_deletes_what_nobody_will_switch_to_and_writes_what_is_missing(scene: Scene) -> None:
    store, collection = store_of(scene), scene.other.collection(1)
    (seen, _) = scene.tracker.rows(document)
    late = row_of(scene, seen["id"], version=seen["active_version"], generation=9)
    store.upsert("v1-000", [row_of(scene, "nobody"), late])
    found = compare(scene.other, collection)
    assert (found.missing, found.stale, found.orphan) == (0, 1, 1)
    mender = _Mender(scene.other, collection)
    mender.mend_all()
    assert mender.deleted == 2
    assert compare(scene.other, collection).ok
    scene.finish(scene.next_version())
    assert min(row["generation"] for row in scene.tracker.rows(document)) == 2
    assert max(row["generation"] for row in scene.tracker.rows(document)) == 10, "9 is given to nobody any more"


@pytest.mark.parametrize("repair", [False, True])
def test_of_a_store_that_does_not_answer_nothing_is_said_to_be_missing_nor_changed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, repair: bool
) -> None:
    def away(*_: Any) -> None:
        raise FlowControl("the store could not be reached", reason="circuit", retry_after_seconds=30.0)

    monkeypatch.setattr(type(store_of(scene)), "examine", away)
    monkeypatch.setattr(type(store_of(scene)), "list_editions", away)
    jobs = len(scene.tracker.rows(job))
    report = verify(scene.other, repair=repair)
    (found,) = report.collections
    assert (found.ok, found.missing, found.unanswered) == (False, 0, found.documents)
    assert "the store could not be reached" in found.faulty_shards["v1-000"]
    assert len(scene.tracker.rows(job)) == jobs
    print_verification(report)
    printed = capsys.readouterr().out
    assert "NOT COMPARED: the store does not answer" in printed
    assert "--repair" not in printed


def test_a_document_that_a_repair_gave_up_is_left_alone_while_its_letter_is_open(scene: Scene) -> None:
    tracker, collection = scene.tracker, scene.other.collection(1)
    ids = [row["id"] for row in tracker.rows(document)]
    store_of(scene).delete_ids("v1-000", list(store_of(scene).fetch_documents("v1-000", ids)))
    with tracker.database.write() as connection:
        job = repairs.submit_repair(connection, 1, ids, max_attempts=1)
        again = repairs.submit_repair(connection, 1, ids[:1], max_attempts=1)
    for each in (job, again):
        for claim in tracker.claim_each(tracker.queue(job=each), "embed"):
            tracker.settle(claim, Fail(SourceGone("it is not there")))
    mender = _Mender(scene.other, collection)
    assert mender.mend_all().missing == 2
    assert (mender.jobs, mender.indexed_again) == ([], 0)
    works = {row["id"]: row["document_id"] for row in tracker.rows()}
    letters = {works[row["work_id"]]: row["id"] for row in tracker.rows(dead_letter)}
    assert {id_: one.letter for id_, one in mender.unmended.items()} == letters
    first = mender.unmended[ids[0]]
    assert (first.uri, first.error, first.hint) == (
        tracker.rows(document)[0]["uri"],
        "SourceGone: it is not there",
        SourceGone.hint,
    )


def as_the_first_release(scene: Scene) -> None:
    """Call rows as 0.1.0 did."""
    path = scene.runtime.settings.home_path / "vectors" / "c1" / "v1-000.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE vectors SET id = document || '-' || version || '-' || ordinal")


def test_rows_of_the_first_release_are_seen_until_their_document_changes(scene: Scene) -> None:
    as_the_first_release(scene)
    held = list(store_of(scene).list_editions("v1-000"))
    assert [edition.generation for _, edition, _ in held] == [None, None]
    assert compare(scene.other, scene.other.collection(1)).ok
    scene.finish(scene.next_version())
    scene.require_agreement()


def test_a_row_of_the_first_release_that_is_gone_is_missed(scene: Scene) -> None:
    as_the_first_release(scene)
    (first, _) = scene.tracker.rows(document)
    collection = scene.other.collection(1)
    store_of(scene).delete_ids("v1-000", [f"{first['id']}-{first['active_version']}-0"])
    assert compare(scene.other, collection).missing == 1


def tracked(number: int) -> Tracked:
    return Tracked(f"{number:032x}", "uri", "v", 1, 1, None, None, "")


def peak_of(monkeypatch: pytest.MonkeyPatch, number: int) -> int:
    """Bytes that a comparison of so many documents needs at most."""

    def held(*_: Any) -> list[Iterator[Held]]:
        def each(shard: str) -> Iterator[Held]:
            ids = (f"{n:032x}" for n in range(number))
            return (Held(shard, id, Edition("v", 1), 1) for id in ids if COLLECTION.home(id) == shard)

        return [each(shard) for shard in COLLECTION.shards]

    monkeypatch.setattr(comparing, "_each_tracked", lambda *_: map(tracked, range(number)))
    monkeypatch.setattr(comparing, "_each_held", held)
    findings = Findings()
    tracemalloc.start()
    try:
        assert list(find_differences(None, COLLECTION, findings)) == []  # type: ignore[arg-type]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        assert (findings.documents, findings.vectors) == (number, number)


def test_memory_does_not_grow_with_the_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    peak_of(monkeypatch, 100)
    # A pointer for each document more would be as much; other threads of the process allocate meanwhile.
    assert peak_of(monkeypatch, 8_000) - peak_of(monkeypatch, 1_000) < 8 * 7_000


def test_a_generation_that_was_left_behind_is_given_to_nobody(tracker: Tracker) -> None:
    tracker.submit(["file:///a"])
    (row,) = tracker.rows(document)
    with tracker.database.write() as connection:
        manifest.leave_behind(connection, {row["id"]: 7, "nobody": 3})
        manifest.leave_behind(connection, {row["id"]: 2})
    assert [row["generation"] for row in tracker.rows(document)] == [7]
