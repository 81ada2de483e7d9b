"""Values that are plain to see, read without pydantic, whose import is a fifth of a short command.

What is not plain, and all that is wrong, is pydantic's to read and to refuse.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args, get_origin

UNREAD = object()
"""What a value is that is not plain."""
NUMBERS: Mapping[Any, re.Pattern[str]] = MappingProxyType(
    {int: re.compile(r"-?[0-9]{1,15}"), float: re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")}
)
TRUTHS = MappingProxyType({"1": True, "true": True, "0": False, "false": False, True: True, False: False})


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between what a number has to lie; `more_than` is no such number itself. `others` are not looked at here."""

    least: float | None = None
    most: float | None = None
    more_than: float | None = None
    others: bool = False

    @classmethod
    def of(cls, named: Mapping[str, Any]) -> "Bounds":
        """By pydantic's names."""
        known = {"ge", "le", "gt", "allow_inf_nan"}
        return cls(named.get("ge"), named.get("le"), named.get("gt"), others=not known.issuperset(named))

    def hold(self, number: float) -> bool:
        """Whether a number lies between them."""
        return (
            (self.least is None or number >= self.least)
            and (self.most is None or number <= self.most)
            and (self.more_than is None or number > self.more_than)
        )


UNBOUND = Bounds()


def read_plain(kind: Any, value: Any, bounds: Bounds = UNBOUND) -> Any:
    """A value as its kind: text, a number within bounds, a truth, a path or one of some texts; UNREAD for all else."""
    if bounds.others:
        return UNREAD
    if kind is str:
        return value if type(value) is str else UNREAD
    if kind in NUMBERS:
        return _read_number(kind, value, bounds)
    if kind is bool:
        return TRUTHS.get(value, UNREAD) if isinstance(value, str | bool) else UNREAD
    if kind is Path and isinstance(value, str | Path):
        return Path(value)
    return value if get_origin(kind) is Literal and value in get_args(kind) else UNREAD


def _read_number(kind: Any, value: Any, bounds: Bounds) -> Any:
    if isinstance(value, str) and NUMBERS[kind].fullmatch(value):
        value = kind(value)
    if kind is float and type(value) is int:
        value = float(value)
    return value if type(value) is kind and value - value == 0 and bounds.hold(value) else UNREAD
