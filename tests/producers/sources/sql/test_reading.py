"""What is read of a table or a query: every row once, as people expect its values, and nothing is written."""

from typing import Any

import pytest

from embedmill.producers.sources.base import Problem, RowItem, Skipped
from embedmill.shared.access.labels import SEALED, read_labels
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


def test_rows_that_come_and_go_while_they_are_read_cost_no_other(database: Database) -> None:
    database.fill(20)
    source = database.open()
    rows = iter(source)
    first = [next(rows) for _ in range(4)]
    database.execute("DELETE FROM articles WHERE id IN (4, 9)")
    left = {str(n) for n in range(1, 21)} - {"9"}
    assert set(texts([*first, *rows])) == left


def test_a_key_of_several_columns_is_one_id(database: Database) -> None:
    database.execute("CREATE TABLE pages (site VARCHAR(9), number INTEGER, body TEXT, PRIMARY KEY (site, number))")
    some = ",".join(f"('{site}', {n}, 'page {n} of {site}')" for site in ("a", "b,c", "b") for n in range(7))
    database.execute(f"INSERT INTO pages VALUES {some}")
    items = database.read(table="pages")
    assert len(texts(items)) == 21
    assert texts(items)["b%2Cc,3"] == "page 3 of b,c"


def test_a_query_with_a_key_of_several_columns_goes_on_after_each(database: Database) -> None:
    database.execute("CREATE TABLE pages (site VARCHAR(9), number INTEGER, body TEXT)")
    some = ",".join(f"('{site}', {n}, 'page {n} of {site}')" for site in "ab" for n in range(7))
    database.execute(f"INSERT INTO pages VALUES {some}")
    items = database.read(query="SELECT * FROM pages", id=("number", "site"))
    assert len(texts(items)) == 14


def test_ids_that_differ_in_case_accents_or_blanks_are_different(database: Database) -> None:
    database.execute("CREATE TABLE words (word VARCHAR(20), body TEXT)")
    words = ["A", "a", "á", "Á", "b", "B", "ab", "aB", "10", "9", "it''s", "a b"]
    values = ",".join(f"('{word}', 'on {word}')" for word in words)
    database.execute(f"INSERT INTO words VALUES {values}")
    found = texts(database.read(table="words", id=("word",)))
    assert len(found) == len(words)
    assert {"A", "a", "á", "'10'", "it's", "a%20b"} <= found.keys()


def test_the_second_row_with_an_id_is_named_and_the_first_is_taken(database: Database) -> None:
    database.execute("CREATE TABLE words (word VARCHAR(20), body TEXT)")
    values = ",".join(f"('w{n // 2}', 'text {n}')" for n in range(10))
    database.execute(f"INSERT INTO words VALUES {values}")
    items = database.read(query="SELECT * FROM words", id=("word",))
    assert sum(isinstance(item, RowItem) for item in items) == 5
    faults = [item for item in items if isinstance(item, Problem)]
    assert {fault.uri.rpartition("/")[2] for fault in faults} == {f"w{n}" for n in range(5)}


def test_rows_without_an_id_are_named_and_hide_nothing(database: Database) -> None:
    database.execute("CREATE TABLE words (word VARCHAR(20), body TEXT)")
    some = ",".join(f"('w{n}', 'text')" for n in range(6))
    database.execute(f"INSERT INTO words VALUES (NULL, 'lost'), {some}, (NULL, 'lost')")
    items = database.read(table="words", id=("word",))
    assert sum(isinstance(item, RowItem) for item in items) == 6
    assert {item.uri for item in items if isinstance(item, Problem)} == {f"{database.open(table='words').uri}/NULL"}


@pytest.mark.parametrize("options", [{"text": ("boddy",)}, {"metadata": ("boddy",)}, {"template": "{title} {boddy}"}])
def test_a_column_that_is_not_there_is_an_error_before_the_first_row(sqlite: Database, options: dict[str, Any]) -> None:
    sqlite.fill(3)
    (problem,) = sqlite.read(**options)
    assert isinstance(problem, Problem)
    assert "'boddy'" in problem.reason
    assert "id, title, body, updated" in problem.reason
    assert problem.uri == sqlite.open().uri


