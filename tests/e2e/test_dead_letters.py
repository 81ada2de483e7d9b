"""Dead letters from the user's side: listed with a next step, shown, replayed, discarded, and gone when mended."""

import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.command import Command, finish
from tests.corpus import text_of, write_corpus
from tests.waiting import wait_until
from tests.workers.parsing.making import word, word_paragraph

POISON = Path(__file__).parents[1] / "chaos" / "poison"
WHOLE = word("".join(word_paragraph(line) for line in text_of(99).split("\n\n")))


@pytest.fixture
def cli(cli: Command) -> Command:
    """No test here waits for a lease; on a busy machine a short one runs out and counts as an attempt."""
    return cli.with_settings(lease_seconds="30")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_corpus(tmp_path / "documents", 5)
    (folder / "torn.docx").write_bytes(WHOLE[: len(WHOLE) // 2])
    return folder


def test_a_torn_document_dies_and_its_neighbours_complete(cli: Command, folder: Path) -> None:
    ran = cli.run("ingest", folder, "--json")
    assert ran.status == 3
    assert (ran.json["state"], ran.json["documents"]["completed"], ran.json["documents"]["dead"]) == ("completed", 5, 1)


def test_a_letter_is_listed_exported_and_discarded(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    (letter,) = cli.json("dlq", "list")["dead_letters"]
    (line,) = cli.run("dlq", "export", "--stage", "chunk", "--newer-than", "1h").lines
    assert (line["kind"], line["id"], line["error"]) == ("dead_letter", letter["id"], letter["error"])
    assert cli.json("dlq", "discard", letter["id"], "--reason", "not ours")["discarded"] == 1
    assert cli.json("dlq", "list")["total"] == 0
    assert cli.json("dlq", "show", letter["id"])["resolution_reason"] == "not ours"


def test_a_replay_of_a_document_that_was_mended_completes(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    (folder / "torn.docx").write_bytes(WHOLE)
    cli.json("dlq", "replay", "--all", "--work")
    assert any(row["uri"].endswith("torn.docx") for row in cli.export().values())
    assert cli.json("dlq", "list")["total"] == 0
    assert cli.json("verify")["ok"]


@pytest.mark.chaos
def test_a_document_that_was_mended_completes_with_the_next_ingest(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    (folder / "torn.docx").write_bytes(WHOLE)
    report = cli.json("ingest", folder)
    assert (report["documents"]["completed"], report["documents"]["unchanged"]) == (1, 5)
    assert cli.json("verify")["ok"]


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


def query(cli: Command, statement: str) -> list[Any]:
    with closing(sqlite3.connect(cli.home / "tracking.db", timeout=30)) as connection, connection:
        return connection.execute(statement).fetchall()


def test_a_letter_is_explained_with_its_shape_and_next_steps_and_nothing_of_its_text(
    cli: Command, tmp_path: Path
) -> None:
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "torn.docx").write_bytes(word(word_paragraph("Confidential quokka dossier"))[:-30])
    cli.run("ingest", folder)
    shown = cli.json("dlq", "show", 1)
    assert shown["sample"]["facts"]["signature"] == "50 4b 03 04"
    assert shown["settings"] and shown["index_version"] == 1 and shown["code_version"]
    assert (shown["attempts"], shown["crashes"], shown["same_cause"]) == (1, 0, 1)
    assert shown["next"][0] == "embedmill dlq replay 1"
    assert shown["history"][0]["worker"] and shown["history"][0]["seconds"] >= 0
    printed = cli.run("dlq", "show", 1).stdout
    assert "sample, from the file" in printed and "embedmill dlq replay 1" in printed
    assert "quokka" not in printed + str(shown)


def test_a_replay_is_previewed_tracked_and_its_outcome_is_linked_to_the_letter(cli: Command, folder: Path) -> None:
    cli.run("ingest", folder)
    preview = cli.json("dlq", "replay", "--all", "--dry-run")
    assert (preview["would_replay"], preview["groups"][0]["count"], preview["cost"]["documents"]) == (1, 1, 1)
    assert cli.json("dlq", "replays")["replays"] == []
    again = cli.run("dlq", "replay", "--all", "--work", "--json").json
    shown = cli.json("dlq", "show", 1)
    assert (shown["replay"], shown["outcome"], shown["next_letter"]) == (again["replay"], "dead again", 2)
    (folder / "torn.docx").write_bytes(WHOLE)
    mended = cli.json("dlq", "replay", 2, "--work", "--wait")
    assert (mended["outcomes"]["completed"], mended["outcomes"]["running"]) == (1, 0)
    shown = cli.json("dlq", "show", 2)
    assert (shown["outcome"], shown["replayed_by"]["outcomes"]["completed"]) == ("completed", 1)
    assert [letter["outcome"] for letter in shown["letters"]] == ["dead again", "completed"]
    assert [row["count"] for row in cli.json("dlq", "replays")["replays"]] == [1, 1]
    nothing = cli.run("dlq", "replay", 1, 2, 77, "--json")
    assert (nothing.status, "no open letter to take: 1, 2, 77" in nothing.stderr) == (1, True)
    refused = nothing.json
    assert refused["replayed"] == 0
    assert {row["id"]: row["reason"] for row in refused["refused"]}.keys() == {1, 2, 77}


@pytest.fixture
def failing_index(cli: Command, tmp_path: Path) -> Command:
    """An ingest whose documents were embedded and could not be indexed; the fault is mended afterwards."""
    folder = write_corpus(tmp_path / "documents", 5, paragraphs=2)
    for path in folder.iterdir():
        path.write_text(f"{path.read_text()} POISON-PILL")
    poison = {"POISON_STAGE": "index", "POISON_DEATH": "RecursionError"}
    ran = cli.with_settings(max_attempts="1").altered_when_loaded_by(POISON, **poison).run("ingest", folder, "--json")
    assert (ran.status, ran.json["documents"]["dead"]) == (3, 5), ran
    return cli


def test_a_replay_of_what_was_embedded_already_costs_nothing(failing_index: Command) -> None:
    cli = failing_index
    ledger = "SELECT coalesce(sum(inputs), 0), sum(tokens_in), sum(cost_microusd) FROM usage"
    (before,) = query(cli, ledger)
    assert before[0] > 0
    shown = cli.json("dlq", "show", 1)
    assert shown["stage"] == "index"
    cost = shown["cost"]
    assert cost["exact"] and cost["chunks"] == cost["cached"] > 0 and cost["tokens"] == 0
    assert cli.json("dlq", "replay", "--all", "--dry-run")["cost"]["tokens"] == 0
    cli.json("dlq", "replay", "--all", "--work")
    assert query(cli, ledger) == [before]
    assert cli.json("verify")["ok"]
    assert len({row["document"] for row in cli.export().values()}) == 5


def test_a_replay_at_a_rate_goes_on_after_its_command_has_ended(failing_index: Command) -> None:
    cli = failing_index
    workers = cli.start("workers", "start")
    wait_until(lambda: query(cli, "SELECT 1 FROM worker WHERE stopped_at IS NULL"), "a worker is up")
    done = cli.json("dlq", "replay", "--stage", "index", "--stagger", "300ms")
    assert done["replayed"] == 5
    wait_until(lambda: query(cli, "SELECT count(*) FROM work WHERE state = 'completed'") == [(5,)], "all are completed")
    workers.send_signal(signal.SIGTERM)
    finish(workers)
    (row,) = cli.json("dlq", "replays", done["replay"])["replays"]
    assert (row["rate"], row["count"], row["outcomes"]["completed"]) == (pytest.approx(1 / 0.3), 5, 5)
    begun = query(cli, "SELECT max(started_at) FROM attempt GROUP BY work_id ORDER BY work_id")
    for number, (began,) in enumerate(begun):
        assert began >= row["created_at"] + number * 0.3 - 0.01, "a document did not wait for its turn"


def test_what_was_discarded_and_has_not_changed_stays_so(cli: Command, folder: Path) -> None:
    first = cli.run("ingest", folder, "--json")
    again = cli.run("ingest", folder, "--json")
    assert (first.status, again.status) == (3, 0)
    assert again.json["dead_before"] == {"unreadable": 1, "failed": 0, "settled": 0}
    cli.json("dlq", "discard", 1, "--reason", "known")
    ran = cli.run("ingest", folder)
    assert (ran.status, "unreadable as before; its dead letter was discarded: known" in ran.stdout) == (0, True), ran
    listed = cli.json("dlq", "list")
    assert listed["total"] == 0
    for job in cli.json("jobs", "list")["jobs"]:
        counts = job["documents"]
        ends = ("completed", "unchanged", "skipped", "dead", "cancelled")
        assert counts["total"] == sum(counts[name] for name in ends), job
    tried = cli.run("ingest", folder, "--retry-dead", "--json")
    assert (tried.status, tried.json["documents"]["dead"]) == (3, 1)
