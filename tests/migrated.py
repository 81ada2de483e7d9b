"""A migrated SQLite database as a copy: running every migration takes a hundred times as long."""

import shutil
from pathlib import Path

from embedmill.shared.db.opening import open_database
from tests.together import once


def place_migrated(path: Path) -> None:
    """Put an empty database with the current schema at `path`, for its owner alone, as the product makes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copyfile(once("migrated.db", _migrate), path)
    path.chmod(0o600)


def _migrate(path: Path) -> None:
    # Closing the last connection leaves all of it in the one file.
    open_database(f"sqlite:///{path}").close()
