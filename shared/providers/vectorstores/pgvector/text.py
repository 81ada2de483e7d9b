"""Owns what Postgres cannot hold as it is: NUL characters in text."""

import re
from typing import Any

# A noncharacter, which no text means anything by; doubled where it is there all the same.
ESCAPE = "\ufdd0"
ESCAPED = re.compile(f"{ESCAPE}([01])")


def without_nul(text: str) -> str:
    """The text as Postgres takes it; `with_nul` is its inverse."""
    if "\0" not in text and ESCAPE not in text:
        return text
    return text.replace(ESCAPE, f"{ESCAPE}1").replace("\0", f"{ESCAPE}0")


def with_nul(text: str) -> str:
    """The text as it was."""
    if ESCAPE not in text:
        return text
    return ESCAPED.sub(lambda found: "\0" if found[1] == "0" else ESCAPE, text)


def map_strings(value: Any, change: Any) -> Any:
    """A JSON document with every string in it changed, names of fields too."""
    match value:
        case str():
            return change(value)
        case dict():
            return {change(name): map_strings(held, change) for name, held in value.items()}
        case list() | tuple():
            return [map_strings(held, change) for held in value]
    return value
