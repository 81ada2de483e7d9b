"""What the machine refuses is told with the file that it was about."""

import errno
import os

import pytest

from embedmill.console.cli import app


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
