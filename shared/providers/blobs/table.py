"""The blob stores by URL scheme."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from shared.errors import SettingsError
from shared.providers.blobs.base import BlobStore


def open_blob_store(url: str, *, home: Path) -> BlobStore:
    """Open `file://…`, or the folder in the home folder for an empty URL; raises SettingsError for other schemes."""
    from shared.providers.blobs.folder import FolderBlobStore

    parts = urlsplit(url)
    match parts.scheme:
        case "":
            return FolderBlobStore(home / "blobs")
        case "file":
            return FolderBlobStore(Path(unquote(parts.path)))
    raise SettingsError(f"EMBEDMILL_BLOB_URL: {parts.scheme}:// is not supported in this release; use file://")
