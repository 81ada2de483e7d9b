import io
import os
import re
import sys
from collections.abc import Callable

import orjson
import pytest

from embedmill.console.cli import output
from embedmill.console.cli.app import _interrupted
from embedmill.console.cli.output import FAILED, confirm, json_line, print_error, print_line, print_table
from embedmill.shared.errors import UserError

HOSTILE = "report\x1b[2J\x1b]0;owned\x07\u202egpj.exe\nerror: forged"


def test_a_line_for_people_obeys_nothing_that_a_document_says(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(HOSTILE)
    print_error(HOSTILE, HOSTILE)
    print_table([{"uri": HOSTILE}], ["uri"], empty="")
    out, err = capsys.readouterr()
    assert not {"\x1b", "\x07", "\u202e"} & set(out + err)
    assert (out.count("\n"), err.count("\n")) == (3, 2)


def test_a_line_of_an_export_obeys_nothing_and_means_the_same() -> None:

    line = json_line({"uri": HOSTILE, "text": "\x9b1m"})
    assert line.isascii()
    assert orjson.loads(line) == {"uri": HOSTILE, "text": "\x9b1m"}


def test_a_character_that_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    print_line("naïve")
    assert written.getvalue() == b"na\\xefve\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def drawn(monkeypatch: pytest.MonkeyPatch, columns: int, rows: list[dict[str, object]]) -> list[str]:
    return shown(monkeypatch, columns, lambda: output.print_table(rows, list(rows[0]), empty=""))


def shown(monkeypatch: pytest.MonkeyPatch, columns: int, show: Callable[[], None]) -> list[str]:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", str(columns))
    show()
    return re.sub(r"\x1b\[\d*m", "", terminal.getvalue()).splitlines()


def test_a_table_is_no_wider_than_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    long = {"job": 1, "source": "/srv/" + "long/" * 30, "state": "completed"}
    lines = drawn(monkeypatch, 60, [long, {"job": 2, "source": "文書" * 30, "state": ""}])
    assert max(len(line) + sum(ord(c) > 0x3000 for c in line) for line in lines) <= 60
    assert "completed" in "".join(lines)


def test_columns_that_say_nothing_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, object] = {"job": 1, "name": "", "deleted": 0, "source": "s" * 30, "state": "completed"}
    assert drawn(monkeypatch, 65, [row])[0].split() == ["job", "name", "deleted", "source", "state"]
    assert drawn(monkeypatch, 46, [row])[0].split() == ["job", "source", "state"]


def test_rows_that_are_too_wide_for_columns_become_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    row: dict[str, object] = {"job": 7} | {f"column {n}": f"value {n} {'x' * 10}" for n in range(9)}
    lines = drawn(monkeypatch, 80, [row])
    assert lines[0].split() == ["job", "7"]
    assert max(map(len, lines)) <= 80
    assert all(f"value {n}" in " ".join(lines) for n in range(9))


def test_a_table_in_a_pipe_has_a_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([{"a": "x" * 150, "b": 2.0}], ["a", "b"], empty="")
    assert capsys.readouterr().out.splitlines() == ["a" + " " * 101 + "b", "x" * 100 + "  2.0"]


@pytest.mark.parametrize(("answer", "yes"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_a_question_takes_no_for_an_answer(monkeypatch: pytest.MonkeyPatch, *, answer: str, yes: bool) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    assert confirm("delete it?") is yes


def test_a_question_that_nobody_can_answer_names_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        with pytest.raises(UserError) as caught:
            confirm("delete it?")
    assert "--yes" in caught.value.hint


@pytest.mark.parametrize("command", ["search", "ask", "eval", "export", "stats"])
def test_what_has_nothing_left_to_take_up_promises_nothing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _interrupted([command, "ingest"], as_json=False) == FAILED
    assert capsys.readouterr().err == "error: interrupted\n"


def test_a_job_that_is_interrupted_goes_on_with_the_same_command(capsys: pytest.CaptureFixture[str]) -> None:
    _interrupted(["ingest", "search"], as_json=False)
    assert "takes up what is left" in capsys.readouterr().err


def test_a_sentence_is_wrapped_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "    next: Replay it; if it fails the same way, report it with its document."
    output.print_wrapped(hint)
    assert capsys.readouterr().out == hint + "\n"
    lines = shown(monkeypatch, 40, lambda: output.print_wrapped(hint))
    assert lines == ["    next: Replay it; if it fails the", "      same way, report it with its", "      document."]
