"""Loaded after all else by a command that is to be cut off: it dies, as by a power cut, when it comes by a function.

CUT_AT is `module:function`, or a method of a class; CUT_NUMBER says at which time.
"""

import importlib
import os
import signal
from functools import reduce
from typing import Any


def lay(point: str, number: int) -> None:
    module, _, path = point.partition(":")
    *owners, name = path.split(".")
    owner: Any = reduce(getattr, owners, importlib.import_module(module))
    original, left = getattr(owner, name), [number]

    def cut(*given: Any, **named: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*given, **named)

    setattr(owner, name, cut)


if os.environ.get("CUT_AT"):
    lay(os.environ["CUT_AT"], int(os.environ["CUT_NUMBER"]))
