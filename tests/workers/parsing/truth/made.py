"""Files of the truth that scripts make, by name: those whose format is no text."""

from collections.abc import Callable

MADE: dict[str, Callable[[], bytes]] = {}
