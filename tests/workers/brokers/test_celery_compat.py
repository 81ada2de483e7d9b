"""The compatibility patches: what they mend is still broken in the installed release, and mended by them.

When a test of what is still broken fails, upstream has mended it: take that patch out of
workers/brokers/celery_compat.py."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import celery
import celery.exceptions
import kombu
import pycurl
import pytest
from celery.worker.consumer import Consumer as StockConsumer
from kombu import Connection
from kombu.asynchronous import Hub, get_event_loop, set_event_loop
from kombu.asynchronous.http import Request
from kombu.transport import SQS
from kombu.transport import redis as kombu_redis
from kombu.utils.json import loads

from embedmill.workers.brokers import celery_compat, redis_transport, sqs_transport
from embedmill.workers.brokers.envelopes import as_text
from embedmill.workers.brokers.refusals import Refusals, refusals
from embedmill.workers.consuming.consumer import Consumer as OurConsumer
from tests.services import moto, redis
from tests.services.needed import require
from tests.services.redis import OwnServer
from tests.waiting import wait_until


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


ROOT = Path(__file__).parents[2]
OURS = "embedmill.workers.consuming.consumer:Consumer"


class StockWorker:
    """A worker of tests/workers/brokers/stock_worker.py with room for four tasks, so that it listens while it works."""

    def __init__(self, server: OwnServer, held: Path, consumer: str) -> None:
        self._app = celery.Celery("stock", broker=server.url, set_as_current=False)
        self._app.conf.broker_transport_options = {"max_retries": 1}
        self._held = held
        arguments = [server.url, str(held), consumer]
        self._log = held.with_name("log")
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.workers.brokers.stock_worker", *arguments],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def hold(self) -> None:
        self._app.send_task("stock.hold", queue="stock", retry=False)
        wait_until(self._held.exists, "the worker holds a task", seconds=60)

    def wait_until_it_misses_redis(self) -> None:
        wait_until(lambda: b"Connection to broker lost" in self._log.read_bytes(), "it has noticed")

    def release(self) -> None:
        self._held.unlink()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._app.close()


def lose_redis(server: OwnServer, worker: StockWorker) -> None:
    """With a task in the worker's hands."""
    worker.hold()
    server.kill()
    worker.wait_until_it_misses_redis()
    worker.release()
    server.start()


