"""Rows as Pinecone records."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest

from embedmill.shared.errors import ProviderUnavailable
from embedmill.shared.filtering.conditions import Compare
from embedmill.shared.providers.vectorstores.pinecone.filters import filter_of
from embedmill.shared.providers.vectorstores.pinecone.records import (
    KEPT,
    MAX_METADATA_BYTES,
    MAX_PACK_BYTES,
    match_of,
    packs,
    record_of,
    row_of,
    stand_in,
)
from embedmill.shared.providers.vectorstores.rows import Match
from embedmill.simulators.pinecone_index import meets
from tests.contracts.rows import make_row


def refuse(_: bytes) -> str:
    raise AssertionError("nothing had to be spilled")


def test_a_record_has_marks_for_filters_and_the_metadata_in_its_row() -> None:
    metadata = {"s": "x", "n": 2, "l": ["a", 1, None], "none": None, "deep": {"a": 1}, "em_row": "y", "$and": 1}
    held = record_of(make_row(metadata=metadata), refuse)["metadata"]
    assert held.keys() >= {"em_marks", "em_row", "em_generation"}
    assert all(name.startswith("em_") for name in held)
    assert orjson.loads(held["em_row"])["metadata"] == metadata


def test_metadata_stays_under_its_limit_whatever_the_row_holds() -> None:
    spilled: list[bytes] = []

    def spill(data: bytes) -> str:
        spilled.append(data)
        return "a" * 64

    metadata = {f"field{n}": "v" * 900 for n in range(100)}
    held = record_of(make_row(text="é" * 50_000, metadata=metadata), spill)["metadata"]
    assert len(orjson.dumps(held)) <= MAX_METADATA_BYTES
    assert held["em_spilled"] == "a" * 64
    assert len(spilled) == 1
    assert held["em_marks"]


def test_packs_are_full_and_under_two_megabytes_on_the_wire() -> None:
    rng = np.random.default_rng(0)
    made = [
        record_of(make_row(f"d{n}", vector=rng.standard_normal(3072).astype(np.float32)), refuse) for n in range(200)
    ]
    packed = list(packs(made))
    assert [record["id"] for pack in packed for record in pack] == [record["id"] for record in made]
    sizes = [len(orjson.dumps({"vectors": pack, "namespace": "c1-v1-000"})) for pack in packed]
    assert all(size <= MAX_PACK_BYTES + 100 for size in sizes)
    assert all(size > 0.9 * MAX_PACK_BYTES for size in sizes[:-1])


def test_floats_are_sent_as_short_as_they_are() -> None:
    row = make_row(vector=np.full(8, 0.1, np.float32))
    assert record_of(row, refuse)["values"] == [0.1] * 8


def test_a_zero_vector_has_a_direction_that_is_near_to_nothing() -> None:
    record = record_of(make_row(vector=np.zeros(8, np.float32)), refuse)
    assert record["metadata"]["em_zero"]
    assert np.linalg.norm(record["values"]) == pytest.approx(1)
    assert abs(stand_in(1024)[0]) < 0.2


def test_a_uri_of_any_length_is_kept_and_filtered_by() -> None:
    spilled: list[bytes] = []

    def keep(data: bytes) -> str:
        spilled.append(data)
        return "a" * 64

    row = make_row(uri="https://example.org/" + "u" * 60_000, title="t" * 60_000, section="s" * 60_000)
    held = record_of(row, keep)["metadata"]
    assert len(orjson.dumps(held)) <= MAX_METADATA_BYTES
    assert orjson.loads(spilled[0])["row"]["uri"] == row.uri
    assert meets({"metadata": held}, filter_of(Compare("uri", "=", row.uri)) or {})
    assert not meets({"metadata": held}, filter_of(Compare("uri", "=", f"{row.uri}u")) or {})


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"em_row": "no json"},
        {"em_row": "[]"},
        {"em_row": "{}"},
        {"em_row": orjson.dumps(dict.fromkeys((*KEPT, "metadata"), 1)).decode()},
    ],
)
def test_a_record_that_nobody_wrote_is_not_believed(metadata: dict[str, Any]) -> None:
    record = SimpleNamespace(id="d-v-1.0", values=[0.0] * 8, metadata=metadata)
    with pytest.raises(ProviderUnavailable):
        row_of(record, lambda _: b"", dimensions=None)


@pytest.mark.parametrize("values", [[0.5] * 7, [0.5] * 7 + [float("nan")], []])
def test_a_vector_that_nobody_wrote_is_not_believed(values: list[float]) -> None:
    made = record_of(make_row(), refuse)
    record = SimpleNamespace(id=made["id"], values=values, metadata=made["metadata"])
    with pytest.raises(ProviderUnavailable):
        row_of(record, lambda _: b"", dimensions=8)


def test_a_score_that_is_no_number_and_a_foreign_id_are_no_match() -> None:
    assert match_of(SimpleNamespace(id="d-v-1.0", score=float("nan"))) is None
    assert match_of(SimpleNamespace(id="somebody's", score=0.5)) is None
    assert match_of(SimpleNamespace(id="d-v-1.0", score=0.5)) == Match("d-v-1.0", "d", "v", 0.5)
