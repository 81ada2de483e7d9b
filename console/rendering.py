"""The one JSON rendering: what a service returns becomes the document that `--json` prints and other doors send."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

LEFT_OUT = {"left_out": True}
"""Metadata of a field that is published only where it is not None."""

FIRST = {"first": True}
"""Metadata of a field that is published before those without it, inherited ones too: it says what the rest is about."""


def documents_of(count: int) -> str:
    """So many documents, in words."""
    return counted(count, "document")


def counted(count: int, noun: str) -> str:
    """So many of what a noun names, whose plural takes an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def published_as(name: str) -> dict[str, str]:
    """Metadata of a field that is published under another name than its own, as `in` or `dead again`."""
    return {"published_as": name}


def to_json(result: Any) -> Any:
    """Dataclasses by their fields, in order; enums by their value, times in UTC to the second. The rest stays."""
    match result:
        case Enum():
            return result.value
        case str() | int() | float() | None:
            return result
        case Mapping():
            return {to_json(key): to_json(value) for key, value in result.items()}
        case list() | tuple():
            return [to_json(value) for value in result]
        case datetime():
            return result.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _fields_of(result) if is_dataclass(result) else result


def _fields_of(result: Any) -> dict[str, Any]:
    ordered = sorted(fields(result), key=lambda field: "first" not in field.metadata)
    found = ((field.metadata, field.name, getattr(result, field.name)) for field in ordered)
    return {
        metadata.get("published_as", name): to_json(value)
        for metadata, name, value in found
        if value is not None or "left_out" not in metadata
    }
