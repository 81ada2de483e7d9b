"""What may be asked, by what robots.txt says or fails to say."""

import pytest

from embedmill.producers.sources.web.client import AnswerHead, Client, RequestBounds
from embedmill.producers.sources.web.guard import Allowed
from embedmill.producers.sources.web.robots import KEPT_SECONDS, RobotsRules, Unknown, find_rules, fresh_seconds
from tests.services.site import Reply, Site

PAGE = "https://docs.example"
NOTHING = b"User-agent: *\nDisallow: /\n"


def find(site: Site) -> RobotsRules | Unknown:
    with Client("Embedmill/test", Allowed(everything=True), RequestBounds(most_bytes=1_000_000)) as client:
        return find_rules(client, site.url, now=lambda: 1000.0)


def rules(text: str) -> RobotsRules:
    return RobotsRules.of(text, 0.0)


ANSWERS = {
    "rules": (Reply(NOTHING), False),
    "a mark before them": (Reply(b"\xef\xbb\xbf" + NOTHING), False),
    "an empty file": (Reply(b""), True),
    "a page": (Reply(b"<html><body><p>Disallow: nothing</p></body></html>"), True),
    "404": (Reply(NOTHING, 404), True),
    "403": (Reply(NOTHING, 403), True),
    "429": (Reply(b"", 429), None),
    "500": (Reply(NOTHING, 500), None),
    "503": (Reply(b"", 503), None),
    "5 MB": (Reply(NOTHING + b"# and so on\n" * 400_000), False),
    "damage": (Reply(b"x", length=10), None),
    "a redirect": (Reply(b"", 301, {"Location": "/real.txt"}), False),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_every_answer_means_rules_none_or_that_nothing_may_be_asked(site: Site, answer: str) -> None:
    reply, allowed = ANSWERS[answer]
    site.at("/real.txt", NOTHING)
    site.at("/robots.txt", reply)
    found = find(site)
    assert (found.allow(site.url + "/x") if isinstance(found, RobotsRules) else None) is allowed


def test_five_redirects_are_followed_and_six_mean_no_rules(site: Site) -> None:
    for hop in range(1, 7):
        site.move(f"/r{hop}", f"/r{hop + 1}")
    site.at("/r6", NOTHING)
    site.move("/robots.txt", "/r2")
    five = find(site)
    site.move("/robots.txt", "/r1")
    six = find(site)
    assert isinstance(five, RobotsRules)
    assert isinstance(six, RobotsRules)
    assert (five.allow(PAGE), six.allow(PAGE)) == (False, True)


def test_a_host_that_is_away_may_not_be_asked_and_one_in_a_private_place_never() -> None:
    with Client("test", Allowed(everything=True)) as client:
        away = find_rules(client, "http://127.0.0.1:1", now=lambda: 0.0)
    with Client("test") as client:
        refused = find_rules(client, "http://127.0.0.1:1", now=lambda: 0.0)
    assert away == Unknown("robots.txt: it refuses connections")
    assert isinstance(refused, Unknown)
    assert not refused.may_pass


def test_when_to_ask_again_is_told(site: Site) -> None:
    site.at("/robots.txt", Reply(b"", 503, {"Retry-After": "7"}))
    assert find(site) == Unknown("robots.txt: it answers 503", "7")


def test_the_longest_rule_decides_and_our_own_group_replaces_that_for_all() -> None:
    found = rules("User-agent: *\nDisallow: /\n\nUser-agent: Embedmill\nDisallow: /a\nAllow: /a/b$\nDisallow: /*.pdf\n")
    assert [found.allow(PAGE + path) for path in ("/", "/a", "/a/b", "/a/bc", "/x.pdf")] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_delay_is_kept_up_to_a_minute() -> None:
    assert rules("User-agent: *\nCrawl-delay: 2.5").delay_seconds == 2.5
    assert rules("User-agent: *\nRequest-rate: 1/10").delay_seconds == 10.0
    found = rules("User-agent: embedmill\nCrawl-delay: 600")
    assert (found.delay_seconds, found.asked_delay_seconds) == (60.0, 600.0)
    assert rules("User-agent: *\nCrawl-delay: -1\nSitemap: /map.xml").sitemaps == ["/map.xml"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"cache-control": "public, max-age=300"}, 300.0),
        ({"cache-control": "max-age=999999"}, KEPT_SECONDS),
        ({"cache-control": "no-cache, max-age=300"}, 0.0),
        ({"cache-control": "s-maxage=300"}, 0.0),
        ({"date": "Thu, 01 Jan 1970 01:00:00 GMT", "expires": "Thu, 01 Jan 1970 01:05:00 GMT"}, 300.0),
        ({"expires": "0", "last-modified": "Thu, 01 Jan 1970 00:00:10 GMT"}, 0.0),
        ({"last-modified": "Thu, 01 Jan 1970 00:00:10 GMT"}, 99.0),
        ({"last-modified": "yesterday"}, 0.0),
    ],
)
def test_rules_are_fresh_for_as_long_as_the_answer_says(headers: dict[str, str], seconds: float) -> None:
    assert fresh_seconds(AnswerHead(PAGE, 200, headers), 1000.0) == seconds


def test_fresh_rules_are_not_asked_for_and_others_whether_they_have_changed(site: Site) -> None:
    site.at("/robots.txt", Reply(NOTHING, headers={"Cache-Control": "max-age=60", "ETag": '"1"'}))
    first = find(site)
    assert isinstance(first, RobotsRules)
    known = RobotsRules.recall(first.value, 1030.0)
    site.at("/robots.txt", lambda asked: Reply(b"", 304 if asked.headers.get("if-none-match") == '"1"' else 500))
    site.asked.clear()
    with Client("Embedmill/test", Allowed(everything=True)) as client:
        assert find_rules(client, site.url, now=lambda: 1059.0, known=known) == known
        assert site.asked == []
        later = find_rules(client, site.url, now=lambda: 1061.0, known=known)
    assert isinstance(later, RobotsRules)
    assert (later.text, later.fetched_at, later.etag) == (first.text, 1061.0, '"1"')
    assert len(site.asked) == 1


def test_rules_are_kept_for_a_day() -> None:
    kept = RobotsRules.of("User-agent: *\nDisallow: /x", 1000.0).value
    young, old = (RobotsRules.recall(kept, 1000.0 + age) for age in (KEPT_SECONDS - 1, KEPT_SECONDS))
    assert young
    assert not young.allow(PAGE + "/x")
    assert old is None
