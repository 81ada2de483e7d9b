"""Rolling deploys under load: every command is told to go every few seconds, and nothing is lost, blamed or killed."""

import time

import pytest

from tests.chaos.fleet.conftest import MATRIX, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet
from tests.command import Command
from tests.waiting import wait_until

DOCUMENTS = 400
EVERY_SECONDS = 1.0
DEPLOYS = 5


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("pool", ["prefork", "threads"])
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_deploys_under_load_lose_nothing_and_use_up_no_attempt(
    services: Services, chaotic: Command, pair: tuple[str, str], pool: str
) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    broker, database = (services[name] for name in pair)
    patient = chaotic.with_settings(lease_seconds="10")
    exits: list[tuple[int, float]] = []
    with Fleet(patient, broker=broker, database=database) as fleet:
        # The last stage waits for two deploys, or a quick machine is done before them.
        fleet.command.json("workers", "pause", "index")
        fleet.start(2, arguments=("--pool", pool))
        job = fleet.command.json("submit", corpus)["job"]
        while len(exits) < 2 * DEPLOYS and not fleet.is_finished(job):
            due = time.monotonic() + EVERY_SECONDS
            wait_until(lambda due=due: time.monotonic() > due or fleet.is_finished(job), "a deploy is due")  # type: ignore[misc]
            exits += fleet.deploy()
            if len(exits) == 4:
                fleet.command.json("workers", "resume", "index")
        assert len(exits) >= 4, "the job was over before the second deploy"
        fleet.wait_for(job, seconds=300)
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        outcomes = dict(fleet.rows("SELECT outcome, count(*) FROM attempt GROUP BY outcome"))
        assert set(outcomes) <= {"ok", "returned"}
        assert fleet.number("SELECT count(*) FROM worker WHERE state = 'lost'") == 0
        exits += fleet.deploy()
        assert set(fleet.stop()) <= {0}
    assert {status for status, _ in exits} == {0}
    slowest = max(seconds for _, seconds in exits)
    tell(pair, f"{pool}: {len(exits)} commands replaced, the slowest went in {slowest:.1f} s, attempts {outcomes}")
