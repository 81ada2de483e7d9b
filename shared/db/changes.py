"""Whether the database may have changed since it was looked at: a look that would find nothing new is not made.

The file of one host's database says so itself, without a statement: whoever commits writes to it or to its log. A
server does not, and is looked at every time.
"""

import os
import time
from pathlib import Path

from embedmill.shared.db.connecting import parse_url
from embedmill.shared.db.engine import Database

# A file's time is that of the kernel's last tick, of which there are a hundred a second at least: a commit so shortly
# before a look may have been made after it.
GRAIN_NS = 20_000_000
_Stamp = tuple[int, int, int]


class Changes:
    """Tells one reader whether anybody, itself included, may have committed since it last asked."""

    def __init__(self, database: Database) -> None:
        path = str(parse_url(database.url).database)
        self._files = [Path(path), Path(f"{path}-wal")] if database.is_sqlite else []
        self._seen: list[_Stamp] = []
        self._asked_ns = 0

    def are_there(self) -> bool:
        """Ask before looking: what is committed after this answer is told by the next."""
        asked, stamps = time.time_ns(), [_stamp(file) for file in self._files]
        is_new = stamps != self._seen or any(stamp[0] >= self._asked_ns - GRAIN_NS for stamp in stamps)
        self._seen, self._asked_ns = stamps, asked
        return is_new or not self._files


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
