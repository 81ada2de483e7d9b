"""The texts in metadata as a list and back; each value stands behind its key there, which says what it is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

BEHIND = ": "


def flatten(value: Any, key: str = "") -> list[str]:
    """Every key, and every text and number with its key, in the order of JSON values."""
    match value:
        case Mapping():
            return [text for name, inner in value.items() for text in (str(name), *flatten(inner, str(name)))]
        case list() | tuple():
            return [text for inner in value for text in flatten(inner, key)]
        case bool() | None:
            return []
        case str() | int() | float():
            return [f"{key}{BEHIND}{value}" if key else str(value)]
    return []


def rebuild(value: Any, texts: Sequence[str]) -> Any:
    """The same values with other texts in their places, as `flatten` gave them; a number that is hidden is a text."""
    return _rebuild(value, iter(texts), "")


def _rebuild(value: Any, texts: Iterator[str], key: str) -> Any:
    match value:
        case Mapping():
            return {next(texts): _rebuild(inner, texts, str(name)) for name, inner in value.items()}
        case list() | tuple():
            return [_rebuild(inner, texts, key) for inner in value]
        case bool() | None:
            return value
        case str() | int() | float():
            text = next(texts).removeprefix(f"{key}{BEHIND}" if key else "")
            return value if text == str(value) else text
    return value
