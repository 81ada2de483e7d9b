"""Warns where what the records name is kept in another home, or on a disk that is not mounted.

A database may be reached from several homes, and a folder of texts may be on a disk that goes away. Whoever then
works on in an empty folder makes rows that nobody else finds.
"""

from functools import partial

from embedmill.console.listening import Listener, Notice, Severity
from embedmill.shared.db import manifest
from embedmill.shared.errors import BlobMissing, StorageFailed
from embedmill.shared.providers.vectorstores.table import is_remote
from embedmill.shared.runtime import Runtime

SAMPLES = 20
HINT = (
    "Work from the home that keeps them, or keep them where all homes reach them (EMBEDMILL_VECTOR_URL, "
    "EMBEDMILL_BLOB_URL); what is on a disk, mount. If they are lost: embedmill verify --repair"
)


def tell_kept_elsewhere(runtime: Runtime, listener: Listener) -> None:
    """Warn where texts or vectors of documents are named, and none of them is here."""
    if lacking := _find_lacking(runtime):
        listener.on_notice(Notice(f"the database names {lacking}. {HINT}", Severity.WARNING))


def _find_lacking(runtime: Runtime) -> str:
    """Which kind of what is named is not here, and where it was looked for; empty where all is well."""
    settings = runtime.settings
    is_shared = bool(settings.database_url)
    if not is_shared and not settings.blob_url.startswith("file:"):
        return ""
    named = runtime.database.query(partial(manifest.sample_objects, limit=SAMPLES))
    if not named:
        return ""
    if not settings.blob_url.startswith("s3:") and not any(_is_there(runtime, object_) for object_ in named):
        return f"texts that {settings.blob_url or f'the home {runtime.home}'} does not have"
    if is_shared and not is_remote(settings.vector_url) and not any((runtime.home / "vectors").glob("*/*.db")):
        return f"vectors that the home {runtime.home} does not have"
    return ""


def _is_there(runtime: Runtime, object_: str) -> bool:
    try:
        runtime.blobs.get(object_)
    except (BlobMissing, StorageFailed):
        return False
    return True
