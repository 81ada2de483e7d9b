"""Sitemaps, indexes and feeds as sources and in crawls: each page once, each fault named, and nothing leaves a list."""

import gzip

import pytest

from embedmill.producers.sources.base import Departed, HeldItem, Kept, Problem
from tests.producers.sources.web.crawling import Reader, reader
from tests.services.site import Reply, Site, html, prose


def sitemap(site: Site, *paths: str, index: bool = False) -> bytes:
    tag = "sitemap" if index else "url"
    entries = "".join(f"<{tag}><loc>{path if '://' in path else site.url + path}</loc></{tag}>" for path in paths)
    return f"<{tag}{'index' if index else 'set'}>{entries}</{tag}{'index' if index else 'set'}>".encode()


def feed(site: Site, *paths: str) -> bytes:
    items = "".join(f"<item><link>{path if '://' in path else site.url + path}</link></item>" for path in paths)
    return f'<rss version="2.0"><channel>{items}</channel></rss>'.encode()


@pytest.fixture
def pages(site: Site) -> Site:
    """Five pages that nothing links to."""
    for number in range(5):
        site.versioned(f"/{number}", prose(f"p{number}x") + '<a href="/else">else</a>', etag=f'"{number}"')
    return site


def read_list(site: Site, data: bytes, path: str = "/map.xml") -> Reader:
    site.at(path, data, media_type="application/xml")
    return reader(site, path).read()


def test_the_pages_of_a_sitemap_are_documents_and_their_links_are_not_followed(pages: Site) -> None:
    read = read_list(pages, sitemap(pages, "/0", "/1", "/2"))
    assert read.pages == ["/0", "/1", "/2"]
    assert "/else" not in {asked.path for asked in pages.asked}
    assert sorted(read.read().of(Kept)) == ["/0", "/1", "/2"]


def test_a_page_that_is_taken_off_a_sitemap_is_asked_itself(pages: Site) -> None:
    read = read_list(pages, sitemap(pages, "/0", "/1", "/2"))
    pages.at("/map.xml", sitemap(pages, "/0"), media_type="application/xml")
    del pages.replies["/2"]
    read.read()
    assert read.of(Departed) == ["/2"]
    assert read.pages == ["/0", "/1"]


def test_an_index_leads_to_each_map_once_whatever_its_kind(pages: Site) -> None:
    pages.at("/a.xml?n=1", sitemap(pages, "/0"), media_type="text/xml")
    pages.at("/a.xml?n=2", sitemap(pages, "/1"), media_type="text/html")
    pages.at("/b.xml.gz", gzip.compress(sitemap(pages, "/2")), media_type="application/gzip")
    read = read_list(pages, sitemap(pages, "/map.xml", "/a.xml?n=1", "/a.xml?n=2", "/b.xml.gz", index=True))
    assert read.pages == ["/0", "/1", "/2"]
    assert [asked.path for asked in pages.asked].count("/map.xml") == 1
    assert not read.reasons(Problem)


def test_faults_of_maps_are_named_and_the_rest_is_read(pages: Site) -> None:
    pages.at("/page", prose("page"))
    pages.at("/cut.xml", sitemap(pages, "/0", "/1")[:-40], media_type="text/xml")
    pages.at("/away.xml", Reply(b"", 500))
    for depth in range(1, 5):
        pages.at(f"/deep{depth}.xml", sitemap(pages, f"/deep{depth + 1}.xml", index=True), media_type="text/xml")
    maps = sitemap(pages, "/page", "/gone.xml", "/away.xml", "/cut.xml", "/deep1.xml", index=True)
    read = read_list(pages, maps)
    assert read.pages == ["/0"]
    assert set(read.reasons(Problem)) == {"/page", "/gone.xml", "/away.xml", "/cut.xml", "/deep3.xml"}
    assert read.reasons(Problem)["/page"] == "it is no sitemap and no feed"


