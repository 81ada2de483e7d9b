"""Owns the finding of stored objects that records name and that are not there any more: a listing, and no reading."""

from functools import partial

from embedmill.shared.db import manifest
from embedmill.shared.db.manifest import NamedText
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.logs import get_logger
from embedmill.shared.paging import pages
from embedmill.shared.runtime import Runtime

log = get_logger()

PAGE = 500


def find_lost_objects(runtime: Runtime) -> set[str]:
    """Objects that are named now as before the listing, and were not in it."""
    lost = runtime.database.query(manifest.list_referenced_objects)
    try:
        for name, _ in runtime.blobs.list_objects():
            lost.discard(name)
    except EmbedmillError as error:
        # A bucket that may not be listed is no reason to compare nothing.
        log.warning("blobs.not_listed", error=str(error))
        return set()
    return lost & runtime.database.query(manifest.list_referenced_objects) if lost else lost


def find_documents(runtime: Runtime, objects: set[str], *, collection_id: int | None = None) -> dict[str, str]:
    """The documents that readers see and whose texts, or rejections, objects hold: ids with their URIs."""
    found: list[NamedText] = []
    for some in pages(sorted(objects), PAGE):
        found += runtime.database.query(partial(manifest.find_named_texts, objects=some, collection_id=collection_id))
    return {one.id: one.uri for one in sorted(found, key=lambda one: one.uri)}
