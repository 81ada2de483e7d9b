"""`parse` shows what a worker would read and cut, by the same code, and leaves no trace."""

from pathlib import Path

import pytest

from embedmill.console.cli.parse import print_reading
from embedmill.console.services.parsing import parse_file
from embedmill.shared.errors import UserError
from embedmill.shared.settings import load_settings
from tests.workers.parsing.making import pdf


def test_a_file_is_shown_with_its_text_structure_notes_and_chunks(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "contract.pdf"
    path.write_bytes(pdf([["Llamas are here."], [], ["Llamas again."]]))
    found = parse_file(load_settings(), path)
    assert (found.uri, found.format) == (path.as_uri(), "pdf")
    assert found.text == "Llamas are here.\n\nLlamas again."
    assert found.notes == ["1 of 3 pages hold no text: 2"]
    assert [(block.kind, block.page) for block in found.blocks] == [("paragraph", 1), ("paragraph", 3)]
    (chunk,) = found.chunks
    assert (chunk.start, chunk.end, chunk.pages) == (0, len(found.text), (1, 3))
    assert chunk.text == found.text


def test_nothing_is_stored(home: Path, tmp_path: Path) -> None:
    before = set(home.rglob("*"))
    path = tmp_path / "a.md"
    path.write_text("# Title\n\ntext")
    assert parse_file(load_settings(), path).chunks[0].pages is None
    assert set(home.rglob("*")) == before


def test_people_see_notes_blocks_and_chunks(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.md"
    path.write_text("---\ntitle: T\n---\n# One\n\ntext " + "word " * 50)
    print_reading(parse_file(load_settings(), path))
    out, err = capsys.readouterr()
    assert out.startswith("markdown “T”: ")
    assert "heading 1" in out and "…" in out and "chunk 0: 0-" in out
    assert "front matter left out" in err


def test_what_cannot_be_read_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.txt"):
        parse_file(load_settings(), tmp_path / "gone.txt")
    (tmp_path / "a.pdf").write_bytes(b"no PDF")
    with pytest.raises(UserError, match=r"a\.pdf: it is named \.pdf"):
        parse_file(load_settings(), tmp_path / "a.pdf")
