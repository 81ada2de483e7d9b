"""What is read of a page by whoever crawls it."""

import pytest

from embedmill.producers.sources.web.client import AnswerHead
from embedmill.producers.sources.web.page import HtmlPage, decoded, directives, read_page
from tests.services.site import HTML, html, prose

ADDRESS = "https://docs.example/guide/a.html"


def read(data: bytes, **headers: str) -> HtmlPage:
    return read_page(data, AnswerHead(ADDRESS, 200, {"content-type": HTML, **headers}))


def addresses(page: HtmlPage) -> list[str]:
    return [link.address.removeprefix("https://docs.example") for link in page.links]


def test_links_are_whole_each_once_and_in_order() -> None:
    body = '<a href="b.html">b</a><a href="/c#x">c</a><a href="/c">c</a><map><area href="../d"></map><a name="e">e</a>'
    assert addresses(read(html(body))) == ["/guide/b.html", "/c", "/d"]


def test_frames_and_the_next_page_are_links_and_images_are_none() -> None:
    body = '<iframe src="/frame"></iframe><img src="/i.png">'
    assert addresses(read(html(body, head='<link rel="next" href="/2"><link rel="stylesheet" href="/s.css">'))) == [
        "/2",
        "/frame",
    ]


def test_links_begin_at_the_base_of_the_page() -> None:
    assert addresses(read(html('<a href="b">b</a>', head='<base href="/other/">'))) == ["/other/b"]


def test_links_that_are_not_to_be_followed_are_none() -> None:
    body = '<a href="/a" rel="noopener NoFollow">a</a><a href="/b">b</a>'
    assert addresses(read(html(body))) == ["/b"]
    assert addresses(read(html(body, head='<meta name="ROBOTS" content="index, NoFollow">'))) == []
    assert addresses(read(html(body), **{"x-robots-tag": "none"})) == []


@pytest.mark.parametrize(
    ("head", "found"),
    [
        ('<link rel="canonical" href="/a">', "https://docs.example/a"),
        ('<link rel="Canonical alternate" href="/a"><link rel=canonical href="/a">', "https://docs.example/a"),
        ('<link rel="canonical" href="/a"><link rel="canonical" href="/b">', ""),
        ('<link rel="canonical" href="">', "https://docs.example/guide/a.html"),
        ('<link rel="canonical" href="mailto:x">', ""),
        ("", ""),
    ],
)
def test_a_page_has_one_home_or_none(head: str, found: str) -> None:
    assert read(html(prose("a"), head=head)).canonical == found


def test_a_home_is_named_by_a_header_and_not_by_the_body() -> None:
    assert (
        read(html(prose("a")), link='<https://docs.example/b>; rel="canonical"').canonical == "https://docs.example/b"
    )
    assert read(html('<p>a</p><link rel="canonical" href="/a">')).canonical == ""


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("noindex", {"noindex"}),
        ("none", {"noindex", "nofollow"}),
        ("NOINDEX, nofollow", {"noindex", "nofollow"}),
        ("otherbot: noindex", set()),
        ("otherbot: noindex, nofollow", set()),
        ("otherbot: noindex, embedmill: nofollow", {"nofollow"}),
        ("otherbot: noindex\nnofollow", {"nofollow"}),
        ("noarchive, max-snippet:5, unavailable_after: 25 Jun 2030 15:00:00 PST", set()),
    ],
)
def test_headers_ask_everybody_or_one_by_name(line: str, found: set[str]) -> None:
    assert directives(AnswerHead(ADDRESS, 200, {"x-robots-tag": line})) == found


def test_a_page_is_moved_by_a_refresh_at_once_and_not_by_a_reload_later() -> None:
    moved = read(html("", head='<meta http-equiv="Refresh" content="0; URL=\'/new\'">')).moved_to
    assert moved
    assert moved.address == "https://docs.example/new"
    assert read(html("", head='<meta http-equiv="refresh" content="300; url=/new">')).moved_to is None
    assert read(html("", head='<meta http-equiv="refresh" content="5">')).moved_to is None


def test_what_readers_do_not_see_is_no_change_and_what_they_see_is() -> None:
    one = read(html("<h1>T</h1><p>text</p><script>var nonce = 1</script>", head='<meta name="csrf" content="1">'))
    same = read(html("<h1>T</h1>\n <p>text</p><script>var nonce = 2</script>", head='<meta name="csrf" content="2">'))
    other = read(html("<h1>T</h1><p>texts</p>"))
    heading = read(html("<h1>T</h1><h2>text</h2>"))
    assert one.content_hash == same.content_hash
    assert len({one.content_hash, other.content_hash, heading.content_hash}) == 3


def test_pages_that_differ_in_numbers_are_alike() -> None:
    assert read(html("<p>week 12", title="5")).likeness == read(html("<p>week 13", title="6")).likeness


