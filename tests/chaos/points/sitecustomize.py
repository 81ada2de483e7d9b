"""Loaded by every interpreter whose PYTHONPATH has this folder: the first process at each of POINTS dies there.

POINTS is a JSON list of [where, `before` or `after`, stage or null], where `where` is `module:function` or
`module:Class.method`. Whoever comes to a point first makes its file in DEATHS and ends at once, as by a power cut.
"""

import functools
import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from altering import in_workers


def stage_of(arguments: tuple[Any, ...]) -> str | None:
    return next((str(found.stage) for found in arguments if hasattr(found, "stage")), None)


def die_once(where: str, when: str, stage: str | None) -> None:
    name = "-".join(filter(None, (where.partition(":")[2], when, stage)))
    try:
        os.close(os.open(Path(os.environ["DEATHS"]) / name, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os._exit(9)


def lay(where: str, points: list[tuple[str, str | None]]) -> None:
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)

    @functools.wraps(original)
    def deadly(*arguments: Any, **options: Any) -> Any:
        stage = stage_of(arguments)
        for when, wanted in points:
            if when == "before" and wanted in (None, stage):
                die_once(where, when, wanted)
        result = original(*arguments, **options)
        for when, wanted in points:
            if when == "after" and wanted in (None, stage):
                die_once(where, when, wanted)
        return result

    setattr(owner, name, deadly)


def lay_all(points: list[tuple[str, str, str | None]]) -> None:
    for where in dict.fromkeys(point[0] for point in points):
        lay(where, [(when, stage) for other, when, stage in points if other == where])


in_workers(lambda: lay_all(json.loads(os.environ.get("POINTS", "[]"))))
if sys.orig_argv[-2:] == ["workers", "start"]:
    lay_all(json.loads(os.environ.get("CHORE_POINTS", "[]")))
