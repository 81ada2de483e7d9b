"""Writes the blocks of the docs that are taken from the code; `--check` only says whether they are up to date.

A block stands between `<!-- generated: NAME -->` and `<!-- end of generated -->`; the functions of `BLOCKS` make them.
"""

import dataclasses
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import embedmill.shared.errors
from embedmill.shared import stages
from embedmill.shared.collections import CollectionSettings
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.settings import Settings
from embedmill.shared.states import FINAL, JOB_TRANSITIONS, TRANSITIONS, JobState
from embedmill.workers.queues import queue_name

DOCS = Path(__file__).parent
BLOCK = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)(<!-- end of generated -->)", re.DOTALL)


def main(arguments: Sequence[str]) -> int:
    """Rewrite every file that differs, or, with `--check`, name it and return 1."""
    stale = []
    for path in sorted(DOCS.rglob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = regenerated(before)
        if after != before:
            stale.append(path)
            if "--check" not in arguments:
                path.write_text(after, encoding="utf-8")
    verb = "is out of date: make format" if "--check" in arguments else "written"
    for path in stale:
        print(f"{path.relative_to(DOCS.parent)} {verb}")
    return 1 if stale and "--check" in arguments else 0


def regenerated(text: str) -> str:
    """The text with the body of every block made anew; raises KeyError for a block that nobody makes."""
    return BLOCK.sub(lambda found: found[1] + "\n" + BLOCKS[found["name"]]() + "\n\n" + found[4], text)


def stage_diagram() -> str:
    """The stages in order, and past those that may be left out, as a Mermaid diagram."""
    arrows = [f"    {stage} --> {target}" for stage, target in _steps()]
    return "\n".join(["```mermaid", "flowchart LR", *arrows, "```"])


def _steps() -> Iterator[tuple[str, str]]:
    """Each stage with those that may follow it: up to the first that is never left out."""
    for place, stage in enumerate(stages.STAGES):
        for later in stages.STAGES[place + 1 :]:
            yield stage.name, later.name
            if later.when == "always":
                break


def stage_table() -> str:
    """Every stage as the table of stages has it."""
    rows = [
        (
            f"`{stage.name}`",
            stage.does,
            stage.when,
            ", ".join(stage.needs),
            stage.makes or "",
            ", ".join(sorted(stage.uses)),
            f"`{queue_name(stage.name)}`",
        )
        for stage in stages.STAGES
    ]
    return _table(("stage", "does", "applies", "needs", "makes", "may use", "queue"), rows)


def work_diagram() -> str:
    """The life of work as a Mermaid diagram."""
    arrows = [f"    {start} --> {target}" for start, targets in TRANSITIONS.items() for target in targets]
    ends = [f"    {state} --> [*]" for state in TRANSITIONS if state in FINAL]
    return _mermaid(["    [*] --> pending", *arrows, *ends])


def work_transitions() -> str:
    """Every legal move of work with what causes it."""
    rows = [
        (f"`{start}`", f"`{target}`", cause)
        for start, targets in TRANSITIONS.items()
        for target, cause in targets.items()
    ]
    return _table(("from", "to", "when"), rows)


def job_diagram() -> str:
    """The life of a job as a Mermaid diagram."""
    arrows = [
        f"    {start} --> {target}" for start in JobState for target in JobState if target in JOB_TRANSITIONS[start]
    ]
    ends = [f"    {state} --> [*]" for state in JobState if state not in (JobState.RUNNING, JobState.PAUSED)]
    return _mermaid(["    [*] --> running", *arrows, *ends])


def settings_table() -> str:
    """Every setting with its variable, its default and what it does."""
    rows = []
    for field in dataclasses.fields(Settings):
        default = "{}" if field.default is dataclasses.MISSING else str(field.default)
        meaning = field.metadata["description"]
        rows.append((f"`EMBEDMILL_{field.name.upper()}`", f"`{default}`" if default else "(empty)", meaning))
    return _table(("variable", "default", "meaning"), rows)


def collection_table() -> str:
    """Every collection setting with its option, its default and what it does."""
    options = {p.name: p for p in _commands()["collections create"].params}
    rows = []
    for field in (field for field in dataclasses.fields(CollectionSettings) if not field.metadata):
        default = "`EMBEDMILL_EMBEDDING`" if field.name == "embedding" else f"`{field.default}`"
        default = "`EMBEDMILL_VALIDATOR`" if field.name == "validator" else default
        option = options[field.name]
        rows.append((f"`{option.opts[0]}`", default, option.help))
    return _table(("option", "default", "meaning"), rows)


def error_table() -> str:
    """Every error class: its place in the tree, whether a retry can help, what it says and what to do."""
    rows = [
        (f"{'· ' * depth}`{error.__name__}`", "yes" if error.retryable else "no", _first_line(error), error.hint or "")
        for error, depth in _walk(EmbedmillError, 0)
    ]
    return _table(("class", "retried", "meaning", "next step"), rows)


def command_reference() -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_describe(path, command) for path, command in _commands().items())


def _describe(path: str, command: Any) -> str:
    rows = [(f"`{_spelling(p)}`", p.help or "", _default(p)) for p in command.params if p.name != "help"]
    table = _table(("argument", "meaning", "default"), rows) if rows else "It has no options."
    return f"### `embedmill {path}`\n\n{command.help}\n\n{table}"


def _spelling(parameter: Any) -> str:
    if not parameter.opts[0].startswith("-"):
        name = (parameter.metavar or parameter.name).upper().strip("[].")
        return f"{name}…" if parameter.nargs == -1 else name
    return ", ".join(parameter.opts)


def _default(parameter: Any) -> str:
    if isinstance(parameter.show_default, str):
        return f"`{parameter.show_default}`"
    if parameter.default in (None, False, []) or parameter.required:
        return "required" if parameter.required else ""
    return f"`{parameter.default}`"


def _commands() -> dict[str, Any]:
    import typer

    from embedmill.console.cli.app import command_line

    def walk(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, f"{prefix}{name} ")
            else:
                yield f"{prefix}{name}", command

    return dict(walk(typer.main.get_command(command_line()), ""))


def _walk(error: type[EmbedmillError], depth: int) -> Iterator[tuple[type[EmbedmillError], int]]:
    yield error, depth
    for child in error.__subclasses__():
        if child.__module__ == embedmill.shared.errors.__name__:
            yield from _walk(child, depth + 1)


def _first_line(error: type[EmbedmillError]) -> str:
    return (error.__doc__ or "").strip().splitlines()[0]


def _mermaid(lines: Sequence[str]) -> str:
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```"])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *(line(row) for row in rows)])


BLOCKS: dict[str, Callable[[], str]] = {
    "stage-diagram": stage_diagram,
    "stages": stage_table,
    "work-diagram": work_diagram,
    "work-transitions": work_transitions,
    "job-diagram": job_diagram,
    "settings": settings_table,
    "collection-settings": collection_table,
    "errors": error_table,
    "commands": command_reference,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
