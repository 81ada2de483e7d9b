"""Loaded by every interpreter whose PYTHONPATH has this folder: a worker dies once at a point between two steps.

STRUCK_AT names the point, and STRUCK_ONCE the file that is made just before, so that whoever comes after lives.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

POINTS = {
    "reserved and not sent": ("shared.spend.metering:ModelMeter.on_request", "after"),
    "answered and not stored": ("shared.verdicts:VerdictCache.put_many", "before"),
    "stored and not settled": ("shared.spend.metering:ModelMeter.on_response", "before"),
    "settled and not applied": ("shared.spend.metering:ModelMeter.on_response", "after"),
}


def strike() -> None:
    """Die, unless somebody has died here before."""
    try:
        os.close(os.open(os.environ["STRUCK_ONCE"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def strikes(method: Callable[..., Any], when: str) -> Callable[..., Any]:
    """The method with a death before or after it."""

    def struck(*arguments: Any, **named: Any) -> Any:
        if when == "before":
            strike()
        result = method(*arguments, **named)
        if when == "after":
            strike()
        return result

    return struck


if "workers.process" in sys.orig_argv and os.environ.get("STRUCK_AT"):
    from importlib import import_module

    place, when = POINTS[os.environ["STRUCK_AT"]]
    module, _, path = place.partition(":")
    owner, _, name = path.partition(".")
    found = getattr(import_module(module), owner)
    setattr(found, name, strikes(getattr(found, name), when))
