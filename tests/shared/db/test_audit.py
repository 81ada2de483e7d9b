"""The audit in the database: only added to, on both engines, by any number of writers, and let go by its own rule."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from embedmill.shared.audit.chain import ChainKey, check_chain
from embedmill.shared.db import audit
from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.errors import EmbedmillError
from tests.shared.db.tracker import Tracker

KEY = ChainKey(b"k" * 32, "key")


def keys(_: str) -> ChainKey:
    return KEY


def add(database: Database, chain: str = "north", **fields: object) -> int:
    return database.transact(audit.add_record, chain, {"action": "search", "outcome": "done", **fields}, keys)


def faults_of(database: Database, chain: str = "north") -> list[object]:
    head = next((head for head in database.query(audit.list_heads) if head.chain == chain), None)
    return list(check_chain(chain, audit.walk_links(database, chain), head, KEY.material))


def test_records_follow_each_other_and_a_chain_begins_on_record(tracker: Tracker) -> None:
    assert [add(tracker.database) for _ in range(3)] == [1, 2, 3]
    assert faults_of(tracker.database) == faults_of(tracker.database, "") == []
    assert tracker.database.query(audit.list_chains) == ["", "north"]


def test_writers_at_once_make_one_chain(tracker: Tracker) -> None:
    with ThreadPoolExecutor(4) as threads:
        places = list(threads.map(lambda n: add(tracker.database, n=n), range(24)))
    assert sorted(places) == list(range(1, 25))
    assert faults_of(tracker.database) == []


CHANGES = [
    "UPDATE audit_record SET body = 'x'",
    "UPDATE audit_record SET seq = seq + 10",
    "DELETE FROM audit_record WHERE seq = 2",
    "DELETE FROM audit_head",
    "UPDATE audit_head SET seq = 1",
    "UPDATE audit_head SET chain = 'x' WHERE chain <> ''",
]
ONLY_IN_FILES = [
    "INSERT OR REPLACE INTO audit_record (chain, seq, at, body, mac) VALUES ('north', 2, 0, 'x', 'x')",
    "REPLACE INTO audit_head (chain, seq, mac, floor, floor_mac, seal, key_id) VALUES ('north', 1, '', 0, '', '', '')",
]
ONLY_ON_SERVERS = [
    "TRUNCATE audit_record",
    "TRUNCATE audit_head",
    """INSERT INTO audit_record (chain, seq, at, body, mac) VALUES ('north', 2, 0, 'x', 'x')
    ON CONFLICT (chain, seq) DO UPDATE SET body = excluded.body""",
]


def test_records_are_not_changed_nor_removed(tracker: Tracker) -> None:
    for _ in range(3):
        add(tracker.database)
    for statement in CHANGES + (ONLY_IN_FILES if tracker.database.is_sqlite else ONLY_ON_SERVERS):
        with pytest.raises(EmbedmillError) as caught, tracker.database.write() as connection:
            connection.execute(text(statement))
        assert "only added to" in str(caught.value), statement
    assert faults_of(tracker.database) == []


def test_what_has_been_kept_for_long_enough_is_let_go_and_the_rest_is_still_a_chain(tracker: Tracker) -> None:
    for _ in range(5):
        add(tracker.database)
    middle = tracker.database.query(audit.find_link, "north", 3)
    assert middle is not None
    (head,) = (head for head in tracker.database.query(audit.list_heads) if head.chain == "north")
    assert tracker.database.transact(audit.let_go, head, before=middle.at + 1, sealer=KEY) >= 3
    assert [link.seq for link in audit.walk_links(tracker.database, "north")] in ([4, 5], [5])
    assert add(tracker.database) == 6
    assert faults_of(tracker.database) == []


def test_a_page_goes_on_where_the_one_before_ended(tracker: Tracker) -> None:
    for _ in range(5):
        add(tracker.database)
    first = tracker.database.query(audit.list_records, ["north"], limit=2)
    last = first[-1][1]
    after = audit.RecordPlace(last.at, "north", last.seq)
    rest = tracker.database.query(audit.list_records, ["north"], limit=9, after=after)
    assert [link.seq for _, link in [*first, *rest]] == [5, 4, 3, 2, 1]


GRANTS = re.findall(r"```sql\n(.*?)```", (Path(__file__).parents[3] / "docs" / "audit.md").read_text(), re.DOTALL)


class Undone(Exception):
    """Rolls a test's transaction back, roles and all."""


def test_with_the_grants_of_the_docs_records_are_added_and_nothing_else(postgres_url: str) -> None:
    database = open_database(postgres_url)
    with suppress(Undone), database.write() as connection:
        for role in ("embedmill", "embedmill_owner"):
            connection.execute(text(f"CREATE ROLE {role}"))
        for statement in GRANTS[0].split(";")[:-1]:
            connection.execute(text(statement))
        connection.execute(text("REVOKE DELETE ON audit_record FROM embedmill"))
        connection.execute(text("SET LOCAL ROLE embedmill"))
        for _ in range(2):
            audit.add_record(connection, "north", {"action": "search"}, keys)
        for statement in (
            *CHANGES,
            *ONLY_ON_SERVERS,
            "DROP TRIGGER audit_record_update ON audit_record",
            "ALTER TABLE audit_record DISABLE TRIGGER ALL",
            "SET LOCAL session_replication_role = replica",
            "DROP TABLE audit_record",
        ):
            with pytest.raises(DBAPIError), connection.begin_nested():
                connection.execute(text(statement))
        raise Undone
    database.close()
