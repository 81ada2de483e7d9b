"""What a page says of itself to whoever crawls it: its links, its address, what it asks for, and what it says at all.

Its text for readers is read elsewhere, by a parser in a process of its own; here only whether it says something new.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from embedmill.producers.sources.web.addresses import Link, join
from embedmill.producers.sources.web.client import AnswerHead
from embedmill.producers.sources.web.walls import describe_wall, find_signs
from embedmill.shared.encoding import decode
from embedmill.shared.markup import bounded, declared_encoding, is_tangled

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

MOST_LINKS = 10_000
OUR_NAME = "embedmill"
"""By which rules of sites address us."""

TANGLED = "its elements are nested without end"

_UNREAD = ["script", "style", "template", "svg", "noscript"]
_LINKS = "a[href], area[href], iframe[src], frame[src], link[rel~=next][href]"
_HEADINGS = "h1, h2, h3, h4, h5, h6"
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]+)""", re.IGNORECASE)
_REFRESH = re.compile(r"""\s*(\d{1,4})[\d.]*\s*[;,]?\s*(?:url\s*=\s*)?["']?([^"'>]+)""", re.IGNORECASE)
_SOONEST_SECONDS = 10
_CANONICAL_HEADER = re.compile(r"""<([^>]+)>[^,<]*;\s*rel\s*=\s*["']?[^,"']*\bcanonical\b""", re.IGNORECASE)
_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A page of HTML.

    `content_hash` is of what readers see; `likeness` is the same for pages that differ in numbers only. `canonical` is
    the one address that the page gives itself, or "". `wall` says why it is taken for no document, though it has text.
    """

    markup: str
    title: str
    content_hash: str
    likeness: str
    links: tuple[Link, ...] = ()
    canonical: str = ""
    directives: frozenset[str] = field(default=frozenset())
    moved_to: Link | None = None
    language: str = ""
    wall: str = ""


def read_page(data: bytes, head: AnswerHead) -> HtmlPage:
    """The page in an answer; raises UnsupportedDocument for bytes that are no text."""
    from selectolax.lexbor import LexborHTMLParser

    markup, charset = _decoded(data, head.first("content-type"))
    if is_tangled(markup):
        return HtmlPage(markup, "", _hash(markup), likeness(markup), directives=directives(head), wall=TANGLED)
    tree = LexborHTMLParser(bounded(markup))
    base = _base(tree, head.address)
    title = _title(tree)
    links = tuple(_links(tree, base, charset))
    asks = directives(head) | _asks(tree)
    canonical, moved_to = _canonical(tree, head, base, charset), _refresh(tree, base)
    signs = find_signs(tree, title)
    tree.strip_tags(_UNREAD)
    text = _text(tree)
    headings = [heading.text() for heading in tree.css(_HEADINGS)]
    return HtmlPage(
        markup,
        title,
        _hash(title, text, *headings),
        likeness(title, text),
        () if "nofollow" in asks else links,
        canonical,
        asks,
        moved_to,
        _language(tree),
        describe_wall(signs, tree) or ("" if text else "it holds no text"),
    )


def likeness(*texts: str) -> str:
    """The same for texts that differ in numbers only."""
    return _hash(*(_NUMBERS.sub("", text) for text in texts))


def directives(head: AnswerHead) -> frozenset[str]:
    """What an answer's headers ask of us: `noindex`, `nofollow`."""
    return _wanted(word for line in head.headers.get("x-robots-tag", "").split("\n") for word in _addressed(line))


def _addressed(line: str) -> Iterator[str]:
    """The words of a header's line that are for everybody, or for us by name."""
    agent = OUR_NAME
    for word in line.lower().split(","):
        before, colon, after = word.rpartition(":")
        if colon and " " not in before.strip():
            agent = before.strip()
        if agent == OUR_NAME:
            yield after.strip()


def _wanted(words: Iterable[str]) -> frozenset[str]:
    found = {word.strip() for word in words}
    return frozenset(known for known in ("noindex", "nofollow") if known in found or "none" in found)


def _asks(tree: "LexborHTMLParser") -> frozenset[str]:
    metas = (meta.attributes for meta in tree.css("meta[name][content]"))
    contents = (meta["content"] or "" for meta in metas if (meta["name"] or "").lower() in ("robots", OUR_NAME))
    return _wanted(word for content in contents for word in content.lower().split(","))


def decoded(data: bytes, content_type: str) -> str:
    """Text by what it shows, by the header, by what the page declares, or by a guess; in this order."""
    return _decoded(data, content_type)[0]


def _decoded(data: bytes, content_type: str) -> tuple[str, str]:
    by_header = _CHARSET.search(content_type)
    within = declared_encoding(data)
    found = decode(data, declared=by_header[1] if by_header else within)
    if found.refuted and by_header and within:
        found = decode(data, declared=within)
    # Queries of links are written in the page's own charset, which Unicode's are not told from here.
    charset = within or (by_header[1] if by_header else "utf-8")
    return found.text, charset if _is_known(charset) else "utf-8"


def _is_known(charset: str) -> bool:
    try:
        "".encode(charset)
    except LookupError:
        return False
    return True


def _base(tree: "LexborHTMLParser", address: str) -> str:
    node = tree.css_first("head base[href]")
    link = join(_attribute(node, "href"), base=address) if node else None
    return link.asked if link else address


def _title(tree: "LexborHTMLParser") -> str:
    node = tree.css_first("head > title")
    return " ".join(node.text().split()) if node else ""


def _links(tree: "LexborHTMLParser", base: str, charset: str) -> Iterator[Link]:
    found: dict[str, None] = {}
    for node in tree.css(_LINKS):
        if "nofollow" not in _attribute(node, "rel").lower().split():
            found[_attribute(node, "href") or _attribute(node, "src")] = None
        if len(found) >= MOST_LINKS:
            break
    links = (join(href, base=base, charset=charset) for href in found)
    return iter({link.address: link for link in links if link}.values())


def _canonical(tree: "LexborHTMLParser", head: AnswerHead, base: str, charset: str) -> str:
    """Where a page is at home by its own word; two words are none, and a word in its body is not its own."""
    written = [_attribute(node, "href") for node in tree.css("head link[rel~=canonical i][href]")]
    written += [found[1] for found in _CANONICAL_HEADER.finditer(head.headers.get("link", ""))]
    links = {link.address for href in written if (link := join(href, base=base, charset=charset))}
    return links.pop() if len(links) == 1 else ""


def _refresh(tree: "LexborHTMLParser", base: str) -> Link | None:
    """Where readers are sent at once."""
    node = tree.css_first('meta[http-equiv="refresh" i][content]')
    found = _REFRESH.match(_attribute(node, "content")) if node else None
    return join(found[2], base=base) if found and int(found[1]) <= _SOONEST_SECONDS else None


def _language(tree: "LexborHTMLParser") -> str:
    return _attribute(tree.root, "lang").strip()[:35] if tree.root else ""


def _text(tree: "LexborHTMLParser") -> str:
    return " ".join(tree.body.text(separator=" ").split()) if tree.body else ""


def _attribute(node: "LexborNode", name: str) -> str:
    return node.attributes.get(name) or ""


def _hash(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "replace")).hexdigest()
