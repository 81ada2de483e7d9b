"""Rows that are at hand for a moment."""

import pytest

from embedmill.shared.providers.vectorstores.pinecone import recent
from embedmill.shared.providers.vectorstores.pinecone.recent import SECONDS, Recent
from tests.contracts.rows import make_row


def test_rows_are_at_hand_for_a_moment_and_by_shard() -> None:
    now = [0.0]
    rows = Recent(clock=lambda: now[0])
    row = make_row()
    rows.keep("s", [row])
    assert rows.find("s", [row.id, "other"]) == {row.id: row}
    assert rows.find("t", [row.id]) == {}
    now[0] = SECONDS
    assert rows.find("s", [row.id]) == {}


def test_a_write_forgets_them() -> None:
    rows = Recent()
    rows.keep("s", [make_row()])
    rows.forget()
    assert rows.find("s", [make_row().id]) == {}


def test_there_are_never_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST", 3)
    rows = Recent()
    made = [make_row(ordinal=n) for n in range(5)]
    rows.keep("s", made)
    assert list(rows.find("s", [row.id for row in made])) == [row.id for row in made[2:]]
