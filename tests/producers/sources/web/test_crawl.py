"""A crawl meets each page once, stays within the site and its limits, and only proof takes a page away."""

from collections.abc import Callable

import pytest

from embedmill.producers.sources.base import Departed, HeldItem, Kept, Problem, Skipped
from embedmill.producers.sources.options import FileSelection
from tests.producers.sources.web.crawling import reader
from tests.services.site import Asked, Reply, Site, html, prose


def linked(*paths: str) -> str:
    return " ".join(f'<a href="{path}">{path}</a>' for path in paths)


def build(site: Site, tree: dict[str, tuple[str, ...]]) -> None:
    """Pages that link to others; each has an ETag and a text of its own."""
    for path, links in tree.items():
        name = path.strip("/").replace("/", "") or "start"
        site.versioned(path, prose(name) + linked(*links), etag=f'"{name}1"', title=name)


SMALL = {
    "/": ("/a", "/b/"),
    "/a": ("/", "/c"),
    "/b/": ("c?x=1#y", "/a"),
    "/c": (),
    "/b/c?x=1": ("https://other.example/",),
}


def test_a_page_that_is_named_is_one_document(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, "/a").read()
    assert read.pages == ["/a"]
    item = next(item for item in read.items if isinstance(item, HeldItem))
    assert (item.media_type, item.title, item.metadata["host"]) == ("text/html", "a", "127.0.0.1")
    assert site.paths() == ["/a"]


