"""Sitemaps, indexes and feeds are read within bounds, and told from pages."""

import gzip

import pytest

from embedmill.producers.sources.web import maps
from embedmill.producers.sources.web.maps import MapKind, kind_of, read_map, unpacked

ADDRESS = "https://docs.example/maps/a.xml"
SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def sitemap(*entries: str) -> bytes:
    return (
        f"<?xml version='1.0'?><urlset {SPACE}>{''.join(f'<url>{entry}</url>' for entry in entries)}</urlset>".encode()
    )


def addresses(data: bytes) -> list[str]:
    listed = read_map(data, address=ADDRESS)
    assert listed
    return [link.address.removeprefix("https://docs.example") for link in listed.links]


def test_the_pages_of_a_sitemap_are_read_each_once_and_relative_ones_too() -> None:
    data = sitemap(
        "<loc>\n https://docs.example/a </loc><lastmod>2026-01-01</lastmod>",
        "<loc>/b?x=1&amp;y=2</loc>",
        "<loc>https://docs.example/a</loc>",
        "<loc>mailto:x</loc>",
        "<lastmod>2026-01-01</lastmod>",
    )
    assert addresses(data) == ["/a", "/b?x=1&y=2"]


def test_images_of_an_entry_are_no_pages() -> None:
    image = "<i:image xmlns:i='http://www.google.com/schemas/sitemap-image/1.1'><i:loc>/i.png</i:loc></i:image>"
    assert addresses(sitemap(f"{image}<loc>/a</loc>")) == ["/a"]


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (sitemap(), MapKind.SITEMAP),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- by x --><?style x?><s:sitemapindex >", MapKind.INDEX),
        (b'<rss version="2.0">', MapKind.FEED),
        (b'<feed xmlns="http://www.w3.org/2005/Atom">', MapKind.FEED),
        (b"<rdf:RDF >", MapKind.FEED),
        (b"<!doctype html><html>", None),
        (b"<html><urlset>", None),
        (b"<?xml version='1.0'?><book>", None),
        (b"", None),
    ],
)
def test_lists_are_told_by_their_beginning(data: bytes, kind: MapKind | None) -> None:
    assert kind_of(data) == kind


def test_the_entries_before_damage_are_read_and_the_damage_is_named() -> None:
    listed = read_map(sitemap("<loc>/a</loc>", "<loc>/b</loc>")[:-30], address=ADDRESS)
    assert listed
    assert [link.address for link in listed.links] == ["https://docs.example/a"]
    assert "damaged" in listed.faults[0]


def test_no_more_entries_are_read_than_a_map_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "MOST_ENTRIES", 20)
    listed = read_map(sitemap(*(f"<loc>/{number}</loc>" for number in range(21))), address=ADDRESS)
    assert listed
    assert len(listed.links) == 20
    assert "more than 20 entries" in listed.faults[0]


def test_entities_lead_nowhere() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "%s"><!ENTITY f SYSTEM "file:///etc/passwd">]>' % (b"/a" * 100)
    data = bomb + b"<urlset><url><loc>/x&a;</loc></url><url><loc>&f;</loc></url><url><loc>/b</loc></url></urlset>"
    assert read_map(data, address=ADDRESS) is None or "root:" not in str(addresses(data))


def test_a_compressed_map_is_unpacked_and_a_damaged_one_is_none() -> None:
    assert unpacked(gzip.compress(sitemap("<loc>/a</loc>"))) == sitemap("<loc>/a</loc>")
    assert unpacked(gzip.compress(b"x" * 1000)[:-20] + b"damage") != b"x" * 1000
    assert read_map(unpacked(b"\x1f\x8bdamage"), address=ADDRESS) is None


RSS = b"""<rss version="2.0"><channel><link>https://docs.example/</link>
<item><title>1</title><link>/news/1?utm_source=rss</link><guid>x-1</guid></item>
<item><link>https://other.example/2</link></item><item><title>no link</title></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:base="https://docs.example/blog/"><entry><id>tag:1</id>
<link rel="alternate" href="one.html"/><link rel="edit" href="/edit/1"/></entry></feed>"""


def test_the_pages_of_a_feed_are_its_links_and_not_its_ids() -> None:
    assert addresses(RSS) == ["/news/1", "https://other.example/2"]
    assert addresses(ATOM) == ["/blog/one.html"]


def test_a_damaged_feed_gives_what_it_can() -> None:
    assert addresses(RSS[:-40]) == ["/news/1", "https://other.example/2"]


DOCTYPE = '<!DOCTYPE urlset [<!-- a > b --> <!ENTITY who "mallory"> <!ENTITY home SYSTEM "file:///etc/passwd">]>'


def test_a_sitemap_with_an_internal_dtd_is_a_sitemap_without_entities() -> None:
    data = sitemap("<loc>/a</loc>", "<loc>/b&who;</loc>", "<loc>&home;</loc>").replace(
        b"<urlset", DOCTYPE.encode() + b"<urlset"
    )
    assert addresses(data) == ["/a"]
    listed = read_map(data, address=ADDRESS)
    assert listed
    assert len(listed.faults) == 1
    assert "entities" in listed.faults[0]


@pytest.mark.parametrize("piece", [b"<!---->", b"<?xml ?>", b"<!DOCTYPE a[]>", b" "])
def test_the_beginning_of_what_is_no_list_is_read_in_one_way(piece: bytes) -> None:
    assert kind_of(piece * 2000 + b"<html>") is None
