"""Owns the mark of who writes to a folder of shards: a file with a name, which the first one leaves."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from embedmill.shared.errors import StorageFailed
from embedmill.shared.files import REFUSED
from embedmill.shared.providers.vectorstores.embedded.shard_file import ACCESS_HINT, LOCK

OWNER = "owner"


def read_marks(folder: Path) -> set[str]:
    """The name, if there is one."""
    try:
        return {(folder / OWNER).read_text().strip()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise StorageFailed(f"cannot read {folder / OWNER}: {error.strerror}", hint=_hint(error)) from None


def remove_marks(folder: Path) -> None:
    """Remove a folder without shards, and what marks it; one in which anything else lies stays as it is."""
    with suppress(OSError):
        if all(file.name.startswith((OWNER, LOCK)) for file in folder.iterdir()):
            for file in list(folder.iterdir()):
                file.unlink(missing_ok=True)
            folder.rmdir()


def leave_mark(folder: Path, name: str) -> None:
    """Leave a name where there is none; of several who try at once one is first."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{OWNER}.{secrets.token_hex(8)}"
        draft.write_text(f"{name}\n")
        with suppress(FileExistsError):
            os.link(draft, folder / OWNER)
        draft.unlink()
    except OSError as error:
        raise StorageFailed(f"cannot write {folder / OWNER}: {error.strerror}", hint=_hint(error)) from None


def _hint(error: OSError) -> str:
    return ACCESS_HINT if error.errno in REFUSED else StorageFailed.hint
