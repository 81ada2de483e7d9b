"""What a line of `search --queries` may be."""

import json
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


@pytest.mark.parametrize("id_", ['"a"', '""', "7", "-1.5", "0", "9" * 400, '"NaN"'])
def test_an_id_is_a_text_or_a_number(id_: str) -> None:
    assert read_query(b'{"id": %s, "text": "a"}' % id_.encode()).id == json.loads(id_)


@pytest.mark.parametrize("id_", ["NaN", "Infinity", "-Infinity", "1e400", "null", "true", "{}", '{"a": 1}', "[1]"])
def test_any_other_id_is_refused_with_the_number_of_its_line(
    id_: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "queries.jsonl"
    path.write_text("".join(f'{{"id": {id}, "text": "a"}}\n' for id in ("1", id_, "3")))
    queries = QueryFile(path)
    assert [query.id for query in queries] == [1, 3]
    assert queries.refused == 1
    assert "line 2 of the queries: " in capsys.readouterr().err
