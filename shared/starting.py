"""What each of our processes does before it loads anything large."""

import atexit
import ctypes
import dataclasses
import gc
import os
import re
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from types import MemberDescriptorType, ModuleType
from typing import Any

STARTING, STARTED = 200_000, 50_000
"""Objects that are made between two collections of garbage."""


@contextmanager
def unheard(*numbers: signal.Signals) -> Iterator[None]:
    """What is started within never hears these signals, from its first moment on: they are its parent's to act upon."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_lightly() -> None:
    """Leave out what a start would spend a fifth of its time on for nothing; files are made for their owner only."""
    os.umask(0o077)
    # One matrix product of a search is too small for two threads, and workers are processes already.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Starting makes a hundred thousand objects that all stay; looking through them again and again is a tenth of it.
    # The first that there is, in a command that goes on for longer, finds everything loaded.
    gc.set_threshold(STARTING)
    if _end_start not in gc.callbacks:
        gc.callbacks.append(_end_start)
    # Nor are they taken apart one by one at the end, which took a sixth of a short command.
    atexit.register(gc.freeze)
    # structlog would load rich, for tracebacks in colours, which are never printed here.
    modules: dict[str, Any] = sys.modules
    modules.setdefault("rich", None)
    write_methods_later()


def note_started() -> None:
    """Collect garbage from here on, but not among what was made until now: a fork shares it while nobody touches it."""
    gc.freeze()
    gc.set_threshold(STARTED)


def _end_start(phase: str, _info: Mapping[str, int]) -> None:
    """After the first collection: what is left has been looked at, and what comes now is mostly garbage."""
    if phase == "stop":
        gc.callbacks.remove(_end_start)
        note_started()


def write_methods_later() -> None:
    """Have dataclasses write their methods when these are first called, which most never are.

    Each of six methods is compiled by itself, for hundreds of classes: nearly all of what making them takes, and a
    tenth of a start. From Python 3.13 on they are compiled together, and nothing is changed.
    """
    create: Callable[..., Any] | None = getattr(dataclasses, "_create_fn", None)
    if create is not None and create.__module__ == dataclasses.__name__:
        vars(dataclasses)["_create_fn"] = partial(_write_later, create)


def _write_later(create: Callable[..., Any], name: str, /, *given: Any, **options: Any) -> Callable[..., Any]:
    if name == "__init__":
        return _write_init_later(create, *given, **options)
    written: list[Callable[..., Any]] = []

    def method(*of: Any) -> Any:
        if not written:
            written.append(create(name, *given, **options))
        return written[0](*of)

    method.__name__ = name
    return method


def _write_init_later(
    create: Callable[..., Any], parameters: Sequence[str], body: Sequence[str], /, **options: Any
) -> Callable[..., Any]:
    """The first object of a class puts what is written in the place of this."""
    written: list[Callable[..., Any]] = []

    def __init__(self: Any, /, *of: Any, **named: Any) -> None:  # noqa: N807 - it is one
        if not written:
            owner = next((one for one in type(self).__mro__ if vars(one).get("__init__") is __init__), None)
            # None where another thread made the first object at this very moment.
            if owner is not None:
                lines, setters = _set_by_slots(owner, body)
                made = create("__init__", parameters, lines, **options | {"locals": options["locals"] | setters})
                made.__qualname__ = __init__.__qualname__
                written.append(made)
                type.__setattr__(owner, "__init__", made)
        written[0](self, *of, **named)

    return __init__


_FROZEN = re.compile(r"__dataclass_builtins_object__\.__setattr__\((\w+),'(\w+)',(.*)\)")
"""How a frozen class sets a field of its own."""


def _set_by_slots(owner: type, body: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """The body of an `__init__` in which fields that have a slot are set by it, and the names that are new in it.

    `object.__setattr__` looks through all classes of an object at each call, and takes three times as long.
    """
    lines: list[str] = []
    setters: dict[str, Any] = {}
    for line in body:
        found = _FROZEN.fullmatch(line)
        slot = getattr(owner, found[2], None) if found else None
        if found and isinstance(slot, MemberDescriptorType):
            setters[f"_set_{found[2]}"] = slot.__set__
            lines.append(f"_set_{found[2]}({found[1]},{found[3]})")
        else:
            lines.append(line)
    return lines, setters


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameters of mallopt(3)."""
LEFT_BYTES, APART_BYTES = 2**21, 2**20


def keep_little_free() -> None:
    """Have what is freed go back to the system, here and in what is forked from here; before there are threads.

    By itself glibc learns from every large array that is freed to keep twice as much, and more for each thread.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, APART_BYTES)
        mallopt(M_TRIM_THRESHOLD, LEFT_BYTES)


def give_back_free() -> None:
    """Have what was freed in the midst of the heap go back to the system, after work that had much of it in use."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def absent(name: str) -> Iterator[None]:
    """What is imported within does without a module that it would take if it were there."""
    if name in sys.modules:
        yield
        return
    modules: dict[str, Any] = sys.modules
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]


class Unloaded(ModuleType):
    """Stands for a module that is loaded when something of it is used; `functions` of it when they are called."""

    def __init__(self, name: str, functions: Iterable[str]) -> None:
        super().__init__(name)
        for function in functions:
            setattr(self, function, self._called_later(function))

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)

    def _called_later(self, name: str) -> Callable[..., Any]:
        def called(*given: Any) -> Any:
            return getattr(import_module(self.__name__), name)(*given)

        return called


@contextmanager
def loaded_when_used(names: Mapping[str, Iterable[str]]) -> Iterator[None]:
    """What is imported within gets stand-ins for these modules, as long as it uses nothing of them at once.

    `names` has functions that it does use, to give them other names. Nobody else sees a stand-in.
    """
    made = {name: Unloaded(name, functions) for name, functions in names.items() if name not in sys.modules}
    sys.modules.update(made)
    holders = [(import_module(holder), last) for holder, _, last in (name.rpartition(".") for name in made) if holder]
    for holder, last in holders:
        setattr(holder, last, made[f"{holder.__name__}.{last}"])
    try:
        yield
    finally:
        for name, module in made.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        for holder, last in holders:
            if isinstance(getattr(holder, last), Unloaded):
                delattr(holder, last)
