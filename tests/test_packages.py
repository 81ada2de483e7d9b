"""Packages and their modules: names that are ours alone, what is short enough to read, and what starts quickly."""

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "alembic",
    "celery",
    "kombu",
    "lxml",
    "numpy",
    "orjson",
    "rich",
    "sqlalchemy",
    "structlog",
    "tokenizers",
    "pydantic",
)

# What a command on SQLite has no use for.
NEEDLESS = (
    *(name for name in HEAVY if name not in ("orjson", "sqlalchemy")),
    "cryptography",
    "sqlalchemy.dialects.postgresql",
)


@pytest.mark.parametrize("name", ["bench", "console", "infra", "producers", "retrieval", "shared", "tests", "workers"])
def test_nobody_else_installs_a_package_by_our_name(name: str) -> None:
    assert set(importlib.metadata.packages_distributions().get(name, [])) <= {"embedmill"}


@pytest.mark.parametrize("arguments", [["--help"], ["ingest", "--help"], ["dlq", "replay", "--help"], ["version"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    program = (
        "import sys, embedmill.console.__main__ as entry\n"
        f"sys.argv = ['embedmill', *{arguments!r}]\n"
        "try:\n    entry.main()\n"
        f"finally:\n    print(','.join(m for m in {HEAVY!r} if sys.modules.get(m)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stderr.strip() == ""


ASKING = (
    "jobs list",
    "jobs show 1",
    "documents list",
    "documents show file:///nowhere",
    "erasures list",
    "dlq list",
    "workers list",
    "sources list",
    "collections list",
    "review list",
    "spend",
    "stats",
    "budget show",
    "tokens list",
    "audit list",
    "bulk list",
)


def test_commands_that_only_ask_load_nothing_but_the_database(tmp_path: Path) -> None:
    program = (
        "import sys, embedmill.console.__main__ as entry\n"
        f"for command in {ASKING!r}:\n"
        "    for more in [], ['--json']:\n"
        "        sys.argv = ['embedmill', *command.split(), *more]\n"
        "        try:\n            entry.main()\n        except SystemExit:\n            pass\n"
        f"    found = [m for m in {NEEDLESS!r} if sys.modules.get(m)]\n"
        "    if found:\n        sys.exit(f'{command}: {found}')\n"
        # What every ingest does from time to time, and seldom has a reason to.
        "import embedmill.workers.chores.sweeper\n"
        "if 'numpy' in sys.modules:\n    sys.exit('the sweeper loads numpy')\n"
    )
    environment = {**os.environ, "EMBEDMILL_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in Path(__file__).parent.rglob("test_*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []


FOLDERS = ("bench", "console", "producers", "retrieval", "shared", "simulators", "workers")
MOST_LINES = 450
"""Of a module: about 400 are what one reads at a time."""


def written() -> dict[str, str]:
    """The modules of the product and of the benches, by their paths in the checkout."""
    top = Path(__file__).parent.parent
    paths = (path for folder in FOLDERS for path in (top / folder).rglob("*.py"))
    return {path.relative_to(top).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def test_no_module_is_too_long_to_be_read() -> None:
    lengths = {name: text.count("\n") for name, text in written().items()}
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_no_name_of_a_class_means_two_things() -> None:
    found: dict[str, set[str]] = {}
    for name, text in written().items():
        for class_ in re.findall(r"^class (\w+)", text, re.MULTILINE):
            found.setdefault(class_, set()).add(name)
    assert {class_: names for class_, names in found.items() if len(names) > 1} == {}
