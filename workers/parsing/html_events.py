"""Owns which elements of a page mean something to who walks over it, and what they meet, one after the other."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from embedmill.workers.parsing.html_lists import integer
from embedmill.workers.parsing.scripts import SUB, SUPER

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

BREAKS = frozenset({
    "address", "article", "aside", "blockquote", "body", "button", "caption", "center", "dd", "details", "dialog",
    "dir", "div",
    "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header",
    "hgroup", "hr", "legend", "li", "main", "menu", "ol", "p", "pre", "section", "summary", "table",
    "tbody", "td", "text", "textarea", "tfoot", "th", "thead", "tr", "ul",
})  # fmt: skip
SCRIPTS = {"sup": SUPER, "sub": SUB}
QUOTES = {"q": ("“", "”"), "s": ("~~", "~~"), "strike": ("~~", "~~"), "rt": ("(", ")")}
LISTS = frozenset({"ol", "ul", "dl", "menu", "dir"})
LISTED = {"select": "ul", "option": "li"}
"""Boxes whose options can be seen are lists of them."""
LEFT = BREAKS | SCRIPTS.keys() | QUOTES.keys() | {"a"}
ENTERED = LEFT | {"amp-img", "br", "img", "input", "math", "optgroup", "select", "svg"}
CLOSED = frozenset(("math", "select"))
"""What is not stepped into."""


def events(
    root: "LexborNode", skipped: set[int], whole: set[int], roles: dict[int, str], add: Callable[[str], None]
) -> "Iterator[tuple[str, LexborNode | None]]":
    """(tag, node) on entering, (tag, None) on leaving, of what means something; texts are added as they come.

    What is skipped is not entered at all; an equation, a closed choice, and what is taken whole, is not stepped into.
    `roles` are tags that stand for a node's own.
    """
    open_tags: list[str] = []
    node: LexborNode | None = root
    while node is not None:
        tag = node.tag or ""
        if tag == "-text":
            add(node.text_content or "")
        elif (key := node.mem_id) not in skipped:
            if roles:
                tag = roles.get(key, tag)
            if key in whole or (tag in CLOSED and not (tag in LISTED and is_list_box(node))):
                if tag in ENTERED:
                    yield tag, node
            else:
                tag = LISTED.get(tag, tag)
                if tag in ENTERED:
                    yield tag, node
                if (child := node.child) is not None:
                    open_tags.append(tag)
                    node = child
                    continue
                if tag in LEFT:
                    yield tag, None
        following = node.next if open_tags else None
        while following is None and open_tags and node is not None:
            if (tag := open_tags.pop()) in LEFT:
                yield tag, None
            node = node.parent
            following = node.next if open_tags and node is not None else None
        node = following


def is_list_box(select: "LexborNode") -> bool:
    """Whether all of its options can be seen; of others one is, until somebody opens them."""
    attributes = select.attributes
    return "multiple" in attributes or integer(attributes.get("size"), 1) > 1