def test_a_crawl_meets_each_page_of_the_site_once(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    assert read.pages == sorted(SMALL)
    assert sorted(site.paths()) == sorted(SMALL)
    assert not read.reasons(Problem)


def test_a_re_run_without_a_change_reads_nothing_and_still_follows_links(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read().read()
    assert read.of(HeldItem) == []
    assert sorted(read.of(Kept)) == sorted(SMALL)
    assert all(asked.headers.get("if-none-match") for asked in site.asked if asked.path in SMALL)


def test_a_changed_page_is_read_and_a_new_one_is_met(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.versioned("/c", prose("c") + prose("more") + linked("/new"), etag='"c2"')
    site.at("/new", prose("new"))
    assert read.read().of(HeldItem) == ["/c", "/new"]


def test_what_readers_do_not_see_is_no_change_where_a_server_knows_no_versions(site: Site) -> None:
    site.at("/", html(prose("a") + "<script>1</script>"))
    read = reader(site).read()
    first = next(item for item in read.items if isinstance(item, HeldItem))
    site.at("/", html(prose("a") + "<script>2</script>"))
    second = next(item for item in read.read().items if isinstance(item, HeldItem))
    assert first.content_hash == second.content_hash


def test_limits_are_kept_and_nothing_leaves_when_one_is_reached(site: Site) -> None:
    build(site, {f"/{number}": (f"/{number + 1}", f"/{number}x", f"/{number}y") for number in range(20)})
    build(site, {f"/{number}{letter}": () for number in range(20) for letter in "xy"})
    build(site, {"/": ("/0",)})
    deep = reader(site, crawl=True, max_depth=3).read()
    assert deep.pages == ["/", "/0", "/0x", "/0y", "/1", "/1x", "/1y", "/2"]
    assert "3 not asked: more than 3 links away (--max-depth)" in deep.remarks
    few = reader(site, crawl=True, max_pages=5).read()
    assert few.pages == ["/", "/0", "/0x", "/0y", "/1"]
    assert "5 pages were asked, and there are more (--max-pages)" in few.remarks
    del site.replies["/0x"]
    few.read()
    assert few.of(Departed) == []
    assert "/0x" in few.reasons(Kept)


def test_patterns_choose_pages(site: Site) -> None:
    build(site, {"/": ("/docs/a", "/blog/b"), "/docs/a": ("/docs/old/c",), "/blog/b": (), "/docs/old/c": ()})
    read = reader(site, crawl=True, selection=FileSelection(include=("docs/",), exclude=("old/",))).read()
    assert read.pages == ["/docs/a"]
    assert "2 not asked: left out by the patterns" in read.remarks


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_says_twice_that_it_is_gone_leaves(site: Site, status: int) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.at("/c", Reply(b"", status))
    read.read()
    assert read.reasons(Departed) == {"/c": f"it answers {status}"}
    assert site.paths().count("/c") == 2
    assert read.clock.waits[-1] == pytest.approx(5.0, abs=0.5)
    assert read.read().of(Departed) == ["/c"], "it is forgotten once it has left"
    assert read.read().of(Departed) == []


def test_a_page_that_was_gone_for_a_moment_stays(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    once = iter([Reply(b"", 404)])
    site.at("/c", lambda _asked: next(once, Reply(html(prose("c")))))
    assert read.read().of(Departed) == []
    assert "/c" in read.pages


def test_a_page_that_nothing_leads_to_is_asked_by_its_own_address(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.versioned("/a", prose("a"), etag='"a2"')
    site.versioned("/b/", prose("b"), etag='"b2"')
    del site.replies["/b/c?x=1"]
    read.read()
    assert "/c" in read.of(Kept)
    assert read.of(Departed) == ["/b/c?x=1"]


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 429, 451, 500, 503])
def test_no_other_status_takes_a_page_away(site: Site, status: int) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.at("/c", Reply(b"", status, {"Location": "/gone"} if status < 400 else {}))
    read.read()
    assert read.of(Departed) == []
    assert "/c" in read.reasons(Kept)
    assert read.pages == sorted(SMALL)


def test_a_site_that_is_away_loses_nothing_and_says_so(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.replies.clear()
    site.fallback = Reply(b"", 500)
    site.at("/robots.txt", Reply(b"", 404))
    read.read()
    assert read.of(Departed) == []
    assert read.reasons(Kept) == read.reasons(Problem) == {"/": "it answers 500"}
    assert read.pages == sorted(SMALL)


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_crawl_whose_beginning_is_away_says_so_and_loses_nothing(site: Site, status: int) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.at("/", Reply(b"", status))
    read.read()
    assert read.reasons(Problem) == {"/": f"it answers {status}"}
    assert (read.of(Departed), read.pages) == ([], sorted(SMALL))


def test_a_page_by_itself_that_is_gone_leaves_and_one_that_is_away_is_a_problem(site: Site) -> None:
    site.at("/", prose("a"))
    read = reader(site).read()
    site.at("/", Reply(b"", 401))
    assert read.read().reasons(Problem) == {"/": "it answers 401"}
    del site.replies["/"]
    assert read.read().of(Departed) == ["/"]
    assert read.reasons(Problem) == {}


def test_a_host_that_goes_on_failing_is_left_alone(site: Site) -> None:
    build(site, {"/": tuple(f"/{number}" for number in range(30))})
    site.fallback = Reply(b"", 503)
    site.at("/robots.txt", Reply(b"", 404))
    read = reader(site, crawl=True).read()
    assert len(site.asked) < 15
    assert "5 pages of it in a row could not be had" in read.reasons(Problem)["/"]
    assert "asked when it is read again" in read.reasons(Problem)["/"]


def test_a_host_is_waited_for_as_it_asks(site: Site) -> None:
    build(site, SMALL)
    later = iter([Reply(b"", 503, {"Retry-After": "17"}), Reply(b"", 429, {"Retry-After": "23"})])
    site.at("/c", lambda _asked: next(later, Reply(html(prose("c")))))
    read = reader(site, crawl=True).read()
    assert "/c" in read.pages
    assert {17.0, 23.0} <= set(read.clock.waits)


def test_rules_are_obeyed_and_a_page_that_they_bar_later_stays(site: Site) -> None:
    build(site, SMALL)
    site.at("/robots.txt", b"User-agent: *\nDisallow: /b\nCrawl-delay: 3\n", media_type="text/plain")
    read = reader(site, crawl=True).read()
    assert read.pages == ["/", "/a", "/c"]
    assert "1 not asked: robots.txt does not allow it" in read.remarks
    assert read.clock.waits.count(3.0) >= 2
    site.at("/robots.txt", b"User-agent: *\nDisallow: /c\n", media_type="text/plain")
    read.read()
    assert read.pages == ["/", "/a", "/b/", "/b/c?x=1", "/c"]
    assert read.reasons(Kept) == {"/c": "robots.txt does not let it be asked"}


def test_rules_that_are_fresh_are_asked_for_by_one_crawl_only(site: Site) -> None:
    build(site, SMALL)
    site.at("/robots.txt", Reply(b"User-agent: *\nDisallow: /b\n", headers={"Cache-Control": "max-age=60"}))
    read = reader(site, crawl=True).read()
    assert "/robots.txt" not in {asked.path for asked in read.read().site.asked}
    assert read.pages == ["/", "/a", "/c"]
    read.clock.wait(60.0)
    assert "/robots.txt" in {asked.path for asked in read.read().site.asked}


def test_where_nobody_says_what_may_be_asked_nothing_is_and_nothing_leaves(site: Site) -> None:
    build(site, SMALL)
    site.at("/robots.txt", Reply(b"", 500))
    read = reader(site, crawl=True).read()
    assert read.pages == []
    assert read.reasons(Problem)["/"] == "robots.txt: it answers 500"
    assert {asked.path for asked in site.asked} == {"/robots.txt"}
    site.at("/robots.txt", Reply(b"", 404))
    assert read.read().pages == sorted(SMALL)
    site.at("/robots.txt", Reply(b"", 503))
    read.read()
    assert read.of(Departed) == []
    assert read.pages == sorted(SMALL), "the rules of the last day hold"


def test_what_asks_not_to_be_indexed_is_none_and_leaves_when_it_asks_later(site: Site) -> None:
    build(site, SMALL)
    site.at("/c", prose("c") + linked("/d"), head='<meta name="robots" content="noindex">')
    build(site, {"/d": ()})
    read = reader(site, crawl=True).read()
    assert read.reasons(Skipped) == {"/c": "it asks not to be indexed (noindex)"}
    assert "/d" in read.pages
    site.at("/a", Reply(html(prose("a") + linked("/c")), headers={"X-Robots-Tag": "noindex"}))
    assert read.read().reasons(Departed) == {"/a": "it asks not to be indexed (noindex)"}


def test_keys_and_credentials_that_a_link_leads_to_are_no_pages_and_leave(site: Site) -> None:
    key = b"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"
    secret = {"/%2Eenv": b"A=b", "/id_rsa": b"x", "/.git/config": b"[core]", "/notes.txt": key}
    for path, data in secret.items():
        site.at(path, Reply(data, media_type="text/plain"))
    site.at("/robots.md", Reply(b"fine", media_type="text/plain"))
    build(site, {"/": (*secret, "/robots.md")})
    read = reader(site, crawl=True).read()
    assert read.pages == ["/", "/robots.md"]
    assert {path.lower().replace("%2e", ".") for path in read.reasons(Skipped)} == {"/.env", *[*secret][1:]}
    assert reader(site, "/notes.txt").read().pages == ["/notes.txt"], "whoever names one wants it"
    site.at("/robots.md", Reply(key, media_type="text/plain"))
    assert list(read.read().reasons(Departed)) == ["/robots.md"]


def test_an_old_page_that_becomes_a_wall_keeps_its_text(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    old = dict(read.index)
    site.at("/a", '<form><input type="password"></form>')
    site.at("/c", "<h1>Page not found</h1>")
    site.move("/b/", "/login?next=/b/", 302)
    site.at("/login?next=/b/", prose("welcome"))
    read.read()
    assert read.reasons(Kept) == {
        "/a": "it is a login form",
        "/b/": "it is a login form",
        "/c": "it says that there is no such page",
    }
    assert read.index == old
    assert read.of(Departed) == []


def test_a_soft_404_is_told_by_what_the_site_says_to_any_address(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    shell = html(prose("shop") + "<p>Nothing at number 1")
    site.fallback = lambda asked: Reply(html(prose("shop") + f"<p>Nothing at {asked.path}"))
    site.at("/c", Reply(shell.replace(b"number 1", b"/9")))
    read.read()
    assert "soft 404" in read.reasons(Kept)["/c"]
    assert read.of(Departed) == []


def test_a_page_that_has_moved_for_good_is_known_by_its_new_address(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    site.move("/c", "/new", 308)
    site.at("/new", prose("c"))
    read.read()
    assert read.reasons(Departed) == {"/c": f"it has moved to {site.url}/new"}
    assert read.pages == ["/", "/a", "/b/", "/b/c?x=1", "/new"]


def test_a_page_that_leads_on_for_now_keeps_its_address(site: Site) -> None:
    build(site, {"/": ("/latest",)})
    site.move("/latest", "/v2", 302)
    site.at("/v2", prose("v2"))
    assert reader(site, crawl=True).read().pages == ["/", "/latest"]


def test_redirects_in_a_circle_and_without_end_are_named(site: Site) -> None:
    build(site, {"/": ("/x", "/y", "/t", "/n/0")})
    site.move("/x", "/y")
    site.move("/y", "/x")
    site.move("/t", "/t", 302)
    site.fallback = on_path("/n/", lambda rest: Reply(b"", 301, {"Location": f"/n/{int(rest) + 1}"}))
    read = reader(site, crawl=True).read()
    assert read.pages == ["/"]
    assert {"/x", "/t"} <= set(read.reasons(Problem))
    assert len([asked for asked in site.asked if asked.path.startswith("/n/")]) <= 12


def test_a_page_is_of_the_site_to_which_it_leads(site: Site) -> None:
    build(site, {"/": ("/a",), "/a": ()})
    site.move("/a", "https://other.example/", 301)
    assert reader(site, crawl=True).read().reasons(Skipped) == {"/a": "it leads to another site, other.example"}


CANONICALS = {
    "names another that says the same": ({"/c": "/a", "/a": "/a"}, ["/", "/a"]),
    "names another that says nothing": ({"/c": "/a"}, ["/", "/a", "/c"]),
    "a circle": ({"/c": "/a", "/a": "/c"}, ["/", "/a", "/c"]),
    "names what is gone": ({"/c": "/gone"}, ["/", "/a", "/c"]),
    "names another site": ({"/c": "https://other.example/"}, ["/", "/a", "/c"]),
    "names itself": ({"/c": "/c#x"}, ["/", "/a", "/c"]),
    "names a page of its own that nothing leads to": ({"/c": "/d", "/d": "/d"}, ["/", "/a", "/d"]),
}


@pytest.mark.parametrize("case", CANONICALS)
def test_a_page_has_the_address_that_it_names_if_that_says_the_same(site: Site, case: str) -> None:
    names, pages = CANONICALS[case]
    build(site, {"/": ("/c", "/a")})
    for path in ("/a", "/c", "/d"):
        head = f'<link rel="canonical" href="{names[path]}">' if path in names else ""
        site.at(path, prose(path.strip("/")), head=head)
    read = reader(site, crawl=True).read()
    assert read.pages == pages
    assert read.read().pages == pages
    assert read.of(Departed) == []


def test_a_home_that_is_not_asked_makes_no_other_name(site: Site) -> None:
    many = {f"/p{number}": f"/old/{number}" for number in range(60)}
    site.at("/", prose("start") + linked(*many))
    for path, home in many.items():
        site.at(path, prose(path), head=f'<link rel="canonical" href="{home}">')
        site.at(home, prose(home), head=f'<link rel="canonical" href="{home}">')
    read = reader(site, crawl=True, selection=FileSelection(exclude=("old/",))).read()
    assert read.pages == sorted(["/", *many])


def test_a_document_that_becomes_anothers_name_leaves(site: Site) -> None:
    build(site, {"/": ("/c", "/a")})
    site.at("/a", prose("a"), head='<link rel="canonical" href="/a">')
    site.at("/c", prose("c"))
    read = reader(site, crawl=True).read()
    site.at("/c", prose("a"), head='<link rel="canonical" href="/a">')
    assert read.read().reasons(Departed) == {"/c": f"its own address is {site.url}/a"}
    assert read.read().of(Departed) == ["/c"]
    assert read.read().of(Departed) == []


def on_path(beginning: str, answer: Callable[[str], Reply]) -> Callable[[Asked], Reply]:
    """What all addresses below one answer, by what follows; others are not there."""

    def answered(asked: Asked) -> Reply:
        is_below = asked.path.startswith(beginning)
        return answer(asked.path.removeprefix(beginning)) if is_below else Reply(b"", 404)

    return answered


def week(number: str) -> Reply:
    later = (f"/cal/{int(number) + weeks}" for weeks in (1, 2))
    return Reply(html(f"<h1>Week {number}</h1><p>No events.{linked(*later)}"))


def growing(rest: str) -> Reply:
    """A page that leads on below itself, and to its start by longer and longer queries."""
    path = rest.partition("?")[0].rstrip("/")
    more = "&".join(f"q={number}" for number in range(9))
    return Reply(html(prose("x") + linked(f"/{path}/a" if path else "/a", f"/?{more}", "/?utm_source=x", "/i.png")))


def test_a_calendar_without_end_has_one(site: Site) -> None:
    site.at("/", prose("start") + linked("/cal/0"))
    site.fallback = on_path("/cal/", week)
    read = reader(site, crawl=True, max_pages=400).read()
    assert 60 <= len(read.pages) < 70
    assert "says the same again and again" in read.remarks


def test_pages_that_differ_in_numbers_are_no_calendar(site: Site) -> None:
    for number in range(80):
        site.at(f"/page/{number}", f"<p>This is page {number} of the handbook." + linked(f"/page/{number + 1}"))
    site.at("/page/80", "<p>The last.")
    assert len(reader(site, "/page/0", crawl=True, max_depth=100).read().pages) == 81


def test_addresses_that_grow_are_counted_by_rule(site: Site) -> None:
    site.fallback = on_path("/", growing)
    site.at("/robots.txt", Reply(b"", 404))
    read = reader(site, crawl=True).read()
    assert read.pages == ["/", "/a", "/a/a"]
    assert "its path repeats itself" in read.remarks
    assert "a parameter of it is repeated" in read.remarks
    assert "without text" in read.remarks


def test_files_behind_links_are_documents_and_images_are_not_asked(site: Site) -> None:
    build(site, {"/": ("/a.pdf", "/b", "/n.txt", "/i.png", "/z.zip", "/x", "/api", "/wrong.pdf", "/untold")})
    site.at("/wrong.pdf", b"%PDF-1.4 z", media_type="text/html")
    site.at("/untold", html(prose("untold")), media_type="")
    site.at("/a.pdf", b"%PDF-1.4 x", media_type="application/pdf")
    site.at("/b", b"%PDF-1.4 y", media_type="application/pdf")
    site.at("/n.txt", "größe".encode("latin-1"), media_type="text/plain; charset=iso-8859-1")
    site.at("/x", b"\x89PNG", media_type="image/png")
    site.at("/api", b"{}", media_type="application/json")
    read = reader(site, crawl=True).read()
    assert read.pages == ["/", "/a.pdf", "/b", "/n.txt", "/untold", "/wrong.pdf"]
    assert read.index[f"{site.url}/n.txt"] == "größe".encode()
    held = {read.path(item.uri): item.media_type for item in read.items if isinstance(item, HeldItem)}
    pdf, page = "application/pdf", "text/html"
    assert held == {"/": page, "/a.pdf": pdf, "/b": pdf, "/n.txt": "", "/untold": page, "/wrong.pdf": ""}
    assert not {"/i.png", "/z.zip"} & {asked.path for asked in site.asked}
    assert set(read.reasons(Skipped)) == {"/x", "/api"}


def test_a_crawl_that_was_killed_goes_on_and_ends_the_same(site: Site) -> None:
    more = [f"/n{number}" for number in range(8)]
    build(site, SMALL | {"/c": tuple(more)} | dict.fromkeys(more, ()))
    whole = reader(site, crawl=True).read().index
    for most in range(1, len(whole)):
        read = reader(site, crawl=True).read(most=most)
        first = [asked.path for asked in site.asked if asked.path in site.replies]
        read.read()
        assert read.index == whole
        again = [asked.path for asked in site.asked if asked.path in first]
        assert len(again) <= 1, "only what was fetched and not recorded is asked again"
        assert read.of(Departed) == []


def test_a_sample_takes_so_many_and_takes_nothing_away(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    del site.replies["/c"]
    assert len(read.read(limit=2).items) == 2
    read.read(limit=50)
    assert read.of(Departed) == []
    assert read.read().of(Departed) == ["/c"]


def test_a_document_that_was_removed_by_hand_is_read_again(site: Site) -> None:
    build(site, SMALL)
    read = reader(site, crawl=True).read()
    del read.index[f"{site.url}/c"]
    assert read.read().of(HeldItem) == ["/c"]


def test_one_bad_page_does_not_stop_the_rest(site: Site) -> None:
    build(site, {"/": ("/bomb", "/binary", "/deep", "/odd", "/cut", "/z"), "/z": ()})
    site.zipped("/bomb", b"\0" * 3_000_000)
    site.at("/binary", b"\0\x01\x02" * 1000)
    site.at("/deep", b"<div>" * 100_000)
    site.at("/cut", Reply(html("x"), length=10_000))
    site.at("/odd", Reply(html("x"), headers={"Content-Encoding": "br"}))
    read = reader(site, crawl=True)
    read.settings = read.settings.model_copy(update={"web_max_mb": 1})
    read.read()
    assert read.pages == ["/", "/z"]
    assert set(read.reasons(Problem)) == {"/bomb", "/cut", "/odd"}
    assert set(read.reasons(Skipped)) == {"/binary", "/deep"}


def test_a_private_place_is_refused_behind_a_redirect_and_by_robots(site: Site) -> None:
    site.move("/", f"http://localhost:{site.port}/secret", 302)
    read = reader(site, allow=f"127.0.0.1:{site.port}").read()
    assert "private address" in read.reasons(Problem)["/"]
    site.move("/robots.txt", f"http://localhost:{site.port}/robots.txt", 302)
    read = reader(site, allow=f"127.0.0.1:{site.port}").read()
    assert "private address" in read.reasons(Problem)["/"]
    read = reader(site, allow="").read()
    assert "private address" in read.reasons(Problem)["/"]


def test_secrets_of_an_address_are_asked_and_stand_nowhere(site: Site) -> None:
    address = f"http://me:planted@127.0.0.1:{site.port}/a?x=1&token=planted"
    site.at("/a?x=1&token=planted", prose("a") + linked("/b?sig=planted"))
    site.at("/b?sig=planted", prose("b"))
    read = reader(site, asked=address, crawl=True).read()
    assert read.pages == ["/a?x=1", "/b"]
    assert site.asked[0].headers["authorization"].startswith("Basic ")
    items = [item for item in read.items if not isinstance(item, HeldItem)]
    titles = [(item.uri, item.title, item.metadata) for item in read.items if isinstance(item, HeldItem)]
    kept = (read.source, read.source.spec, read.source.identity, items, titles, dict(read.memory.walk()))
    assert "planted" not in repr(kept)


def test_logins_of_the_settings_go_to_their_origins_only(site: Site) -> None:
    other = f"http://localhost:{site.port}"
    build(site, {"/": ("/a",), "/a": ()})
    site.move("/a", f"{other}/b", 302)
    read = reader(site, "/a")
    logins = {site.url: "me:planted", other: "Bearer planted", "https://wiki.corp": "x:y"}
    read.settings = read.settings.model_copy(update={"web_logins": logins})
    read.read()
    sent = {asked.host: asked.headers.get("authorization") for asked in site.asked}
    assert sent == {f"127.0.0.1:{site.port}": "Basic bWU6cGxhbnRlZA==", f"localhost:{site.port}": "Bearer planted"}
    assert "planted" not in repr(read.settings)


def test_a_user_agent_says_who_asks(site: Site) -> None:
    site.at("/", prose("a"))
    read = reader(site)
    read.settings = read.settings.model_copy(update={"web_contact": "mailto:me@docs.example"})
    read.read()
    assert site.asked[0].headers["user-agent"] == "Embedmill/0.1.0 (+mailto:me@docs.example)"
