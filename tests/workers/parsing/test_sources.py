"""Notebooks, source code, XML and subtitles: what is odd about them; the truth has how they are read."""

import orjson
import pytest

from embedmill.shared.errors import UnreadableDocument
from embedmill.workers.parsing.document import BlockKind
from embedmill.workers.parsing.subtitles import LONGEST_CHARS
from embedmill.workers.parsing.xml import parse_xml
from tests.workers.parsing.making import headings, read, texts


def notebook(*cells: object, **others: object) -> bytes:
    return orjson.dumps({"cells": cells, "nbformat": 4, **others})


def code(source: str, *outputs: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": outputs}


@pytest.mark.parametrize("data", [b"[]", b"{"])
def test_what_is_no_notebook_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocument, match="no notebook"):
        read(data, "a.ipynb")


@pytest.mark.parametrize("data", [b'{"cells": 3}', notebook(3, {"cell_type": None}, code("", 5, {"data": 7}))])
def test_cells_of_no_shape_have_no_text(data: bytes) -> None:
    assert not read(data, "a.ipynb").blocks


def test_an_output_is_shown_once_and_not_in_full() -> None:
    log = {"output_type": "stream", "text": ["a line\n"] * 5000}
    table = {
        "output_type": "execute_result",
        "data": {"text/html": "<table>", "text/markdown": "**b**", "text/plain": "b"},
    }
    page = {"output_type": "display_data", "data": {"text/html": "<iframe>"}}
    document = read(notebook(code("go()", log, table, page)), "a.ipynb")
    assert [str(block.kind) for block in document.blocks] == ["code", "code", "paragraph"]
    assert document.notes == ("1 long output cut short", "1 output in HTML left out")


def test_the_oldest_notebooks_are_read() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "H"},
        {"cell_type": "code", "input": "x = 1", "outputs": []},
    ]
    document = read(orjson.dumps({"nbformat": 3, "worksheets": [{"cells": cells}]}), "a.ipynb")
    assert texts(document) == ["H", "x = 1"]


def test_a_long_class_is_cut_at_its_methods_and_nothing_is_lost() -> None:
    methods = "\n\n".join(
        f"    # about {n}\n    @property\n    def m{n}(self):\n" + "        x = 1\n" * 20 for n in range(5)
    )
    source = f"import a\n\nclass Long:\n    y = 1\n\n{methods}\ndef f(): pass\n"
    blocks = texts(read(source.encode(), "a.py"))
    assert [block.split("\n")[0].strip() for block in blocks] == [
        "import a", "class Long:", *(f"# about {n}" for n in range(5)), "def f(): pass",
    ]  # fmt: skip
    assert "".join("".join(blocks).split()) == "".join(source.split())


@pytest.mark.parametrize("source", ["def f(:\n  pass\n\ndef g():\n  pass", "print 'old'\n\nx = 1", "(" * 10_000])
def test_what_is_no_python_any_more_is_cut_by_its_lines(source: str) -> None:
    document = read(source.encode(), "a.py")
    assert "".join("".join(texts(document)).split()) == "".join(source.split())
    assert {block.kind for block in document.blocks} == {BlockKind.CODE}


def test_java_is_cut_at_methods_when_its_class_is_long() -> None:
    methods = "\n".join(f"    int m{n}() {{\n" + "        x();\n" * 20 + "    }\n" for n in range(5))
    blocks = texts(read(f"class A {{\n\n{methods}}}\n".encode(), "A.java"))
    assert len(blocks) >= 5
    assert all(sum(f"int m{n}()" in block for block in blocks) == 1 for n in range(5))


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        ("<a><b>text</a>", "its XML is malformed (line 1)"),
        ("<a>" * 300 + "text" + "</a>" * 300, "its elements are nested too deeply"),
    ],
    ids=["malformed", "deep"],
)
def test_xml_that_is_not_read_is_kept_and_said(page: str, reason: str) -> None:
    document = read(f"<?xml version='1.0'?>{page}".encode(), "a.xml")
    assert "text" in texts(document)[0]
    assert f"kept as plain text: {reason}" in document.notes


def test_xml_of_one_endless_text_is_not_called_malformed() -> None:
    with pytest.raises(UnreadableDocument, match="longer than is read"):
        parse_xml(b"<a b='%s'/>" % (b"x" * 10_000_001))


def test_xml_opens_no_entity_and_says_its_encoding() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "yyyy">]><a><p>b&x;&y;c</p></a>'
    assert texts(read(bomb.encode(), "a.xml")) == ["bc"]
    page = "<?xml version='1.0' encoding='windows-1251'?><a><b>Привет</b></a>".encode("cp1251")
    assert texts(read(page, "a.xml")) == ["Привет"]
    assert texts(read("<?xml version='1.0' encoding='utf-16'?><a>Größe</a>".encode("utf-16"), "a.xml")) == ["Größe"]


def test_atom_and_dita_are_known() -> None:
    feed = b'<feed xmlns="x"><title>F</title><entry><title>E</title><link href="u"/><content>w</content></entry></feed>'
    assert headings(read(feed, "a.atom")) == [(1, "F"), (2, "E")]
    topic = b"<topic><title>T</title><body><p>One</p><ul><li>two</li></ul><codeblock>x = 1</codeblock></body></topic>"
    assert texts(read(topic, "a.dita")) == ["T", "One", "- two", "x = 1"]


def test_captions_that_roll_are_said_once() -> None:
    rolling = "1\n00:00:01,000 --> 00:00:02,000\nhello there\n\n2\n00:00:02,000 --> 00:00:03,000\nhello there\n\n"
    rolling += "3\n00:00:03,000 --> 00:00:04,000\nmy friend.\n"
    assert texts(read(rolling.encode(), "a.srt")) == ["[00:00:01] hello there my friend."]


def test_speech_without_stops_is_cut_somewhere() -> None:
    cues = "\n".join(f"{n}\n00:00:{n % 60:02},000 --> 00:00:{n % 60:02},900\nword number {n}\n" for n in range(1, 60))
    found = texts(read(cues.encode(), "a.srt"))
    assert len(found) > 1
    assert all(len(text) < LONGEST_CHARS + 100 for text in found)


def test_a_file_of_cues_alone_is_never_an_error() -> None:
    assert texts(read(b"WEBVTT\n\n00:01.000 --> 00:02.000\n\n\nno cue\n", "a.vtt")) == []
