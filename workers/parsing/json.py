"""Owns JSON: one paragraph per record, one `path: value` line per value."""

import orjson

from embedmill.shared.redaction.link_tokens import without_tokens
from embedmill.workers.parsing.draft import Draft
from embedmill.workers.parsing.text import read_text


def read(data: bytes, draft: Draft) -> None:
    """What does not parse, as JSON with comments does not, is kept as plain text."""
    text = draft.decode(data)
    records = _records(text)
    if records is None:
        draft.note("not valid JSON; kept as plain text")
        read_text(without_tokens(text), draft)
        return
    for record in records:
        draft.paragraph(without_tokens("\n".join(_lines(record))))


def _records(text: str) -> list[object] | None:
    """Those of a list, or of a file with an object on each line; None of what is neither."""
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) < 2 or not all(line.lstrip().startswith(("{", "[")) for line in lines):
            return None
        try:
            return [orjson.loads(line) for line in lines]
        except orjson.JSONDecodeError:
            return None
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
