"""Every broker in turn, on a server of the session, with a Celery app of the test's own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import pytest
from celery import Celery

from embedmill.shared.configuration import load_settings
from embedmill.shared.settings import Settings
from embedmill.workers.brokers.base import Broker
from embedmill.workers.brokers.queue_file import QueueFile
from embedmill.workers.brokers.table import configuration, open_broker
from tests.command import Command
from tests.services import moto, rabbitmq, redis
from tests.services.needed import require

BROKERS = ("embedded", "redis", "rabbitmq", "sqs")


@pytest.fixture(scope="session")
def redis_server() -> Iterator[redis.Server]:
    require(redis.why_not())
    with redis.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[rabbitmq.Server]:
    require(rabbitmq.why_not())
    with rabbitmq.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[moto.Server]:
    require(moto.why_not())
    with moto.running_server() as server:
        yield server


@dataclass(frozen=True, slots=True)
class Place:
    """A broker that is running and empty: the variables that lead to it, and a way past our own publishing."""

    name: str
    environment: dict[str, str]
    put_raw: Callable[[str, str], object]


@pytest.fixture(params=BROKERS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    match request.param:
        case "embedded":
            return embedded(tmp_path)
        case "redis":
            return on_redis(request.getfixturevalue("redis_server"))
        case "rabbitmq":
            return on_rabbitmq(request.getfixturevalue("rabbitmq_server"))
    return on_sqs(request.getfixturevalue("moto_server"))


def embedded(tmp_path: Path) -> Place:
    def put(queue: str, body: str) -> None:
        (tmp_path / "home").mkdir(exist_ok=True)
        file = QueueFile(str(tmp_path / "home" / "queue.db"))
        file.connection.execute("INSERT INTO message (queue, body) VALUES (?, ?)", (queue, body))
        file.close()

    return Place("embedded", {"EMBEDMILL_BROKER_URL": "embedded://"}, put)


def on_redis(server: redis.Server) -> Place:
    server.wipe()

    def put(queue: str, body: str) -> None:
        with server.client as client:
            client.lpush(f"embedmill:{queue}", body)

    return Place("redis", {"EMBEDMILL_BROKER_URL": server.url}, put)


def on_rabbitmq(server: rabbitmq.Server) -> Place:
    server.wipe()

    def put(queue: str, body: str) -> None:
        with server.connect() as connection:
            connection.channel().basic_publish(amqp.Message(body), exchange="", routing_key=queue)

    return Place("rabbitmq", {"EMBEDMILL_BROKER_URL": server.url}, put)


def on_sqs(server: moto.Server) -> Place:
    server.wipe()

    def put(queue: str, body: str) -> None:
        client = server.client("sqs")
        client.send_message(QueueUrl=client.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=body)

    return Place("sqs", {"EMBEDMILL_BROKER_URL": "sqs://", **server.environment}, put)


@pytest.fixture
def placed(place: Place, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a process on that broker."""
    for name, value in place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return load_settings()


@pytest.fixture
def app(placed: Settings) -> Celery:
    """What else might talk to that broker, configured as workers are."""
    made: Any = Celery("embedmill-test", set_as_current=False)
    made.conf.update(configuration(placed))
    return made


@pytest.fixture
def broker(placed: Settings) -> Iterator[Broker]:
    placed.home_path.mkdir(parents=True, exist_ok=True)
    opened = open_broker(placed)
    yield opened
    opened.close()


@pytest.fixture
def command(cli: Command, place: Place) -> Command:
    """The real command on that broker, in the same home."""
    return cli.with_environment(**place.environment).with_settings(workers="1", batch_documents="4")
