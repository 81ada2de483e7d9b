"""Options as people type them: read, or refused with how to write them."""

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

import typer

from embedmill.console.dollars import parse_usd
from embedmill.shared.durations import parse_duration

T = TypeVar("T")


def duration(text: str) -> float:
    """Seconds from `90`, `15m`, `2h`, `3d`."""
    return _read(parse_duration, text)


def dollars(text: str) -> Decimal:
    """Dollars from `5` or `$12.50`."""
    return _read(parse_usd, text)


def _read(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
