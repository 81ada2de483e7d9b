"""Texts that the embedding model finds too long, stage by stage: they come back in parts, and nothing is paid twice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import index_version
from embedmill.shared.errors import InputTooLong
from embedmill.shared.outcomes import Fail, Outcome
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.states import State
from embedmill.shared.tokenizer import count_tokens
from embedmill.simulators.base import Options
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from embedmill.workers.chunking import ChunkSet, decode_chunk_set
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages.chunk import chunk
from embedmill.workers.stages.embed import embed
from embedmill.workers.stages.index import index
from embedmill.workers.stages.validate import validate
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker

STAGES = {"chunk": chunk, "validate": validate, "embed": embed, "index": index}
MODEL = "openai/text-embedding-3-small@64"


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAISimulator]:
    """A model that takes 340 tokens at once, whatever it says."""
    with running(OpenAISimulator(Options(max_input_tokens=340))) as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        yield server.simulator


@pytest.fixture(autouse=True)
def paid(provider: OpenAISimulator, runtime: WorkerRuntime, tracker: Tracker) -> None:
    embedder = runtime.embedder(MODEL)
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
    with runtime.database.write() as connection:
        update_settings(connection, 1, {"embedding": MODEL, "validator": "rules"})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(2):
        (folder / f"{number}.txt").write_text(f"The quokka is a small marsupial of Rottnest Island. {number}")
    (folder / "2.txt").write_text(text_of(2, paragraphs=7))
    return folder


def run_all(runtime: WorkerRuntime, tracker: Tracker, folder: Path) -> dict[int, Outcome]:
    """Every stage until nothing is left to do; returns the last outcome of each piece of work."""
    last: dict[int, Outcome] = {}
    waiting = [tracker.take([path.as_uri() for path in sorted(folder.iterdir())])]
    while waiting:
        claim = waiting.pop()
        last |= (outcomes := STAGES[claim.stage](runtime, claim))
        waiting += [tracker.claim(ids, stage) for stage, ids in tracker.settle(claim, outcomes).items()]
    return last


def chunk_sets(runtime: WorkerRuntime, tracker: Tracker) -> list[ChunkSet]:
    references = [row["chunks_ref"] for row in tracker.rows()]
    found = runtime.blobs.get_pack(references)
    return [decode_chunk_set(data) for reference in references if isinstance(data := found[reference], bytes)]


def stored(runtime: WorkerRuntime) -> list[VectorRow]:
    return list(runtime.store(runtime.collection(1)).list_rows("v1-000"))


def test_a_chunk_that_is_too_long_comes_back_in_parts_and_everything_is_paid_once(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, provider: OpenAISimulator
) -> None:
    run_all(runtime, tracker, folder)
    assert set(tracker.states()) == {State.COMPLETED}
    rows = stored(runtime)
    assert (
        len(rows) == provider.bill.total("inputs") == sum(len(found.chunks) for found in chunk_sets(runtime, tracker))
    )
    assert max(count_tokens(row.text) for row in rows) <= 340
    words = {word for row in rows if row.uri.endswith("2.txt") for word in row.text.split()}
    assert words == set((folder / "2.txt").read_text().split())
    split = [row["chunks_split"] for row in tracker.rows()]
    assert split[:2] == [0, 0] and split[2] > 0
    assert tracker.progress().chunks["split"] == split[2]
    assert tracker.progress().chunks["expected"] == len(rows)
    assert [attempt[1] for attempt in tracker.attempts(tracker.rows()[0]["id"])] == ["ok"] * 4


def test_what_was_not_too_long_keeps_its_id(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, provider: OpenAISimulator
) -> None:
    claim = tracker.take([(folder / "2.txt").as_uri()])
    tracker.settle(claim, chunk(runtime, claim))
    (before,) = chunk_sets(runtime, tracker)
    fitting = {i for i, t in zip(before.ids, before.embedded_texts(), strict=True) if count_tokens(t) <= 340}
    ids = [item.id for item in claim.items]
    for stage in ("validate", "embed"):
        claim = tracker.claim(ids, stage)
        tracker.settle(claim, STAGES[stage](runtime, claim))
    (after,) = chunk_sets(runtime, tracker)
    assert fitting and fitting <= set(after.ids)
    assert len(after.ids) > len(before.ids)


def test_what_cannot_be_cut_any_further_is_buried_with_a_clear_error(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path, provider: OpenAISimulator
) -> None:
    folder = tmp_path / "single"
    folder.mkdir()
    (folder / "a.txt").write_text("An indivisible word: quokka-mark. " * 30)
    provider.faults.add(Fault(kind="status", status=400, code="context_length_exceeded", times=None))
    (outcome,) = run_all(runtime, tracker, folder).values()
    assert isinstance(outcome, Fail) and isinstance(outcome.error, InputTooLong)
    assert "cannot be cut any further" in outcome.message
    assert tracker.states() == [State.DEAD]


def test_a_text_that_is_refused_for_another_reason_is_not_cut(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, provider: OpenAISimulator
) -> None:
    provider.faults.add(Fault(kind="status", status=400, match="quokka", times=None))
    run_all(runtime, tracker, folder)
    assert tracker.states() == [State.DEAD, State.DEAD, State.COMPLETED]
    assert [row["chunks_split"] for row in tracker.rows()][:2] == [0, 0]


def test_while_the_provider_is_away_a_document_with_a_long_chunk_waits_like_any_other(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, provider: OpenAISimulator
) -> None:
    provider.faults.add(Fault(kind="status", status=429, headers={"retry-after": "60"}, times=None))
    run_all(runtime, tracker, folder)
    assert set(tracker.states()) == {State.WAITING}
