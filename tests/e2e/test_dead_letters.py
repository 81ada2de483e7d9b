"""Dead letters from the user's side: listed with a next step, shown, replayed, discarded, and gone when mended."""

from pathlib import Path

import pytest

from tests.command import Command
from tests.corpus import text_of, write_corpus
from tests.workers.parsing.making import word, word_paragraph

WHOLE = word("".join(word_paragraph(line) for line in text_of(99).split("\n\n")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_corpus(tmp_path / "documents", 5)
    (folder / "torn.docx").write_bytes(WHOLE[: len(WHOLE) // 2])
    return folder


def test_a_torn_document_dies_and_its_neighbours_complete(cli: Command, folder: Path) -> None:
    ran = cli.run("ingest", folder, "--json")
    assert ran.status == 3
    assert (ran.json["state"], ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == ("completed", 5, 1)


def test_a_dead_letter_says_what_happened_and_what_to_do(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    listed = cli.json("dlq", "list")
    (letter,) = listed["dead_letters"]
    assert listed["total"] == 1
    shown = cli.json("dlq", "show", letter["id"])
    assert shown["uri"].endswith("torn.docx")
    assert shown["error"] and shown["hint"]
    assert [row["outcome"] for row in shown["history"]] == ["error"]


def test_a_replay_of_a_document_that_is_still_torn_dies_again(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    ran = cli.run("dlq", "replay", "--all", "--work", "--json")
    assert (ran.status, ran.json["replayed"]) == (3, 1)
    (letter,) = cli.json("dlq", "list")["dead_letters"]
    assert len(cli.json("dlq", "show", letter["id"])["history"]) == 2


def test_a_replay_of_a_document_that_was_mended_completes(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    (folder / "torn.docx").write_bytes(WHOLE)
    cli.json("dlq", "replay", "--all", "--work")
    assert any(row["uri"].endswith("torn.docx") for row in cli.export().values())
    assert cli.json("dlq", "list")["total"] == 0
    assert cli.json("verify")["ok"]


def test_a_document_that_was_mended_completes_with_the_next_ingest(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    (folder / "torn.docx").write_bytes(WHOLE)
    report = cli.json("ingest", folder)
    assert (report["documents"]["completed"], report["documents"]["unchanged"]) == (1, 5)
    assert cli.json("verify")["ok"]


def test_a_discarded_letter_is_gone_and_its_reason_stays(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    (letter,) = cli.json("dlq", "list")["dead_letters"]
    assert cli.json("dlq", "discard", letter["id"], "--reason", "not ours")["discarded"] == 1
    assert cli.json("dlq", "list")["total"] == 0
    assert cli.json("dlq", "show", letter["id"])["resolution_reason"] == "not ours"


def test_a_filter_or_all_is_asked_for(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    assert cli.run("dlq", "replay").status == 2
    assert cli.json("dlq", "replay", "--stage", "embed")["replayed"] == 0
    assert cli.json("dlq", "replay", "--all", "--dry-run")["would_replay"] == 1


def test_a_document_beyond_the_parser_s_memory_hurts_only_itself(cli: Command, folder: Path) -> None:
    (folder / "torn.docx").unlink()
    (folder / "bomb.docx").write_bytes(word(word_paragraph("x y z") * 300_000))
    ran = cli.with_settings(parser_memory_mb="64").run("ingest", folder, "--json")
    assert ran.status == 3
    assert (ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == (5, 1)
    (letter,) = cli.json("dlq", "list")["dead_letters"]
    assert letter["error_class"] == "ParserLimitExceeded"


def test_the_text_of_a_document_is_in_no_log_message_or_letter(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "secret"
    folder.mkdir()
    secret = word(word_paragraph("Confidential quokka dossier"))
    (folder / "torn.docx").write_bytes(secret[:-30])
    (folder / "whole.docx").write_bytes(secret)
    ran = cli.with_settings(log_level="debug").run("ingest", folder, "--json")
    for name in ("tracking.db", "tracking.db-wal", "queue.db", "queue.db-wal"):
        path = cli.home / name
        assert not path.exists() or b"quokka" not in path.read_bytes(), name
    assert "quokka" not in ran.stderr + ran.stdout
