"""Paid providers that fail in every way while workers are killed: the books agree, and nothing else is different."""

import json
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import ScriptedVerdict as Scripted
from tests.chaos.books import OPERATIONS, Providers, require_covering_books, require_equal_books, running_providers
from tests.chaos.conftest import CHAOTIC, clean, query, require_consistent
from tests.chaos.watching import Watch, seen
from tests.command import Command, Process, finish, kill_group
from tests.corpus import write_corpus
from tests.waiting import wait_until

SECONDS = 240.0
DEADLY = Path(__file__).parent / "points"
POINTS = {
    "reserved and not sent": ("embedmill.shared.providers.models.anthropic:AnthropicModel.ask", "before"),
    "answered and not stored": ("embedmill.shared.db.verdict_cache:VerdictCache.put_many", "before"),
    "stored and not settled": ("embedmill.shared.db.verdict_cache:VerdictCache.put_many", "after"),
    "settled and not applied": ("embedmill.shared.spend.call:PaidCall.settle", "after"),
}
LEFTOVER = "Everything in this part was reported lost and nothing more is known about it at all."
VAGUE = "It must be shut down before the cover is opened. Page 12 of 40. Wait until the lamp is dark."
TRIED = {
    "max_attempts": "30",
    "batch_documents": "3",
    "circuit_seconds": "0.3",
    "terms_sample": "0",
    "workers": "3",
    "lease_seconds": "5",
}
FAULTS = (
    Fault(kind="slow", seconds=0.5, after=2, times=2),
    Fault(kind="status", status=429, headers={"retry-after": "0.2"}, after=1),
    Fault(kind="cut"),
    Fault(kind="cut_body"),
    Fault(kind="malformed"),
    Fault(kind="status", status=500),
)
RANDOM_FAULTS = (
    Fault(kind="slow", seconds=0.5, times=None, probability=0.1),
    Fault(kind="status", status=429, headers={"retry-after": "0.1"}, times=None, probability=0.05),
    Fault(kind="status", status=429, after=30),
    Fault(kind="status", status=529, headers={"retry-after": "0.1"}, times=None, probability=0.03),
    Fault(kind="cut", times=None, probability=0.03),
    Fault(kind="cut_body", times=None, probability=0.05),
    Fault(kind="malformed", times=None, probability=0.05),
    Fault(kind="truncated", times=None, probability=0.05),
    Fault(kind="status", status=500, times=None, probability=0.03),
)
RANDOM_STORE_FAULTS = (
    Fault(kind="slow", seconds=0.5, times=None, probability=0.05),
    Fault(kind="status", status=429, headers={"retry-after": "0.1"}, times=None, probability=0.03),
    Fault(kind="partial", path="/vectors/upsert", times=None, probability=0.05),
    Fault(kind="cut_body", times=None, probability=0.03),
    Fault(kind="status", status=500, times=None, probability=0.02),
)
STORE_FAULTS = (
    Fault(kind="slow", seconds=2.5, path="/vectors/upsert"),
    Fault(kind="status", status=503, path="/vectors/fetch", after=2),
    Fault(kind="cut", path="/vectors/list", after=3),
    Fault(kind="status", status=429, headers={"retry-after": "0.2"}, path="/vectors/upsert"),
    Fault(kind="partial", path="/vectors/upsert"),
    Fault(kind="cut_body", path="/vectors/upsert", after=1),
)


@pytest.fixture(scope="module")
def providers() -> Iterator[Providers]:
    with running_providers() as providers:
        # What the model thinks, whoever asks however often.
        providers.anthropic.simulator.writer.add(
            Scripted(match=LEFTOVER, verdict={"score": 1}),
            Scripted(match=VAGUE, verdict={"score": 4, "extraneous_spans": [" Page 12 of 40."]}),
        )
        yield providers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("money") / "documents", 6)


@pytest.fixture(scope="module")
def calm(folder: Path, providers: Providers) -> Iterator[dict[str, Any]]:
    """The end of a run without faults, whose books are equal."""
    command = Command({**clean(), **CHAOTIC}, folder.parent)
    yield run_calmly(command, providers, folder, "calm")
    command.close()


