"""The docs say what the code says: every setting, command, state and error is there; generated blocks are current."""

import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest
import typer

from embedmill.console.cli.app import command_line
from embedmill.shared import stages
from embedmill.shared.db.catalogue import MEANINGS
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.embeddings.table import EMBEDDERS
from embedmill.shared.settings import NAMES, Settings
from embedmill.shared.states import DocumentState, JobState, Result, State, WaitReason

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *(ROOT / "infra").glob("*.md")])


def commands(group: Any, prefix: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}"


def errors(error: type[EmbedmillError]) -> Iterator[str]:
    yield error.__name__
    for child in error.__subclasses__():
        if child.__module__ == "embedmill.shared.errors":
            yield from errors(child)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_generated_blocks_are_what_the_code_generates_now() -> None:
    done = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_decision_has_a_number_of_its_own_and_is_listed_under_it() -> None:
    files = sorted(path.name for path in (DOCS / "decisions").glob("[0-9]*.md"))
    numbers = [name[:4] for name in files]
    assert len(numbers) == len(set(numbers))
    listed = re.findall(r"^- \[(\d{4})\]\(([^)]+)\) ", page("decisions/README.md"), re.MULTILINE)
    assert sorted(listed) == sorted(zip(numbers, files, strict=True))
    assert all(page(f"decisions/{name}").startswith(f"# {name[:4]}: ") for name in files)


@pytest.mark.parametrize("setting", fields(Settings), ids=NAMES)
def test_every_setting_is_documented(setting: Field[Any]) -> None:
    assert f"| `EMBEDMILL_{setting.name.upper()}` |" in page("configuration.md")
    assert setting.metadata["description"]


@pytest.mark.parametrize("command", sorted(commands(typer.main.get_command(command_line()))))
def test_every_command_is_documented(command: str) -> None:
    assert f"### `embedmill {command}`\n" in page("commands.md")


@pytest.mark.parametrize("command", sorted(commands(typer.main.get_command(command_line()))))
def test_every_command_is_in_the_readme(command: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    group, _, name = command.rpartition(" ")
    row = next(line for line in readme.splitlines() if line.startswith("|") and f"`{group or name}" in line)
    assert f"`{command}`" in row or f"`{name}`" in row


def short_help(group: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        yield f"{prefix}{name}", command.get_short_help_str(limit=1000)
        if hasattr(command, "commands"):
            yield from short_help(command, f"{prefix}{name} ")


@pytest.mark.parametrize(("command", "line"), sorted(short_help(typer.main.get_command(command_line()))))
def test_a_line_of_help_is_short_enough_to_be_shown_whole(command: str, line: str) -> None:
    assert 0 < len(line) < 55


@pytest.mark.parametrize("value", [*stages.names(), *State, *WaitReason, *Result, *JobState])
def test_every_state_is_on_the_page_of_states(value: str) -> None:
    assert f"`{value}`" in page("state-machine.md")


@pytest.mark.parametrize("name", sorted(errors(EmbedmillError)))
def test_every_error_is_documented(name: str) -> None:
    assert f"`{name}` |" in page("operations.md")


@pytest.mark.parametrize("name", sorted(errors(EmbedmillError)))
def test_every_error_is_in_the_drawing_of_the_error_tree(name: str) -> None:
    import embedmill.shared.errors

    assert re.search(rf"\b{name}\b", embedmill.shared.errors.__doc__ or "")


@pytest.mark.parametrize("name", EMBEDDERS)
def test_every_embedding_model_is_documented(name: str) -> None:
    assert f"| `{name}` |" in page("providers.md")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_is_plain_text_and_its_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not [sign for sign in text if unicodedata.category(sign) == "Cc" and sign not in "\n\t"]
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
    missing = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not missing


def test_the_makefile_explains_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    assert set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)) == explained
    assert {"help", "setup", "demo", "test", "check", "bench", "lock", "clean"} <= explained


def test_the_lock_file_names_versions_and_hashes_and_no_place() -> None:
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    shapes = r"[a-z0-9._-]+==[^\s/@]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?|\s*#[^/]*|"
    assert [line for line in lines if not re.fullmatch(shapes, line)] == []


def test_the_lock_file_holds_every_declared_dependency() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=!~; ]", entry)[0].lower().replace("_", "-") for entry in declared}
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9._-]+)==", lock, re.MULTILINE))
    assert names <= locked


@pytest.mark.parametrize("state", DocumentState)
def test_every_state_of_a_document_is_documented(state: DocumentState) -> None:
    assert f"| `{state}` | {MEANINGS[state]} |" in page("documents.md")
