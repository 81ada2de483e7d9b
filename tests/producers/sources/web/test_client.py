"""One request, one answer: within bounds on bytes and time, whatever the other side sends and however slowly."""

import gzip
import zlib
from collections.abc import Iterator
from itertools import count

import pytest

from embedmill.producers.sources.web.client import Client, Failure, FailureKind, RequestBounds, WebAnswer
from embedmill.producers.sources.web.guard import Allowed
from tests.services.site import Asked, Reply, Site

SMALL = RequestBounds(most_bytes=100_000)


def ask(site: Site, path: str = "/", *, bounds: RequestBounds = SMALL) -> WebAnswer | Failure:
    with Client("Embedmill/test", Allowed(everything=True), bounds) as client:
        return client.ask(site.url + path, wants=lambda head: head.status == 200)


def ask_all(client: Client, *addresses: str) -> list[WebAnswer | Failure]:
    with client:
        return [client.ask(address, wants=lambda _head: True) for address in addresses]


def body(site: Site, reply: Reply) -> bytes:
    site.at("/", reply)
    answer = ask(site)
    assert isinstance(answer, WebAnswer), answer
    return answer.body


def failure(site: Site, reply: Reply, *, bounds: RequestBounds = SMALL) -> Failure:
    site.at("/", reply)
    answer = ask(site, bounds=bounds)
    assert isinstance(answer, Failure)
    return answer


def deflated(data: bytes) -> bytes:
    compressing = zlib.compressobj(wbits=-15)
    return compressing.compress(data) + compressing.flush()


def test_an_answer_is_its_status_headers_and_body(site: Site) -> None:
    site.at("/", Reply(b"text", headers={"X-Robots-Tag": "noindex", "ETag": '"1"'}, media_type="text/plain; charset=x"))
    answer = ask(site)
    assert isinstance(answer, WebAnswer)
    assert (answer.status, answer.body, answer.media_type) == (200, b"text", "text/plain")
    assert answer.headers["etag"] == '"1"'
    assert site.asked[0].headers["user-agent"] == "Embedmill/test"


def test_an_address_is_asked_to_the_letter(site: Site) -> None:
    for path in ("/x;y?a;b=1&c", "/a%2Fb//c/%7e", "/?"):
        ask(site, path)
    assert [asked.path for asked in site.asked] == ["/x;y?a;b=1&c", "/a%2Fb//c/%7e", "/"]


def test_a_redirect_is_an_answer_and_no_cookie_is_kept(site: Site) -> None:
    site.at("/", Reply(b"", 302, {"Location": "/there", "Set-Cookie": "id=1"}))
    answers = ask_all(Client("test", Allowed(everything=True)), site.url, site.url)
    assert [answer.status for answer in answers if isinstance(answer, WebAnswer)] == [302, 302]
    assert "cookie" not in site.asked[1].headers


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(b"a text" * 50)),
        ("gzip", gzip.compress(b"a text" * 20) + gzip.compress(b"a text" * 30)),
        ("gzip", gzip.compress(b"a text" * 50) + b"\0\0\0\0"),
        ("deflate", zlib.compress(b"a text" * 50)),
        ("deflate", deflated(b"a text" * 50)),
        ("identity", b"a text" * 50),
    ],
    ids=["gzip", "two parts", "padded", "zlib", "bare", "as it is"],
)
def test_what_is_compressed_is_inflated(site: Site, encoding: str, data: bytes) -> None:
    assert body(site, Reply(data, headers={"Content-Encoding": encoding})) == b"a text" * 50


def test_a_bomb_is_stopped_at_the_limit_of_inflated_bytes(site: Site) -> None:
    found = failure(site, Reply(gzip.compress(b"\0" * 5_000_000), headers={"Content-Encoding": "gzip"}))
    assert found.kind is FailureKind.TOO_LARGE
    assert "100,000 bytes" in found.reason


