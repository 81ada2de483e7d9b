"""One request at a time to each host, with pauses that it has a say in, and no host's trouble is another's."""

from dataclasses import dataclass, field

import pytest

from embedmill.producers.sources.turns import Turns
from embedmill.producers.sources.web.addresses import Link
from embedmill.producers.sources.web.politeness import FrontierEntry, Queue, seconds_of
from tests.producers.sources.web.crawling import FakeClock


def entry(address: str) -> FrontierEntry:
    return FrontierEntry(Link(address, address))


def ready(queue: Queue) -> list[str]:
    return [each.address for each in queue.ready()]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> Queue:
    queue = Queue(clock, pause_seconds=1.0)
    for address in ("http://a.example/1", "https://a.example/2", "http://b.example/1"):
        queue.add(entry(address))
    return queue


def test_each_host_is_asked_for_one_page_at_a_time(queue: Queue) -> None:
    assert ready(queue) == ["http://a.example/1", "http://b.example/1"]
    assert ready(queue) == []
    assert queue.seconds_to_wait() is None, "both are busy"


@pytest.mark.parametrize(("asked", "took", "pause"), [(0.0, 0.1, 1.0), (5.0, 0.1, 5.0), (0.0, 7.0, 7.0)])
def test_the_longest_pause_counts(queue: Queue, clock: FakeClock, asked: float, took: float, pause: float) -> None:
    first = next(queue.ready())
    queue.host(first.address).pause = asked
    queue.release(first, took_seconds=took)
    list(queue.ready())
    assert queue.seconds_to_wait() == pause
    clock.wait(pause)
    assert ready(queue) == ["https://a.example/2"]


def test_a_host_that_fails_is_asked_later_and_the_others_are_not_kept_waiting(queue: Queue, clock: FakeClock) -> None:
    first = next(queue.ready())
    assert queue.failed(first, retry_after="30", is_of_host=True)
    assert ready(queue) == ["http://b.example/1"]
    assert queue.seconds_to_wait() == 30.0


def test_a_host_that_wants_to_be_left_alone_is(queue: Queue) -> None:
    first = next(queue.ready())
    assert not queue.failed(first, retry_after="86400", is_of_host=True)
    assert queue.host(first.address).left_alone == "it asks to be left alone for 86,400 seconds"
    assert queue.drop(first.address) == 1


def test_pages_that_are_broken_are_not_their_hosts_fault(queue: Queue) -> None:
    first = next(queue.ready())
    for _ in range(9):
        queue.failed(first, retry_after="", is_of_host=False)
    assert not queue.host(first.address).left_alone


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        (" 0 ", 0.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2021 08:00:30 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("9" * 30, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    assert seconds_of(header, 1_800_000_000.0) == seconds


@dataclass
class Shared(Turns):
    """Turns of two commands, and what they said of hosts."""

    clock: FakeClock
    due: dict[str, float] = field(default_factory=dict)

    def take(self, place: str, pause_seconds: float) -> float:
        now = self.clock.elapsed()
        turn = max(now, self.due.get(place, now))
        self.due[place] = turn + pause_seconds
        return turn - now

    def rest(self, place: str, seconds: float) -> None:
        self.due[place] = self.clock.elapsed() + seconds


def test_two_commands_ask_a_host_no_oftener_than_one(clock: FakeClock) -> None:
    shared = Shared(clock)
    queues = [Queue(clock, pause_seconds=1.0, turns=shared) for _ in range(2)]
    for queue in queues:
        for number in range(3):
            queue.add(entry(f"https://a.example/{number}"))
    begun, asked = clock.elapsed(), 0
    while any(queues):
        for queue in queues:
            for each in queue.ready():
                asked += 1
                queue.release(each, took_seconds=0.1)
        clock.wait(0.25)
    assert asked == 6
    assert 5.0 <= clock.elapsed() - begun <= 7.5


def test_what_a_host_asks_of_one_command_is_heeded_by_another(clock: FakeClock) -> None:
    shared = Shared(clock)
    one, two = (Queue(clock, pause_seconds=1.0, turns=shared) for _ in range(2))
    one.add(entry("https://a.example/1"))
    two.add(entry("https://a.example/2"))
    one.failed(next(one.ready()), retry_after="30", is_of_host=True)
    assert ready(two) == []
    assert two.seconds_to_wait() == 30.0


def test_a_turn_that_was_not_used_is_kept(clock: FakeClock) -> None:
    queue = Queue(clock, pause_seconds=1.0, turns=Shared(clock))
    for number in range(3):
        queue.add(entry(f"https://a.example/{number}"))
    queue.skip(next(queue.ready()))
    assert ready(queue) == ["https://a.example/1"]
