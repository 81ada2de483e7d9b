"""Owns the roles of HTML's elements, where they say what an element without a meaning of its own is."""

from typing import TYPE_CHECKING

from embedmill.workers.parsing.html_lists import integer

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_WITH_ROLES = frozenset("div p span strong b a h1 h2 h3 h4 h5 h6".split())
_TABLES = frozenset(("table", "grid", "treegrid"))
_SAID = ", ".join(f'[role="{role}"]' for role in ("heading", *sorted(_TABLES)))
_TABLE_TAGS = {
    **dict.fromkeys(_TABLES, "table"),
    "rowgroup": "tbody",
    "row": "tr",
    "cell": "td",
    "gridcell": "td",
    "columnheader": "th",
    "rowheader": "th",
}
"""Of what is within such a table, others included."""


_OPENERS = ", ".join(f"h{level} > button" for level in range(1, 7))
"""What opens the text below a heading is the heading's own words."""


def tags_by_role(tree: "LexborHTMLParser") -> dict[int, str]:
    """The tags that stand for elements without a meaning of their own, by their roles; cells only within a table."""
    tags = {node.mem_id: "span" for node in tree.css(_OPENERS)}
    for node in tree.css(_SAID):
        role = node.attributes.get("role")
        if role == "heading" and node.tag in _WITH_ROLES:
            tags[node.mem_id] = _heading_tag(node)
        elif role in _TABLES and node.tag in _WITH_ROLES and node.mem_id not in tags:
            inner = ((each, _TABLE_TAGS.get(each.attributes.get("role") or "")) for each in node.css("[role]"))
            tags |= {each.mem_id: tag for each, tag in inner if tag and each.tag in _WITH_ROLES}
            tags[node.mem_id] = "table"
    return tags


def _heading_tag(node: "LexborNode") -> str:
    """The tag of a heading of that level; a role without a level is of the second."""
    return f"h{min(max(integer(node.attributes.get('aria-level'), 2), 1), 6)}"
