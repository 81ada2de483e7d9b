"""Owns property lists, as Apple's programs keep values in XML: a line with its path for each."""

from collections.abc import Iterator

from embedmill.workers.parsing.draft import one_line
from embedmill.workers.parsing.xml import Element, all_text, local_name

_TRUTHS = frozenset(("true", "false"))
_GROUPS = frozenset(("dict", "array", "plist"))


def properties(root: Element) -> Iterator[str]:
    """`path: value`, as of JSON."""
    pending = [("", root)]
    while pending:
        path, element = pending.pop()
        name = local_name(element)
        if name in _GROUPS:
            pending.extend(reversed(list(_members(path, element))))
        elif name in _TRUTHS:
            yield f"{path}: {name}" if path else name
        elif name and name != "data" and (text := one_line(all_text(element))):
            yield f"{path}: {text}" if path else text


def _members(path: str, group: Element) -> Iterator[tuple[str, Element]]:
    key = ""
    for child in group:
        if local_name(child) == "key":
            key = one_line(all_text(child))
        elif local_name(child):
            yield ".".join(filter(None, (path, key))), child
            key = ""