WALLS = {
    "it is a login form": html('<form><input name="u"><input type="Password"></form>', title="Docs"),
    "it is a login form ": html("<p>Continue with one of these.", title="Sign in to Docs | Docs"),
    "it says that there is no such page": html("<h1>Seite nicht gefunden</h1><p>Zurück", title="Docs"),
    "it says that there is no such page ": html("<p>Sorry", title="404 Not Found – Docs"),
    "it says that there is no such page  ": html("<h1>Sorry, we couldn't find that page</h1>", title="Docs"),
    "it says that there is no such page   ": html("<h1>This page does not exist.</h1>", title="Docs"),
    "it is a login form  ": html("<h1>Please log in to continue</h1><a href=/sso>SSO</a>", title="Docs"),
    "it is a login form   ": html("<h1>Login required</h1>", title="Docs"),
    "it wants to know whether we are human": html("<p>Wait", title="Just a moment..."),
    "it asks to accept cookies first": html("<p>We use cookies.</p><button>Accept all</button>"),
    "it asks to accept cookies first ": html("<p>Your consent, please.</p><input type=submit value='I agree'>"),
    "it is empty without its scripts": html('<div id="root"></div><script src="/app.js"></script>', title="Docs"),
    "it is empty without its scripts ": html("<noscript>Please enable JavaScript</noscript><div id=x></div>"),
    "it holds no text": html("<img src=x>"),
}


@pytest.mark.parametrize("wall", WALLS)
def test_a_wall_is_known(wall: str) -> None:
    assert read(WALLS[wall]).wall == wall.strip()


@pytest.mark.parametrize(
    "page",
    [
        html(prose("a", words=5)),
        html(f'{prose("a", words=200)}<form><input type="password"></form>'),
        html(prose("cookies", words=200) + "<p>Accept cookies"),
        html(f"<h1>404 Not Found</h1>{prose('why servers say so', words=200)}"),
        html("<p>The login page is shown to readers.", title="How to log in"),
        html("<h1>JavaScript closures</h1><p>A function keeps what it saw."),
        html("<h1>Consent</h1><p>Patients agree in writing, and may allow others to see their files."),
        html("<h1>Cookies</h1><p>Take flour, sugar and butter.</p><a href=/more>More of them</a>"),
        html("<h1>Files that cannot be found</h1><p>Look elsewhere.", title="Lost files"),
    ],
)
def test_a_document_is_no_wall(page: bytes) -> None:
    assert read(page).wall == ""


def test_a_navigation_of_many_words_does_not_hide_a_wall() -> None:
    page = html(f'<nav>{prose("menu", words=300)}</nav><form><input type="password"></form>')
    assert read(page).wall == "it is a login form"


TEXTS = {
    "shift_jis": "日本語の文書です。検索できるように保存します。",
    "gbk": "这是一个中文网页，内容用于测试编码。",
    "windows-1251": "Это русская страница, которая проверяет кодировку.",
    "windows-1252": "Café – “naïve” résumé, coûte 5 €",
    "utf-8": "日本語 – Это – Café",
}


@pytest.mark.parametrize("charset", TEXTS)
def test_a_charset_is_taken_from_the_header_or_the_page(charset: str) -> None:
    data = f"<p>{TEXTS[charset]}".encode(charset)
    meta = f'<meta charset="{charset}">'.encode()
    assert TEXTS[charset] in decoded(data, f"text/html; charset={charset}")
    assert TEXTS[charset] in decoded(meta + data, "text/html")


@pytest.mark.parametrize(
    ("data", "content_type", "text"),
    [
        (b"\xef\xbb\xbf<p>\xc3\xa4", "text/html; charset=iso-8859-1", "ä"),
        ("\ufeff<p>ä".encode("utf-16"), "text/html", "ä"),
        ("<p>“a” – €".encode("cp1252"), "text/html; charset=ISO-8859-1", "“a” – €"),
        ("<p>“a” – €".encode("cp1252"), "text/html; charset=nonsense", "“a” – €"),
        (f"<p>{TEXTS['windows-1251']}".encode("cp1251"), "text/html; charset=utf-8", TEXTS["windows-1251"]),
        (f"<meta charset=cp1251><p>{TEXTS['windows-1251']}".encode("cp1251"), "text/html; charset=utf-8", "Это"),
        ("<p>Größe".encode(), "text/html; charset=iso-8859-1", "Größe"),
        (f"<p>{TEXTS['shift_jis'] * 4}".encode("cp932"), "text/html", TEXTS["shift_jis"]),
    ],
    ids=["mark", "utf-16", "latin-1 is windows-1252", "no charset", "wrong header", "header and page", "utf-8", "none"],
)
def test_what_is_wrong_or_not_said_is_found_out(data: bytes, content_type: str, text: str) -> None:
    assert text in decoded(data, content_type)


@pytest.mark.parametrize(
    "markup",
    [
        b"<div>" * 100_000,
        b"<div>" * 5000 + b"</p>" * 100_000,
        b"".join(b"<b a=%d>" % number for number in range(2000)) + b"<p>x" * 2000,
    ],
    ids=["deep", "deep and searched", "formatting that is copied"],
)
def test_markup_that_would_take_too_long_is_not_read(markup: bytes) -> None:
    assert read(markup).wall == "its elements are nested without end"


@pytest.mark.parametrize(
    "markup",
    [
        b"<ul>" + b"<li>item <b>x</b>" * 20_000,
        b"<div><p>a <b>c</b></p></div>" * 10_000,
        b"<p>text<a name=x>" * 10_000,
        b"<a " + b"b=1 " * 50_000 + b"href=/x>text</a>",
    ],
    ids=["not closed", "long", "anchors", "attributes"],
)
def test_markup_that_is_only_long_is_read(markup: bytes) -> None:
    assert read(markup).wall == ""
