"""The cleaner: what nothing refers to goes, what anything may still need stays."""

from embedmill.workers.chores.cleaner import clean
from embedmill.workers.runtime import WorkerRuntime
from tests.shared.db.tracker import Tracker


def test_only_old_objects_that_nothing_refers_to_are_removed(runtime: WorkerRuntime, tracker: Tracker) -> None:
    (kept,) = runtime.blobs.put_pack([b"kept"])
    (garbage,) = runtime.blobs.put_pack([b"garbage"])
    claim = tracker.take(["file:///a"])
    tracker.write(claim.items[0].id, chunks_ref=kept)
    assert clean(runtime.database, runtime.blobs) == 0, "objects may be on their way into the database"
    assert clean(runtime.database, runtime.blobs, youngest_seconds=0.0) == 1
    assert [object_ for object_, _ in runtime.blobs.list_objects()] == [kept.split(":")[0]]
    assert garbage.split(":")[0] not in kept


def test_a_row_that_may_be_replayed_keeps_its_object(runtime: WorkerRuntime, tracker: Tracker) -> None:
    (reference,) = runtime.blobs.put_pack([b"a row"])
    claim = tracker.take(["row-1"])
    tracker.write(claim.items[0].id, origin={"kind": "row", "ref": reference, "metadata": {}})
    assert clean(runtime.database, runtime.blobs, youngest_seconds=0.0) == 0
