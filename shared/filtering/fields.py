"""Owns what conditions may ask of a row: its own fields, and its metadata laid flat.

An object's fields are named with dots (`author.name`), a list's items are values of its field, and what is null is not
there. A row's own field that is empty is not there either; metadata of the same name is asked beside it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from unicodedata import normalize

from embedmill.shared.filtering.readings import Reading, read

OWN = ("document", "uri", "title", "section", "page")
"""What every row has beside its metadata."""

Fields = Mapping[str, tuple[Reading, ...]]
"""The values of every field that is there; an object's own name is there without a value."""


def fields_of(own: Mapping[str, Any], metadata: Mapping[str, Any]) -> Fields:
    """The fields of a row with `own` (the names of OWN) and this metadata."""
    return lay_flat([*own_values(own), *metadata.items()])


def own_values(own: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """A row's own fields that are not empty."""
    return [(name, value) for name, value in own.items() if value != ""]


def lay_flat(named: Iterable[tuple[str, Any]]) -> dict[str, tuple[Reading, ...]]:
    """Values by the names that conditions have for them."""
    found: dict[str, list[Reading]] = {}
    for path, _, reading in walk(named):
        found.setdefault(path, []).extend([reading] if reading else [])
    return {name: tuple(values) for name, values in found.items()}


Step = tuple[str, Any, Reading]


def walk(named: Iterable[tuple[str, Any]]) -> Iterator[Step]:
    """Every value with its field's name and its reading; an object that has one has none itself."""
    for name, value in named:
        yield from _walk(normalize("NFC", name), value)


def _walk(name: str, value: Any) -> Iterator[Step]:
    match value:
        case list() | tuple():
            for item in value:
                yield from _walk(name, item)
        case dict():
            yield from _walk_object(name, value)
        case _:
            if reading := read(value):
                yield name, value, reading


def _walk_object(name: str, held: Mapping[str, Any]) -> Iterator[Step]:
    inner = [found for key, value in held.items() for found in _walk(f"{name}.{normalize('NFC', key)}", value)]
    if inner:
        yield name, held, {}
    yield from inner
