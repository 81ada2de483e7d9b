"""What a user names becomes the source that they meant, or an error that says what to do."""

import io
import json
import os
from pathlib import Path

import pytest

from embedmill.producers.sources.base import FileItem, Skipped, Source
from embedmill.producers.sources.csv_rows import CsvSource
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.producers.sources.listing import ListSource
from embedmill.producers.sources.named import FileSource
from embedmill.producers.sources.open import find_other_spellings, open_sources, source_from_spec
from embedmill.producers.sources.options import FieldMap, SourceOptions, gather_options
from embedmill.shared.errors import SourceError, UsageError, UserError
from embedmill.shared.zones import zone_name


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    for name in ("a.md", "b.JSONL", "c.ndjson", "plain.csv", "bad.csv"):
        (tmp_path / name).touch()
    (tmp_path / "rows.csv").write_text("id;text\n1;a\n")
    (tmp_path / "rows.tsv").write_text("_id\tbody\n1\ta\n")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\0\0")
    return tmp_path


def opened(*arguments: str, options: SourceOptions | None = None, stdin: bytes = b"") -> list[Source]:
    return open_sources(arguments, options=options or SourceOptions(), stdin=io.BytesIO(stdin))


@pytest.mark.parametrize(
    ("argument", "kind"),
    [
        ("docs", FolderSource),
        (".", FolderSource),
        ("a.md", FileSource),
        ("b.JSONL", JsonlSource),
        ("c.ndjson", JsonlSource),
        ("rows.csv", CsvSource),
        ("rows.tsv", FileSource),
        ("plain.csv", FileSource),
        ("bad.csv", FileSource),
        ("-", ListSource),
    ],
)
def test_each_argument_is_the_source_it_looks_like(argument: str, kind: type[Source]) -> None:
    assert [type(source) for source in opened(argument)] == [kind]


def test_options_reach_the_sources_that_they_are_for() -> None:
    fields = FieldMap(id="_id", text="body")
    options = gather_options({"include": ("*.md",), "exclude": ("x/",), "fields": fields, "null": True})
    folder, table, listing = opened("docs", "rows.tsv", "-", options=options, stdin=b"a.md\0")
    assert folder == FolderSource(os.path.abspath(b"docs"), ("*.md",), ("x/",))
    assert table == CsvSource(os.path.abspath(b"rows.tsv"), fields)
    assert isinstance(next(iter(listing)), FileItem)


def test_a_file_uri_names_its_file(here: Path) -> None:
    assert opened((here / "a.md").as_uri()) == [FileSource(bytes(here / "a.md"))]


def test_one_thing_named_twice_is_one_source() -> None:
    assert len(opened("docs", "./docs/", "docs/.", "-", "-", "a.md")) == 3


def test_every_spelling_of_a_path_is_one_source(here: Path) -> None:
    (here / "docs/sub").mkdir()
    (here / "link").symlink_to("docs")
    (here / "link.md").symlink_to("a.md")
    (here / "again").symlink_to("link")
    folders = ("docs", "link", "again", "docs/sub/..", "link/sub/..", "./link/", (here / "link/sub/..").as_uri())
    assert opened(*folders) == [FolderSource(bytes(here / "docs"))]
    assert opened("a.md", "link.md", "docs/../a.md", "link/../a.md") == [FileSource(bytes(here / "a.md"))]
    (here / "rows.link").symlink_to("rows.csv")
    assert opened("rows.csv", "rows.link") == [CsvSource(bytes(here / "rows.csv"))]


def test_sources_of_an_earlier_release_under_other_spellings_are_found(here: Path) -> None:
    (here / "link").symlink_to("docs")
    known = [(here / name).as_uri() for name in ("link", "docs", "a.md", "gone")] + ["stdin:01", "s3://b/k"]
    assert find_other_spellings(known, opened("docs")) == [(here / "link").as_uri()]


def test_an_option_that_no_source_can_heed_is_refused() -> None:
    with pytest.raises(UsageError, match="--include is for folders"):
        opened("a.md", options=gather_options({"include": ("*.md",)}))
    for source in ("docs", "a.md", "-"):
        with pytest.raises(UsageError, match="--field is for rows"):
            opened(source, options=gather_options({"fields": FieldMap(text="body")}))


def test_a_pattern_that_nothing_expanded_is_explained() -> None:
    with pytest.raises(SourceError) as caught:
        opened("docs/*.md")
    assert "--include" in caught.value.hint


