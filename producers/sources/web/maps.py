"""Lists of pages that sites give: sitemaps, indexes of them, and feeds."""

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from embedmill.producers.sources.web.addresses import Link, join

MOST_BYTES = 50 * 1024 * 1024
MOST_ENTRIES = 50_000
"""Of one map, by the protocol of sitemaps."""
DEEPEST = 4
"""Maps within maps."""

_START = re.compile(
    # Atomic: what came before the first element is read in one way only, however often it does not fit.
    rb"(?>\s+|<\?[^>]{0,500}\?>|<!--.{0,5000}?-->|<!DOCTYPE[^>\[]{0,500}(?:\[.*?\]\s*)?>)*+"
    rb"<(?:[\w.-]{1,40}:)?(urlset|sitemapindex|rss|feed|RDF)[\s>/]",
    re.DOTALL,
)
_ENTITIES = "addresses in it have entities of its own, which are not resolved, and were left out"
_GZIP = b"\x1f\x8b"


class MapKind(StrEnum):
    """What a list is."""

    SITEMAP = "sitemap"
    INDEX = "sitemap index"
    FEED = "feed"


_KINDS = {b"urlset": MapKind.SITEMAP, b"sitemapindex": MapKind.INDEX}


@dataclass(slots=True)
class Listed:
    """The pages in a list, or the lists in an index; `faults` are what is wrong with it."""

    kind: MapKind
    links: list[Link] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def kind_of(data: bytes) -> MapKind | None:
    """What list it is, by how it begins; None for what is none."""
    found = _START.match(data[:16_384].removeprefix(b"\xef\xbb\xbf"))
    return _KINDS.get(found[1], MapKind.FEED) if found else None


def unpacked(data: bytes) -> bytes:
    """What a compressed map holds, as far as a map may be long; damage ends it."""
    if not data.startswith(_GZIP):
        return data
    try:
        return zlib.decompressobj(47).decompress(data, MOST_BYTES)
    except zlib.error:
        return b""


def read_map(data: bytes, *, address: str) -> Listed | None:
    """The list in an answer's body, or None."""
    kind = kind_of(data)
    if kind is None:
        return None
    listed = Listed(kind)
    found = _read_feed(data, address) if kind is MapKind.FEED else _read_sitemap(data, listed)
    links: dict[str, Link] = {}
    for href in found:
        if (link := join(href, base=address)) is not None:
            links[link.address] = link
        if len(links) > MOST_ENTRIES:
            links.popitem()
            listed.faults.append(f"it has more than {MOST_ENTRIES:,} entries; the others were left out")
            break
    listed.links = list(links.values())
    return listed


def _read_sitemap(data: bytes, listed: Listed) -> Iterator[str]:
    """Every `loc` of an entry, whatever prefix it has; those of images and videos are others' names."""
    from lxml import etree

    events = etree.iterparse(
        io.BytesIO(data),
        events=("end",),
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for _, element in events:
            name = etree.QName(element).localname
            if name in ("url", "sitemap"):
                yield from _location(element, listed)
                _forget(element)
    except etree.XMLSyntaxError:
        listed.faults.append("it is damaged: what follows its last whole entry was not read")


def _location(entry: Any, listed: Listed) -> Iterator[str]:
    for child in entry:
        if isinstance(child.tag, str) and child.tag.rpartition("}")[2] == "loc" and _is_own(child.tag):
            # Entities are not resolved: an address with one in it is half an address.
            if not len(child):
                yield (child.text or "").strip()
            elif _ENTITIES not in listed.faults:
                listed.faults.append(_ENTITIES)
            return


def _is_own(tag: str) -> bool:
    return "/sitemap-" not in tag


def _forget(element: Any) -> None:
    element.clear()
    while element.getprevious() is not None:
        del element.getparent()[0]


def _read_feed(data: bytes, address: str) -> Iterator[str]:
    import feedparser

    feed = feedparser.parse(io.BytesIO(data), response_headers={"content-location": address})
    return (entry.link for entry in feed.entries if entry.get("link"))
