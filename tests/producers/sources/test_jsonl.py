"""Each line of a JSONL file is a document or a problem with a line number, whatever it holds."""

import hashlib
import json
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedmill.producers.sources.base import Item, Problem, RowItem
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.producers.sources.options import FieldMap


def read(tmp_path: Path, data: bytes, fields: FieldMap | None = None) -> list[Item]:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    return list(JsonlSource(bytes(path), fields or FieldMap()))


def lines(*records: Any) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def only_row(items: list[Item]) -> RowItem:
    assert len(items) == 1
    assert isinstance(items[0], RowItem), items[0]
    return items[0]


def only_problem(items: list[Item]) -> Problem:
    assert len(items) == 1
    assert isinstance(items[0], Problem), items[0]
    return items[0]


def test_a_row_has_its_fields_and_keeps_what_else_is_scalar(tmp_path: Path) -> None:
    record = {"id": "d1", "text": "T", "title": "H", "metadata": {"n": 1, "x": [1]}, "lang": "de", "n": 2, "list": [1]}
    row = only_row(read(tmp_path, lines(record | {"none": None})))
    assert row == RowItem("d1", "H", "T", {"lang": "de", "n": 1, "x": [1]}, row.content_hash)


def test_the_hash_is_over_canonical_json(tmp_path: Path) -> None:
    row = only_row(read(tmp_path, lines({"id": "d1", "text": "T", "metadata": {"b": 1, "a": "ü"}})))
    canonical = '{"metadata":{"a":"ü","b":1},"text":"T","title":""}'.encode()
    assert row.content_hash == hashlib.sha256(canonical).hexdigest()


def test_the_hash_is_of_the_content_and_not_of_the_id_or_the_order(tmp_path: Path) -> None:
    one = only_row(read(tmp_path, b'{"id":"1","text":"T","a":1,"b":2}'))
    other = only_row(read(tmp_path, b'{"b":2,"a":1,"text":"T","id":"2","uri":"x:y"}'))
    assert one.content_hash == other.content_hash
    assert only_row(read(tmp_path, b'{"id":"1","text":"T","a":1,"b":3}')).content_hash != one.content_hash


def test_a_uri_of_its_own_wins_over_the_id(tmp_path: Path) -> None:
    assert only_row(read(tmp_path, lines({"id": 7, "text": "T", "uri": "https://x/y"}))).uri == "https://x/y"
    assert only_row(read(tmp_path, lines({"id": 7, "text": "T", "uri": ""}))).uri == "7"


def test_names_can_be_mapped(tmp_path: Path) -> None:
    fields = FieldMap(id="_id", text="body", title="head", uri="url", metadata="meta")
    record = {"_id": "1", "body": "B", "head": "H", "url": "u:1", "meta": {"k": 1}, "id": "other", "text": "extra"}
    row = only_row(read(tmp_path, lines(record), fields))
    assert (row.uri, row.title, row.text) == ("u:1", "H", "B")
    assert row.metadata == {"k": 1, "id": "other", "text": "extra"}


def test_blank_lines_a_mark_crlf_and_a_missing_last_newline_are_no_problem(tmp_path: Path) -> None:
    items = read(tmp_path, b'\xef\xbb\xbf{"id":"1","text":"a"}\r\n\r\n  \n\t\n{"id":"2","text":"b"}')
    assert [item.uri for item in items] == ["1", "2"]


def test_an_empty_file_has_no_items(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == read(tmp_path, b"\n\n") == read(tmp_path, b"\xef\xbb\xbf") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "not JSON"),
        (b"[1]", "not a JSON object"),
        (b'"x"', "not a JSON object"),
        (b'{"text":"a"}', "no 'id'"),
        (b'{"id":null,"text":"a"}', "no 'id'"),
        (b'{"id":" ","text":"a"}', "'id' is empty"),
        (b'{"id":true,"text":"a"}', "neither a string"),
        (b'{"id":1.5,"text":"a"}', "neither a string"),
        (b'{"id":123456789012345678901234567890,"text":"a"}', "at most 64 bits"),
        (b'{"id":"a\\u0000","text":"a"}', "NUL"),
        (b'{"id":"1"}', "no 'text'"),
        (b'{"id":"1","text":5}', "'text' is not a string"),
        (b'{"id":"1","text":"a","title":[]}', "'title' is not a string"),
        (b'{"id":"1","text":"a","uri":3}', "'uri' is not a string"),
        (b'{"id":"1","text":"a","metadata":"x"}', "'metadata' is not an object"),
        (b'{"id":"1","text":"a","x":NaN}', "not JSON"),
        (b'{"id":"1","text":"a","x":Infinity}', "not JSON"),
        (b'{"id":"1","text":"a","x":1e999}', "not JSON"),
        (b'{"id":"1","text":"\xff"}', "not JSON"),
        (b'{"id":"1","text":"\\ud800"}', "not JSON"),
        (b'{"id":"1","text":"a","metadata":{"x":' + b"[" * 400 + b"]" * 400 + b"}}", "nested too deeply"),
        (b'{"id":"1","text":"a","x":' + b"[" * 5000 + b"]" * 5000 + b"}", "not JSON"),
        (b'{"id":"' + b"x" * 20_000 + b'","text":"a"}', "longer than"),
    ],
)
def test_a_bad_line_is_a_problem_and_its_neighbours_are_rows(tmp_path: Path, line: bytes, reason: str) -> None:
    items = read(tmp_path, lines({"id": "before", "text": "a"}) + line + b"\n" + lines({"id": "after", "text": "b"}))
    assert [item.uri for item in items] == ["before", (tmp_path / "a.jsonl").as_uri(), "after"]
    problem = only_problem(items[1:2])
    assert reason in problem.reason
    assert problem.line == 2


