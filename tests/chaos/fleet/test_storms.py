"""Everything at once, on every broker and database: the store and the tracker end as after a run without faults."""

import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.chaos.fleet.conftest import MATRIX, POISON, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet
from tests.chaos.test_disturbances import PUBLISH
from tests.chaos.test_poison import poisoned
from tests.command import Command

COMMANDS = 2
# STORM_SEEDS="21 22 23" has others, and more of them.
SEEDS = [int(seed) for seed in os.environ.get("STORM_SEEDS", "21").split()]
# Before so many disturbances no storm is over: the last stage waits for them.
LEAST = 3


@dataclass(frozen=True, slots=True)
class Size:
    """How long a storm is."""

    documents: int
    disturbances: int
    seconds: float


SHORT = Size(documents=80, disturbances=7, seconds=150)
LONG = Size(documents=600, disturbances=30, seconds=600)


def publish_again(fleet: Fleet, documents: int) -> None:
    """Every message three times, shuffled, with some that nobody can read; in vain while the broker is away."""
    subprocess.run(
        [sys.executable, "-c", PUBLISH, str(documents)],
        env=fleet.command.environment,
        cwd=fleet.command.folder,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=120,
    )


def rage(fleet: Fleet, job: int, *, size: Size, seed: int) -> Counter[str]:
    """Disturb at random moments until the job has ended or the storm is over; returns how often by what."""
    chance = random.Random(seed)
    kills = [fleet.kill_a_worker, fleet.kill_a_worker, fleet.kill_a_command, fleet.freeze_a_worker]
    struck: Counter[str] = Counter()
    held = True
    while struck.total() < size.disturbances and not fleet.is_finished(job):
        pause = time.monotonic() + chance.uniform(0.2, 1.5)
        while time.monotonic() < pause and not fleet.is_finished(job):
            time.sleep(0.02)
        fleet.thaw()
        choice = chance.randrange(10)
        if choice < 6:
            kill = chance.choice(kills)
            struck[kill.__name__] += kill(chance)
        elif choice < 9 and fleet.disturbances:
            name = chance.choice(sorted(fleet.disturbances))
            fleet.disturbances[name]()
            struck[name] += 1
        else:
            publish_again(fleet, 40)
            struck["publish again"] += 1
        if held and struck.total() >= LEAST:
            fleet.command.json("workers", "resume", "index")
            held = False
    fleet.thaw()
    return struck


def storm(services: Services, command: Command, pair: tuple[str, str], *, size: Size, seed: int) -> None:
    """A corpus with one poison document through a fleet under fire, then a calm end."""
    corpus, expected = corpus_with_reference(size.documents, name="storm")
    (corpus / POISON).write_text("An ordinary beginning.\n\nPOISON-PILL in the middle of a sentence.")
    broker, database = (services[name] for name in pair)
    with Fleet(poisoned(command, "chunk", "SIGKILL"), broker=broker, database=database) as fleet:
        fleet.command.json("workers", "pause", "index")
        fleet.start(COMMANDS)
        job = fleet.command.json("submit", corpus)["job"]
        began = time.monotonic()
        struck = rage(fleet, job, size=size, seed=seed)
        assert struck.total() >= LEAST
        fleet.wait_for(job, seconds=size.seconds)
        lasted = time.monotonic() - began
        require_as_without_faults(fleet, job, expected, documents=size.documents, poison=(POISON,))
        assert set(fleet.stop()) <= {0}
        lost = fleet.number("SELECT count(*) FROM attempt WHERE outcome = 'lost'")
    tell(pair, f"seed {seed}, {size.documents} documents, {lasted:.0f} s, {lost} attempts lost, {dict(struck)}")


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("pair", [("redis", "postgres"), ("rabbitmq", "postgres"), ("sqs", "sqlite")], ids="-".join)
def test_a_short_storm_leaves_what_a_calm_run_leaves(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    storm(services, chaotic, pair, size=SHORT, seed=5)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_hundreds_of_documents_survive_a_long_storm(
    services: Services, chaotic: Command, pair: tuple[str, str], seed: int
) -> None:
    storm(services, chaotic, pair, size=LONG, seed=seed)
