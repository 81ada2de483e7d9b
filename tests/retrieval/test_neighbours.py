"""What stands around a hit: neighbours of its document and edition, without what they repeat."""

from dataclasses import replace

import pytest

from embedmill.retrieval.neighbours import context, ids_after, ids_before
from embedmill.shared.providers.vectorstores.rows import VectorRow
from tests.contracts.rows import make_row

TEXT = "".join(f"Sentence number {n} of this document. " for n in range(20))


def chunk(ordinal: int, start: int, end: int, section: str = "") -> VectorRow:
    return make_row("d1", ordinal, text=TEXT[start:end], start=start, end=end, section=section)


ROWS = {row.id: row for row in (chunk(0, 0, 100), chunk(1, 80, 200), chunk(2, 180, 300, "B"), chunk(4, 400, 500))}
MIDDLE = ROWS["d1-v1-1.1"]


def test_ids_of_neighbours_are_of_the_same_edition() -> None:
    assert ids_before("d-1-v1-3.2", 5) == ["d-1-v1-3.1", "d-1-v1-3.0"]
    assert ids_after("d-1-v1-3.9", 2) == ["d-1-v1-3.10", "d-1-v1-3.11"]


def test_ids_of_0_1_0_have_neighbours_too() -> None:
    assert ids_before("d1-v1-11", 2) == ["d1-v1-10", "d1-v1-9"]


def test_an_id_that_is_none_of_ours_has_no_neighbour_before_it() -> None:
    assert ids_before("whatever", 3) == []


def test_what_neighbours_repeat_is_left_out_and_offsets_are_right() -> None:
    around = context(MIDDLE, 1, ROWS)
    assert [(part.start, part.end) for part in (*around.before, *around.after)] == [(0, 80), (200, 300)]
    joined = around.before[0].text + MIDDLE.text + around.after[0].text
    assert joined == TEXT[0:300]
    assert around.after[0].section == "B"


def test_neighbours_stand_in_the_order_of_the_document() -> None:
    around = context(ROWS["d1-v1-1.2"], 5, ROWS)
    assert [(part.start, part.end) for part in around.before] == [(0, 80), (80, 180)]
    assert [(part.start, part.end) for part in around.after] == [(400, 500)]


def test_a_neighbour_that_adds_nothing_is_left_out() -> None:
    inside = replace(chunk(0, 90, 120), id="d1-v1-1.0")
    assert context(MIDDLE, 1, {inside.id: inside}).before == []


@pytest.mark.parametrize("count", [0, 1, 3])
def test_there_are_as_many_as_are_asked_for(count: int) -> None:
    around = context(ROWS["d1-v1-1.2"], count, ROWS)
    assert len(around.before) == min(count, 2)
