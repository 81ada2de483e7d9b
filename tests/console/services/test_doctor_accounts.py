"""The doctor looks at the accounts by which sources are read."""

from pathlib import Path

import pytest

from embedmill.console.services.doctor import _accounts
from embedmill.producers.sources.sql.source import SqlSource
from embedmill.shared.db import scans
from embedmill.shared.errors import EmbedmillError
from embedmill.workers.runtime import WorkerRuntime
from tests.producers.sources.sql.conftest import postgres_shared
from tests.producers.sources.sql.databases import Database, running_database
from tests.shared.db.tracker import Tracker
from tests.workers.conftest import runtime, tracker

__all__ = ["postgres_shared", "runtime", "tracker"]


def record(tracker: Tracker, source: SqlSource) -> None:
    with tracker.database.write() as connection:
        scans.open_source(connection, collection_id=tracker.collection.id, identity=source.identity, spec=source.spec)


@pytest.mark.parametrize(("kind", "right"), [("postgresql", "SUPERUSER"), ("mysql", "ALL PRIVILEGES")])
def test_an_account_that_may_do_more_than_read_is_warned_of(
    kind: str, right: str, runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with running_database(kind, tmp_path, request) as database:
        record(tracker, database.open())
        assert f"is read by an account with {right}" in _accounts(runtime)


def test_an_account_that_only_reads_is_well(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with running_database("mysql", tmp_path, request) as database:
        database.execute("CREATE OR REPLACE USER looker@127.0.0.1")
        database.execute(f"GRANT SELECT ON {database.url.rpartition('/')[2]}.* TO looker@127.0.0.1")
        only = Database("mysql", database.url.replace("root@", "looker@"), database.execute)
        record(tracker, only.open())
        assert _accounts(runtime) == "sources are read by accounts that only read"


def test_a_source_that_is_away_is_named(runtime: WorkerRuntime, tracker: Tracker) -> None:
    record(tracker, Database("mysql", "mysql://127.0.0.1:9/shop", print).open())
    with pytest.raises(EmbedmillError, match="is away"):
        _accounts(runtime)


def test_what_everybody_may_do_in_the_database_for_tests_is_no_right_of_an_account(
    runtime: WorkerRuntime, tracker: Tracker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with running_database("mysql", tmp_path, request) as database:
        database.execute("CREATE OR REPLACE USER looker@127.0.0.1")
        database.execute(f"GRANT SELECT ON {database.url.rpartition('/')[2]}.* TO looker@127.0.0.1")
        database.execute("GRANT ALL ON test.* TO PUBLIC")
        database.execute(r"GRANT ALL ON `test\_%`.* TO PUBLIC")
        try:
            record(tracker, Database("mysql", database.url.replace("root@", "looker@"), database.execute).open())
            assert _accounts(runtime) == "sources are read by accounts that only read"
        finally:
            database.execute("REVOKE ALL ON test.* FROM PUBLIC")
            database.execute(r"REVOKE ALL ON `test\_%`.* FROM PUBLIC")
