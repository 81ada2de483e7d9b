"""A JSON array is read an object at a time."""

import io
import json

import pytest

from embedmill.producers.sources.slack import objects
from embedmill.producers.sources.slack.objects import read_objects
from embedmill.shared.containers.entries import Damage

VALUES = [{"text": f"ä {'x' * (number % 7)} 😀", "n": number, "deep": [[{}]]} for number in range(20)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_whatever_is_read_at_a_time_the_objects_are_the_same(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CHUNK_BYTES", size)
    for indent in (None, 2):
        data = json.dumps(VALUES, indent=indent, ensure_ascii=False).encode()
        assert list(read_objects(io.BytesIO(data))) == VALUES
        assert list(read_objects(io.BytesIO(b"\xef\xbb\xbf" + data))) == VALUES


@pytest.mark.parametrize("data", [b"null", b"", b"[]", b" [ ] ", b"null\n"])
def test_what_is_empty_holds_nothing(data: bytes) -> None:
    assert list(read_objects(io.BytesIO(data))) == []


@pytest.mark.parametrize("data", [b"{}", b"nullx", b'[{"a": 1}', b'[{"a": 1}, {"b"', b'[{"a": 1} x]', b"[" * 9999])
def test_what_is_no_list_or_is_cut_is_damage_after_what_could_be_read(data: bytes) -> None:
    reader = read_objects(io.BytesIO(data))
    assert [next(reader) for _ in range(data.count(b"1"))] == [{"a": 1}] * data.count(b"1")
    with pytest.raises(Damage):
        next(reader)


def test_an_object_that_would_fill_the_memory_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CHUNK_BYTES", 10)
    monkeypatch.setattr(objects, "MOST_OBJECT_CHARACTERS", 100)
    stream = io.BytesIO(b'["' + b"x" * 10_000)
    with pytest.raises(Damage):
        list(read_objects(stream))
    assert stream.tell() < 1000
