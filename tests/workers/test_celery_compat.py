"""The compatibility patches: what they mend is still broken in the installed release, and mended by them.

When a test of what is still broken fails, upstream has mended it: take that patch out of workers/celery_compat.py. That
a lost Redis ends a stock worker is shown by tests/e2e/test_redis.py.
"""

from collections.abc import Iterator
from typing import Any, cast

import celery
import kombu
import pytest
from kombu import Connection
from kombu.asynchronous import Hub, get_event_loop, set_event_loop
from kombu.transport import SQS
from kombu.transport import redis as kombu_redis
from kombu.utils.json import loads

from tests.services import moto, redis
from tests.services.needed import require
from tests.services.redis import OwnServer
from workers import celery_compat
from workers.brokers import redis_transport, sqs_transport
from workers.brokers.envelopes import as_text
from workers.brokers.refusals import Refusals


def test_the_patches_are_for_the_installed_versions() -> None:
    assert {"celery": celery.__version__, "kombu": kombu.__version__} == celery_compat.PATCHED, (
        "a new release: run this file and tests/e2e with it, then update PATCHED or drop what is mended"
    )


def test_another_version_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery, "__version__", "5.7.1")
    assert not celery_compat.is_needed()


@pytest.fixture
def own_redis() -> Iterator[OwnServer]:
    require(redis.why_not())
    with redis.running_server() as server:
        if not server.can_die:
            pytest.skip("a Redis that the tests did not start is not killed")
        yield cast(OwnServer, server)


def take_garbage(server: redis.Server) -> Any:
    with server.client as client:
        client.lpush("garbage", "no JSON")
    with Connection(server.url, transport="workers.brokers.redis_transport:Transport") as connection:
        channel = connection.default_channel
        taken: list[Any] = []
        channel.basic_consume("garbage", no_ack=True, callback=taken.append, consumer_tag="one")
        connection.drain_events(timeout=5)
    return as_text(taken[0].body)


def test_kombu_still_loses_what_is_no_json(own_redis: OwnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kombu_redis, "loads", loads)
    with pytest.raises(ValueError, match="JSON|Expecting"):
        take_garbage(own_redis)
    with own_redis.client as client:
        assert client.llen("garbage") == 0


def test_ours_hands_on_what_is_no_json(own_redis: OwnServer) -> None:
    assert redis_transport.redis.loads is not loads
    assert take_garbage(own_redis) == "no JSON"


class Answer:
    """An answer of SQS as kombu's HTTP client gives it."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.reason = "no reason"

    def read(self) -> bytes:
        return b'{"__type": "AccessDenied"}'


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, Any]]:
    """A stock channel of SQS, and ours."""
    require(moto.why_not())
    monkeypatch.setattr(sqs_transport, "refusals", Refusals())
    before = get_event_loop()
    set_event_loop(Hub())
    with moto.running_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        with Connection("sqs://", transport=SQS.Transport) as stock, Connection("sqs://") as ours:
            ours.transport_cls = sqs_transport.Transport
            yield stock.default_channel, ours.default_channel
    get_event_loop().close()
    set_event_loop(before)


def test_kombu_still_raises_for_a_receive_that_fails_once(channels: tuple[Any, Any]) -> None:
    stock, _ = channels
    with pytest.raises(Exception, match="HTTP 400"):
        stock.asynsqs()._on_list_ready(None, [], "ReceiveMessage", Answer(400))
    empty = stock.asynsqs()._on_list_ready(None, [], "ReceiveMessage", Answer(503))
    with pytest.raises(AttributeError):
        stock._on_messages_ready("url", "queue", empty)


def test_ours_takes_a_failed_receive_for_an_empty_one_and_counts_what_is_permanent(channels: tuple[Any, Any]) -> None:
    _, ours = channels
    for status in (400, 503):
        answer = ours.asynsqs()._on_list_ready(None, [], "ReceiveMessage", Answer(status))
        assert ours._on_messages_ready("url", "queue", answer) == 0
    refusals = sqs_transport.refusals
    assert (refusals.in_a_row, refusals.permanent) == (2, 1)
    assert "AccessDenied" in refusals.last_permanent
    assert refusals.pause_seconds > 0
