"""Listings that are none: whatever answers for a store, nothing departs by it and nothing goes on for ever."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from embedmill.producers.sources.base import Problem, ReadContext
from embedmill.producers.sources.buckets.listing import BucketListing
from embedmill.producers.sources.buckets.source import S3Source
from embedmill.shared.buckets.names import BucketPlace
from embedmill.shared.db.schema import document, scan_note
from tests.contracts.sources import Desk, desk
from tests.corpus import text_of
from tests.services.buckets import Bucket, refusal, told
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]

NAME = "embedmill-test"
HTML = "<html><body><form>Please log in</form></body></html>"
SOURCE = S3Source(BucketPlace(NAME, "p/"))
KEYS = [f"p/{number}.txt" for number in range(6)]


def entry(key: str, size: str = "<Size>5</Size>") -> str:
    return f"<Contents><Key>{key}</Key><ETag>&quot;e&quot;</ETag>{size}</Contents>"


def page(
    entries: list[str], *, token: str = "", truncated: str = "", name: str = NAME, count: int | None = None
) -> str:
    more = f"<NextContinuationToken>{token}</NextContinuationToken>" if token else ""
    told = f"<Name>{name}</Name><KeyCount>{len(entries) if count is None else count}</KeyCount>"
    told += f"<IsTruncated>{truncated or ('true' if token else 'false')}</IsTruncated>{more}"
    return f"<ListBucketResult>{told}{''.join(entries)}</ListBucketResult>"


FIRST = page([entry(key) for key in KEYS[:5]], token="T")
REST = page([entry(key) for key in KEYS[5:]])
Answering = Callable[[int], str]


def scanned(bucket: Bucket, desk: Desk, answer: Answering) -> list[str]:
    """What is said of a listing whose pages, by their number, are such; nothing may leave by it."""
    for number, key in enumerate(KEYS):
        bucket.put(key, text_of(number))
    desk.ingest(SOURCE)
    asked: list[str] = []

    def answers(request: Any) -> Any:
        if "list-type" not in parse_qs(urlsplit(request.url).query):
            return None
        asked.append(request.url)
        assert len(asked) < 20, "it asks for ever"
        # What stands behind is asked too, and knows none of these tokens.
        request.url = request.url.replace("continuation-token", "unknown")
        return told(request, answer(len(asked)))

    with bucket.answering(answers):
        report = desk.ingest(SOURCE)
    assert report.problems
    assert len(desk.indexed()) == 6
    reasons = [row["reason"] for row in desk.tracker.rows(scan_note)]
    assert not any("--allow-deletes" in reason for reason in reasons)
    return reasons


NO_LISTING: dict[str, Answering] = {
    "a page of a proxy": lambda _: HTML,
    "nothing": lambda _: "",
    "no XML": lambda _: "not XML",
    "a page of a proxy after the first": lambda number: FIRST if number == 1 else HTML,
    "nothing after the first": lambda number: FIRST if number == 1 else "",
    "another bucket": lambda _: page([entry(KEYS[0])], name="other"),
    "fewer than it says": lambda _: page([entry(KEYS[0])], count=6),
    "a size that is none": lambda _: page([entry(KEYS[0], "<Size>x</Size>")]),
}


@pytest.mark.parametrize("answer", NO_LISTING.values(), ids=NO_LISTING)
def test_what_is_no_listing_departs_nothing(bucket: Bucket, desk: Desk, answer: Answering) -> None:
    reasons = scanned(bucket, desk, answer)
    assert any("listed to its end" in reason and "endpoint" in reason.lower() for reason in reasons)
    assert not any("run it again later" in reason for reason in reasons)


CIRCLES: dict[str, Answering] = {
    "one token": lambda _: FIRST,
    "other tokens": lambda number: page([entry(key) for key in KEYS[:5]], token=f"T{number}"),
    "no token": lambda _: page([entry(key) for key in KEYS[:5]], truncated="true"),
    "empty pages": lambda number: page([], token=f"T{number % 3}"),
}


@pytest.mark.parametrize("answer", CIRCLES.values(), ids=CIRCLES)
def test_a_listing_that_goes_round_in_a_circle_ends(bucket: Bucket, desk: Desk, answer: Answering) -> None:
    assert any("goes round in a circle" in reason for reason in scanned(bucket, desk, answer))


ODD = {
    "outside": (entry("other/secret.txt"), "whose keys do not begin as was asked, the first 'other/secret.txt'"),
    "negative": (entry("p/9.txt", "<Size>-5</Size>"), "of negative sizes, the first 'p/9.txt'"),
    "no size": (entry("p/9.txt", ""), "without a size, the first 'p/9.txt'"),
    "no key": ("<Contents><Size>5</Size></Contents>", "without a key;"),
}


@pytest.mark.parametrize(("odd", "reason"), ODD.values(), ids=ODD)
def test_an_entry_that_is_no_object_of_the_place_is_said_and_then_nothing_leaves(
    bucket: Bucket, desk: Desk, odd: str, reason: str
) -> None:
    listing = page([entry(KEYS[0]), odd, entry(KEYS[1])])
    reasons = scanned(bucket, desk, lambda _: listing.replace("<Name>", "<EncodingType>url</EncodingType><Name>"))
    assert any(f"1 entries {reason}" in told for told in reasons)
    claimed = {row["uri"] for row in desk.tracker.rows(document)}
    assert not [uri for uri in claimed if "secret" in uri or "9.txt" in uri]


def test_a_bucket_that_is_elsewhere_is_not_busy(bucket: Bucket, desk: Desk) -> None:
    def moved(request: Any) -> Any:
        return refusal(request, 301, "PermanentRedirect") if request.method == "GET" else None

    with bucket.answering(moved):
        (problem,) = SOURCE.read(ReadContext())
    assert isinstance(problem, Problem)
    assert "region and endpoint" in problem.reason


def test_a_pattern_in_an_address_is_explained(bucket: Bucket) -> None:
    context = ReadContext()
    assert not list(S3Source(BucketPlace(NAME, "wiki/docs/*.md")).read(context))
    assert [remark.reason for remark in context.remarks] == [
        f"no pattern is expanded in an address: name s3://{NAME}/wiki/docs/, and give --include '*.md'"
    ]


def test_keys_are_read_as_stores_of_amazons_write_them(bucket: Bucket) -> None:
    written = ["p/a+b.txt", "p/a%2Bb.txt", "p/a%252Bb.txt", "p/%C3%A4%3Fx%3D1.txt"]
    meant = ["p/a b.txt", "p/a+b.txt", "p/a%2Bb.txt", "p/ä?x=1.txt"]
    body = page([entry(key) for key in written]).replace("<KeyCount>", "<EncodingType>url</EncodingType><KeyCount>")
    # A blank is a plus there; moto writes %20.
    assert [each["Key"] for each in _listed(bucket, body)] == sorted(meant)


def _listed(bucket: Bucket, body: str) -> list[Any]:
    with bucket.answering(lambda request: told(request, body) if "list-type" in request.url else None):
        return sorted(BucketListing(bucket.made, SOURCE.place), key=lambda each: str(each["Key"]))
