"""What is read of a table or a query: every row once, as people expect its values, and nothing is written."""

from embedmill.producers.sources.base import RowItem
from tests.producers.sources.sql.databases import Database, texts


def test_every_row_of_a_table_is_a_document(database: Database) -> None:
    database.fill(11)
    items = database.read()
    assert texts(items) == {str(n): f"article {n}" for n in range(1, 12)}
    assert [item.title for item in items if isinstance(item, RowItem)] == [f"T{n}" for n in range(1, 12)]
    assert items[0].uri == f"{database.open().uri}/1"


def test_a_query_is_read_in_the_place_of_a_table(database: Database) -> None:
    database.fill(11)
    query = "SELECT id, concat(title, '%') AS head, body FROM articles WHERE title LIKE 'T1%' -- and a comment"
    if database.kind == "sqlite":
        query = query.replace("concat(title, '%')", "title || '%'")
    items = database.read(query=f"{query};", title="head")
    assert texts(items) == {str(n): f"article {n}" for n in (1, 10, 11)}
    assert isinstance(items[0], RowItem)
    assert items[0].title == "T1%"
