"""Paid providers that fail in every way while workers are killed: the books agree, and nothing else is different."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.simulators.faults import Fault
from shared.simulators.prompts import Verdict as Scripted
from tests.chaos.books import Providers, require_covering_books, require_equal_books, running_providers
from tests.chaos.conftest import query, require_consistent
from tests.chaos.watching import Watch, seen
from tests.command import Command, finish, kill_group
from tests.corpus import write_corpus

STRUCK = Path(__file__).parent / "struck"
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
STORE_FAULTS = (
    Fault(kind="slow", seconds=0.5, path="/vectors/upsert"),
    Fault(kind="status", status=429, headers={"retry-after": "0.2"}, path="/vectors/upsert"),
    Fault(kind="partial", path="/vectors/upsert"),
    Fault(kind="cut_body", path="/vectors/upsert", after=1),
)


@pytest.fixture(scope="module")
def providers() -> Iterator[Providers]:
    with running_providers() as providers:
        yield providers


@pytest.fixture(autouse=True)
def scripted(providers: Providers) -> None:
    """What the model thinks, whoever asks however often."""
    providers.forget()
    providers.anthropic.simulator.writer.clear()
    providers.anthropic.simulator.writer.add(
        Scripted(match=LEFTOVER, verdict={"score": 1}),
        Scripted(match=VAGUE, verdict={"score": 4, "extraneous_spans": [" Page 12 of 40."]}),
    )


def write_documents(folder: Path, count: int) -> Path:
    write_corpus(folder, count, paragraphs=3)
    for number in range(max(2, count // 6)):
        (folder / f"leftover-{number}.txt").write_text(f"{LEFTOVER} {number}")
        (folder / f"vague-{number}.txt").write_text(f"{VAGUE} {number}")
    return folder


def end_state(command: Command, folder: Path) -> dict[str, Any]:
    """What a run has left: rows of the store by id, rejections, verdicts, and how much is in the cache."""
    assert command.json("verify")["ok"]
    require_consistent(command)
    database = command.home / "tracking.db"
    return {
        "rows": {id_: (row["uri"], row["text"]) for id_, row in command.export().items()},
        "documents": query(database, "SELECT state, result, sum(chunks_rejected) FROM work GROUP BY state, result"),
        "verdicts": query(
            database, "SELECT address, source, body ->> 'score', body ->> 'extraneous' FROM verdict ORDER BY address"
        ),
        "vectors": query(command.home / "cache.db", "SELECT count(*) FROM embedding"),
    }


def run_calmly(command: Command, providers: Providers, folder: Path) -> dict[str, Any]:
    """A run without faults, which the others have to be like; its books are equal."""
    calm = providers.serve(command.with_settings(home=str(command.folder / "calm"), **TRIED), "calm")
    report = calm.json("ingest", folder)
    assert report["chunks"]["rejected"] > 0
    require_equal_books(calm, providers)
    spent = sum(receipt.prompt for name in ("openai", "anthropic") for receipt in providers.receipts(name).values())
    assert report["spend"]["tokens_in"] == spent > 0
    providers.forget()
    return end_state(calm, folder)


def kill_workers(command: Command, folder: Path, chance: random.Random, *, kills: int) -> int:
    """Ingest, and kill -9 a worker that holds something, again and again; at last everything at once."""
    struck = 0
    process = command.start("ingest", folder, "--json")
    with Watch(command.home) as watch:
        while struck < kills and seen(process, lambda: watch.holder() is not None):
            struck += _kill(watch.holder())
            again = time.monotonic() + chance.uniform(0.1, 0.9)
            seen(process, lambda again=again: time.monotonic() >= again)  # type: ignore[misc]
    kill_group(process)
    finish(process)
    return struck


def _kill(pid: int | None) -> bool:
    """kill -9, unless that was done before and its lease is still there."""
    try:
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return pid is not None


def test_through_faults_and_kills_the_ledger_covers_the_bill_and_the_end_is_that_of_a_calm_run(
    command: Command, providers: Providers, tmp_path: Path
) -> None:
    folder = write_documents(tmp_path / "documents", 10)
    calm = run_calmly(command, providers, folder)
    providers.openai.simulator.faults.add(*FAULTS)
    providers.anthropic.simulator.faults.add(*FAULTS)
    providers.pinecone.simulator.faults.add(*STORE_FAULTS)
    stormy = providers.serve(command.with_settings(**TRIED), "stormy")
    assert kill_workers(stormy, folder, random.Random(4), kills=3)
    report = stormy.json("ingest", folder)
    assert report["documents"]["dead"] == 0
    assert require_covering_books(stormy, providers) > 0
    assert end_state(stormy, folder) == calm
