"""Brokers and databases of the session, and the oracle that a fleet under fire is held against."""

import os
import pickle
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.conftest import CHAOTIC, clean
from tests.chaos.fleet import deployment
from tests.chaos.fleet.deployment import Fleet, Service
from tests.command import Command
from tests.corpus import write_corpus
from tests.migrated import place_migrated
from tests.together import folder, once

BROKERS = {
    "embedded": deployment.on_embedded,
    "redis": deployment.on_redis,
    "rabbitmq": deployment.on_rabbitmq,
    "sqs": deployment.on_sqs,
}
DATABASES = {"sqlite": deployment.on_sqlite, "postgres": deployment.on_postgres}
# Every broker once and each database with two of them; FLEET_PAIRS=all has every broker on both.
FEW = [("embedded", "sqlite"), ("redis", "postgres"), ("rabbitmq", "postgres"), ("sqs", "sqlite")]
ALL = [(broker, database) for broker in BROKERS for database in DATABASES]
MATRIX = ALL if os.environ.get("FLEET_PAIRS") == "all" else FEW
REMOTE = [pair for pair in MATRIX if pair[0] != "embedded"]
POISON = "0007-poison.txt"


class Services(dict[str, Service]):
    """Every service that a test has asked for, started once."""

    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, name: str) -> Service:
        self[name] = self._stack.enter_context((BROKERS | DATABASES)[name]())
        return self[name]


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    with ExitStack() as stack:
        yield Services(stack)


@pytest.fixture
def chaotic(tmp_path: Path) -> Iterator[Command]:
    """The real command in a home folder of its own, with many small batches and a short lease."""
    place_migrated(tmp_path / "home" / "tracking.db")
    command = Command({**clean(), **CHAOTIC, "EMBEDMILL_HOME": str(tmp_path / "home")}, tmp_path)
    yield command
    command.close()


def corpus_with_reference(documents: int, *, name: str = "calm") -> tuple[Path, dict[str, tuple[str, str]]]:
    """A folder of text files, and (uri, text) by id of the same ingested without a fault: made once for all processes.

    Whoever puts something into the folder afterwards has a name of its own for it.
    """
    corpus = once(f"fleet-{name}-{documents}", lambda path: write_corpus(path, documents))

    def ingest(path: Path) -> None:
        home = folder() / f"fleet-{name}-{documents}-home"
        command = Command({**clean(), **CHAOTIC, "EMBEDMILL_HOME": str(home)}, folder())
        assert command.json("ingest", corpus, seconds=600)["documents"]["completed"] == documents
        path.write_bytes(pickle.dumps({id_: (row["uri"], row["text"]) for id_, row in command.export().items()}))

    reference = once(f"fleet-{name}-{documents}-reference", ingest)
    expected: dict[str, tuple[str, str]] = pickle.loads(reference.read_bytes())
    return corpus, expected


def require_as_without_faults(
    fleet: Fleet,
    job: int,
    expected: dict[str, tuple[str, str]],
    *,
    documents: int,
    poison: tuple[str, ...] = (),
    others: int = 0,
) -> None:
    """0 lost, 0 double, 0 stale, the poison in the dead letters and no innocent there.

    `others` are documents of other collections, of which no more is known than that they are indexed.
    """
    counts = fleet.command.json("jobs", "show", job)["documents"]
    letters = fleet.command.json("dlq", "list")["dead_letters"]
    assert [letter["uri"].rpartition("/")[2] for letter in letters] == list(poison), letters
    assert (counts["total"], counts["completed"], counts["dead"]) == (documents + len(poison), documents, len(poison))
    assert {id_: (row["uri"], row["text"]) for id_, row in fleet.command.export().items()} == expected
    assert fleet.command.json("verify")["ok"]
    assert fleet.number("SELECT count(*) FROM work WHERE finished_at IS NULL OR lease IS NOT NULL") == 0
    twice = "SELECT work_id FROM attempt WHERE stage = 'index' AND outcome = 'ok' GROUP BY work_id HAVING count(*) > 1"
    assert fleet.rows(twice) == []
    visible = "SELECT count(*) FROM document WHERE active_version IS NOT NULL"
    assert fleet.number(visible) == documents + others


def tell(pair: tuple[str, str], what: str) -> None:
    """A line for the report that pytest makes with -rP."""
    print(f"{'-'.join(pair)}: {what}")  # noqa: T201
