"""States of work and of jobs are written in one module."""

import ast
from collections.abc import Iterator
from pathlib import Path

from embedmill.shared.db import transitions

FOLDER = Path(transitions.__file__).parent
WRITERS = {"insert", "update", "insert_or", "insert_each", "insert_alike", "upsert_each"}


def written(tree: ast.AST) -> Iterator[tuple[ast.expr, set[str]]]:
    """(table, columns) of every statement that writes, as far as it is written out in one expression."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        columns = {keyword.arg for keyword in node.keywords if keyword.arg}
        for part in ast.walk(node):
            if isinstance(part, ast.Dict):
                columns |= {
                    key.value for key in part.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
                }
        inside = [part for part in ast.walk(node) if isinstance(part, ast.Call)]
        for call in inside:
            if isinstance(call.func, ast.Name) and call.func.id in WRITERS and call.args:
                yield call.args[-1] if call.func.id == "insert_or" else call.args[0], columns
                if len(call.args) > 1:
                    yield call.args[1], columns


def writes_a_state(path: Path) -> bool:
    return any(
        isinstance(table, ast.Name) and table.id in ("work", "job") and "state" in columns
        for table, columns in written(ast.parse(path.read_text()))
    )


def test_nobody_but_the_transitions_writes_the_state_of_work_or_of_a_job() -> None:
    found = {path.name for path in FOLDER.glob("*.py") if writes_a_state(path)}
    assert found == {"transitions.py"}
