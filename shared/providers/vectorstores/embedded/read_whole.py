"""Owns which files of a folder were read whole and were what they should be, so that a start need not read them again.

A note holds for a file as the file system knows it: whoever writes to a file changes the time of its last change, which
nobody can set. What a disk alone gets wrong is found when everything is examined, as the notes are forgotten then.
"""

import os
import secrets
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import orjson

NOTES = "read-whole"
SETTLED_NS = 2_000_000_000
"""A file that was changed later than so long ago may be changed again within the same tick of the clock."""


def was_read_whole(path: Path, stat: os.stat_result, checksum: int) -> bool:
    """Whether the file as it is now was found to have this checksum."""
    return _notes(path.parent).get(path.name) == _said(stat, checksum)


def note_read_whole(path: Path, stat: os.stat_result, checksum: int) -> None:
    """Note that the file had this checksum, and forget the files that are gone; nothing where that cannot be written.

    `stat` is from before the file was read. Of two processes that note at once one may lose its note. What one that was
    killed had begun to write goes: its file was not noted, so whoever opens that next comes here.
    """
    if time.time_ns() - stat.st_ctime_ns < SETTLED_NS:
        return
    with suppress(OSError):
        there = set(os.listdir(path.parent))
        for begun in there:
            if begun.startswith(f"{NOTES}."):
                (path.parent / begun).unlink(missing_ok=True)
        notes = {name: said for name, said in _notes(path.parent).items() if name in there}
        draft = path.parent / f"{NOTES}.{secrets.token_hex(8)}"
        draft.write_bytes(orjson.dumps(notes | {path.name: _said(stat, checksum)}))
        os.replace(draft, path.parent / NOTES)


def forget_notes(folder: Path) -> None:
    """Have every file be read whole again when it is opened next."""
    with suppress(OSError):
        (folder / NOTES).unlink(missing_ok=True)


def _notes(folder: Path) -> dict[str, Sequence[int]]:
    try:
        found = orjson.loads((folder / NOTES).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _said(stat: os.stat_result, checksum: int) -> Sequence[int]:
    return [checksum, stat.st_size, stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns]
