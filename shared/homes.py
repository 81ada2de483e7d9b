"""The home folder of an installation, and what stands beside what in it."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from embedmill.shared.errors import HomeInUse
from embedmill.shared.settings import Settings

# Vectors, caches and the database give documents away as the documents themselves do.
OWNER_ONLY = 0o700
USE_ANOTHER = "Point EMBEDMILL_HOME at a folder that this user may write."


def spill_url(blob_url: str, home: Path) -> str:
    """The blob store beside the blob store."""
    if not blob_url:
        return f"file://{quote(str(home / 'spilled'))}"
    parts = urlsplit(blob_url)
    path = f"{parts.path.rstrip('/')}-spilled" if parts.path.strip("/") else "/spilled"
    return urlunsplit((parts.scheme, parts.netloc, path, parts.query, parts.fragment))


def _close_to_others(home: Path) -> None:
    """Homes of earlier releases are as open as their owner's umask; one that is closed to writes was meant to be."""
    found = home.stat()
    if found.st_mode & 0o077 and found.st_mode & stat.S_IWUSR and found.st_uid == os.geteuid():
        with suppress(OSError):
            home.chmod(OWNER_ONLY)


def prepare_home(settings: Settings) -> Path:
    """Make the home folder, for its owner's eyes only; raises HomeInUse when that is not possible.

    It holds texts of documents, so one that is open to others is closed to them. One that its owner closed to writes
    keeps its mode, and so does one of another owner.
    """
    home = settings.home_path
    try:
        home.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        _close_to_others(home)
    except OSError as error:
        raise HomeInUse(
            f"cannot make the home folder {home}: {error.strerror}",
            hint=USE_ANOTHER,
        ) from None
    return home
