"""A blob store in a folder: one file per object, complete or absent.

A folder of its own may be on a disk that goes away, and below an empty mount point every object is gone and every write
succeeds. So it has a mark, and the home remembers that it has: without the mark, it is not that folder.
"""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from embedmill.shared.errors import BlobMissing, StorageFailed
from embedmill.shared.providers.blobs.base import BlobStore
from embedmill.shared.providers.blobs.compression import compress, restore

MARK = ".embedmill"


class FolderBlobStore(BlobStore):
    """Files under `root`, fanned out by the first two hex digits of their id; raises StorageFailed on a full disk.

    `memory` is a file, on another disk, that is there once the folder has its mark; None for a folder without one.
    """

    def __init__(self, root: Path, *, memory: Path | None = None) -> None:
        self.root = root
        self._memory = memory
        self._is_marked = memory is None

    def put(self, data: bytes) -> str:
        """Write beside the target, flush to the disk, rename; a damaged object is replaced."""
        object_ = hashlib.sha256(data).hexdigest()
        path = self._path(object_)
        try:
            if not _renew(path, object_):
                self._write(path, compress(data))
        except OSError as error:
            raise StorageFailed(f"the blob store refused a write: {error.strerror}") from error
        return object_

    def get(self, object_: str) -> bytes:
        """Read and check against the id."""
        try:
            kept = self._path(object_).read_bytes()
        except OSError as error:
            self._require_mark()
            raise BlobMissing(f"stored object {object_[:12]} cannot be read: {error.strerror}") from None
        return restore(kept, object_)

    def list_objects(self) -> Iterator[tuple[str, float]]:
        """Walk the fan-out; files that are still being written are not objects."""
        self._require_mark()
        now = time.time()
        for path in self.root.glob("??/*"):
            if len(path.name) == 64:
                yield path.name, now - path.stat().st_mtime

    def delete(self, object_: str) -> None:
        """Unlink."""
        self._path(object_).unlink(missing_ok=True)

    def wipe(self, *, older_than_seconds: float) -> int:
        """What a writer that was killed left half written."""
        now, gone = time.time(), 0
        for path in self.root.glob("??/*.partial"):
            with suppress(FileNotFoundError):
                if now - path.stat().st_mtime >= older_than_seconds:
                    path.unlink()
                    gone += 1
        return gone

    def _path(self, object_: str) -> Path:
        return self.root / object_[:2] / object_

    def _write(self, path: Path, data: bytes) -> None:
        if not self._is_marked or not path.parent.is_dir():
            self._mark()
            path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
        try:
            with open(partial, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(partial, path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def _mark(self) -> None:
        """See that the folder has its mark, and that this is remembered; raises StorageFailed where it has lost it."""
        self._require_mark()
        if self._memory is not None:
            self.root.mkdir(parents=True, exist_ok=True)
            (self.root / MARK).touch()
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            self._memory.touch()
        self._is_marked = True

    def _require_mark(self) -> None:
        if self._memory is not None and self._memory.exists() and not (self.root / MARK).exists():
            raise StorageFailed(
                f"the blob folder {self.root} is not the one that was written to",
                hint=f"Mount its disk; if it is empty on purpose, put an empty file {MARK} into it.",
            )


def _renew(path: Path, object_: str) -> bool:
    """Whether the object is there and whole; if so it counts as new, so that the cleaner leaves it alone."""
    try:
        restore(path.read_bytes(), object_)
        os.utime(path)
    except (FileNotFoundError, BlobMissing):
        return False
    return True
