"""A scan says what was asked for and did not come, and how each source was read."""

import io
from pathlib import Path

import pytest

from embedmill.producers.sources.base import Problem, Remark, RemarkKind
from embedmill.producers.sources.open import open_sources, source_from_spec
from embedmill.producers.sources.options import FieldMap, SourceOptions, gather_options


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def remarks(argument: str, options: SourceOptions | None = None, stdin: bytes = b"") -> dict[RemarkKind, str]:
    (source,) = open_sources([argument], options=options or SourceOptions(), stdin=io.BytesIO(stdin))
    found = [item for item in source.scan() if isinstance(item, Remark)]
    assert {remark.uri for remark in found} <= {source.spec["uri"]}
    assert len({remark.kind for remark in found}) == len(found)
    return {remark.kind: remark.reason for remark in found}


def test_a_folder_of_documents_needs_no_remark(here: Path) -> None:
    (here / "a.md").write_text("x")
    assert remarks(".") == {}


@pytest.mark.parametrize(
    ("name", "reason"), [("empty", "no file is in it"), ("e.jsonl", "no row"), ("e.csv", "no row")]
)
def test_an_empty_source_says_so(here: Path, name: str, reason: str) -> None:
    (here / "empty").mkdir()
    (here / "e.jsonl").touch()
    (here / "e.csv").write_text("id,text\n")
    assert reason in remarks(name)[RemarkKind.EMPTY]


def test_an_empty_list_says_so() -> None:
    assert remarks("-", stdin=b"\n") == {RemarkKind.EMPTY: "it names no file"}


def test_a_source_of_which_everything_was_passed_over_says_so(here: Path) -> None:
    (here / ".env").touch()
    (here / "a.png").touch()
    assert "everything in it was skipped" in remarks(".")[RemarkKind.EMPTY]
    assert "everything in it was skipped" in remarks("a.png")[RemarkKind.EMPTY]


def test_a_source_with_a_problem_is_not_called_empty_too(here: Path) -> None:
    (here / "a.jsonl").write_text("not JSON\n")
    assert remarks("a.jsonl") == {}


def test_a_pattern_that_no_file_matches_is_named(here: Path) -> None:
    for name in ("a.md", "b.txt"):
        (here / name).touch()
    options = gather_options({"include": ("*.md", "*.mdd", "!x.md")})
    assert remarks(".", options) == {RemarkKind.UNMET: "no file in it matches --include '*.mdd'"}


def test_rows_are_counted_and_a_field_that_no_row_has_is_named(here: Path) -> None:
    (here / "a.jsonl").write_text('{"id": 1, "text": "a", "head": "h"}\n{"id": 2, "text": "b"}\n')
    (here / "a.csv").write_text("id,text,head\n1,a,\n")
    for name, rows in (("a.jsonl", 2), ("a.csv", 1)):
        assert remarks(name) == {RemarkKind.READ: f"it was read as rows: {rows} of them"}
        assert RemarkKind.UNMET not in remarks(name, gather_options({"fields": FieldMap(title="head")}))
        unmet = remarks(name, gather_options({"fields": FieldMap(title="heading")}))[RemarkKind.UNMET]
        assert unmet == (
            "no row has the field 'heading', which --field names as its title; the first row has: id, text, head"
        )


def test_a_table_without_the_mapped_columns_is_a_problem_that_says_which_it_has(here: Path) -> None:
    (here / "a.csv").write_text("num;body\n1;a\n")
    (source,) = open_sources(["a.csv"], options=gather_options({"fields": FieldMap(text="boddy")}), stdin=io.BytesIO())
    (problem,) = source.scan()
    assert isinstance(problem, Problem)
    assert problem.reason == "no header with the columns 'id' and 'boddy'; its first line has 'num', 'body'"


@pytest.mark.parametrize(
    ("name", "advice"), [("a.csv", "--field id=NAME"), ("a.tsv", "--field id=NAME"), ("a.json", ".jsonl")]
)
def test_a_table_that_is_read_as_one_document_says_so(here: Path, name: str, advice: str) -> None:
    (here / name).write_text("words and more words")
    reason = remarks(name)[RemarkKind.READ]
    assert reason.startswith("it was read as one document; ")
    assert advice in reason


def test_tables_in_a_folder_are_counted_by_format(here: Path) -> None:
    for name in ("a.csv", "b.CSV"):
        (here / name).write_text("id,text\n1,a\n")
    assert remarks(".")[RemarkKind.READ].startswith("2 CSV files were read as one document each; name each as a SOURCE")


def test_what_a_spec_says_about_hidden_things_survives(here: Path) -> None:
    asked = open_sources(["."], options=gather_options({"hidden": True}), stdin=io.BytesIO())[0]
    plain = open_sources(["."], options=SourceOptions(), stdin=io.BytesIO())[0]
    assert source_from_spec(asked.spec) == asked != plain
    assert "hidden" not in plain.spec
