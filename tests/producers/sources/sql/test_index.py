"""What readings of a table make of the index."""

from embedmill.console.services.previewing import preview
from embedmill.console.services.sources import SourceReport, list_sources
from embedmill.console.services.watching import schedule_sources
from embedmill.producers import departing
from embedmill.shared.timetable import Timetable
from tests.contracts.sources import Desk, desk
from tests.producers.sources.sql.databases import Database
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]


def on_record(desk: Desk) -> list[SourceReport]:
    """The sources that are databases."""
    return [each for each in list_sources(desk.runtime).sources if each.kind == "sqlite"]


def databases_in(desk: Desk) -> list[int]:
    """How many documents each source that is a database claims."""
    return [each.documents for each in on_record(desk)]


def test_an_increment_lets_nothing_go_and_a_comparison_does(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(9)
    sqlite.execute("UPDATE articles SET updated = '2026-03-01 00:00:00' WHERE id = 9")
    desk.ingest(sqlite.open(cursor="updated"))
    sqlite.execute("DELETE FROM articles WHERE id = 4")
    increment, comparison = sqlite.open(cursor="updated"), sqlite.open(cursor="updated", compare=True)
    foreseen = [preview(desk.runtime, [source], collection="default") for source in (increment, comparison)]
    assert [(found.documents.unchanged, found.documents.deleted) for found in foreseen] == [(1, 0), (8, 1)]
    assert [[each.change for each in found.changes] for found in foreseen] == [[], ["deleted"]]
    report = desk.ingest(increment)
    assert (report.documents.unchanged, report.documents.deleted) == (1, 0)
    assert len(desk.indexed()) == 9
    report = desk.ingest(comparison)
    assert (report.documents.unchanged, report.documents.deleted) == (8, 1)
    assert len(desk.indexed()) == 8


def test_a_renamed_column_keeps_every_document(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(9)
    desk.ingest(sqlite.open())
    sqlite.execute("ALTER TABLE articles RENAME COLUMN body TO content")
    report = desk.ingest(sqlite.open(), allow_deletes=True)
    assert (report.problems, report.documents.deleted) == (1, 0)
    assert len(desk.indexed()) == 9


def test_two_tables_of_a_database_with_the_same_ids_are_not_each_others(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(3)
    sqlite.execute("CREATE TABLE pages AS SELECT id, 'page ' || id AS body FROM articles")
    desk.ingest(sqlite.open())
    desk.ingest(sqlite.open(table="pages", id=("id",)))
    assert len(desk.indexed()) == 6


def test_a_row_that_leaves_a_query_leaves_the_index(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(9)
    query = "SELECT * FROM articles WHERE title <> 'archived'"
    desk.ingest(sqlite.open(query=query))
    sqlite.execute("UPDATE articles SET title = 'archived' WHERE id = 5")
    assert desk.ingest(sqlite.open(query=query)).documents.deleted == 1


def test_a_file_that_lies_in_a_column_is_parsed(database: Database, desk: Desk) -> None:
    kind = {"postgresql": "bytea"}.get(database.kind, "blob")
    data = rb"{\rtf1\ansi The orchard has \b apples\b0 .}".hex()
    literal = {"postgresql": f"'\\x{data}'"}.get(database.kind, f"x'{data}'")
    database.execute(f"CREATE TABLE files (id INTEGER PRIMARY KEY, title VARCHAR(20), content {kind})")
    database.execute(f"INSERT INTO files VALUES (1, 'Orchard', {literal})")
    source = database.open(table="files", text=("content",))
    assert desk.ingest(source).documents.completed == 1
    assert list(desk.indexed().values()) == ["The orchard has apples."]
    assert desk.ingest(source).documents.unchanged == 1


def test_another_choice_of_columns_is_the_same_source_read_anew(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(9)
    desk.ingest(sqlite.open(), limit=5)
    report = desk.ingest(sqlite.open(metadata=("updated",)))
    assert (report.documents.total, report.documents.unchanged) == (9, 0)
    sqlite.execute("DELETE FROM articles WHERE id = 1")
    assert desk.ingest(sqlite.open(metadata=("updated",))).documents.deleted == 1
    assert len(desk.indexed()) == 8


def test_a_preview_tells_what_is_held_from_what_would_leave(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(9)
    desk.ingest(sqlite.open())
    sqlite.execute("DELETE FROM articles WHERE id > 3")
    found = preview(desk.runtime, [sqlite.open()], collection="default")
    assert (found.documents.deleted, found.documents.held) == (0, 6)
    assert [each.change for each in found.changes] == ["held"] * 6
    found = preview(desk.runtime, [sqlite.open()], collection="default", allow_deletes=True)
    assert [each.change for each in found.changes] == ["deleted"] * 6


def test_what_could_not_be_read_changes_nothing_of_how_a_source_is_read(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(9)
    desk.ingest(sqlite.open())
    (before,) = on_record(desk)
    desk.ingest(sqlite.open(text=("nothing",)))
    assert [each.options for each in on_record(desk)] == [before.options]
    desk.ingest(sqlite.open(text=("title",)))
    (after,) = on_record(desk)
    assert after.options["columns"] == {"texts": ["title"]}
    departing.close_source(desk.runtime, after.id)
    desk.ingest(sqlite.open(text=("nothing",)))
    assert [each.state for each in on_record(desk)] == ["closed"]


def test_a_row_without_text_is_told_once_by_an_increment(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(3)
    desk.ingest(sqlite.open(cursor="updated"))
    sqlite.execute("UPDATE articles SET body = '', updated = '2026-02-01 00:00:00' WHERE id = 3")
    report = desk.ingest(sqlite.open(cursor="updated"), allow_deletes=True)
    assert [note.uri[-1] for note in report.notes if "empty" in note.reason] == ["3"]
    assert report.documents.deleted == 1


def test_a_table_that_is_not_there_fails_its_job_and_leaves_no_source(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(1)
    report = desk.ingest(sqlite.open(table="articels"))
    assert (report.state, report.problems) == ("failed", 1)
    assert "run the same command again" in str(report.error)
    assert not databases_in(desk)


def test_what_was_read_before_or_is_read_by_a_timetable_stays_when_it_is_away(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(1)
    known, planned = sqlite.open(), sqlite.open(table="later")
    desk.ingest(known)
    schedule_sources(desk.runtime, [planned], collection="default", timetable=Timetable(every_seconds=3600.0))
    sqlite.execute("DROP TABLE articles")
    assert "run the same command again" in str(desk.ingest(known).error)
    assert "tried again by itself, every" in str(desk.ingest(planned).error)
    assert databases_in(desk) == [1, 0]
    assert len(desk.indexed()) == 1


def test_a_job_whose_other_source_was_read_is_carried_out(sqlite: Database, desk: Desk) -> None:
    sqlite.fill(1)
    report = desk.ingest(sqlite.open(), sqlite.open(table="articels"))
    assert (report.state, report.documents.completed, report.problems) == ("completed", 1, 1)
    assert databases_in(desk) == [1]