def write_documents(folder: Path, count: int) -> Path:
    write_corpus(folder, count, paragraphs=3)
    for number in range(max(2, count // 6)):
        (folder / f"leftover-{number}.txt").write_text(f"{LEFTOVER} {number}")
        (folder / f"vague-{number}.txt").write_text(f"{VAGUE} {number}")
    return folder


def end_state(command: Command, providers: Providers, index: str) -> dict[str, Any]:
    """What a run has left: rows of the store by id, documents, verdicts, and how much is in the cache."""
    require_consistent(command)
    database = command.home / "tracking.db"
    verdicts = "SELECT address, source, body ->> 'score', body ->> 'extraneous' FROM verdict ORDER BY address"
    return {
        "rows": providers.held(index),
        "documents": query(database, "SELECT state, result, sum(chunks_rejected) FROM work GROUP BY state, result"),
        "verdicts": query(database, verdicts),
        "vectors": query(command.home / "cache.db", "SELECT count(*) FROM held"),
    }


def run_calmly(command: Command, providers: Providers, folder: Path, index: str) -> dict[str, Any]:
    """The end of a run without faults, which the others have to be like; its books are equal."""
    calm = providers.serve(command.with_settings(home=str(command.folder / "calm"), **TRIED | {"workers": "1"}), index)
    providers.forget()
    report = calm.json("ingest", folder, seconds=SECONDS)
    assert report["chunks"]["rejected"] > 0
    require_equal_books(calm, providers)
    receipts = [receipt for provider in OPERATIONS for receipt in providers.receipts(provider).values()]
    assert report["spend"]["tokens_in"] == sum(receipt.prompt for receipt in receipts) > 0
    assert report["spend"]["tokens_out"] == sum(receipt.out for receipt in receipts) > 0
    return end_state(calm, providers, index)


def kill_workers(process: Process, home: Path, chance: random.Random, *, kills: int) -> int:
    """kill -9 of workers that hold something, again and again while a command runs; returns how many."""
    struck = 0
    with Watch(home) as watch:
        while struck < kills and seen(process, lambda: watch.holder() is not None):
            struck += _kill(watch.holder())
            again = time.monotonic() + chance.uniform(0.1, 0.9)
            seen(process, lambda again=again: time.monotonic() >= again)  # type: ignore[misc]
    return struck


def _kill(pid: int | None) -> bool:
    """kill -9, unless that was done before and its lease is still there."""
    try:
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return pid is not None


def dying_at(command: Command, point: str) -> Command:
    """The command whose first worker at a point between two steps dies there."""
    deaths = command.folder / "deaths"
    deaths.mkdir()
    points = json.dumps([[*POINTS[point], None]])
    return command.altered_when_loaded_by(DEADLY, POINTS=points, DEATHS=str(deaths))


def has_struck(command: Command) -> bool:
    """Whether somebody died there."""
    return any(Path(command.environment["DEATHS"]).iterdir())


@pytest.mark.timeout(300)
def test_through_faults_and_kills_the_ledger_covers_the_bill_and_the_end_is_that_of_a_calm_run(
    command: Command, providers: Providers, folder: Path, calm: dict[str, Any]
) -> None:
    providers.forget()
    providers.openai.simulator.faults.add(*FAULTS)
    providers.anthropic.simulator.faults.add(*FAULTS)
    providers.pinecone.simulator.faults.add(*STORE_FAULTS)
    stormy = dying_at(providers.serve(command.with_settings(**TRIED), "stormy"), "answered and not stored")
    process = stormy.start("ingest", folder, "--json")
    assert kill_workers(process, stormy.home, random.Random(4), kills=1)
    ran = finish(process, seconds=SECONDS)
    assert ran.status == 0, ran
    assert has_struck(stormy)
    assert require_covering_books(stormy, providers) > 0
    assert end_state(stormy, providers, "stormy") == calm


@pytest.mark.chaos
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2])
def test_through_a_long_storm_the_ledger_covers_the_bill_and_the_end_is_that_of_a_calm_run(
    command: Command, providers: Providers, tmp_path: Path, seed: int
) -> None:
    folder = write_documents(tmp_path / "documents", 30)
    calm = run_calmly(command, providers, folder, f"calm-{seed}")
    providers.forget()
    for simulator, script in zip(
        providers.simulators, (RANDOM_FAULTS, RANDOM_FAULTS, RANDOM_STORE_FAULTS), strict=True
    ):
        simulator.faults.add(*script)
    stormy = providers.serve(command.with_settings(**TRIED), "stormy")
    chance = random.Random(seed)
    for _ in range(4):
        process = stormy.start("ingest", folder, "--json")
        kill_workers(process, stormy.home, chance, kills=4)
        kill_group(process)
        finish(process)
    report = stormy.json("ingest", folder, seconds=SECONDS)
    assert report["documents"]["dead"] == 0
    assert require_covering_books(stormy, providers) > 0
    assert end_state(stormy, providers, "stormy") == calm
    assert stormy.json("verify")["ok"]


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("point", "lost"),
    [
        ("reserved and not sent", 1),
        ("answered and not stored", 1),
        ("stored and not settled", 1),
        ("settled and not applied", 0),
    ],
)
def test_a_worker_that_dies_around_a_verdict_changes_nothing(
    command: Command, providers: Providers, folder: Path, calm: dict[str, Any], point: str, lost: int
) -> None:
    providers.forget()
    served = providers.serve(command.with_settings(**TRIED), "stormy")
    dying = dying_at(served, point)
    ran = dying.run("ingest", folder, "--json", seconds=SECONDS)
    assert ran.status == 0, ran
    assert has_struck(dying)
    assert require_covering_books(dying, providers) == lost
    assert end_state(dying, providers, "stormy") == calm


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_a_kill_while_a_verdict_is_on_its_way_changes_nothing(
    command: Command, providers: Providers, folder: Path, calm: dict[str, Any]
) -> None:
    providers.forget()
    script = providers.anthropic.simulator.faults
    script.add(Fault(kind="slow", seconds=1.5, times=2))
    served = providers.serve(command.with_settings(**TRIED), "stormy")
    process = served.start("ingest", folder, "--json")
    wait_until(lambda: script.left()[0]["happened"], "a call hangs at the provider", seconds=SECONDS)
    kill_group(process)
    finish(process)
    served.json("ingest", folder, seconds=SECONDS)
    assert require_covering_books(served, providers) > 0
    assert end_state(served, providers, "stormy") == calm
