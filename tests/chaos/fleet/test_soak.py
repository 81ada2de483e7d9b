"""Hours in small: jobs without end, a kill every round, and nothing grows. SOAK_MINUTES says how long."""

import os
import random
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.chaos.fleet.conftest import Services, tell
from tests.chaos.fleet.deployment import LaunchedFleet
from tests.command import Command
from tests.corpus import text_of

MINUTES = float(os.environ.get("SOAK_MINUTES", "1"))
# A third is for warming up: pools fill, one after another, by up to six files. What leaks one a round leaks 16.
LEAST_ROUNDS = 48
DOCUMENTS = 24
MIB = 1024 * 1024
# What allocators and caches take after the first rounds, in a run of minutes.
GROWTH_MIB = 24.0
# Rows that are written all the time and are few: their tables must not swell with dead rows.
HOT_TABLES = ("chore", "receipt", "tally", "pool", "supervisor", "worker")
HOT_BYTES = 4 * MIB
WAL_BYTES = 64 * MIB


@dataclass(frozen=True, slots=True)
class Sample:
    """What the processes that nobody kills hold between two rounds."""

    rss_mib: float
    files: int
    threads: int
    sessions: int


def write_edition(folder: Path, edition: int) -> Path:
    """The same documents with other texts."""
    folder.mkdir(exist_ok=True)
    for number in range(DOCUMENTS):
        (folder / f"{number:04}.txt").write_text(text_of(number, paragraphs=2, edition=edition))
    return folder


def spared(fleet: LaunchedFleet) -> list[psutil.Process]:
    """The second command and what it has started, which nobody kills; its fork server ends when its workers are up."""
    command = psutil.Process(fleet.commands[1].pid)
    return [command, *command.children(recursive=True)]


def take_sample(fleet: LaunchedFleet) -> Sample:
    held = [(0, 0, 0)]
    for process in spared(fleet):
        with suppress(psutil.NoSuchProcess):
            held.append((process.memory_info().rss, process.num_fds(), process.num_threads()))
    rss, files, threads = map(sum, zip(*held, strict=True))
    return Sample(rss / MIB, files, threads, fleet.sessions())


def middle(samples: list[Sample], name: str) -> float:
    return float(statistics.median(getattr(sample, name) for sample in samples))


def require_flat(samples: list[Sample]) -> dict[str, Any]:
    """The last third against the second: the first is for warming up."""
    third = len(samples) // 3
    before, after = samples[third : 2 * third], samples[2 * third :]
    grown = {name: middle(after, name) - middle(before, name) for name in ("rss_mib", "files", "threads", "sessions")}
    assert grown["rss_mib"] < GROWTH_MIB, samples
    assert grown["files"] <= 6, samples
    assert grown["threads"] <= 2, samples
    assert grown["sessions"] <= 3, samples
    return {name: round(value, 1) for name, value in grown.items()}


def require_small(fleet: LaunchedFleet) -> None:
    """Hot tables stay small; so does the write-ahead log of SQLite."""
    if fleet.is_sqlite:
        assert (fleet.command.home / "tracking.db-wal").stat().st_size < WAL_BYTES
        return
    sizes = {name: fleet.number(f"SELECT pg_total_relation_size('{name}')") for name in HOT_TABLES}
    assert max(sizes.values()) < HOT_BYTES, sizes


@pytest.mark.chaos
@pytest.mark.timeout(MINUTES * 60 + 600)
@pytest.mark.parametrize(
    "pair",
    [("redis", "postgres"), ("embedded", "sqlite")],
    ids="-".join,
)
def test_hours_of_work_and_kills_leak_nothing(services: Services, chaotic: Command, pair: tuple[str, str]) -> None:
    broker, database = (services[name] for name in pair)
    chance = random.Random(25)
    samples: list[Sample] = []
    ends = time.monotonic() + MINUTES * 60
    steady = chaotic.with_settings(lease_seconds="10", workers="1", batch_documents="4")
    with LaunchedFleet(steady, broker=broker, database=database) as fleet:
        fleet.start(2)
        rounds = 0
        lasting: list[psutil.Process] = []
        while time.monotonic() < ends or len(samples) < LEAST_ROUNDS:
            rounds += 1
            job = fleet.command.json("submit", write_edition(fleet.command.folder / "corpus", rounds))["job"]
            fleet.kill_a_worker_of(fleet.commands[0], chance)
            fleet.wait_for(job, seconds=180)
            samples.append(take_sample(fleet))
            lasting = spared(fleet) if rounds <= LEAST_ROUNDS // 3 else lasting
        assert all(process.is_running() for process in lasting), "one that nobody killed has ended"
        grown = require_flat(samples)
        require_small(fleet)
        assert fleet.command.json("verify")["ok"]
        assert fleet.number("SELECT count(*) FROM document WHERE active_version IS NOT NULL") == DOCUMENTS
        assert set(fleet.stop()) <= {0}
    tell(pair, f"{MINUTES:g} minutes, {rounds} rounds, {rounds} kills, growth {grown}, at the end {samples[-1]}")
