"""The commands of the README and of the tutorial run as they are written, in a home and a folder of their own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import Command, Ran

ROOT = Path(__file__).parents[2]
CONSOLE_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What differs from run to run: times, durations (the last column before a source, in a table), places.
VARIES = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\dZ)?|\d+\.\d+(?= s\b)|(?<!~)\b\d+\.\d+(?=\s+file://)|file://\S*/"
)
NUMBER = re.compile(r"~?\d+\.\d+")
SHELL = re.compile(r"[;|<>]")
PAGES = ("README.md", "docs/tutorial.md")


def session(page: str) -> list[tuple[str, list[str]]]:
    """(command, lines that it prints) in the order of the page."""
    steps: list[tuple[str, list[str]]] = []
    for block in CONSOLE_BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_print_what_it_shows(tmp_path: Path, page: str) -> None:
    shutil.copytree(ROOT / "demo" / "documents", tmp_path / "demo" / "documents")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDMILL_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = inherited | {"EMBEDMILL_HOME": str(tmp_path / "home"), "PATH": path}
    steps = session(page)
    assert len(steps) >= 8
    command = Command(environment, tmp_path)
    for typed, shown in steps:
        ran = run(command, typed)
        assert ran.status == 0, f"{typed}: {ran}"
        # A command that is shown without what it prints prints what its own page describes.
        if shown or not ran.stdout:
            expected = [pytest.approx(told, rel=0.01) if isinstance(told, float) else told for told in _shapes(shown)]
            assert _shapes(ran.stdout.splitlines()) == expected, typed
    command.close()


def run(command: Command, typed: str) -> Ran:
    """What somebody typed: a plain command of ours, or a line for the shell."""
    program, *arguments = shlex.split(typed, comments=True)
    if program == "embedmill" and not SHELL.search(typed):
        return command.run(*arguments)
    done = subprocess.run(
        ["bash", "-c", typed], cwd=command.folder, env=command.environment, capture_output=True, text=True, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def _shapes(lines: list[str]) -> list[str | float]:
    """The words of lines without what varies, and without the padding that depends on it; scores are numbers.

    The folder's own words count in scores, a little: they are told to the hundredth.
    """
    words = (word for line in lines for word in (*VARIES.sub("#", line).split(), "\n"))
    return [float(word.lstrip("~")) if NUMBER.fullmatch(word) else word for word in words]


def test_the_readme_names_only_documents_that_ship() -> None:
    paths = {word for command, _ in session("README.md") for word in shlex.split(command) if "/" in word}
    assert all((ROOT / path).exists() for path in paths)
