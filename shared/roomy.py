"""Owns the room for frames of Python's functions, of which CPython gets pieces of 16 KB from the system.

What calls functions again and again at the end of a piece gets another for each call, and gives it back: a short
command did that 1,400 times.
"""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

SLOTS = 66_000
"""Places for values in a frame: somewhat more than half of the next power of two, as a piece is made that holds it.

The frame itself touches none of them, and what it calls has the rest: some 500 KB, a thousand calls deep.
"""


def with_room(run: Callable[[], T]) -> T:
    """What `run` returns, with one piece for all that it calls; to be called first of all."""
    return run()


with_room.__code__ = with_room.__code__.replace(co_stacksize=SLOTS)