def test_of_two_rows_with_one_id_the_first_wins(tmp_path: Path) -> None:
    items = read(tmp_path, lines({"id": "1", "text": "first"}, {"id": 1, "text": "second"}))
    assert only_row(items[:1]).text == "first"
    problem = only_problem(items[1:])
    assert "earlier row, on line 1" in problem.reason
    assert problem.line == 2


def test_a_row_says_where_it_stands(tmp_path: Path) -> None:
    items = read(tmp_path, b"\n" + lines({"id": "1", "text": "a"}, {"id": "2", "text": "b"}))
    uri = (tmp_path / "a.jsonl").as_uri()
    assert [str(item.place) for item in items if isinstance(item, RowItem)] == [f"{uri}:2", f"{uri}:3"]


def test_an_id_or_a_uri_is_used_once_whichever_it_is(tmp_path: Path) -> None:
    rows = [{"id": "a", "text": ""}, {"id": "b", "uri": "a", "text": ""}, {"id": "c", "uri": "u", "text": ""}]
    rows += [{"id": "c", "text": ""}, {"id": "d", "uri": "u", "text": ""}, {"id": "u", "text": ""}]
    kinds = [type(item) for item in read(tmp_path, lines(*rows, {"id": "b", "text": ""}))]
    assert kinds == [RowItem, Problem, RowItem, Problem, Problem, Problem, RowItem]


def test_a_bad_row_does_not_claim_its_id(tmp_path: Path) -> None:
    items = read(tmp_path, lines({"id": "1", "text": 5}, {"id": "1", "text": "good"}))
    assert [type(item) for item in items] == [Problem, RowItem]


def test_utf16_is_one_problem_and_not_one_for_each_line(tmp_path: Path) -> None:
    assert "UTF-16" in only_problem(read(tmp_path, '{"id":"1"}\n{"id":"2"}\n'.encode("utf-16"))).reason


def test_a_problem_never_quotes_the_text(tmp_path: Path) -> None:
    items = read(tmp_path, b'{"id":"1","text":"TOPSECRET" oops}\n{"id":"2","text":["TOPSECRET"]}\n"TOPSECRET"\n')
    assert not any("TOPSECRET" in only_problem([item]).reason for item in items)


def test_an_over_long_line_is_a_problem_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.jsonl"
    with path.open("wb") as stream:
        stream.write(b'{"id":"1","text":"')
        for _ in range(300):
            stream.write(b"x" * 1_000_000)
        stream.write(b'"}\n{"id":"2","text":"b"}\n')
    tracemalloc.start()
    items = list(JsonlSource(bytes(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert only_problem(items[:1]).line == 1
    assert only_row(items[1:]).uri == "2"
    assert peak < 60_000_000


def test_rows_come_while_the_rest_is_still_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(*({"id": str(n), "text": "x" * 500} for n in range(20_000))))
    stream = iter(JsonlSource(bytes(path)))
    assert next(stream).uri == "0"
    with path.open("ab") as end:
        end.write(lines({"id": "late", "text": ""}))
    assert [item.uri for item in stream][-1] == "late"


def test_a_file_that_is_gone_is_a_problem(tmp_path: Path) -> None:
    problem = only_problem(list(JsonlSource(bytes(tmp_path / "missing.jsonl"))))
    assert problem.uri == (tmp_path / "missing.jsonl").as_uri()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "text", "title", "uri", "metadata", "x"), VALUES))
ENCODED = RECORDS.map(lambda record: json.dumps(record).encode())
BYTES = st.binary(max_size=60).map(lambda data: data.replace(b"\n", b""))
SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@SHARED_FOLDER
@given(st.lists(ENCODED | BYTES, max_size=10))
def test_no_line_stops_the_enumeration(tmp_path: Path, data: list[bytes]) -> None:
    items = read(tmp_path, b"\n".join([b"", *data, b'{"id":"\\u0001last","text":"t"}']))
    assert items[-1].uri == "\x01last"
    for item in items:
        assert isinstance(item, RowItem | Problem)
        orjson.dumps(item.metadata if isinstance(item, RowItem) else item.reason)


@SHARED_FOLDER
@given(st.text(), st.text(), st.dictionaries(st.text(), st.text() | st.booleans()))
def test_what_is_written_is_read(tmp_path: Path, text: str, title: str, metadata: dict[str, Any]) -> None:
    record = {"id": "1", "text": text, "title": title, "metadata": metadata}
    row = only_row(read(tmp_path, orjson.dumps(record)))
    assert (row.text, row.title, row.metadata) == (text, title, metadata)
