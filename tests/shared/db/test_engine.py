"""Opening the database: made once, by whoever comes first, and refused with a reason when it cannot be used."""

import gc
import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from psutil import Process
from sqlalchemy import inspect, text

from embedmill.shared.db import opening
from embedmill.shared.db.engine import Database, glance
from embedmill.shared.db.opening import HEAD, open_database
from embedmill.shared.db.postgres import Sizing
from embedmill.shared.db.schema import metadata
from embedmill.shared.errors import HomeInUse, SettingsError, StorageFailed
from tests import forked
from tests.migrated import place_migrated


def test_the_database_has_every_table_column_index_and_check_of_the_schema(database: Database) -> None:
    with database.read() as connection:
        found = inspect(connection)
        for table in metadata.sorted_tables:
            assert {c["name"] for c in found.get_columns(table.name)} == {c.name for c in table.columns}
            here = (i for i in table.indexes if i._ddl_if is None or i._ddl_if.dialect == connection.dialect.name)
            named = {str(i.name) for i in here}
            assert named <= {str(i["name"]) for i in found.get_indexes(table.name)}
            checks = {str(c.name) for c in table.constraints if c.__visit_name__ == "check_constraint"}
            assert {name.rpartition("ck_")[2] for name in checks} <= {
                str(c["name"]).rpartition("ck_")[2] for c in found.get_check_constraints(table.name)
            }


def test_opening_again_changes_nothing(database_url: str) -> None:
    first = open_database(database_url)
    with first.write() as connection:
        connection.execute(text("INSERT INTO chore VALUES ('kept', 'b', 1.0)"))
    first.close()
    again = open_database(database_url)
    with again.read() as connection:
        assert connection.execute(text("SELECT name FROM chore")).scalars().all() == ["kept"]
    again.close()


def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            connection.execute(text("INSERT INTO chore VALUES ('a', 'b', 1.0)"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_and_fail()
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM chore")).scalar() == 0


def test_a_glance_sees_what_others_wrote_meanwhile_and_a_thread_keeps_its_session(database: Database) -> None:
    def look() -> tuple[object, int]:
        with database.glancing() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM chore").scalar_one()
            return id(connection), count

    before = [look(), look()]
    with ThreadPoolExecutor(1) as another:
        elsewhere = another.submit(look).result()
    with database.write() as connection:
        connection.execute(text("INSERT INTO chore VALUES ('a', 'b', 1.0)"))
    after = look()
    database.close()
    again = look()
    assert [count for _, count in (*before, elsewhere, after, again)] == [0, 0, 0, 1, 1]
    if database.is_sqlite:
        assert before[0] == before[1]
        assert before[0][0] == after[0] != elsewhere[0]


LONG = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300000) SELECT max(n) FROM c"


def test_who_closes_a_database_waits_for_a_thread_that_glances(tmp_path: Path) -> None:
    place_migrated(tmp_path / "tracking.db")
    forked.run_at_once(_close_beside_a_glance, [(f"sqlite:///{tmp_path / 'tracking.db'}",)])


def _close_beside_a_glance(url: str) -> None:
    database = open_database(url)
    begun = threading.Event()

    def look() -> list[tuple[object, ...]]:
        with database.glancing() as connection:
            begun.set()
            return glance(connection, LONG)

    with ThreadPoolExecutor(1) as another:
        found = another.submit(look)
        begun.wait()
        database.close()
        assert found.result() == [(300_000,)]


def test_sessions_go_with_the_threads_that_glanced(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'tracking.db'}")

    def look() -> None:
        with database.glancing() as connection:
            connection.exec_driver_sql("SELECT count(*) FROM chore").scalar_one()

    def held() -> int:
        # SQLite puts off closing the file itself while the process has locks on it, and takes it for the next session.
        return sum(opened.path.endswith("tracking.db-wal") for opened in Process().open_files())

    look()
    before = held()
    for _ in range(5):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    gc.collect()
    assert held() == before
    database.close()
    assert held() == 0


def test_processes_that_start_together_make_the_schema_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    forked.run_at_once(open_database, [(url,)] * 5)


def test_a_database_of_a_newer_release_is_refused(database_url: str) -> None:
    opened = open_database(database_url)
    try:
        with opened.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(HomeInUse, match="newer"):
            open_database(database_url)
    finally:
        with opened.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": HEAD})
        opened.close()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tracking.db").write_bytes(b"something else entirely " * 100)
    with pytest.raises(HomeInUse, match="damaged"):
        open_database(f"sqlite:///{tmp_path / 'tracking.db'}")


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HomeInUse):
        open_database(f"sqlite:///{tmp_path / 'nowhere' / 'tracking.db'}")


