"""The blob stores by URL scheme."""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from embedmill.shared.errors import SettingsError
from embedmill.shared.providers.blobs.base import BlobStore

FOLDERS = "blob-folders"
"""In the home: which folders elsewhere have their mark."""


def open_blob_store(url: str, *, home: Path) -> BlobStore:
    """Open `file://…`, `s3://bucket/prefix`, or the folder in the home folder for an empty URL.

    Raises SettingsError for other schemes, MissingExtra when `s3` is not installed.
    """
    from embedmill.shared.providers.blobs.folder import FolderBlobStore

    parts = urlsplit(url)
    match parts.scheme:
        case "":
            return FolderBlobStore(home / "blobs")
        case "file":
            return _folder(Path(unquote(parts.path)), home)
        case "s3" if parts.netloc:
            from embedmill.shared.providers.blobs.s3 import S3BlobStore

            return S3BlobStore(parts.netloc, prefix=unquote(parts.path).strip("/"))
    raise SettingsError(
        f"EMBEDMILL_BLOB_URL: {parts.scheme}:// is not supported; use file:///folder or s3://bucket/prefix"
    )


def _folder(root: Path, home: Path) -> BlobStore:
    from embedmill.shared.providers.blobs.folder import FolderBlobStore

    if root.is_relative_to(home):
        return FolderBlobStore(root)
    return FolderBlobStore(root, memory=home / FOLDERS / hashlib.sha256(bytes(root)).hexdigest()[:16])
