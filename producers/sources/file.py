"""One file of this machine, hashed once."""

import os
from collections.abc import Callable
from typing import NamedTuple

from embedmill.producers.sources.base import FileItem, Problem, Skipped
from embedmill.producers.sources.unsupported import reason_by_name
from embedmill.shared.errors import DocumentError
from embedmill.shared.files import describe_os_error, hash_regular_file
from embedmill.shared.uris import path_to_uri


class Opening(NamedTuple):
    """How a file is opened: by a path, or by a name in an open folder."""

    name: bytes
    flags: int = 0
    dir_fd: int | None = None


def hashed_file(
    path: bytes, opening: Opening, *, judge: Callable[[bytes, bytes], str | None] = lambda _name, _head: None
) -> FileItem | Skipped | Problem:
    """Hashed unless its name says that it holds no document; `judge` may leave it out by its name and its head."""
    uri, name = path_to_uri(path), os.path.basename(path)
    if reason := reason_by_name(name):
        return Skipped(uri, reason)
    try:
        hashed = hash_regular_file(opening.name, flags=opening.flags, dir_fd=opening.dir_fd)
    except DocumentError as error:
        return Problem(uri, str(error))
    except OSError as error:
        return Problem(uri, describe_os_error(error))
    if reason := judge(name, hashed.head):
        return Skipped(uri, reason)
    return FileItem(uri, hashed.size, hashed.content_hash)
