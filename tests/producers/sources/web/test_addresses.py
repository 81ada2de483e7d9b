"""Addresses: secrets are cut before anything is kept, one page has one key, and what has no end is known by rule."""

import pytest

from embedmill.producers.sources.web.addresses import Link, join, origin, place, read_named, shape, trap
from embedmill.shared.errors import UsageError
from embedmill.shared.spellings import address_key

BASE = "https://docs.example/guide/index.html?lang=en"


@pytest.mark.parametrize(
    ("href", "address"),
    [
        ("start.html", "https://docs.example/guide/start.html"),
        ("/a/../b/./c", "https://docs.example/b/c"),
        ("../up", "https://docs.example/up"),
        ("/a/%2e%2E/b/.%2e/c/%2e", "https://docs.example/c/"),
        ("//docs.example//x/..//y", "https://docs.example///y"),
        ("?page=2", "https://docs.example/guide/index.html?page=2"),
        ("#part", "https://docs.example/guide/index.html?lang=en"),
        ("//other.example/x#y", "https://other.example/x"),
        ("HTTPS://Docs.Example:443/A", "https://docs.example/A"),
        ("http://docs.example:8080", "http://docs.example:8080/"),
        ("  /with\n space ", "https://docs.example/with%20space"),
        ("/ä?q=ö", "https://docs.example/%C3%A4?q=%C3%B6"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("/x?utm_source=a&b=1&gclid=2", "https://docs.example/x?b=1"),
        ("/x?q=&q=&q=", "https://docs.example/x?q="),
        ("/x;jsessionid=A1B2?a=1&PHPSESSID=abc", "https://docs.example/x?a=1"),
        ("/x?sid=12", "https://docs.example/x?sid=12"),
        ("/x?sid=0123456789abcdef01234", "https://docs.example/x"),
        ("http://user:hunter2@docs.example/x", "http://docs.example/x"),
    ],
)
def test_a_link_is_made_whole(href: str, address: str) -> None:
    link = join(href, base=BASE)
    assert link is not None
    assert link.address == address


@pytest.mark.parametrize(
    "href", ["mailto:a@b.example", "javascript:void(0)", "ftp://x/", "http://", "http://x:y/", "data:,x", "tel:1"]
)
def test_what_leads_to_no_page_is_no_link(href: str) -> None:
    assert join(href, base=BASE) is None


def test_a_query_is_written_in_the_charset_of_its_page() -> None:
    assert join("/ä?q=ä", base=BASE, charset="latin-1") == Link(*["https://docs.example/%C3%A4?q=%E4"] * 2)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("a=1&X-Amz-Signature=planted&X-Amz-Credential=planted", "?a=1"),
        ("sv=2024&sp=r&sig=planted&a=1", "?a=1"),
        ("Expires=1&Signature=planted&Key-Pair-Id=planted", ""),
        ("access_token=planted&page=2", "?page=2"),
        ("jwt=planted&x=eyJhbGciOiJIUzI1NiJ9.eyJwbGFudGVkIjoxfQ.x", ""),
        ("t=xoxe-planted", ""),
        ("expires=never&sp=1", "?expires=never&sp=1"),
    ],
)
def test_what_lets_somebody_in_is_asked_and_not_kept(query: str, kept: str) -> None:
    named = read_named(f"https://files.example/doc.pdf?{query}").link
    assert named.asked == f"https://files.example/doc.pdf?{query}"
    assert named.address == f"https://files.example/doc.pdf{kept}"


def test_a_password_becomes_a_header_and_leaves_the_address() -> None:
    named = read_named("https://me:p%40ss@wiki.example/x#y")
    assert named.link == Link("https://wiki.example/x", "https://wiki.example/x")
    assert named.authorization == "Basic bWU6cEBzcw=="


@pytest.mark.parametrize("argument", ["https://", "https:///x", "http://me:planted@x:port/", "https://[::1"])
def test_what_is_no_address_is_refused_without_its_secrets(argument: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_named(argument)
    assert "planted" not in f"{refused.value} {refused.value.hint}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://x.example/?b=2&a=1", "https://x.example/?a=1&b=2"),
        ("http://x.example/a", "https://x.example/a"),
        ("https://x.example/~me", "https://x.example/%7Eme"),
        ("https://x.example/a?utm_medium=x", "https://x.example/a"),
        ("https://x.example/a?x=%31&x=0", "https://x.example/a?x=0&x=1"),
    ],
)
def test_one_page_has_one_key(one: str, other: str) -> None:
    assert address_key(one) == address_key(other)


def test_other_pages_have_other_keys() -> None:
    pages = ["/a", "/A", "/a/", "/a?x=1", "/a?x=2", "/%2Fa", "/a+b", "/a%2Bb", "/a%20b", "/a;b"]
    assert len({address_key(f"https://x.example{page}") for page in pages}) == len(pages)


def test_origin_and_place_know_ports() -> None:
    assert origin("http://x.example:8080/a?b") == "http://x.example:8080"
    assert place("http://x.example/a") == place("https://x.example/b") != place("http://x.example:8080/")


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/a/a/a", "repeats"),
        ("/shop/cart/shop/cart/shop/cart/x", "repeats"),
        ("/?" + "&".join(f"q={number}" for number in range(9)), "repeated"),
        ("/" + "x" * 2000, "longer"),
        ("/" + "/".join(f"s{number}" for number in range(40)), "deep"),
        ("/cal/2031/05", "calendar"),
        ("/cal?year=2039&month=1", "calendar"),
    ],
)
def test_addresses_without_end_are_known_by_a_rule(path: str, rule: str) -> None:
    assert rule in trap(f"https://x.example{path}", year=2026)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/2026/11/30/news",
        "/11/11/11",
        "/a/b/a/b",
        "/cal/2027/12",
        "/article/20391",
        "/x?id=2050&id=2051",
        "/9999/01",
    ],
)
def test_usual_addresses_are_not(path: str) -> None:
    assert trap(f"https://x.example{path}", year=2026) == ""


def test_pages_of_one_making_have_one_shape() -> None:
    assert shape("https://x.example/cal/2026/11?view=1") == shape("https://x.example/cal/3/7?view=x")
    assert shape("https://x.example/a/1") != shape("https://x.example/b/1")