def test_a_page_without_end_is_stopped_at_the_limit(site: Site) -> None:
    sent = count()

    def endless() -> Iterator[bytes]:
        while True:
            next(sent)
            yield b"x" * 10_000

    assert failure(site, Reply(endless())).kind is FailureKind.TOO_LARGE
    assert next(sent) < 10_000


def test_a_body_that_nobody_wants_is_not_read(site: Site) -> None:
    site.at("/", Reply(b"x" * 50_000, 404))
    answer = ask(site)
    assert isinstance(answer, WebAnswer)
    assert answer.body == b""


def test_a_slow_drip_ends_with_the_deadline_though_no_step_is_slow(site: Site) -> None:
    """The clock moves by a second with every look at it, and each step looks once."""

    def dripping() -> Iterator[bytes]:
        while True:
            yield b"."

    site.at("/", Reply(dripping()))
    ticks = count()
    client = Client("test", Allowed(everything=True), RequestBounds(seconds=60.0), clock=lambda: float(next(ticks)))
    (answer,) = ask_all(client, site.url)
    assert isinstance(answer, Failure)
    assert answer == Failure("its answer took too long", FailureKind.SLOW)


def test_headers_that_drip_end_with_the_deadline_too(site: Site) -> None:
    site.at("/", Reply(b"", headers={f"X-{number}": "x" * 1000 for number in range(60)}))
    ticks = count(step=30)
    client = Client("test", Allowed(everything=True), RequestBounds(seconds=60.0), clock=lambda: float(next(ticks)))
    (answer,) = ask_all(client, site.url)
    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.SLOW


def test_headers_without_end_are_no_answer(site: Site) -> None:
    site.at("/", Reply(b"", headers={f"X-{number}": "x" * 10_000 for number in range(50)}))
    answer = ask(site)
    assert isinstance(answer, Failure)
    assert answer.kind is FailureKind.BROKEN


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply(b"half", length=100), "its answer broke off or makes no sense"),
        (Reply(gzip.compress(b"a text" * 50)[:-6], headers={"Content-Encoding": "gzip"}), "its answer is damaged"),
        (Reply(b"no gzip", headers={"Content-Encoding": "gzip"}), "its answer is damaged"),
        (Reply(b"x", headers={"Content-Encoding": "br"}), "its answer broke off or makes no sense"),
    ],
    ids=["cut", "cut when compressed", "not compressed", "not asked for"],
)
def test_an_answer_that_is_cut_or_damaged_is_none(site: Site, reply: Reply, reason: str) -> None:
    found = failure(site, reply)
    assert found.kind is FailureKind.BROKEN
    assert found.reason.startswith(reason)


def test_a_server_that_is_away_and_a_name_that_leads_nowhere_are_told_apart() -> None:
    everything = Allowed(everything=True)
    nameless = ask_all(Client("test", everything, resolver=_fail), "http://docs.example/")
    assert nameless == [Failure("its name leads to no address", FailureKind.AWAY)]
    away = ask_all(Client("test", everything), "http://127.0.0.1:1/")
    assert away == [Failure("it refuses connections", FailureKind.AWAY)]


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://docs.example/", "http:///x", "http://a b/", "http://x:99999/"]
)
def test_what_is_no_address_of_the_web_is_refused(address: str) -> None:
    (answer,) = ask_all(Client("test", Allowed(everything=True), resolver=_fail), address)
    assert isinstance(answer, Failure)


def test_a_password_goes_to_its_own_origin_only(site: Site) -> None:
    site.at("/", "<p>here")
    client = Client(
        "test", Allowed(everything=True), authorizations={site.url: "Basic abc"}, resolver=lambda *_: ["127.0.0.1"]
    )
    ask_all(client, site.url + "/", f"http://elsewhere.example:{site.port}/")
    assert [_authorization(asked) for asked in site.asked] == ["Basic abc", None]


def _authorization(asked: Asked) -> str | None:
    return asked.headers.get("authorization")


def _fail(_host: str, _port: int) -> list[str]:
    raise OSError("no such name")
