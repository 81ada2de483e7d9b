"""Owns feeds (RSS, Atom) and outlines (OPML): entries under their titles, each a part of its own."""

import re
from html import unescape

from embedmill.workers.parsing.draft import Draft, one_line
from embedmill.workers.parsing.html import read_markup
from embedmill.workers.parsing.markup_in_xml import is_markup
from embedmill.workers.parsing.xml import Element, all_text, attribute, local_name

_ENTRIES = frozenset(("item", "entry"))
_BODIES = ("encoded", "content", "description", "summary")
_TAG = re.compile(r"<[^<>]*>")


def read_outline(root: Element, draft: Draft) -> None:
    """OPML has its words in attributes."""
    draft.title = root.findtext("head/title") or ""
    draft.heading(draft.title, level=1)
    for outline in root.iter("outline"):
        depth = sum(1 for _ in outline.iterancestors("outline"))
        text, note = outline.get("text") or outline.get("title") or "", outline.get("_note") or ""
        link = outline.get("xmlUrl") or outline.get("url") or ""
        draft.list_item("\n".join(filter(None, (text, note, link))), marker="-", depth=depth)


def read_feed(root: Element, draft: Draft) -> None:
    """The feed's own title and words, then each entry under its title."""
    channel = next((each for each in root if local_name(each) == "channel"), root)
    draft.title = _child(channel, "title")
    draft.heading(draft.title, level=1)
    draft.paragraph(_child(channel, "description", "subtitle"))
    for entry in root.iter():
        if local_name(entry) in _ENTRIES:
            draft.part()
            _read_entry(entry, draft)


def _read_entry(entry: Element, draft: Draft) -> None:
    draft.heading(_plain(_child(entry, "title")), level=2)
    about = _child(entry, "creator", "author"), _child(entry, "pubDate", "published", "updated", "date"), _link(entry)
    draft.paragraph("\n".join(filter(None, about)))
    found = {local_name(child): child for child in entry if local_name(child) in _BODIES}
    body = next((found[name] for name in _BODIES if name in found), None)
    if body is not None:
        read_markup(_inner(body), draft)


def _plain(title: str) -> str:
    """A title that is written as HTML, as words."""
    return unescape(_TAG.sub("", title) if is_markup(title) else title)


def _inner(body: Element) -> str:
    """The HTML that a feed quotes, or holds as elements; plain words pass through HTML as they are."""
    if not len(body):
        return body.text or ""
    return all_text(body)


def _link(entry: Element) -> str:
    link = next((child for child in entry if local_name(child) == "link"), None)
    return "" if link is None else (link.text or "").strip() or attribute(link, "href")


def _child(element: Element, *names: str) -> str:
    return next((text for child in element if local_name(child) in names and (text := one_line(all_text(child)))), "")