def test_a_name_that_is_not_utf8_is_opened(here: Path) -> None:
    name = os.fsdecode(b"\xff.md")
    (here / name).touch()
    assert opened(name) == [FileSource(bytes(here) + b"/\xff.md")]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("missing", "missing"),
        ("a.md/x", "a.md/x"),
        (os.fsdecode(b"gone\xff\n"), r"gone\\xff\\n"),
        ("", "empty"),
        ("ftp://x.y/z", "ftp:// sources are not supported yet"),
        ("https:///z", "no address of a page"),
        ("file://host/a", "local file"),
        ("/dev/null", "a character device"),
    ],
)
def test_what_cannot_be_a_source_is_named_with_a_next_step(argument: str, message: str) -> None:
    with pytest.raises((SourceError, UsageError), match=message) as caught:
        opened(argument)
    str(caught.value).encode()


def test_errors_come_with_a_hint(here: Path) -> None:
    os.mkfifo(here / "pipe")
    (here / "dangling").symlink_to("nowhere")
    for argument in ("missing", "pipe", "dangling", "ftp://b/k"):
        with pytest.raises(SourceError) as caught:
            opened(argument)
        assert caught.value.hint


def test_a_current_folder_that_was_removed_is_an_error(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(here / "docs")
    (here / "docs").rmdir()
    with pytest.raises(SourceError, match="current folder"):
        opened("-")


def test_nothing_named_and_a_bad_pattern_are_errors() -> None:
    with pytest.raises(UsageError, match="no SOURCE"):
        opened()
    with pytest.raises(UsageError, match="pattern"):
        opened("docs", options=gather_options({"include": ("!",)}))


def test_an_image_that_was_named_is_skipped_with_its_reason(here: Path) -> None:
    (here / "a.png").touch()
    assert isinstance(next(iter(opened("a.png")[0])), Skipped)


def test_every_source_but_standard_input_can_be_built_from_its_spec(here: Path) -> None:
    sources = [*opened("docs", "a.md", "b.JSONL", "rows.csv"), ListSource.of_file(bytes(here / "l"), base=bytes(here))]
    for source in sources:
        again = source_from_spec(json.loads(json.dumps(source.spec)))
        assert again == source
        assert again.identity == source.identity
    assert len({source.identity for source in sources}) == len({source.kind for source in sources}) == 5


def test_a_spec_of_standard_input_or_of_nothing_known_is_refused() -> None:
    for spec in (opened("-", stdin=b"a.md")[0].spec, {"kind": "tape"}):
        with pytest.raises(SourceError):
            source_from_spec(spec)


@pytest.mark.parametrize(
    "argument",
    [
        "file://ada:planted@host/x",
        "ftp://ada:planted@host/x",
        "http://ada:planted@host:99999/",
        "https://ada:planted@[bad/",
        "maildir:imap://ada:planted@host/x",
        "mysql://ada:planted@[::1/db",
        "postgresql://ada:planted@host:port/db",
        "redis://ada:planted@host/0",
        "s3://ada:planted@bucket/x",
        "slack:https://ada:planted@host/x",
        "sqlite://ada:planted@/x.db",
    ],
)
def test_what_is_no_source_is_refused_without_its_password(here: Path, argument: str) -> None:
    with pytest.raises(UserError) as caught:
        open_sources([argument], options=SourceOptions(), stdin=io.BytesIO())
    assert "planted" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("s3:/wiki/docs", "write s3://wiki/docs$"),
        ("S3:wiki/docs", "write S3://wiki/docs$"),
        ("s3:", "write s3://…$"),
        ("http:/x.example/a", "write http://x.example/a$"),
        ("https:x", "write https://x$"),
        ("sqlite:/x.db", "write sqlite:////x.db$"),
        ("sqlite:x.db", "write sqlite:///x.db$"),
        ("postgresql:/ada:secret@h/d", "write postgresql://…$"),
        ("mysql:", "write mysql://…$"),
        ("file:/x", "write file:///x$"),
        ("slack:", "names no file"),
        ("maildir: ", "names no file"),
    ],
)
def test_a_scheme_without_its_slashes_or_its_path_is_no_source(argument: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        opened(argument)


def test_an_export_that_is_not_there_is_no_advice_to_read_it_again() -> None:
    with pytest.raises(SourceError) as caught:
        opened("slack:/nonexist")
    assert "Check the path" in str(caught.value.hint)


def test_a_zone_that_there_is_not_is_said() -> None:
    with pytest.raises(UsageError, match="is no time zone"):
        zone_name("Nowhere/City")
