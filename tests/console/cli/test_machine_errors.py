"""What the machine refuses is told with the file that it was about."""

import errno
import io
import os
from pathlib import Path

import pytest

from embedmill.console.cli import app, session
from embedmill.shared.errors import StorageFailed
from embedmill.shared.sqlite_files import copy_file


@pytest.mark.parametrize(
    ("file", "said"), [("/srv/home/run", "/srv/home/run: Permission denied"), (None, "Permission")]
)
def test_an_error_of_the_machine_names_its_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], file: str | None, said: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), *([file] if file else []))

    monkeypatch.setattr(app, "command_line", refuse)
    assert app._run(["jobs", "list"], debug=False) == 1
    assert f"the machine refused: {said}" in capsys.readouterr().err


def test_a_full_disk_behind_the_output_is_told_where_that_can_be_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(app, "command_line", refuse)

    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stdout", Full())
    assert app._run(["jobs", "list", "--json"], debug=False) == 1
    assert "next: free some disk space" in capsys.readouterr().err


def test_a_copy_of_a_database_that_cannot_be_written_is_a_fault_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed, match="cannot be written: unable to open"):
        copy_file(tmp_path / "any.db", tmp_path / "nowhere" / "copy.db")


@pytest.mark.parametrize(("command", "seconds"), [(["jobs", "list"], "0"), (["export"], "0.1")])
def test_a_command_that_answers_at_once_says_soon_that_the_database_is_away(
    command: list[str], seconds: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(session, "READING_SECONDS", 0.0)
    monkeypatch.setenv("EMBEDMILL_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("EMBEDMILL_DATABASE_OUTAGE_SECONDS", "0.1")
    assert app._run(command, debug=False) == 1
    err = capsys.readouterr().err
    assert "error: the database server cannot be reached" in err
    assert (
        "EMBEDMILL_DATABASE_URL" in err and f"waited {seconds} s" in err and "EMBEDMILL_DATABASE_OUTAGE_SECONDS" in err
    )
