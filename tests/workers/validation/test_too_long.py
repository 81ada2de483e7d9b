"""Under a gate, the parts of a chunk that was too long are judged; what stayed whole is not asked about again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import index_version, verdict
from embedmill.shared.states import State
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Options
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from embedmill.workers.runtime import WorkerRuntime
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.test_too_long import run_all
from tests.workers.validation.conftest import MODEL

EMBEDDING = "openai/text-embedding-3-small@64"


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch, runtime: WorkerRuntime, gated: Tracker) -> Iterator[OpenAISimulator]:
    with running(OpenAISimulator(Options(max_input_tokens=340))) as server:
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        embedder = runtime.embedder(EMBEDDING)
        gated.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)
        with runtime.database.write() as connection:
            update_settings(connection, 1, {"embedding": EMBEDDING, "validator": MODEL, "policy": "gate"})
        runtime.forget_collections()
        yield server.simulator


def test_only_the_parts_are_judged_anew(
    runtime: WorkerRuntime, gated: Tracker, simulated: AnthropicSimulator, narrow: OpenAISimulator, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.txt").write_text(text_of(2, paragraphs=7))
    run_all(runtime, gated, folder)
    (row,) = gated.rows()
    assert (State(row["state"]), row["chunks_split"] > 0) == (State.COMPLETED, True)
    assert len(gated.rows(verdict)) == row["chunks_expected"] + row["chunks_split"]
    assert simulated.bill.total("requests") == 2
