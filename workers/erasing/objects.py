"""Stored objects: a pack holds many documents' texts, so it is written anew without those that are erased.

What is old is deleted when nobody can need it: a worker that took a document in hand before may still read the old
pack. An object that nothing refers to may be one that a worker was killed over, with a text in it; those go too.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from embedmill.shared.db import references, withdrawing
from embedmill.shared.db.clock import read_clock
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.manifest import list_referenced_objects
from embedmill.shared.db.references import Referring, object_of
from embedmill.shared.db.scans import is_any_running
from embedmill.shared.errors import BlobMissing
from embedmill.shared.paging import pages
from embedmill.shared.providers.blobs.base import BlobStore, Slice, parse_reference
from embedmill.workers.erasing.base import Done, ErasureRun, require

TOGETHER = 200
"""Objects whose references are looked for together."""
SCAN_SECONDS = 60.0
"""A scan stores the texts of rows and names them in its next transaction, which is long over then."""


def rewrite(run: ErasureRun) -> Done:
    """Point everybody to packs without the documents' texts; the old ones are left for `sweep`.

    A pack may hold a text that no row of its document refers to any more, as of a batch that was done twice. So every
    pack of every job that ever had one of the documents is looked at, for bytes that nobody refers to.
    """
    known = {object_of(ref) for some in run.walk() for ref in some.known("refs")}
    jobs = sorted({job for some in run.walk() for job in some.known("jobs")})
    objects = sorted(known | run.runtime.database.query(references.find_objects, jobs))
    moved = sum(_rewrite(run, part) for part in pages(objects, TOGETHER))
    for some in run.walk():
        run.runtime.database.transact(references.let_go, some.ids)
    return Done({"packs": len(objects), "references moved": moved}, at=run.runtime.database.query(read_clock))


def _rewrite(run: ErasureRun, objects: Sequence[str]) -> int:
    database = run.runtime.database

    def find(connection: Connection) -> list[Referring]:
        return list(references.find_referring(connection, objects, erasure_id=run.erasure.id))

    rows = database.query(find)
    wanted = _by_object(rows)
    moved: dict[str, str] = {}
    for object_ in objects:
        moved |= _store_anew(run.runtime.blobs, object_, sorted(wanted[object_]))
    database.transact(references.redirect, rows, moved)
    # Somebody may have come to refer to a part meanwhile that was left out.
    old = {object_of(ref) for ref in moved}
    left = {ref for row in database.query(find) for ref in row.references.values() if object_of(ref) in old}
    require(not left - set(moved.values()), "documents have come to share an object")
    return len(moved)


def _by_object(rows: Sequence[Referring]) -> defaultdict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        for ref in row.references.values():
            found[object_of(ref)].add(ref)
    return found


def _store_anew(blobs: BlobStore, object_: str, wanted: Sequence[str]) -> Mapping[str, str]:
    """What is wanted of an object as one of its own, by the old references; nothing where there is nothing else in it.

    Of an object that cannot be read nothing is wanted that could be had.
    """
    try:
        data = blobs.get(object_)
    except BlobMissing:
        return {}
    slices = {ref: parse_reference(ref) for ref in wanted}
    if not slices or _covered(slices.values()) >= len(data):
        return {}
    parts = [data[s.offset : s.offset + s.length] for s in slices.values()]
    return dict(zip(slices, blobs.put_pack(parts), strict=True))


def _covered(slices: Iterable[Slice]) -> int:
    """How many bytes any of the slices has."""
    end = covered = 0
    for start, stop in sorted((s.offset, s.offset + s.length) for s in slices):
        covered += max(0, stop - max(start, end))
        end = max(end, stop)
    return covered


def sweep(run: ErasureRun) -> Done:
    """Delete what nothing refers to and is older than the rewriting; raises NotYetErased while somebody may need it."""
    rewritten = run.ended_at("objects")
    now, oldest, scanning = run.runtime.database.query(_look)
    gone = 0
    for object_ in _find_garbage(run, age=now - rewritten):
        require(oldest is None or oldest > rewritten, "a worker may be reading an object")
        require(not scanning or now - rewritten > SCAN_SECONDS, "a source is being read")
        run.runtime.blobs.delete(object_)
        gone += 1
    return Done({"objects": gone, "remains": run.runtime.blobs.wipe(older_than_seconds=now - rewritten)})


def _look(connection: Connection) -> tuple[float, float | None, bool]:
    return read_clock(connection), withdrawing.find_oldest_lease(connection), is_any_running(connection)


def _find_garbage(run: ErasureRun, *, age: float) -> Iterator[str]:
    kept = run.runtime.database.query(list_referenced_objects)
    return (o for o, seconds in run.runtime.blobs.list_objects() if seconds >= age and o not in kept)
