"""A database of 0.1.0, where a document knew one source: it is migrated with all that is in it, and read again."""

from pathlib import Path

from sqlalchemy import select, text

from embedmill.shared.db.engine import Database
from embedmill.shared.db.opening import open_database
from embedmill.shared.db.schema import claim, document, job, metadata, work
from tests.producers.test_reconciling import TEN, Desk
from tests.shared.test_migrations import move

RELEASED = "0013"
# Beside what the commands below leave: a budget, and two open jobs of one submission, as two hosts could make them.
ADDED = (
    "INSERT INTO budget (scope, name, limit_tokens, created_at) VALUES ('total', '', 1000, 1.0)",
    *(
        "INSERT INTO job (collection_id, identity, sources, options, state, created_at) "
        "VALUES (1, 'twice', '[]', '{}', 'running', 1.0)"
        for _ in range(2)
    ),
)
KEPT = ("collection", "source", "document", "work", "attempt", "dead_letter", "usage", "budget")


def test_a_home_of_the_first_release_loses_nothing_and_reconciles(database: Database, tmp_path: Path) -> None:
    desk = Desk(database, tmp_path)
    desk.ingest("docs")
    desk.write_rows("a.jsonl", {"1": "one", "2": "two"})
    desk.ingest("a.jsonl")
    desk.ingest("docs/d3.txt")
    (desk.folder / "docs/d9.txt").unlink()
    waiting = desk.submit("docs")  # its removal waits
    move(database, RELEASED, down=True)
    old = Database(database.url)
    with old.write() as connection:
        for statement in ADDED:
            connection.execute(text(statement))
        before = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in KEPT}
    old.close()
    database.close()

    opened = open_database(database.url)
    with opened.read() as connection:
        after = {
            name: connection.execute(select(text("count(*)")).select_from(metadata.tables[name])).scalar()
            for name in KEPT
        }
        assert after == before
        identities = connection.execute(select(job.c.identity).where(job.c.identity.startswith("twice"))).scalars()
        assert sorted(len(identity) > len("twice") for identity in identities) == [False, True]
        leaving = select(document.c.uri).join(claim).where(claim.c.leaving)
        assert {uri.rsplit("/")[-1] for uri in connection.execute(leaving).scalars()} == {"d9.txt"}
        assert connection.execute(select(work.c.job_id).where(work.c.deletes)).scalars().all() == [waiting.id]

    again = Desk(opened, tmp_path)
    assert again.ingest("docs")["deleted"] == 0
    assert again.visible() == TEN | {"1", "2"}, "d9 is back, and its removal was overtaken"
    assert again.ingest("a.jsonl")["unchanged"] == 2
    for name in ("d3.txt", "d4.txt"):
        (again.folder / "docs" / name).unlink()
    assert again.ingest("docs")["deleted"] == 2
    assert again.visible() == TEN - {"d3.txt", "d4.txt"} | {"1", "2"}
    opened.close()


def test_a_row_that_two_files_of_one_command_may_have_named_stays_until_both_are_read(
    database: Database, tmp_path: Path
) -> None:
    desk = Desk(database, tmp_path)
    desk.write_rows("a.jsonl", {"1": "one", "2": "two"})
    desk.write_rows("b.jsonl", {"3": "three", "4": "four", "5": "five", "6": "six", "7": "seven", "8": "eight"})
    desk.ingest("a.jsonl", "b.jsonl")
    move(database, RELEASED, down=True)
    old = Database(database.url)
    with old.write() as connection:
        # Both files had the row, and that release remembered the last of them.
        last = "(SELECT source_id FROM document WHERE uri LIKE '%3')"
        connection.execute(text(f"UPDATE document SET source_id = {last} WHERE uri LIKE '%1'"))
    old.close()
    database.close()

    opened = open_database(database.url)
    again = Desk(opened, tmp_path)
    assert again.ingest("b.jsonl")["deleted"] == 0
    assert again.visible() == set("12345678")
    again.write_rows("a.jsonl", {"2": "two"})
    assert again.ingest("a.jsonl", "b.jsonl", allow=True)["deleted"] == 1
    assert again.visible() == set("2345678")
    opened.close()
