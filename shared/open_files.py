"""Files that let somebody in, and that others than their owner may read or change."""

import stat
from functools import cache
from pathlib import Path

from embedmill.shared.logs import get_logger

log = get_logger()


def find_openness(path: Path) -> str:
    """That others may read or change a file, and how that ends; "" where they may not, or it cannot be looked at."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ""
    what = "read and change" if mode & (stat.S_IWGRP | stat.S_IWOTH) else "read"
    return f"others may {what} {path}: chmod go= {path}"


@cache
def warn_of_others(path: Path, event: str) -> None:
    """Say so once in a process, which may read the file again and again."""
    if openness := find_openness(path):
        log.warning(event, message=openness)
