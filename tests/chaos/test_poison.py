"""Poison: a document that kills its worker, in whatever way, ends dead and alone; its neighbours complete."""

from pathlib import Path

import pytest

from tests.chaos.conftest import require_consistent
from tests.command import Command
from tests.corpus import write_corpus

POISON = Path(__file__).parent / "poison"
INNOCENT = 30


def poisoned(command: Command, stage: str, death: str) -> Command:
    return command.altered_when_loaded_by(POISON, POISON_STAGE=stage, POISON_DEATH=death)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_corpus(tmp_path / "corpus", INNOCENT, paragraphs=2)
    (folder / "0015-poison.txt").write_text("An ordinary beginning.\n\nPOISON-PILL in the middle of a sentence.")
    return folder


@pytest.mark.parametrize(
    ("stage", "death", "error_class"),
    [
        ("chunk", "SIGKILL", "WorkerLost"),
        pytest.param("chunk", "exit", "WorkerLost", marks=pytest.mark.chaos),
        pytest.param("chunk", "SystemExit", "SystemExit", marks=pytest.mark.chaos),
        ("chunk", "RecursionError", "RecursionError"),
        ("embed", "segfault", "WorkerLost"),
        ("embed", "MemoryError", "MemoryError"),
    ],
)
def test_a_document_that_kills_its_worker_is_buried_alone(
    command: Command, folder: Path, stage: str, death: str, error_class: str
) -> None:
    ran = poisoned(command, stage, death).run("ingest", folder, "--json")
    assert ran.status == 3, ran
    counts = ran.json["documents"]
    assert (counts["completed"], counts["dead"]) == (INNOCENT, 1)
    (letter,) = command.json("dlq", "list")["dead_letters"]
    assert letter["uri"].endswith("0015-poison.txt")
    assert (letter["stage"], letter["error_class"], letter["attempts"]) == (stage, error_class, 3)
    assert "POISON-PILL" not in str(command.json("dlq", "show", letter["id"]))
    assert len({row["document"] for row in command.export().values()}) == INNOCENT
    require_consistent(command)


def test_a_replay_of_cured_poison_completes(command: Command, folder: Path) -> None:
    poisoned(command, "embed", "SIGKILL").run("ingest", folder, "--json")
    report = command.json("dlq", "replay", "--all", "--work")
    assert report["replayed"] == 1
    assert len({row["document"] for row in command.export().values()}) == INNOCENT + 1
    assert command.json("verify")["ok"]


@pytest.mark.chaos
def test_two_poison_documents_in_one_batch_are_both_found(command: Command, folder: Path) -> None:
    (folder / "0016-poison.txt").write_text("POISON-PILL again.")
    ran = poisoned(command.with_settings(batch_documents="64"), "chunk", "SIGKILL").run("ingest", folder, "--json")
    assert ran.status == 3, ran
    assert (ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == (INNOCENT, 2)
    letters = command.json("dlq", "list")["dead_letters"]
    assert {letter["uri"].rpartition("/")[2] for letter in letters} == {"0015-poison.txt", "0016-poison.txt"}
    require_consistent(command)
