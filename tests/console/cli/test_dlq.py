"""`embedmill dlq` as people read it: root causes with their next step, pages, messages; and what it refuses."""

from pathlib import Path

import pytest

from embedmill.console.cli.app import _run
from embedmill.shared.db import unreadable
from embedmill.shared.errors import UnreadableDocument
from embedmill.shared.outcomes import Fail
from tests.shared.db.tracker import Tracker


@pytest.fixture(autouse=True)
def letters(tracker: Tracker) -> None:
    """Two torn documents, and a message that nobody could read."""
    tracker.settle(tracker.take(["file:///a", "file:///b"]), Fail(UnreadableDocument("torn")))
    with tracker.database.write() as connection:
        unreadable.record(connection, queue="embedmill-embed", reason="version 9", body="{}", headers={})


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert _run(["dlq", *arguments], debug=False) == 0
    return capsys.readouterr().out


def test_letters_are_read_by_root_cause_and_on_demand_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    causes = told(capsys, "list")
    assert "2 x UnreadableDocument at chunk" in causes
    assert UnreadableDocument.hint in causes and "m1" in causes
    flat = told(capsys, "list", "--flat", "--limit", "1")
    assert "file:///b" in flat and "2 in all; the next ones: --before 2" in flat
    assert "file:///a" in told(capsys, "list", "--before", "2")


def test_a_letter_and_a_message_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    letter = told(capsys, "show", "1")
    assert "to send it again: no stored text; about 10 tokens to embed" in letter
    assert "embedmill dlq replay 1" in letter
    assert "version 9" in told(capsys, "show", "m1")


def test_letters_are_exported_to_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "letters.jsonl"
    assert f"3 exported to {path}" in told(capsys, "export", "--output", str(path))
    assert len(path.read_bytes().splitlines()) == 3


def test_what_was_closed_is_told_with_its_reason_and_without_a_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "discard", "2", "m1", "--reason", "not ours")
    mixed = told(capsys, "list", "--resolved")
    assert "closed: 1 discarded" in mixed and "for example letter 1" in mixed
    assert "next: " in mixed
    told(capsys, "discard", "1", "--reason", "nor this")
    closed = told(capsys, "list", "--resolved")
    assert "closed: 2 discarded; letter 2: not ours" in closed and "next: " not in closed
    flat = told(capsys, "list", "--resolved", "--flat")
    assert "discarded" in flat and "not ours" in flat and "nor this" in flat
    assert "next: " not in told(capsys, "show", "1")


@pytest.mark.parametrize("arguments", [("discard", "9999", "--reason", "gone"), ("replay", "9999"), ("replay", "2")])
def test_named_letters_of_which_none_is_open_are_an_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    told(capsys, "discard", "2", "--reason", "not ours")
    assert _run(["dlq", *arguments], debug=False) == 1
    out, err = capsys.readouterr()
    assert f"letter {arguments[1]} left alone" in out
    why = "there is no such dead letter" if arguments[1] == "9999" else "it was discarded: not ours"
    assert f"error: there is no open letter to take: {arguments[1]}: {why}" in err


def test_a_rehearsed_replay_ends_as_the_replay_itself(capsys: pytest.CaptureFixture[str]) -> None:
    told(capsys, "discard", "2", "--reason", "not ours")
    assert _run(["dlq", "replay", "2", "--dry-run"], debug=False) == 1
    assert "error: there is no open letter to take: 2" in capsys.readouterr().err
    foretold = told(capsys, "replay", "1", "2", "99", "--dry-run")
    assert "1 would be replayed" in foretold
    kept = "letter 2 left alone: it was discarded: not ours\nletter 99 left alone: there is no such dead letter\n"
    assert kept in foretold and kept in told(capsys, "replay", "1", "2", "99")


def test_what_was_sent_and_given_up_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert "2 would be replayed" in told(capsys, "replay", "--all", "--dry-run")
    assert "1 replayed; embedmill dlq replays 1" in told(capsys, "replay", "1")
    assert "fingerprint=" not in told(capsys, "replays")
    done = told(capsys, "discard", "1", "2", "m1", "--reason", "not ours")
    assert "2 discarded" in done and "letter 1 left alone: it was replayed already" in done
    assert _run(["dlq", "replay", "1"], debug=False) == 1
    assert "by replay 1: running, pending at chunk in job 1: embedmill jobs show 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay",),
        ("replay", "m1"),
        ("replay", "1", "--rate", "1", "--stagger", "2s"),
        ("replay", "--stage", "embd"),
        ("discard", "--reason", "gone"),
        ("list", "--older-than", "soon"),
        ("show", "one"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert _run(["dlq", *arguments], debug=False) == 2
    assert "error: " in capsys.readouterr().err
