"""One writer of states: every move is legal by the table, names where it starts, and is made nowhere else."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Update, select, text
from sqlalchemy.dialects import sqlite

import embedmill.shared.db
from embedmill.shared.db import transitions
from embedmill.shared.db.schema import work as work_table
from embedmill.shared.db.transitions import lock_jobs, move_chosen, move_jobs, move_work
from embedmill.shared.errors import IllegalTransition, NotFound
from embedmill.shared.states import JOB_TRANSITIONS, TRANSITIONS, JobState, State
from tests.shared.db.tracker import Tracker

FOLDER = Path(next(iter(embedmill.shared.db.__path__)))
WRITERS = {Path(transitions.__file__)}


def functions_that_update(name: str) -> Iterator[tuple[str, ast.AST]]:
    """Every function, outside the one writer, that makes an UPDATE of a table."""
    for path in sorted(set(FOLDER.glob("*.py")) - WRITERS):
        for found in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(found, ast.FunctionDef) and any(is_update(part, name) for part in ast.walk(found)):
                yield f"{path.name}:{found.name}", found


def is_update(part: ast.AST, name: str) -> bool:
    return (
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Name)
        and part.func.id == "update"
        and isinstance(part.args[0], ast.Name)
        and part.args[0].id == name
    )


def writes_state(function: ast.AST) -> bool:
    parts = list(ast.walk(function))
    named = any(isinstance(part, ast.keyword) and part.arg == "state" for part in parts)
    return named or any(isinstance(part, ast.Constant) and part.value == "state" for part in parts)


@pytest.mark.parametrize("table", ["work", "job"])
def test_nobody_else_writes_the_states(table: str) -> None:
    assert [where for where, function in functions_that_update(table) if writes_state(function)] == []


def test_no_statement_in_text_updates_work_or_jobs() -> None:
    for path in set(FOLDER.glob("*.py")) - WRITERS:
        source = path.read_text(encoding="utf-8").lower()
        assert "update work" not in source, path
        assert "update job " not in source, path
        # Work that a statement writes over begins anew, in the one writer's words.
        overwritten = re.findall(r"on conflict \(job_id, document_id\) do update set ([^\s]+)", source)
        assert set(overwritten) <= {"{begun_anew}"}, path


def sql_of(query: Update) -> str:
    return str(query.compile(dialect=sqlite.dialect()))


@pytest.mark.parametrize("start", State)
@pytest.mark.parametrize("target", State)
def test_only_moves_of_the_table_can_be_written(start: State, target: State) -> None:
    if target in TRANSITIONS[start]:
        assert f"state = '{start}'" in sql_of(move_work(target, of=[start]))
        assert f"state = '{start}'" in sql_of(move_chosen(target, of=start, chosen=select(work_table.c.id)))
        return
    with pytest.raises(IllegalTransition, match=f"{start} to {target}"):
        move_work(target, of=[start])
    with pytest.raises(IllegalTransition, match=f"{start} to {target}"):
        move_chosen(target, of=start, chosen=select(work_table.c.id))


@pytest.mark.parametrize("target", JobState)
def test_a_job_makes_only_moves_of_the_table(tracker: Tracker, target: JobState) -> None:
    for start in JobState:
        ended = "NULL" if start in (JobState.RUNNING, JobState.PAUSED) else "1"
        with tracker.database.write() as connection:
            connection.execute(text(f"UPDATE job SET state = '{start}', finished_at = {ended}"))

        def move(connection: Connection) -> None:
            move_jobs(connection, [tracker.job], target)

        if target in JOB_TRANSITIONS[start]:
            tracker.database.transact(move)
            assert tracker.get_job().state is target
        else:
            with pytest.raises(IllegalTransition, match=f"{start} to {target}"):
                tracker.database.transact(move)


def test_a_job_that_there_is_not_cannot_be_moved(tracker: Tracker) -> None:
    with pytest.raises(NotFound), tracker.database.write() as connection:
        move_jobs(connection, [tracker.job, 4711], JobState.PAUSED)
    assert tracker.get_job().state is JobState.RUNNING
    with tracker.database.write() as connection:
        assert lock_jobs(connection, [4711, tracker.job]) == {tracker.job: JobState.RUNNING}
