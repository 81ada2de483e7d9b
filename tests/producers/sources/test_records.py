"""Records are cut where the separator is, wherever the chunks of the stream end."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.producers.sources import records
from embedmill.producers.sources.records import split_records


@given(st.lists(st.binary(max_size=12).map(lambda d: d.replace(b"\n", b"")), max_size=12), st.integers(1, 9))
def test_records_do_not_depend_on_the_chunks(expected: list[bytes], chunk: int) -> None:
    data = b"".join(record + b"\n" for record in expected)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "CHUNK_BYTES", chunk)
        found = list(split_records(io.BytesIO(data), separator=b"\n", max_bytes=5))
    assert found == [record if len(record) <= 5 else None for record in expected]


def test_a_last_record_needs_no_separator() -> None:
    assert list(split_records(io.BytesIO(b"a\0b"), separator=b"\0", max_bytes=9)) == [b"a", b"b"]
