"""The vendors' published schemas as validators that know every field they allow, and refuse the others."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from pydantic import BaseModel

FOLDER = Path(__file__).parent


def problems(spec: str, schema: str, instance: Any) -> list[str]:
    """What a vendor's schema has against an instance, as `place: message`; empty when it is valid."""
    schemas = json.loads((FOLDER / f"{spec}.json").read_text("utf-8"))["schemas"]
    closed = {name: _closed(_readable(body)) for name, body in schemas.items()}
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": {"schemas": closed}})
    return [_told(error) for error in validator.iter_errors(instance)]


def unknown_fields(model: BaseModel, place: str = "") -> Iterator[str]:
    """Fields of an answer that the SDK's models do not know, wherever they are."""
    for name in model.model_extra or {}:
        yield f"{place}.{name}"
    for name in type(model).model_fields:
        yield from _unknown_in(getattr(model, name), f"{place}.{name}")


def _unknown_in(value: Any, place: str) -> Iterator[str]:
    match value:
        case BaseModel():
            yield from unknown_fields(value, place)
        case list():
            for number, entry in enumerate(value):
                yield from _unknown_in(entry, f"{place}[{number}]")


def _readable(node: Any) -> Any:
    """OpenAPI 3.0 says `nullable` where JSON Schema has a type, and formats of numbers that mean nothing here."""
    match node:
        case dict():
            read = {name: _readable(value) for name, value in node.items()}
            if read.pop("nullable", False) and "type" in read:
                read["type"] = [read["type"], "null"]
            return read
        case list():
            return [_readable(value) for value in node]
    return node


def _closed(node: Any) -> Any:
    """An object with properties has no others, unless it is a part of a larger one."""
    match node:
        case dict():
            parts = {name: value if name in ("allOf", "anyOf") else _closed(value) for name, value in node.items()}
            if "properties" in parts and isinstance(parts["properties"], dict):
                return {"additionalProperties": False} | parts
            return parts
        case list():
            return [_closed(value) for value in node]
    return node


def _told(error: ValidationError) -> str:
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
