"""Files of queries and judgements, read whole, with every broken line named."""

from pathlib import Path

import pytest

from embedmill.console.services.judgements import read_judgements, read_queries
from embedmill.shared.errors import SourceError


def written(folder: Path, text: str) -> Path:
    file = folder / "file"
    file.write_text(text, encoding="utf-8")
    return file


def test_queries_are_read_by_id(tmp_path: Path) -> None:
    file = written(tmp_path, '\ufeff{"id": 1, "text": "a"}\n\n{"id": "b", "text": "c", "more": 0}\n')
    assert read_queries(file) == {"1": "a", "b": "c"}


def test_every_broken_query_is_named_with_its_line(tmp_path: Path) -> None:
    lines = ['{"id": 1, "text": "a"}', "{", '{"id": 2, "text": " "}', '{"id": "1", "text": "b"}', '{"text": "b"}']
    with pytest.raises(SourceError) as raised:
        read_queries(written(tmp_path, "\n".join(lines)))
    said = str(raised.value)
    assert all(f"line {number}: " in said for number in (2, 3, 4, 5))
    assert "'1' is there already, on line 1" in said


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_a_file_without_a_line_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match="no query"):
        read_queries(written(tmp_path, text))
    with pytest.raises(SourceError, match="no judgement"):
        read_judgements(written(tmp_path, text))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read"):
        read_judgements(tmp_path / "absent")


@pytest.mark.parametrize(
    "text",
    [
        "q1 0 doc 2\nq2 0 other 0\n",
        "q1\t0\tdoc\t2\r\nq2\t0\tother\t0\r\n",
        "query_id\tdoc_id\trel\nq1\tdoc\t2\nq2\tother\t0\n",
        '{"query": "q1", "document": "doc", "relevance": 2}\n{"query": "q2", "document": "other", "relevance": 0.0}\n',
        '{"query": "q1", "document": "doc", "relevance": "2"}\n{"query": "q2", "document": "other", "relevance": 0}',
    ],
)
def test_judgements_are_read_from_every_usual_form(tmp_path: Path, text: str) -> None:
    found = read_judgements(written(tmp_path, text))
    assert [(j.query, j.document, j.relevance) for j in found] == [("q1", "doc", 2), ("q2", "other", 0)]


def test_a_document_may_have_spaces_between_tabs(tmp_path: Path) -> None:
    (found,) = read_judgements(written(tmp_path, "q1\t0\ta file.txt\t1\n"))
    assert (found.document, found.line) == ("a file.txt", 1)


def test_every_broken_judgement_is_named_with_its_line(tmp_path: Path) -> None:
    lines = ["q1 0 doc 1", "q1 0 doc", "q1 0 doc high", "q1 0 doc 2", "q1 0 a doc 2", "q1 0 doc 1.5"]
    with pytest.raises(SourceError) as raised:
        read_judgements(written(tmp_path, "\n".join(lines)))
    said = str(raised.value)
    assert all(f"line {number}: " in said for number in (2, 3, 4, 5, 6))
    assert "judged already, on line 1" in said
    with pytest.raises(SourceError, match='line 2: no object with "query"'):
        read_judgements(written(tmp_path, '{"query": 1, "document": "d", "relevance": 1}\n{"query": 1, "doc": "d"}'))


def test_of_many_faults_the_first_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="and 40 more"):
        read_judgements(written(tmp_path, "broken\n" * 50))
