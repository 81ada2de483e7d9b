"""What a line of `search --queries` may be."""

from pathlib import Path

import pytest

from embedmill.console.cli.queries import QueryFile, read_query
from embedmill.console.services.searching import Query


def test_a_query_may_have_a_filter_of_its_own() -> None:
    assert read_query(b'{"id": 1, "text": "a", "where": "x = 1"}') == Query(1, "a", "x = 1")
    assert (
        read_query(b'{"id": 1, "text": "a", "where": null}') == read_query(b'{"id": 1, "text": "a"}') == Query(1, "a")
    )
    with pytest.raises(ValueError, match="where is not a text"):
        read_query(b'{"id": 1, "text": "a", "where": {"x": 1}}')


def test_lines_that_are_none_are_counted_and_the_others_read(tmp_path: Path) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"id": 1, "text": "a"}\nnone\n\n{"id": 2, "text": " "}\n{"id": 3, "text": "c"}\n')
    queries = QueryFile(path)
    assert [query.id for query in queries] == [1, 3]
    assert queries.refused == 2


def test_what_is_wrong_with_a_line_is_said() -> None:
    for line, wrong in {
        b"[1": "no JSON",
        b"\xff\xfe": "no JSON",
        b"[" * 100_000: "no JSON",
        b'{"id": 1}': "no object",
    }.items():
        with pytest.raises(ValueError, match=wrong):
            read_query(line)


def test_half_a_pair_of_surrogates_and_a_byte_order_mark_are_taken() -> None:
    assert read_query(b'\xef\xbb\xbf{"id": 1, "text": "a \\ud800"}').text == "a \ud800"