def test_entries_of_another_site_are_counted_and_not_asked(pages: Site) -> None:
    read = read_list(pages, sitemap(pages, "/0", "https://other.example/x", "https://other.example/y"))
    assert read.pages == ["/0"]
    assert "2 not asked: named by a sitemap and of another site" in read.remarks


def test_a_crawl_reads_the_maps_that_robots_names_or_the_usual_one(pages: Site) -> None:
    pages.at("/", prose("start"))
    pages.at("/sitemap.xml", sitemap(pages, "/0"), media_type="application/xml")
    assert reader(pages, crawl=True).read().pages == ["/", "/0"]
    assert reader(pages, crawl=True, max_depth=0).read().pages == ["/"]
    pages.at("/robots.txt", b"User-agent: *\nSitemap: /other.xml\n", media_type="text/plain")
    pages.at("/other.xml", sitemap(pages, "/1"), media_type="application/xml")
    read = reader(pages, crawl=True).read()
    assert read.pages == ["/", "/1"]
    assert read.read().of(HeldItem) == ["/"]


def test_a_crawl_without_a_map_misses_none(pages: Site) -> None:
    pages.at("/", prose("start"))
    pages.fallback = Reply(prose("soft").encode())
    assert reader(pages, crawl=True).read().reasons(Problem) == {}


def test_what_falls_out_of_a_feed_stays_and_is_asked_once_a_day(pages: Site) -> None:
    read = read_list(pages, feed(pages, "/0", "/1"), "/feed.xml")
    assert read.pages == ["/0", "/1"]
    pages.at("/feed.xml", feed(pages, "/1", "/2"), media_type="application/xml")
    del pages.replies["/0"]
    read.read()
    assert (read.pages, read.of(Departed)) == (["/0", "/1", "/2"], [])
    read.clock.seconds += 2 * 86_400
    read.read()
    assert read.of(Departed) == ["/0"]


def test_a_crawl_that_meets_a_feed_asks_at_once_what_nothing_leads_to(pages: Site) -> None:
    pages.at("/feed.xml", feed(pages, "/0"), media_type="application/rss+xml")
    pages.at("/", prose("start") + '<a href="/feed.xml">feed</a> <a href="/1">1</a>')
    read = reader(pages, crawl=True).read()
    assert read.pages == ["/", "/0", "/1"]
    pages.at("/", prose("start") + '<a href="/feed.xml">feed</a>')
    del pages.replies["/1"]
    assert read.read().of(Departed) == ["/1"]


def test_a_feed_leads_to_several_sites_at_once(pages: Site) -> None:
    pages.at("/x", prose("x"))
    other = f"http://localhost:{pages.port}"
    read = read_list(pages, feed(pages, "/0", f"{other}/x"), "/feed.xml")
    assert sorted(read.index) == [f"{pages.url}/0", f"{other}/x"]


def test_a_list_that_is_away_loses_nothing(pages: Site) -> None:
    read = read_list(pages, sitemap(pages, "/0", "/1"))
    page, empty = Reply(html(prose("page"))), Reply(b"<urlset></urlset>", media_type="text/xml")
    for reply, is_problem in ((Reply(b"", 500), True), (Reply(b"", 404), True), (page, True), (empty, False)):
        pages.at("/map.xml", reply)
        assert read.read().of(Departed) == []
        assert read.pages == ["/0", "/1"]
        assert bool(read.reasons(Problem)) is is_problem


def test_a_sitemap_of_another_site_is_not_asked(pages: Site) -> None:
    other = pages.url.replace("127.0.0.1", "localhost") + "/other.xml"
    pages.at("/other.xml", sitemap(pages, "/1"), media_type="text/xml")
    pages.at("/a.xml", sitemap(pages, "/0"), media_type="text/xml")
    read = read_list(pages, sitemap(pages, "/a.xml", other, index=True))
    assert "/other.xml" not in {asked.path for asked in pages.asked}
    assert read.pages == ["/0"]
    assert "1 not asked: a sitemap of another site" in read.remarks
