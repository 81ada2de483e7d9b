"""Sessions with Postgres that are cut in their COMMIT, before it arrives or before its answer does: one effect each."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.chaos.fleet.conftest import BROKERS, Services, corpus_with_reference, require_as_without_faults, tell
from tests.chaos.fleet.deployment import Fleet, Service
from tests.command import Command
from tests.services.proxy import Proxy, running_proxy

DOCUMENTS = 100
# By number and not by time: however slow the machine is, what is tried again finds its turn between two cuts.
EVERY = 12


@contextmanager
def behind_a_proxy(database: Service, *, passes_it_on: bool) -> Iterator[tuple[Service, Proxy]]:
    """A database of its own, on a server with a socket, behind a proxy before that."""
    given = database.fresh()
    found = parse_qs(urlsplit(given["database_url"]).query).get("host", [""])[0]
    if not found.startswith("/"):
        pytest.skip("the server of TEST_POSTGRES_URL has no socket")
    with (
        TemporaryDirectory(prefix="em-") as folder,
        running_proxy(Path(folder), Path(found), passes_it_on=passes_it_on) as proxy,
    ):
        moved = {"database_url": given["database_url"].replace(found, folder)}
        yield replace(database, fresh=lambda: moved, disturbances={}), proxy


@pytest.mark.chaos
@pytest.mark.timeout(900)
@pytest.mark.parametrize("commit", ["passed on", "cut"])
@pytest.mark.parametrize("broker", BROKERS)
def test_commits_that_are_cut_have_one_effect(services: Services, chaotic: Command, broker: str, commit: str) -> None:
    corpus, expected = corpus_with_reference(DOCUMENTS)
    patient = chaotic.with_settings(lease_seconds="10")
    with (
        behind_a_proxy(services["postgres"], passes_it_on=commit == "passed on") as (database, proxy),
        Fleet(patient, broker=services[broker], database=database) as fleet,
    ):
        job = fleet.command.json("submit", corpus)["job"]
        fleet.start(2)
        proxy.cut_every = EVERY
        fleet.wait_for(job, seconds=300)
        proxy.cut_every = 0
        assert proxy.cut, "nothing was cut: the test shows nothing"
        require_as_without_faults(fleet, job, expected, documents=DOCUMENTS)
        assert fleet.number("SELECT count(*) FROM attempt WHERE outcome IN ('error', 'lost')") == 0
        assert set(fleet.stop()) <= {0}
    tell((broker, "postgres"), f"{DOCUMENTS} documents, {proxy.cut} commits {commit}")
