"""Owns how values of a database read as text, as an id and as metadata.

Servers send every value as their own text, so that nothing is rounded and no date is refused: an infinite date, one
before Christ, 0000-00-00 and a time of 100 hours are what the database prints. Only SQLite's values come as numbers.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from math import isfinite
from typing import Any

from embedmill.producers.sources.rows import MAX_ROW_BYTES, BadRow

LARGEST_EXACT_FLOAT = 2**53
# What of an id would be taken for something else in a URI, or for a value of another type.
_RESERVED = re.compile(r"[%/,#?\s\x00-\x1f\x7f]")
# A number, an infinity, bytes, a quoted text or NULL, and nothing else.
_LOOKS_TYPED = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?inf|nan|x?'.*|null", re.IGNORECASE | re.DOTALL)
# As many digits as every float keeps.
_FEW_DIGITS = re.compile(r"-?(?=[\d.]{1,15}\Z)\d+(\.\d+)?", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_FALSE = frozenset(["", "0", "f", "false", "n", "no", "off", "0.0"])
_NO_MOMENT = re.compile(r"0000-00-00")


class ColumnKind(StrEnum):
    """What a column holds, as far as anybody here cares."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    FLOAT = "float"
    BOOLEAN = "boolean"
    TEXT = "text"
    BINARY = "binary"
    BITS = "bits"
    JSON = "json"
    MOMENT = "moment"
    LIST = "list"
    OTHER = "other"


SMALL = frozenset(
    [ColumnKind.INTEGER, ColumnKind.DECIMAL, ColumnKind.FLOAT, ColumnKind.BOOLEAN, ColumnKind.BITS, ColumnKind.MOMENT]
)
"""Kinds of which no value is large."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or a query; `type` is the database's own name of its type, where that is of use."""

    name: str
    kind: ColumnKind
    type: str = ""


class TooLarge:
    """Stands for a value that was not read, because it has more than `MAX_ROW_BYTES`."""


def as_text(value: Any, kind: ColumnKind) -> str | None:
    """A value as people expect to read it; None for NULL and for bytes that are no text."""
    if value.__class__ is str and kind is ColumnKind.TEXT:
        return value
    match value:
        case None:
            return None
        case TooLarge():
            raise _too_large()
        case str():
            return _BOOLEANS.get(value, value) if kind is ColumnKind.BOOLEAN else value
        case bytes() if kind is ColumnKind.BITS:
            return str(int.from_bytes(value))
        case bytes() | bytearray() | memoryview():
            return _decode(bytes(value))
        case list():
            return ", ".join(part for each in _flatten(value) if (part := as_text(each, ColumnKind.OTHER)) is not None)
        case _:
            return str(value)


def _too_large() -> BadRow:
    return BadRow(f"a value of it is larger than {MAX_ROW_BYTES:,} bytes")


_BOOLEANS = {"t": "true", "f": "false"}


def _decode(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if _CONTROLS.search(text) else text


def _flatten(values: Sequence[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from _flatten(value)
        else:
            yield value


def as_metadata(value: Any, kind: ColumnKind) -> Any:
    """A value as JSON: numbers where they are exact, lists and JSON as they are; None for what is left out."""
    if value.__class__ is str and kind is not ColumnKind.BOOLEAN:
        read = _READ.get(kind)
        return read(value) if read is not None else value
    if value.__class__ is int or isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if isfinite(value) else str(value)
    if isinstance(value, list):
        return [shown for each in value if (shown := as_metadata(each, ColumnKind.OTHER)) is not None]
    text = as_text(value, kind)
    if text is None:
        return None
    return _READ[kind](text) if kind in _READ else text


def _number(text: str) -> int | float | str:
    """A number that JSON and floats keep to the digit, otherwise its digits as text."""
    if _FEW_DIGITS.fullmatch(text):
        value = float(text)
        return int(value) if value.is_integer() else value
    try:
        exact = Decimal(text)
        if exact == exact.to_integral_value():
            return int(exact) if abs(exact) <= LARGEST_EXACT_FLOAT else text
        return float(text) if Decimal(repr(float(text))) == exact else text
    except (InvalidOperation, ValueError, OverflowError):
        return text


def _integer(text: str) -> int | str:
    value = int(text)
    return value if abs(value) <= LARGEST_EXACT_FLOAT else text


def _float(text: str) -> float | str:
    """A float is printed so that it is read as itself; JSON knows no infinity."""
    value = float(text)
    return value if isfinite(value) else text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


_READ: dict[ColumnKind, Callable[[str], Any]] = {
    ColumnKind.INTEGER: _integer,
    ColumnKind.DECIMAL: _number,
    ColumnKind.FLOAT: _float,
    ColumnKind.BITS: int,
    ColumnKind.BOOLEAN: lambda text: text in ("true", "1"),
    ColumnKind.JSON: _json,
}


def as_id(value: Any, kind: ColumnKind) -> str:
    """A part of a document's URI: values that differ, also by type only, have parts that differ."""
    match value:
        case int() | float():
            return repr(value)
        case bytes() | bytearray() | memoryview():
            return f"x'{bytes(value).hex()}'"
        case str() if kind is ColumnKind.TEXT:
            return _escape(f"'{value}'" if _LOOKS_TYPED.fullmatch(value) else value)
        case _:
            return _escape(str(value))


def _escape(text: str) -> str:
    return _RESERVED.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def is_set(value: Any) -> bool:
    """Whether a mark of deletion is set: true, a number other than 0, a moment, a word other than no."""
    match value:
        case None:
            return False
        case TooLarge():
            raise _too_large()
        case bytes() | bytearray() | memoryview():
            return any(bytes(value)) and is_set(_decode(bytes(value)) or "1")
        case _:
            text = str(value).strip().lower()
            return text not in _FALSE and not _NO_MOMENT.match(text)
