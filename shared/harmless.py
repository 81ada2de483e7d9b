"""Text from documents, ids and providers, made harmless for whoever prints it."""

import re

# What moves a cursor, clears a screen, sets a title, hides or turns text, or forges a line: control characters, line
# and paragraph separators, marks of direction (CVE-2021-42574), tags, and halves of surrogate pairs.
_HARMFUL = (
    "\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_IN_TEXT = re.compile(f"[\x00-\x1f{_HARMFUL}]")
_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_HARMFUL}]")
_IN_JSON = re.compile(f"[{_HARMFUL}]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def harmless(text: str) -> str:
    """The same text on one line, with every character that a terminal would obey written as an escape."""
    return _IN_TEXT.sub(_escape, text)


def harmless_lines(text: str) -> str:
    """The same text on its lines, with every other character that a terminal would obey written as an escape."""
    return _IN_LINES.sub(_escape, text.replace("\r\n", "\n"))


def harmless_json(document: str) -> str:
    """The same JSON: what a terminal would obey stands as an escape, as JSON allows in any string.

    Control characters below U+0020 are escaped by whatever wrote the JSON.
    """
    return _IN_JSON.sub(_escape_json, document)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if named := _NAMED.get(character):
        return named
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escape_json(found: re.Match[str]) -> str:
    units = found[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
