"""What a worker says it did: counters, and a rate that forgets what is older than a minute."""

from embedmill.workers.consuming.throughput import Throughput


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_is_that_of_the_last_minute() -> None:
    clock = Clock()
    done = Throughput(monotonic=clock)
    clock.now += 120
    done.note_batch(90)
    assert done.rate == 1.5
    clock.now += 61
    assert (done.rate, done.batches, done.documents) == (0.0, 1, 90)


def test_a_young_process_is_measured_by_its_own_age() -> None:
    clock = Clock()
    done = Throughput(monotonic=clock)
    clock.now += 10
    done.note_batch(20)
    assert done.rate == 2.0


def test_a_message_without_work_is_a_sign_of_life_but_no_claim() -> None:
    clock = Clock()
    done = Throughput(monotonic=clock)
    assert (done.message_age, done.claim_age) == (None, None)
    done.note_message()
    done.note_batch(0)
    clock.now += 3
    assert (done.message_age, done.claim_age, done.batches) == (3.0, None, 1)