class Recorded(Connection):  # type: ignore[misc]  # kombu has no types
    """A connection that says how it was taken leave of."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.calls: list[str] = []

    def collect(self, socket_timeout: float | None = None) -> None:
        self.calls.append("collect")
        super().collect(socket_timeout)

    def close(self) -> None:
        self.calls.append("close")
        super().close()


def leave(server: OwnServer, consumer_class: type[Any]) -> list[str]:
    app = celery.Celery("leave", broker=server.url, set_as_current=False)
    app.conf.worker_enable_prefetch_count_reduction = False
    controller = SimpleNamespace(use_eventloop=False, semaphore=None)
    consumer = consumer_class(lambda _: None, app=app, pool=None, controller=controller)
    connection = Recorded(server.url)
    connection.connect()
    consumer.connection = connection
    server.kill()
    with pytest.warns(celery.exceptions.CPendingDeprecationWarning):
        consumer.on_connection_error_after_connected(OSError("gone"))
    app.close()
    return connection.calls


def test_celery_still_closes_a_lost_redis_connection_twice(own_redis: OwnServer) -> None:
    assert leave(own_redis, StockConsumer) == ["collect", "close"]


def test_ours_closes_it_once(own_redis: OwnServer) -> None:
    assert leave(own_redis, OurConsumer) == ["collect"]


def test_ours_takes_the_next_task_after_redis_was_lost(own_redis: OwnServer, tmp_path: Path) -> None:
    with closing(StockWorker(own_redis, tmp_path / "held", OURS)) as worker:
        lose_redis(own_redis, worker)
        worker.hold()
        assert worker.process.poll() is None


def can_consume_after_a_failed_ack(server: OwnServer, transport: type[Any]) -> bool:
    connection = Connection(server.url, transport=transport, transport_options={"max_retries": 1})
    channel = connection.default_channel
    channel.do_restore = False
    channel.basic_qos(0, 1, False)  # noqa: FBT003 - kombu's signature
    taken: list[Any] = []
    channel.basic_consume("one", no_ack=False, callback=taken.append, consumer_tag="one")
    connection.Producer().publish({"n": 1}, routing_key="one")
    connection.drain_events(timeout=5)
    assert not channel.qos.can_consume()
    server.kill()
    with pytest.raises(connection.connection_errors):
        taken[0].ack()
    return bool(channel.qos.can_consume())


def test_kombu_still_keeps_what_it_could_not_acknowledge_in_hand(own_redis: OwnServer) -> None:
    assert not can_consume_after_a_failed_ack(own_redis, kombu_redis.Transport)


def test_ours_lets_go_of_what_it_could_not_acknowledge(own_redis: OwnServer) -> None:
    assert can_consume_after_a_failed_ack(own_redis, redis_transport.RedisTransport)


def take_garbage(server: redis.Server) -> Any:
    with server.client as client:
        client.lpush("garbage", "no JSON")
    with Connection(server.url, transport="embedmill.workers.brokers.redis_transport:RedisTransport") as connection:
        channel = connection.default_channel
        taken: list[Any] = []
        channel.basic_consume("garbage", no_ack=True, callback=taken.append, consumer_tag="one")
        connection.drain_events(timeout=5)
    return as_text(taken[0].body)


def test_kombu_still_loses_what_is_no_json(own_redis: OwnServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kombu_redis, "loads", loads)
    with pytest.raises(ValueError, match="Expecting value"):
        take_garbage(own_redis)
    with own_redis.client as client:
        assert client.llen("garbage") == 0


def test_ours_hands_on_what_is_no_json(own_redis: OwnServer) -> None:
    assert kombu_redis.loads is not loads
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
    for field, value in vars(Refusals()).items():
        monkeypatch.setattr(refusals, field, value)
    before = get_event_loop()
    set_event_loop(Hub())
    with moto.running_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        with Connection("sqs://", transport=SQS.Transport) as stock, Connection("sqs://") as ours:
            ours.transport_cls = sqs_transport.SqsTransport
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


class Options:
    """What is set on a curl handle."""

    def __init__(self) -> None:
        self.set: dict[int, Any] = {}

    def setopt(self, option: int, value: Any) -> None:
        self.set[option] = value

    def unsetopt(self, option: int) -> None:
        self.set.pop(option, None)


def limits(channel: Any) -> set[int]:
    """The limits of time that a receive is given."""
    options = Options()
    headers: dict[str, str] = {}
    request = Request("http://127.0.0.1/", method="POST", body="{}", headers=headers, request_timeout=20.0)
    channel.asynsqs()._httpclient._setup_request(options, request, BytesIO(), headers)
    return {pycurl.CONNECTTIMEOUT, pycurl.TIMEOUT} & options.set.keys()


def test_kombu_still_sets_no_limit_of_time_for_a_receive_and_ours_does(channels: tuple[Any, Any]) -> None:
    stock, ours = channels
    assert limits(stock) == set()
    assert limits(ours) == {pycurl.CONNECTTIMEOUT, pycurl.TIMEOUT}


def test_ours_takes_a_failed_receive_for_an_empty_one_and_counts_what_is_permanent(channels: tuple[Any, Any]) -> None:
    _, ours = channels
    for status in (400, 503):
        answer = ours.asynsqs()._on_list_ready(None, [], "ReceiveMessage", Answer(status))
        assert ours._on_messages_ready("url", "queue", answer) == 0
    assert (refusals.in_a_row, refusals.permanent) == (2, 1)
    assert "AccessDenied" in refusals.last_permanent
    assert refusals.pause_seconds > 0
