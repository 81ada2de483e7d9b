"""`parse` shows what a worker would read and cut, by the same code, and leaves no trace."""

import io
import json
from pathlib import Path

import pytest
import typer

from embedmill.console.cli.parse import parse, print_reading
from embedmill.console.services.parsing import FileParser, ParsedFile
from embedmill.shared.configuration import load_settings
from embedmill.shared.errors import UserError
from embedmill.shared.settings import Settings
from tests.workers.parsing.making import pdf, zipped


def parse_file(settings: Settings, path: Path) -> ParsedFile:
    with FileParser(settings) as parser:
        return parser.parse(path)


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


def test_what_lies_in_a_container_is_named_as_its_uri_names_it(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"b c.txt": "A walrus.", "in.zip": zipped({"d.md": "# D"})}))
    found = parse_file(load_settings(), Path(f"{path}!/b c.txt"))
    assert (found.uri, found.text) == (f"{path.as_uri()}!/b%20c.txt", "A walrus.")
    assert parse_file(load_settings(), Path(f"{path}!/in.zip!/d.md")).format == "markdown"
    with pytest.raises(UserError, match="not in its container"):
        parse_file(load_settings(), Path(f"{path}!/gone.txt"))
    assert "A walrus." in parse_file(load_settings(), path).text


def test_nothing_is_stored(home: Path, tmp_path: Path) -> None:
    before = set(home.rglob("*"))
    path = tmp_path / "a.md"
    path.write_text("# Title\n\ntext")
    assert parse_file(load_settings(), path).chunks[0].pages is None
    assert set(home.rglob("*")) == before


def test_blocks_tell_their_place_level_part_and_table(home: Path) -> None:
    with FileParser(load_settings()) as parser:
        found = parser.parse_bytes(b"# One\n\n- item\n\n| k | v |\n|---|---|\n| 1 | 2 |\n", name="a.md")
    assert [found.text[block.start : block.end] for block in found.blocks] == [block.text for block in found.blocks]
    assert [(block.kind, block.level, block.table, block.header) for block in found.blocks] == [
        ("heading", 1, None, False), ("list_item", 0, None, False),
        ("table_row", None, 0, True), ("table_row", None, 0, False),
    ]  # fmt: skip
    assert {block.part for block in found.blocks} == {0}


def test_people_see_notes_and_what_each_chunk_holds_repeats_and_carries(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.md"
    rows = "\n".join(f"| {n} | a cell of words in row {n} |" for n in range(60))
    path.write_text("---\ntitle: T\n---\n# One\n\ntext " + "word " * 50 + f"\n\n| k | v |\n|---|---|\n{rows}\n")
    print_reading(parse_file(load_settings(), path))
    out, err = capsys.readouterr()
    assert out.startswith(f"{path.as_uri()}: markdown “T”, ")
    assert "  heading 1   One\n" in out and " … " in out and "-- chunk 0: 0-" in out
    assert "  table head  k | v\n" in out and "carries       k | v\n" in out
    assert "+ table_row   2" in out or "+ table_row   3" in out
    assert "front matter left out" in err


def test_several_files_and_stdin_are_read_and_one_that_cannot_be_costs_the_others_nothing(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.txt").write_text("first")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"<p>second</p>")))
    with pytest.raises(typer.Exit) as ended:
        parse([str(tmp_path / "a.txt"), str(tmp_path / "gone"), "-"], name="b.html", as_json=True)
    assert ended.value.exit_code == 1
    first, gone, second = json.loads(capsys.readouterr().out)["files"]
    assert (first["text"], first["chunks"][0]["pages"]) == ("first", None)
    assert "gone" in gone["error"]
    assert (second["uri"], second["format"], second["text"]) == ("b.html", "html", "second")


def test_what_cannot_be_read_is_named(home: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.txt"):
        parse_file(load_settings(), tmp_path / "gone.txt")
    (tmp_path / "a.pdf").write_bytes(b"no PDF")
    with pytest.raises(UserError, match=r"a\.pdf: it is named \.pdf"):
        parse_file(load_settings(), tmp_path / "a.pdf")
