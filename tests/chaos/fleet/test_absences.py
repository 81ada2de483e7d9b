"""A broker that is away for a while and comes back empty: submitting goes on, and work resumes by itself."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from tests.chaos.fleet.conftest import REMOTE, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet, Service, through_wires
from tests.command import Command
from tests.corpus import write_corpus
from tests.waiting import wait_until

AWAY_SECONDS = 10.0
DOCUMENTS = 400
# Ours look for a broker that is away every 10 s at the latest, Celery's consumers every 30 s or so.
RESUMED_SECONDS = 60.0


@contextmanager
def absent_at_will(broker: Service) -> Iterator[Service]:
    """A broker with a way to be away; one that runs elsewhere is behind a proxy that refuses."""
    if broker.absence is not None:
        leave, come_back = broker.absence
        left = False

        def go() -> None:
            nonlocal left
            leave()
            left = True

        def be_back() -> None:
            nonlocal left
            come_back()
            left = False

        try:
            yield replace(broker, absence=(go, be_back))
        finally:
            # Others use it after a test that failed.
            if left:
                come_back()
        return
    with through_wires(broker) as (behind, wires):

        def leave() -> None:
            wires.refuse()
            broker.fresh()

        yield replace(behind, absence=(leave, wires.admit))


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("pair", REMOTE, ids="-".join)
def test_a_broker_that_comes_back_empty_is_worked_with_at_once(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    workers = "SELECT count(*) FROM worker"
    done = "SELECT count(*) FROM attempt WHERE outcome = 'ok'"
    with absent_at_will(services[pair[0]]) as broker:
        patient = chaotic.with_settings(lease_seconds="30")
        with Fleet(patient, broker=broker, database=services[pair[1]]) as fleet:
            assert broker.absence is not None
            leave, come_back = broker.absence
            # The last stage waits for the outage, or a quick machine is done before it.
            fleet.command.json("workers", "pause", "index")
            fleet.start(2)
            job = fleet.command.json("submit", corpus)["job"]
            wait_until(lambda: fleet.number(done) > 20, "work has begun", seconds=60)
            before = fleet.number(workers)
            leave()
            fleet.command.json("workers", "resume", "index")
            back_at = time.monotonic() + AWAY_SECONDS
            other = fleet.command.json("submit", write_corpus(chaotic.folder / "other", 3), "--collection", "other")
            wait_until(lambda: time.monotonic() > back_at, "the outage is over", seconds=2 * AWAY_SECONDS)
            finished = fleet.number(done)
            assert not fleet.is_finished(job)
            come_back()
            began = time.monotonic()
            wait_until(lambda: fleet.number(done) > finished, "work resumes", seconds=RESUMED_SECONDS)
            resumed = time.monotonic() - began
            fleet.wait_for(job, seconds=300)
            fleet.wait_for(other["job"], seconds=300)
            lasted = time.monotonic() - began
            require_as_without_faults(fleet, job, expected, documents=DOCUMENTS, others=3)
            assert fleet.number(workers) == before, f"a worker was replaced: {fleet.rows('SELECT * FROM worker')}"
            assert set(fleet.stop()) <= {0}
    tell(pair, f"away {AWAY_SECONDS:.0f} s, working after {resumed:.1f} s, all {DOCUMENTS} done after {lasted:.0f} s")