@pytest.mark.parametrize("url", ["nonsense", "oracle9://x", ""])
def test_a_wrong_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="EMBEDMILL_DATABASE_URL"):
        open_database(url)


@pytest.mark.parametrize("url", ["mysql://x/y", "postgresql+asyncpg://x/y", "postgresql+psycopg2://x/y"])
def test_a_database_that_is_not_supported_is_told_with_those_that_are(url: str) -> None:
    with pytest.raises(SettingsError, match="is not supported") as refused:
        open_database(url)
    assert "postgresql://" in refused.value.hint and "sqlite:///" in refused.value.hint


def test_a_lock_that_is_never_freed_is_a_storage_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedmill.shared.db.connecting.PRAGMAS", ("busy_timeout=50", "journal_mode=WAL"))
    path = tmp_path / "tracking.db"
    opened = open_database(f"sqlite:///{path}")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StorageFailed, match="another process writes") as refused, opened.write():
            pass
        assert "again" in refused.value.hint
    finally:
        other.close()
        opened.close()


def test_a_database_of_the_first_release_is_brought_up_to_date_with_all_that_is_in_it(database_url: str) -> None:
    old = Database(database_url)
    with old._writer.connect() as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(opening.__file__).parent / "migrations"))
        config.attributes["connection"] = connection
        # The server is shared by the session and was brought up to date by whoever came first.
        move = command.upgrade if old.is_sqlite else command.downgrade
        move(config, "0001")
        for statement in OLD_ROWS.split(";\n"):
            connection.execute(text(statement))
        connection.commit()
    old.close()
    opened = open_database(database_url)
    with opened.read() as connection:
        assert connection.execute(text("SELECT priority, weight FROM job")).all() == [(0, 3)]
        assert connection.execute(text("SELECT state, paced_seconds FROM work")).all() == [("dead", None)]
        assert connection.execute(text("SELECT error, replay_id FROM dead_letter")).all() == [("torn", None)]
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == HEAD
    opened.close()


OLD_ROWS = """
INSERT INTO collection (name, settings, active_index_version, created_at) VALUES ('c', '{}', 1, 1);
INSERT INTO source (collection_id, identity, spec) VALUES (1, 's', '{}');
INSERT INTO document (id, collection_id, source_id, uri, generation, seen_job, updated_at)
VALUES ('d', 1, 1, 'file:///d', 1, 1, 1);
INSERT INTO job (collection_id, identity, sources, options, state, weight, created_at)
VALUES (1, 'j', '[]', '{}', 'running', 3, 1);
INSERT INTO work (job_id, document_id, generation, stage, state, max_attempts, size, content_hash, settings_hash,
version, origin, created_at, finished_at) VALUES (1, 'd', 1, 'chunk', 'dead', 3, 1, 'c', 's', 'v', '{}', 1, 2);
INSERT INTO dead_letter (work_id, job_id, stage, error_class, error, hint, fingerprint, attempts, crashes,
code_version, created_at) VALUES (1, 1, 'chunk', 'NoText', 'torn', '', 'f', 1, 0, '0', 2)
"""


@pytest.mark.parametrize("by_batches", [False, True])
def test_a_worker_takes_a_statement_back_without_a_file(tmp_path: Path, by_batches: bool) -> None:  # noqa: FBT001
    database = open_database(f"sqlite:///{tmp_path}/tracking.db", sizing=Sizing(by_batches=by_batches))
    with database.write() as connection:
        rows = [{"name": f"{number:0900}"} for number in range(200)]
        connection.execute(text("INSERT INTO chore VALUES (:name, 'a', 1.0)"), rows)
    with database.write() as connection:
        connection.execute(text("UPDATE chore SET name = name || 'b'"))
        opened = [os.readlink(file) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
        assert any("etilqs" in file for file in opened) is not by_batches
    database.close()
