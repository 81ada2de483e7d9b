"""Asks everything outside of the tracking database that held a document whether it does."""

from embedmill.shared.db.manifest import list_referenced_objects
from embedmill.shared.db.references import object_of
from embedmill.workers.erasing.base import Done, ErasureRun, require
from embedmill.workers.erasing.stores import find_held


def check(run: ErasureRun) -> Done:
    """Raises NotYetErased for what is still there, and then nothing is said to be done."""
    require(not find_held(run), "a vector store still has rows")
    objects = {object_of(ref) for some in run.walk() for ref in some.known("refs")}
    there = objects.intersection(name for name, _ in run.runtime.blobs.list_objects()) if objects else set()
    kept = there - run.runtime.database.query(list_referenced_objects)
    require(not kept, f"{len(kept)} objects are still stored")
    return Done({"objects that others share": len(there)})
