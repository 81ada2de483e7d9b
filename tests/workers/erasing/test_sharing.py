"""What was paid for and others share stays in the cache; what only an erased document had goes."""

from pathlib import Path

import pytest

from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.shared.db.schema import document
from embedmill.shared.erasing import ASKED
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.settings import Settings
from embedmill.workers.erasing import caches, eraser
from tests.migrated import place_migrated
from tests.shared.db.tracker import Tracker
from tests.workers.erasing.conftest import opened
from tests.workers.working import embed_by_hash, submit_sources, work_off

TEXTS = {"one": "Everybody has this.", "two": "Everybody has this.", "three": "Nobody else has that."}


def test_a_vector_that_another_document_needs_stays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if `hash` had to be paid for.
    monkeypatch.setattr(HashEmbedder, "is_instant", False)
    monkeypatch.setattr(caches, "FREE_PROVIDERS", frozenset())
    place_migrated(settings.home_path / "tracking.db")
    (tmp_path / "rows.jsonl").write_text("".join(f'{{"id": "{i}", "text": "{t}"}}\n' for i, t in TEXTS.items()))
    with opened(settings) as runtime:
        tracker = Tracker(runtime.database)
        embed_by_hash(runtime, tracker)
        submit_sources(runtime, tracker, [JsonlSource(bytes(tmp_path / "rows.jsonl"))])
        work_off(runtime, tracker)
        ids = {row["uri"]: row["id"] for row in tracker.rows(document)}
        assert runtime.cache.count() == 2
        for name, left in (("one", 2), ("three", 1), ("two", 0)):
            eraser.carry_out(runtime, eraser.begin(runtime, [ids[name]], cause=ASKED))
            assert runtime.cache.count() == left, name
