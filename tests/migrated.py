"""A migrated SQLite database as a copy: running every migration takes a hundred times as long."""

import shutil
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from embedmill.shared.db.opening import open_database


def place_migrated(path: Path) -> None:
    """Put an empty database with the current schema at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), path)


@cache
def _template() -> Path:
    path = Path(_folder().name) / "tracking.db"
    # Closing the last connection leaves all of it in the one file.
    open_database(f"sqlite:///{path}").close()
    return path


@cache
def _folder() -> "TemporaryDirectory[str]":
    return TemporaryDirectory(prefix="embedmill-migrated-")
