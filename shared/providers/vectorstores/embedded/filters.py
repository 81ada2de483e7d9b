"""Owns the translation of a query's filter into SQL over the `vectors` table."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

COLUMNS = frozenset({"document", "uri"})

METADATA_CONDITION = """EXISTS (
    SELECT 1 FROM json_each(vectors.metadata) AS field WHERE field.key = ? AND (
        field.value IN (SELECT value FROM json_each(?)) OR EXISTS (
            SELECT 1 FROM json_each(iif(field.type = 'array', field.value, '[]')) AS item
            WHERE item.value IN (SELECT value FROM json_each(?))
        )
    )
)"""


def where_clause(filter: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Conditions joined by AND, and their parameters; a metadata list matches when it holds one of the values."""
    conditions: list[str] = []
    parameters: list[str] = []
    for name, wanted in filter.items():
        values = orjson.dumps(_as_list(wanted)).decode()
        if name in COLUMNS:
            conditions.append(f"vectors.{name} IN (SELECT value FROM json_each(?))")
            parameters.append(values)
        else:
            conditions.append(METADATA_CONDITION)
            parameters.extend((name, values, values))
    return " AND ".join(conditions) or "1", parameters


def _as_list(wanted: Any) -> list[Any]:
    if isinstance(wanted, Sequence | set | frozenset) and not isinstance(wanted, str):
        return list(wanted)
    return [wanted]
