"""Backups may hold what is erased: they are named, and receipts lie in them, so that a restore erases it again."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from embedmill.shared.db.backups import list_backups
from embedmill.shared.runtime import Runtime
from embedmill.workers.erasing import receipts
from embedmill.workers.erasing.base import Done, ErasureRun, Left

HERE = "it is deleted; a restore of it erases again what this receipt says, which lies beside it"
ELSEWHERE = "it is deleted; give a restore of it this receipt (`restore --receipts FOLDER`), which then erases it again"


def name(run: ErasureRun) -> Done:
    """Say which backups there are, as far as anybody knows."""
    made = [(place, at) for place, at in run.runtime.database.query(list_backups) if at <= run.erasure.created_at]
    return Done({"backups": len(made)}, [_describe(Path(place), at) for place, at in made])


def _describe(place: Path, made_at: float) -> Left:
    day = datetime.fromtimestamp(made_at, UTC).isoformat(timespec="minutes")
    return Left(f"the backup of {day}", HERE if place.is_dir() else ELSEWHERE)


def accompany(runtime: Runtime, receipt: Mapping[str, Any]) -> None:
    """Write a receipt beside every backup that is within reach."""
    for folder in _find_folders(runtime):
        receipts.write(folder / f"{receipt['erasure']}.json", receipt)


def _find_folders(runtime: Runtime) -> Iterator[Path]:
    for place, _ in runtime.database.query(list_backups):
        folder = Path(place) / receipts.FOLDER
        if folder.is_dir():
            yield folder
