"""A corpus, the outcome of a run without faults, and the oracle that every disturbed run is held against."""

import os
import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command import Command
from tests.conftest import SMALL
from tests.corpus import write_corpus
from tests.migrated import place_migrated
from tests.together import once

DOCUMENTS = 80
# Many small batches: more boundaries to strike at, and a backlog in the broker.
CHAOTIC = {**SMALL, "EMBEDMILL_WORKERS": "2", "EMBEDMILL_BATCH_DOCUMENTS": "8", "EMBEDMILL_LEASE_SECONDS": "1"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left behind: the store by id, texts that the cache knows, tokens and inputs paid for."""

    exported: dict[str, dict[str, Any]]
    cached: int
    inputs: int
    tokens: int

    @property
    def texts(self) -> dict[str, tuple[str, str]]:
        """(uri, text) by id."""
        return {id_: (row["uri"], row["text"]) for id_, row in self.exported.items()}


@pytest.fixture(scope="session")
def corpus() -> Path:
    """A folder of small text files, the same for all processes; tests copy it before they change it."""
    return once("chaos-corpus", lambda path: write_corpus(path, DOCUMENTS))


@pytest.fixture(scope="session")
def faultless(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The corpus ingested without a fault, once for all processes."""

    def ingest(path: Path) -> None:
        folder = tmp_path_factory.mktemp("faultless")
        command = Command({**clean(), **CHAOTIC, "EMBEDMILL_HOME": str(folder / "home")}, folder)
        assert command.json("ingest", corpus)["documents"]["completed"] == DOCUMENTS
        path.write_bytes(pickle.dumps(measure(command)))

    outcome: Outcome = pickle.loads(once("faultless", ingest).read_bytes())
    return outcome


@pytest.fixture
def command(tmp_path: Path) -> Iterator[Command]:
    """The real command in a home folder of its own, with many small batches."""
    place_migrated(tmp_path / "home" / "tracking.db")
    found = Command({**clean(), **CHAOTIC, "EMBEDMILL_HOME": str(tmp_path / "home")}, tmp_path)
    yield found
    found.close()


def clean() -> dict[str, str]:
    """The environment without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EMBEDMILL_")}


def measure(command: Command) -> Outcome:
    """What is in a home folder now."""
    inputs, tokens = query(command.home / "tracking.db", "SELECT sum(inputs), sum(tokens_in) FROM usage")[0]
    ((cached,),) = query(command.home / "cache.db", "SELECT count(*) FROM held")
    return Outcome(command.export(), cached, inputs, tokens)


def query(path: Path, statement: str) -> list[Any]:
    """Rows of a database of the home folder."""
    with closing(sqlite3.connect(path, timeout=30)) as connection, connection:
        return connection.execute(statement).fetchall()


def require_whole(command: Command, faultless: Outcome, report: dict[str, Any], *, documents: int = DOCUMENTS) -> None:
    """The disturbed run ended as the one without faults did: nothing lost, doubled, blamed or paid twice."""
    counts = report["documents"]
    assert report["state"] == "completed"
    assert counts["total"] == documents == counts["completed"] + counts["unchanged"]
    assert counts["dead"] == 0
    outcome = measure(command)
    assert outcome.texts == faultless.texts
    assert command.json("verify")["ok"]
    # The cache is written before the ledger, so a kill between the two can only make the ledger short.
    assert outcome.cached == faultless.cached
    assert outcome.inputs <= outcome.cached
    assert outcome.tokens <= faultless.tokens
    require_consistent(command)


def require_consistent(command: Command) -> None:
    """The tracker after everything has ended."""
    database = command.home / "tracking.db"
    assert query(database, "SELECT count(*) FROM work WHERE finished_at IS NULL") == [(0,)]
    assert query(database, "SELECT count(*) FROM work WHERE lease IS NOT NULL") == [(0,)]
    doubled = (
        "SELECT work_id FROM attempt WHERE stage = 'index' AND outcome = 'ok' GROUP BY work_id HAVING count(*) > 1"
    )
    assert query(database, doubled) == [], "a document was completed twice"
