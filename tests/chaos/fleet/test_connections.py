"""Connections to the broker that are reset, half-open, slow, or swallow what is sent: nothing is lost, nobody hangs."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.fleet.conftest import REMOTE, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet, through_wires
from tests.command import Command
from tests.corpus import write_corpus
from tests.services.wires import Wires
from tests.waiting import wait_until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600), pytest.mark.parametrize("pair", REMOTE, ids="-".join)]

CHURN_SECONDS = 12.0
DOCUMENTS = 300
# Until a consumer whose socket went silent takes messages again.
SILENT_SECONDS = 90.0
CONSUMING_SECONDS = 60.0


@contextmanager
def wired(services: Services, command: Command, pair: tuple[str, str]) -> Iterator[tuple[Fleet, Wires]]:
    """A fleet that reaches its broker through a proxy."""
    broker, database = (services[name] for name in pair)
    with through_wires(broker) as (behind, wires), Fleet(command, broker=behind, database=database) as fleet:
        yield fleet, wires


def one_document(fleet: Fleet, name: str) -> int:
    """A job of one document."""
    job: int = fleet.command.json("submit", write_corpus(fleet.command.folder / name, 1))["job"]
    return job


def churn(fleet: Fleet, wires: Wires, *, seconds: float, seed: int) -> Counter[str]:
    """Do something to the connections every 100 to 500 ms; returns how often what was done."""
    chance = random.Random(seed)
    strikes: dict[str, Callable[[], object]] = {
        "reset": wires.reset,
        "abandon": wires.abandon,
        "silence": wires.silence,
        "slow down": lambda: setattr(wires, "delay_seconds", chance.uniform(0, 0.2)),
    }
    if "drop connections" in fleet.disturbances:
        strikes["drop connections"] = fleet.disturbances["drop connections"]
    # The kind that takes longest to notice is the rarest, or nothing would ever be consumed in between.
    weights = [1 if name == "silence" else 5 for name in strikes]
    struck: Counter[str] = Counter()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        (name,) = chance.choices(list(strikes), weights)
        strikes[name]()
        struck[name] += 1
        time.sleep(chance.uniform(0.1, 0.5))
    wires.delay_seconds = 0.0
    return struck


def test_broken_connections_lose_nothing(services: Services, chaotic: Command, pair: tuple[str, str]) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    with wired(services, chaotic.with_settings(lease_seconds="4"), pair) as (fleet, wires):
        fleet.start(2)
        job = fleet.command.json("submit", corpus)["job"]
        wait_until(lambda: wires.consumers, "a worker consumes", seconds=60)
        struck = churn(fleet, wires, seconds=CHURN_SECONDS, seed=9)
        before = fleet.number("SELECT count(*) FROM attempt WHERE outcome = 'ok'")
        calm = time.monotonic()
        wait_until(
            lambda: (
                fleet.number("SELECT count(*) FROM attempt WHERE outcome = 'ok'") > before or fleet.is_finished(job)
            ),
            "something is consumed again",
            seconds=CONSUMING_SECONDS,
        )
        consuming = time.monotonic() - calm
        fleet.wait_for(job, seconds=300)
        lasted = time.monotonic() - calm
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        assert set(fleet.stop()) <= {0}
    tell(pair, f"{dict(struck)}, consuming again after {consuming:.1f} s, all {DOCUMENTS} done after {lasted:.0f} s")


def test_a_consumer_whose_socket_swallows_everything_is_found_and_consumes_again(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    patient = chaotic.with_settings(lease_seconds="30", workers="1")
    with wired(services, patient, pair) as (fleet, wires):
        fleet.start()
        fleet.wait_for(one_document(fleet, "before"), seconds=60)
        wait_until(lambda: wires.consumers, "the worker listens")
        assert wires.silence_consumers()
        began = time.monotonic()
        fleet.wait_for(one_document(fleet, "after"), seconds=SILENT_SECONDS)
        tell(pair, f"consumed again {time.monotonic() - began:.1f} s after its socket went silent")
        assert set(fleet.stop()) <= {0}
