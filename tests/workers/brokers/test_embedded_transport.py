"""The embedded broker: what is published is taken once, by one process, and a wiped file is opened anew."""

import json
from collections.abc import Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from embedmill.workers.brokers.queue_file import QueueFile
from tests import forked

TRANSPORT = "embedmill.workers.brokers.embedded_transport:EmbeddedTransport"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "queue.db"


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    with Connection(transport=TRANSPORT, transport_options={"path": str(path)}) as connection:
        yield connection


def wipe(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def test_messages_come_out_in_their_order_and_once(connection: Connection) -> None:
    queue = connection.SimpleQueue("one")
    for number in range(3):
        queue.put({"n": number})
    assert [queue.get_nowait().payload["n"] for _ in range(3)] == [0, 1, 2]
    with pytest.raises(Empty):
        queue.get_nowait()


def test_queues_do_not_mix(connection: Connection) -> None:
    connection.SimpleQueue("one").put({"for": "one"})
    with pytest.raises(Empty):
        connection.SimpleQueue("two").get_nowait()


def test_depth_counts_all_queues_and_purging_empties_them(connection: Connection, path: Path) -> None:
    for name in ("one", "two"):
        connection.SimpleQueue(name).put({"x": 1})
    file = QueueFile(str(path))
    assert file.depth() == 2
    file.purge()
    assert file.depth() == 0
    file.close()


def test_a_wiped_file_is_opened_anew_by_publishers_and_consumers(connection: Connection, path: Path) -> None:
    queue = connection.SimpleQueue("one")
    queue.put({"n": "lost"})
    wipe(path)
    with pytest.raises(Empty):
        queue.get_nowait()
    queue.put({"n": "kept"})
    file = QueueFile(str(path))
    assert file.depth() == 1
    assert queue.get_nowait().payload == {"n": "kept"}
    file.close()


def take_all(path: str, results: Any) -> None:
    taken = []
    with Connection(transport=TRANSPORT, transport_options={"path": path}) as connection:
        queue = connection.SimpleQueue("one")
        while True:
            try:
                message = queue.get_nowait()
            except Empty:
                break
            message.ack()
            taken.append(message.payload["n"])
    results.put(json.dumps(taken))


def test_no_message_is_taken_by_two_processes(connection: Connection, path: Path) -> None:
    queue = connection.SimpleQueue("one")
    for number in range(200):
        queue.put({"n": number})
    results = forked.context.Queue()
    processes = [forked.start(take_all, str(path), results) for _ in range(3)]
    taken = [n for _ in processes for n in json.loads(results.get(timeout=60))]
    for process in processes:
        process.join()
    results.close()
    assert sorted(taken) == list(range(200))
