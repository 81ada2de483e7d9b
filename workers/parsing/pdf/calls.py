"""Owns how pdfium is asked what is asked for every word or object: with plain addresses, which takes half the time."""

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any


@cache
def by_address(name: str, answer: Any, *arguments: Any) -> Callable[..., Any]:
    """The function of that name, for the address of a handle and then `arguments`; it keeps the interpreter's lock."""
    from pypdfium2 import raw

    made = ctypes.PYFUNCTYPE(answer, ctypes.c_void_p, *arguments)
    return made(ctypes.cast(getattr(raw, name), ctypes.c_void_p).value or 0)


def address(handle: Any) -> int:
    """The address that one of pdfium's handles is."""
    return ctypes.cast(handle, ctypes.c_void_p).value or 0
