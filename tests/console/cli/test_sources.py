"""What people are shown of sources."""

import io
import sqlite3
from pathlib import Path

from embedmill.console.cli.sources import _in_short
from embedmill.console.rendering import documents_of
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import gather_options


def test_a_database_is_read_with_what_was_chosen_and_its_uri_does_not_say(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "w.db").close()
    chosen = gather_options({"table": "pages", "text": ("body",), "metadata": ("cat", "author")})
    (source,) = open_sources([f"sqlite:///{tmp_path}/w.db"], options=chosen, stdin=io.BytesIO())
    assert _in_short(source.spec) == f"kind=sqlite uri={source.spec['uri']} text=body metadata=cat,author"


def test_what_is_as_usual_is_not_told() -> None:
    assert _in_short({"crawl": True, "max_pages": 10_000, "max_depth": 2}) == "crawl=True max-depth=2"
    assert _in_short({"seconds": 5.0, "columns": {"texts": ["body"]}}) == "statement-seconds=5 text=body"


def test_one_document_is_one() -> None:
    assert [documents_of(count) for count in (0, 1, 2)] == ["0 documents", "1 document", "2 documents"]
