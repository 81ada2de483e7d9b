"""The compatibility patches: what they mend is still broken in the installed release, and mended by them.

When one of the first tests of a pair fails, upstream has mended it: take that patch out of workers/celery_compat.py.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Any, cast

import celery
import kombu
import pytest
from kombu import Connection
from kombu.common import ignore_errors
from kombu.transport import SQS
from kombu.transport import redis as kombu_redis
from kombu.utils.json import loads

from tests.services import moto, redis
from tests.services.needed import require
from tests.services.redis import OwnServer
from workers import celery_compat
from workers.brokers import redis_transport, sqs_transport
from workers.brokers.refusals import refusals

STOCK_REDIS = "kombu.transport.redis:Transport"


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


def lose_with_a_message_in_hand(server: OwnServer, before_close: Callable[[Any], None]) -> None:
    """What Celery's consumer does when Redis is lost, and then the acknowledgement of the task in hand."""
    connection = Connection(server.url, transport_options={"max_retries": 1})
    queue = connection.SimpleQueue("one")
    queue.put({"n": 1})
    message = queue.get(timeout=5)
    server.kill()
    before_close(connection)
    connection.collect(socket_timeout=1)
    ignore_errors(connection, connection.close)
    message.ack_log_error(logging.getLogger("test"), connection.connection_errors)


def test_celery_still_fails_to_acknowledge_after_redis_was_lost(own_redis: OwnServer) -> None:
    with pytest.raises(AttributeError):
        lose_with_a_message_in_hand(own_redis, lambda _: None)


def test_ours_acknowledges_in_vain_and_goes_on(own_redis: OwnServer) -> None:
    lose_with_a_message_in_hand(own_redis, celery_compat.close_once)


def take_garbage(server: redis.Server) -> Any:
    with server.client as client:
        client.lpush("garbage", "no JSON")
    with Connection(server.url, transport="workers.brokers.redis_transport:Transport") as connection:
        channel = connection.default_channel
        taken: list[Any] = []
        channel.basic_consume("garbage", no_ack=True, callback=taken.append, consumer_tag="one")
        connection.drain_events(timeout=5)
    return taken[0].body


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
    with moto.running_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        with Connection("sqs://", transport=SQS.Transport) as stock, Connection("sqs://") as ours:
            ours.transport_cls = sqs_transport.Transport
            yield stock.default_channel, ours.default_channel
    refusals.__init__()  # type: ignore[misc]


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
    assert (refusals.in_a_row, refusals.permanent) == (2, 1)
    assert "AccessDenied" in refusals.last_permanent
    assert refusals.pause_seconds > 0