@pytest.mark.parametrize(
    "options", [{"table": "nowhere"}, {"query": "SELECT nothing FROM articles"}, {"query": "SELEC"}]
)
def test_what_the_database_refuses_is_one_problem_of_the_source(database: Database, options: dict[str, Any]) -> None:
    database.fill(1)
    (problem,) = database.read(**options)
    assert isinstance(problem, Problem)
    assert "refused" in problem.reason


def test_a_template_a_title_a_uri_and_metadata_make_a_document(database: Database) -> None:
    database.fill(1)
    (item,) = database.read(
        template=r"{{{title}}}\n{body}", title="title", metadata=("id", "updated"), uri="https://wiki.example.org/{id}"
    )
    assert isinstance(item, RowItem)
    assert (item.uri, item.title, item.text) == ("https://wiki.example.org/1", "T1", "{T1}\narticle 1")
    assert item.metadata == {"id": 1, "updated": "2026-01-01 10:00:00"}


def test_several_texts_are_paragraphs_and_null_is_none_of_them(database: Database) -> None:
    database.fill(3)
    database.execute("UPDATE articles SET title = NULL WHERE id = 2")
    database.execute("UPDATE articles SET title = NULL, body = NULL WHERE id = 3")
    one, two, three = database.read(text=("title", "body"))
    assert isinstance(one, RowItem)
    assert isinstance(two, RowItem)
    assert (one.text, two.text) == ("T1\n\narticle 1", "article 2")
    assert isinstance(three, Skipped)


def test_a_limit_asks_for_no_more(database: Database) -> None:
    database.fill(20)
    assert len(database.read(limit=3)) >= 3


def test_field_names_columns_as_those_of_other_rows(sqlite: Database) -> None:
    from embedmill.producers.sources.options import FieldMap

    sqlite.fill(1)
    fields = FieldMap(id="title", text="title")
    assert texts(sqlite.read(fields=fields, text=())) == {"T1": "T1"}


def test_a_column_of_levels_is_taken_where_it_is_named_and_spoken_of_where_it_is_not(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, body TEXT, Access BLOB)")
    sqlite.execute("INSERT INTO kept VALUES (1, 'a', 'secret'), (2, 'b', x'00ff'), (3, 'c', NULL)")
    named = sqlite.read(table="kept", metadata=("access",))
    assert [read_labels(item.metadata).access for item in named if isinstance(item, RowItem)] == [
        "secret",
        SEALED,
        None,
    ]
    assert not sqlite.context.remarks
    for query in ("SELECT id, body, Access FROM kept", "SELECT * FROM kept"):
        sqlite.read(query=query)
        assert "--metadata Access" in sqlite.context.remarks.pop().reason


def test_a_level_within_a_column_called_metadata_is_the_rows(sqlite: Database) -> None:
    sqlite.execute("CREATE TABLE kept (id INTEGER PRIMARY KEY, body TEXT, metadata TEXT, access TEXT)")
    told = (
        '{"access": "secret"}',
        '{"Access": ["a", "b"]}',
        '{"in": {"access": "secret"}}',
        '{"access": ',
        "[1]",
        None,
    )
    rows = [*((text, None) for text in told), ('{"access": "secret"}', "open"), ('{"access": "open"}', "open")]
    sqlite.execute(
        "INSERT INTO kept VALUES "
        + ", ".join(
            f"({number}, 'a', {'NULL' if text is None else repr(text)}, {'NULL' if level is None else repr(level)})"
            for number, (text, level) in enumerate(rows)
        )
    )
    named = sqlite.read(table="kept", metadata=("metadata", "access"))
    levels = [read_labels(item.metadata).access for item in named if isinstance(item, RowItem)]
    assert levels == ["secret", SEALED, None, None, None, None, SEALED, "open"]
