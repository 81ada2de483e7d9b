"""The options of `embedmill budget`: what makes no sense is a usage error that names the command's help."""

from pathlib import Path

import pytest

from embedmill.console.cli.app import _run


@pytest.mark.parametrize(
    "arguments",
    [
        ("set",),
        ("set", "--usd", "much"),
        ("set", "--usd", "-1"),
        ("set", "--scope", "job", "--usd", "1"),
        ("set", "--scope", "day", "--name", "x", "--usd", "1"),
        ("delete", "--scope", "job"),
    ],
)
def test_a_budget_that_makes_no_sense_is_a_usage_error(
    home: Path, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(["budget", *arguments], debug=False) == 2
    told = capsys.readouterr().err
    assert "error: " in told
    assert f"next: embedmill budget {arguments[0]} -h" in told
