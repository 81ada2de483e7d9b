"""A copy of what comes only once, so that a source of it can be read again."""

import hashlib
import tempfile
import weakref
from collections.abc import Iterable
from typing import BinaryIO

from embedmill.shared.errors import StorageFailed
from embedmill.shared.files import describe_os_error


class Spool:
    """The bytes of some parts, in an unnamed temporary file that goes away with this object, and their hash."""

    def __init__(self, parts: Iterable[bytes], *, what: str) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as its source
        weakref.finalize(self, self._file.close)
        hasher = hashlib.sha256()
        try:
            for part in parts:
                self._file.write(part)
                hasher.update(part)
        except OSError as error:
            raise StorageFailed(f"{what} could not be copied: {describe_os_error(error)}") from error
        self.content_hash = hasher.hexdigest()

    def rewound(self) -> BinaryIO:
        """The file at its beginning; to be left open."""
        self._file.seek(0)
        return self._file
