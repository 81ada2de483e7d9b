"""How soon the work of a killed worker is somebody's again: at most one lease, whoever saw the kill."""

import random
import statistics
import time

import pytest

from tests.chaos.fleet.conftest import MATRIX, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet
from tests.command import Command
from tests.corpus import write_corpus
from tests.waiting import wait_until

DOCUMENTS = 300
KILLS = 6
LEAST = 3
BEFORE_INDEX = "SELECT count(*) FROM work WHERE stage <> 'index'"
LEASE_SECONDS = 6.0
HELD = "SELECT worker.pid, work.lease FROM work JOIN worker ON worker.id = work.worker WHERE work.state = 'running'"


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_recovery_of_a_killed_workers_documents_starts_within_a_lease(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    broker, database = (services[name] for name in pair)
    chance = random.Random(6)
    waits: list[float] = []
    with Fleet(chaotic.with_settings(lease_seconds=str(LEASE_SECONDS)), broker=broker, database=database) as fleet:
        # The last stage waits for the first kills, or a quick machine is done before them.
        fleet.command.json("workers", "pause", "index")
        fleet.start(2)
        job = fleet.command.json("submit", corpus)["job"]
        held_up = True
        while len(waits) < KILLS and not fleet.is_finished(job):
            if held_up and (len(waits) == LEAST or not fleet.number(BEFORE_INDEX)):
                fleet.command.json("workers", "resume", "index")
                held_up = False
            strike = fleet.kill_a_command_of if len(waits) % 3 == 2 else fleet.kill_pid
            held = fleet.rows(HELD)
            if not held:
                time.sleep(0.01)
                continue
            pid, lease = chance.choice(held)
            if not strike(pid):
                continue
            began = time.monotonic()
            is_taken = f"SELECT count(*) FROM work WHERE lease = '{lease}'"
            wait_until(lambda is_taken=is_taken: fleet.number(is_taken) == 0, "it is rescued", seconds=60)  # type: ignore[misc]
            waits.append(time.monotonic() - began)
        assert waits, "the job was over before the first kill"
        fleet.wait_for(job, seconds=300)
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        assert set(fleet.stop()) <= {0}
    assert max(waits) <= LEASE_SECONDS
    tell(pair, f"{len(waits)} kills, rescued after {statistics.median(waits):.2f} s, {max(waits):.2f} s at most")


# It is known within ten seconds what a dead worker may have fetched; the rest is for a new one's start.
RESENT_SECONDS = 15.0


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_a_message_handed_to_a_worker_that_never_wakes_is_sent_again(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    """Between taking and claiming Redis has forgotten the message, and SQS hides it for a quarter of an hour."""
    broker, database = (services[name] for name in pair)
    with Fleet(chaotic.with_settings(lease_seconds="30", workers="1"), broker=broker, database=database) as fleet:
        fleet.start()
        warm = fleet.command.json("submit", write_corpus(chaotic.folder / "warm", 1))["job"]
        fleet.wait_for(warm, seconds=60)
        assert fleet.freeze_a_worker(random.Random(2))
        job = fleet.command.json("submit", write_corpus(chaotic.folder / "cold", 1))["job"]
        queued = f"SELECT count(*) FROM work WHERE job_id = {job} AND state = 'queued'"
        wait_until(lambda: fleet.number(queued) == 1, "the message is sent")
        fleet.kill_frozen()
        began = time.monotonic()
        fleet.wait_for(job, seconds=RESENT_SECONDS)
        lasted = time.monotonic() - began
        assert fleet.number("SELECT count(*) FROM attempt WHERE outcome <> 'ok'") == 0
        assert set(fleet.stop()) <= {0}
    tell(pair, f"completed {lasted:.1f} s after the worker that was handed the message was killed")
