"""Everything at once, on every broker and database: the store and the tracker end as after a run without faults."""

import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos.conftest import CHAOTIC, clean
from tests.chaos.fleet import deployment
from tests.chaos.fleet.deployment import Fleet, Service
from tests.chaos.test_disturbances import PUBLISH
from tests.chaos.test_poison import poisoned
from tests.command import Command
from tests.corpus import write_corpus

BROKERS = {
    "embedded": deployment.on_embedded,
    "redis": deployment.on_redis,
    "rabbitmq": deployment.on_rabbitmq,
    "sqs": deployment.on_sqs,
}
DATABASES = {"sqlite": deployment.on_sqlite, "postgres": deployment.on_postgres}
MATRIX = [(broker, database) for broker in BROKERS for database in DATABASES]
POISON = "0007-poison.txt"
COMMANDS = 2


@dataclass(frozen=True, slots=True)
class Size:
    """How long a storm is."""

    documents: int
    disturbances: int
    seconds: float


SHORT = Size(documents=80, disturbances=7, seconds=150)
LONG = Size(documents=2000, disturbances=80, seconds=1200)


@pytest.fixture(scope="module")
def services() -> Iterator[dict[str, Service]]:
    """Every service that a test of this module has asked for, started once."""
    with ExitStack() as stack:
        yield _Started(stack)


class _Started(dict[str, Service]):
    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, name: str) -> Service:
        self[name] = self._stack.enter_context((BROKERS | DATABASES)[name]())
        return self[name]


def reference(folder: Path, corpus: Path) -> dict[str, tuple[str, str]]:
    """(uri, text) by id of the same folder without its poison, ingested without a fault."""
    command = Command({**clean(), **CHAOTIC, "EMBEDMILL_HOME": str(folder / "reference")}, folder)
    pill = (corpus / POISON).read_text()
    (corpus / POISON).unlink()
    assert command.json("ingest", corpus)["documents"]["dead"] == 0
    (corpus / POISON).write_text(pill)
    return {id_: (row["uri"], row["text"]) for id_, row in command.export().items()}


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
    fleet.thaw()
    return struck


def require_as_without_faults(fleet: Fleet, job: int, expected: dict[str, tuple[str, str]], *, documents: int) -> None:
    """0 lost, 0 double, 0 stale, the poison in the dead letters and no innocent there."""
    counts = fleet.command.json("jobs", "show", job)["documents"]
    letters = fleet.command.json("dlq", "list")["dead_letters"]
    assert [letter["uri"].rpartition("/")[2] for letter in letters] == [POISON], letters
    assert (counts["total"], counts["completed"], counts["dead"]) == (documents + 1, documents, 1)
    assert {id_: (row["uri"], row["text"]) for id_, row in fleet.command.export().items()} == expected
    assert fleet.command.json("verify")["ok"]
    assert fleet.number("SELECT count(*) FROM work WHERE finished_at IS NULL OR lease IS NOT NULL") == 0
    twice = "SELECT work_id FROM attempt WHERE stage = 'index' AND outcome = 'ok' GROUP BY work_id HAVING count(*) > 1"
    assert fleet.rows(twice) == []


def storm(services: dict[str, Service], folder: Path, pair: tuple[str, str], *, size: Size, seed: int) -> None:
    """A corpus with one poison document through a fleet under fire, then a calm end."""
    corpus = write_corpus(folder / "corpus", size.documents)
    (corpus / POISON).write_text("An ordinary beginning.\n\nPOISON-PILL in the middle of a sentence.")
    expected = reference(folder, corpus)
    command = Command({**clean(), **CHAOTIC, "EMBEDMILL_HOME": str(folder / "home")}, folder)
    broker, database = (services[name] for name in pair)
    with Fleet(poisoned(command, "chunk", "SIGKILL"), broker=broker, database=database) as fleet:
        fleet.start(COMMANDS)
        job = fleet.command.json("submit", corpus)["job"]
        began = time.monotonic()
        struck = rage(fleet, job, size=size, seed=seed)
        assert struck.total() >= 3, "the job was over before the storm began"
        fleet.wait_for(job, seconds=size.seconds)
        lasted = time.monotonic() - began
        require_as_without_faults(fleet, job, expected, documents=size.documents)
        assert set(fleet.stop()) <= {0}
        lost = fleet.number("SELECT count(*) FROM attempt WHERE outcome = 'lost'")
    # For the report that pytest makes with -rP.
    print(f"{'-'.join(pair)} seed {seed}: {size.documents} documents, {lasted:.0f} s, {lost} leases lost, {dict(struck)}")


@pytest.mark.parametrize("pair", [("redis", "postgres"), ("rabbitmq", "postgres"), ("sqs", "sqlite")], ids="-".join)
@pytest.mark.timeout(240)
def test_a_short_storm_leaves_what_a_calm_run_leaves(
    services: dict[str, Service], tmp_path: Path, pair: tuple[str, str]
) -> None:
    storm(services, tmp_path, pair, size=SHORT, seed=5)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", [21, 22])
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_two_thousand_documents_survive_a_long_storm(
    services: dict[str, Service], tmp_path: Path, pair: tuple[str, str], seed: int
) -> None:
    storm(services, tmp_path, pair, size=LONG, seed=seed)
