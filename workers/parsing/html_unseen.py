"""Owns what of a page nobody sees, and what is only folded until somebody opens it."""

import re
from typing import TYPE_CHECKING

from embedmill.workers.parsing.html_names import PageNames

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_HIDDEN = '[hidden]:not([hidden="until-found"]), [style*="display:none"], [style*="display: none"]'
# What elements have in their markup, or in their names: most pages have none of it, and a selector looks at them all.
_WRITTEN = (
    ("hidden", '[hidden]:not([hidden="until-found"])'),
    ("display:", '[style*="display:none"], [style*="display: none"]'),
    ("<del", "del"),
    ("doc-backlink", '[role="doc-backlink"]'),
    # Of drawings: who draws says them, where they are said.
    ("<svg", "title, desc, metadata"),
)
_NAMED = (
    # Numbers of lines beside code, and equations that are drawn beside their markup.
    ("lineno", "td.linenos, .linenodiv, pre .lineno, pre .linenos"),
    ("linenumbers", "td.linenumbers"),
    ("katex", ".katex-html"),
    ("footnote-back", ".footnote-back"),
    # Names of signs in a font of signs, and what MediaWiki writes beside headings and notes for those who edit.
    ("material-", ".material-icons, .material-symbols-outlined"),
    ("mw-", ".mw-editsection, .mw-jump-link, .mw-cite-backlink"),
)

_SHADOW = re.compile(r"<template(?=[^<>]*\sshadowroot)", re.IGNORECASE)
_OVER_THE_PAGE = frozenset(("dialog", "alertdialog", "menu", "listbox", "tooltip"))


def with_shadows(markup: str) -> str:
    """Templates that a browser shows at once, as parts of the page."""
    return _SHADOW.sub("<div", markup) if "shadowroot" in markup else markup


def unseen(tree: "LexborHTMLParser", markup: str, names: PageNames) -> set[int]:
    """By the nodes' `mem_id`."""
    wanted = [selector for word, selector in _WRITTEN if word in markup]
    wanted += [selector for word, selector in _NAMED if names.holds(word)]
    if tree.head is None or tree.head.css_first("title") is None:
        wanted.append("title")
    if not wanted:
        return set()
    found = {node.mem_id for node in tree.css(", ".join(wanted))}
    return found - _folded(tree) if "tabpanel" in markup or "aria-controls" in markup else found


def _folded(tree: "LexborHTMLParser") -> set[int]:
    """What a tab or a heading beside it opens; a menu or a dialogue is no part of the text."""
    openers = (node.attributes for node in tree.css("[aria-controls]"))
    opened = {key for told in openers if "aria-haspopup" not in told for key in (told["aria-controls"] or "").split()}
    return {
        node.mem_id
        for node in tree.css(_HIDDEN)
        if (role := node.attributes.get("role") or "") == "tabpanel"
        or (node.attributes.get("id") in opened and role not in _OVER_THE_PAGE and node.tag != "nav")
    }
