"""The README's commands run as they are written, in a home and a folder of their own."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSOLE_BLOCK = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)
# What differs from run to run: durations, scores, places.
VARIES = re.compile(r"\d+\.\d+|file://\S*/")


def session(text: str) -> list[tuple[str, list[str]]]:
    """(command, lines that it prints) in the order of the page."""
    steps: list[tuple[str, list[str]]] = []
    for block in CONSOLE_BLOCK.findall(text):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
    return steps


def embedmill() -> str:
    return str(Path(sys.executable).parent / "embedmill")


@pytest.mark.timeout(300)
def test_the_commands_of_the_readme_print_what_it_shows(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "demo" / "documents", tmp_path / "demo" / "documents")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("EMBEDMILL_")}
    environment = inherited | {"EMBEDMILL_HOME": str(tmp_path / "home")}
    steps = session((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(steps) >= 8
    for command, shown in steps:
        program, *arguments = shlex.split(command, comments=True)
        assert program == "embedmill"
        done = subprocess.run(
            [embedmill(), *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert [_shape(line) for line in done.stdout.splitlines()] == [_shape(line) for line in shown], command


def _shape(line: str) -> str:
    """A line without what varies, and without the padding that depends on it."""
    return " ".join(VARIES.sub("#", line).split())


def test_the_readme_names_only_documents_that_ship() -> None:
    steps = session((ROOT / "README.md").read_text(encoding="utf-8"))
    paths = {word for command, _ in steps for word in shlex.split(command) if "/" in word}
    assert all((ROOT / path).exists() for path in paths)
