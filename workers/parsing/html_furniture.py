"""Owns what is on every page of a site and about none: navigation, footers, cookie notes, lists of languages."""

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from embedmill.workers.parsing.html_names import PageNames, plain_values

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

MOST = 0.35
"""Share of a page's text from which on a part of it is no furniture, whatever it is called."""

MOST_NAMED = 2000
"""Parts of a page that are looked at; each costs the length of its text."""

MAIN = 0.5
"""Share of a page's text from which on what calls itself the main part is all that is read."""

LANGUAGES = 2
"""Links to other languages from which on they are a list of them."""

_LANGUAGES_LABEL = 40
"""Characters that may stand before them."""

_CERTAIN = 'nav, [role="navigation"], [role="contentinfo"], [role="search"], footer'
_HINTS = (
    "nav footer breadcrumb cookie consent gdpr sidebar toolbar prev next lang skip related pag share social menu "
    "search to-top totop to_top widget newsletter mw-panel portlet catlinks sitesub sitenotice"
).split()
_WORD = re.compile(
    r"""(?:.*[-_])?
    (?: (?:site|page|top|main|sub|global|local|side|doc)?nav(?:bar|igation|header|footer|links?|list|menu|tree)?
      | (?:site|page|doc|global)?footer | breadcrumbs? | cookies? | consent | gdpr | (?:sphinx)?sidebar(?:wrapper)?
      | toolbar | prev(?:ious)?next | toplang | bottomlang | pagination | pager | menubar
      | lang(?:uage)?s?[-_]?(?:switch(?:er)?|list|select(?:or)?|menu|chooser|container|bar)
      | search[-_]?(?:box|bar|form|menu|field) | skip[-_]?(?:to[-_]?\w+|links?|nav) | social
      | share[-_]?(?:bar|links?|buttons?) | (?:back|scroll|go)?[-_]?to[-_]?top | widget[-_]?area | newsletter
      | mw-panel | mw-portlet | vector-menu | catlinks | site[-_]?(?:sub|notice)
    )(?:[-_].*)?
    | (?:prev(?:ious)?|next)(?:[-_]?(?:links?|page|post|button|btn))? | menu
    | related(?:[-_](?:links|posts|articles|products|items|stories|content|reading|questions|topics|videos))?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SIGN_LINKS = 'a[href^="#"], a.headerlink'
_COPIES = 'button[class*="copy" i], button[aria-label*="copy" i], button[title*="copy" i]'
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ANY_HEADING = "h1, h2, h3, h4, h5, h6"
_NO_WORD = re.compile(r"[\W_]+")
_CONTENT = "main, article, h1, [role=main]"
_PARTS_OF_TEXT = frozenset({
    "body", "html", "main", "article", "td", "th", "tr", "tbody", "thead", "tfoot", "span", "code", "pre", "h1", "h2",
    "h3", "h4", "h5", "h6", "dt", "dd", "label", "input",
})  # fmt: skip
# These names are given to boxes in a text too; around navigation, most of what they hold is links.
_BOX = re.compile(r".*(?:sidebar|toolbar|menu|social|share|related|widget|portlet|catlinks|panel).*", re.IGNORECASE)
_ASKING = re.compile(r".*newsletter.*", re.IGNORECASE)
"""A text may be about one; a box that asks for an address has a field for it."""
_LINES = frozenset({"p", "li", "dt", "dd"})
LINKS = 0.5
"""Share of the text of such a box that must be links."""
_SIGNS = re.compile("[¶#§†↩⏎\u2191⚓🔗\ufe0e\ufe0f\\s]*")


def furniture(tree: "LexborHTMLParser", markup: str, names: PageNames) -> set[int]:
    """What a site put around a page's text, by the nodes' `mem_id`; `markup` is what the tree was made of."""
    body = tree.body
    if body is None:
        return set()
    total = _characters(body)
    named = _named(names)
    called = body.css(_CERTAIN)[:MOST_NAMED]
    if named:
        called += filter(_is_called_so, body.css(named)[:MOST_NAMED])
    found = {node.mem_id for node in called if not _holds_the_text(node, total)}
    if "hreflang" in markup:
        found.update(node.mem_id for node in _language_lists(body))
    found.update(node.mem_id for node in body.css(_SIGN_LINKS) if _is_sign(node))
    if "<button" in markup:
        found.update(node.mem_id for node in body.css(_COPIES))
    return found


def _named(names: PageNames) -> str:
    """The selector of nodes that are called so; "" for none. Few names are, and most stand at many nodes."""
    if not (hints := [hint for hint in _HINTS if hint in names.written]):
        return ""
    classes = {name for told in plain_values(names.classes, hints) for name in told.split()}
    ids = set(plain_values(names.ids, hints))
    wanted = [f"[class~={_quoted(name)}]" for name in sorted(classes) if _is_name(name)]
    return ", ".join(wanted + [f"[id={_quoted(name)}]" for name in sorted(ids) if _is_name(name)])


def _is_name(name: str) -> bool:
    return _WORD.fullmatch(_CAMEL.sub("-", name)) is not None


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def has_title(root: "LexborNode") -> bool:
    """Whether a top heading says where the text begins."""
    return root.css_first("h1") is not None


def main_part(tree: "LexborHTMLParser") -> "LexborNode | None":
    """The part of a page that holds its text, or its whole body."""
    body = tree.body
    if body is None:
        return None
    parts = tree.css("main, [role=main], article")
    found = [part for part in parts if part.tag != "article" or part.attributes.get("role") == "main"] or parts
    if len(found) == 1 and _characters(found[0]) > MAIN * _characters(body):
        return found[0]
    return body


def _characters(node: "LexborNode") -> int:
    return len(node.text())


def _holds_the_text(node: "LexborNode", total: int) -> bool:
    """A footer in a quotation names whom it quotes."""
    if node.tag in _PARTS_OF_TEXT or (node.parent is not None and node.parent.tag == "blockquote"):
        return True
    return node.css_first(_CONTENT) is not None or _characters(node) > MOST * total


def _is_called_so(node: "LexborNode") -> bool:
    attributes = node.attributes
    names = (attributes.get("class") or "").split()
    key = attributes.get("id") or ""
    if key and not _is_section(node, key):
        names.append(key)
    called = [name for name in names if _is_name(name)]
    if not called:
        return False
    if all(map(_ASKING.fullmatch, called)):
        return node.css_first("input, form") is not None
    is_certain = node.tag not in _LINES and not all(map(_BOX.fullmatch, called))
    return is_certain or _is_links(node)


def _is_section(node: "LexborNode", key: str) -> bool:
    """Whether an id is made from the heading, as documentation's tools make them: a section on cookies is no banner."""
    heading = node.css_first(_ANY_HEADING)
    if heading is None:
        return False
    return _slug(heading.text()).endswith(_slug(key))


def _slug(text: str) -> str:
    return _NO_WORD.sub("-", text.lower()).strip("-")


def _is_links(node: "LexborNode") -> bool:
    if node.tag == "table":
        return False
    links = [node] if node.tag == "a" else node.css("a[href], select, button")
    return sum(map(_characters, links)) >= LINKS * _characters(node)


def _language_lists(body: "LexborNode") -> "list[LexborNode]":
    """What holds little else than links to the page in other languages."""
    links: dict[int, list[LexborNode]] = defaultdict(list)
    holders: dict[int, LexborNode] = {}
    for link in body.css("a[hreflang]"):
        holder = link.parent
        if holder is not None and holder.tag == "li":
            holder = holder.parent
        if holder is not None:
            links[holder.mem_id].append(link)
            holders[holder.mem_id] = holder
    return [
        holders[key]
        for key, found in links.items()
        if len(found) >= LANGUAGES
        and holders[key].tag not in _PARTS_OF_TEXT
        and sum(map(_characters, found)) * 2 + _LANGUAGES_LABEL > _characters(holders[key])
    ]


def _is_sign(link: "LexborNode") -> bool:
    """A link to where it stands, shown as a sign; a picture in it says something else."""
    attributes = link.attributes
    if "headerlink" in (attributes.get("class") or "").split():
        return True
    text = link.text()
    if len(text) > 8 or not text.strip() or not _SIGNS.fullmatch(text):
        return False
    return link.parent is None or link.parent.tag != "sup"
