"""Owns JSON: one paragraph per record, one `path: value` line per value."""

import orjson

from embedmill.shared.redaction.link_tokens import without_tokens
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.text import read_text


def read(data: bytes, draft: Draft) -> None:
    """What does not parse, as JSON lines and JSON with comments do not, is kept as plain text."""
    text = draft.decode(data)
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        draft.note("not valid JSON; kept as plain text")
        read_text(without_tokens(text), draft)
        return
    for record in _records(value):
        draft.paragraph(without_tokens("\n".join(_lines(record))))


def _records(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _lines(record: object) -> list[str]:
    lines: list[str] = []
    pending: list[tuple[str, object]] = [("", record)]
    while pending:
        path, value = pending.pop()
        match value:
            case dict():
                pending.extend((_below(path, str(key)), item) for key, item in reversed(value.items()))
            case list():
                pending.extend((path, item) for item in reversed(value))
            case _:
                lines.append(_line(path, value))
    return lines


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _line(path: str, value: object) -> str:
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"{path}: {text}" if path else text
