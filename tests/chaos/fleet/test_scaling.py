"""Pools that are scaled up and down at random under load, on every broker: they follow, and no batch is cut."""

import random
import time

import pytest

from tests.chaos.fleet.conftest import MATRIX, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet
from tests.command import Command

DOCUMENTS = 250
STEPS = 5
# On an idle machine within ten; a Python process takes its time to start on a busy one.
FOLLOWED_SECONDS = 40


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_a_random_walk_of_scalings_is_followed_and_cuts_nothing(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    broker, database = (services[name] for name in pair)
    chance = random.Random(17)
    waits: list[float] = []
    with Fleet(chaotic.with_settings(lease_seconds="30"), broker=broker, database=database) as fleet:
        fleet.start(2)
        job = fleet.command.json("submit", corpus)["job"]
        for slots in [1, 4, 2, 0, *(chance.randrange(6) for _ in range(STEPS - 5)), 3]:
            began = time.monotonic()
            report = fleet.command.json("workers", "scale", "embed", slots, "--wait", FOLLOWED_SECONDS)
            assert report["converged"], report
            waits.append(time.monotonic() - began)
        fleet.wait_for(job, seconds=300)
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        assert {row.outcome for row in fleet.rows("SELECT DISTINCT outcome FROM attempt")} <= {"ok", "returned"}
        assert set(fleet.stop()) <= {0}
    tell(pair, f"{STEPS} scalings, followed in {max(waits):.1f} s at most")
