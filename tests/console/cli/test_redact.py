"""`embedmill redact`: text in, text and JSON out, and no value in what goes wrong."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedmill.console.cli import app

TEXT = "Möchten Sie jane@example.com oder +44 20 7946 0329 anrufen?\r\n[EMAIL_1] schrieb jane@example.com.\n"
SHOWN = "Möchten Sie [EMAIL_2] oder [PHONE_1] anrufen?\r\n[EMAIL_1] schrieb [EMAIL_2].\n"


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = app._run(["redact", *arguments], debug=False)
    printed = capfd.readouterr()
    return status, printed.out, printed.err


def test_a_file_is_shown_with_placeholders(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(TEXT.encode())

    status, out, err = run(capfd, str(file))

    assert (status, out, err) == (0, SHOWN, "2 EMAIL_ADDRESS, 1 PHONE_NUMBER\n")


@pytest.mark.parametrize(
    ("terminal", "shown"),
    [(False, "a\x1b]0;b\x07\r\n\tc\x9b2J \u202ed\n"), (True, "a\\x1b]0;b\\x07\n\tc\\x9b2J \\u202ed\n")],
)
def test_a_terminal_is_told_nothing_by_the_text(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, terminal: bool, shown: str
) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("a\x1b]0;b\x07\r\n\tc\x9b2J \u202ed\n".encode())
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal)

    assert run(capfd, str(file))[:2] == (0, shown)


def test_json_has_the_places_in_the_text_that_was_given(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(TEXT.encode())))

    status, out, _ = run(capfd, "--json")
    found: dict[str, Any] = json.loads(out)

    assert status == 0
    assert found["text"] == SHOWN
    assert [(s["type"], TEXT[s["start"] : s["end"]], s["placeholder"]) for s in found["spans"]] == [
        ("EMAIL_ADDRESS", "jane@example.com", "[EMAIL_2]"),
        ("PHONE_NUMBER", "+44 20 7946 0329", "[PHONE_1]"),
        ("EMAIL_ADDRESS", "jane@example.com", "[EMAIL_2]"),
    ]


def test_lines_of_json_are_redacted_each_on_its_own(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text('{"id": 1, "text": "a@example.com"}\n\n{"id": "b", "text": "none"}\n', encoding="utf-8")

    status, out, _ = run(capfd, "--jsonl", str(file))

    assert status == 0
    assert [json.loads(line) for line in out.splitlines()] == [
        {
            "id": 1,
            "text": "[EMAIL_1]",
            "spans": [{"type": "EMAIL_ADDRESS", "start": 0, "end": 13, "placeholder": "[EMAIL_1]"}],
        },
        {"id": "b", "text": "none", "spans": []},
    ]


@pytest.mark.parametrize(
    "line", ['{"id": 1, "text": jane@example.com}', '{"id": 1, "tekst": "jane@example.com"}', "[1]"]
)
def test_a_line_that_is_none_is_named_by_its_number_and_not_quoted(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, line: str
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"id": 0, "text": "fine"}}\n{line}\n', encoding="utf-8")

    status, _, err = run(capfd, "--jsonl", str(file))

    assert status == 2
    assert "line 2 is no JSON object" in err
    assert "jane" not in err


def test_a_policy_that_there_is_not_and_names_without_their_model_are_refused(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedmill.shared.redaction.names.MODEL", "no_such_model_at_all")
    (tmp_path / "a").write_text("x", encoding="utf-8")

    assert run(capfd, "--policy", "some", str(tmp_path / "a"))[0] == 2
    status, _, err = run(capfd, "--policy", "names", str(tmp_path / "a"))
    assert (status, "embedmill[names]" in err) == (1, True)


def test_a_file_that_is_missing_is_the_callers_to_look_for(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, _, err = run(capfd, str(tmp_path / "k1x"))
    assert status == 1
    assert f"error: {tmp_path / 'k1x'}: No such file or directory" in err
    assert "Check the path" in err
