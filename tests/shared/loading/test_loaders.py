"""The table of origins: what reads which document, how often anything is asked for, and what is gone or unknown."""

from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from embedmill.shared import origins
from embedmill.shared.errors import BlobMissing, SourceGone, UnreadableDocument
from embedmill.shared.loading import loaders
from embedmill.shared.loading.loaders import Loader, Loading, Located


class Blobs:
    """Rows by reference, and how often they were asked for."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def get_pack(self, references: Sequence[str]) -> dict[str, bytes | BlobMissing]:
        self.asked.append(list(references))
        return {r: BlobMissing(r) if r == "gone" else orjson.dumps({"text": f"text of {r}"}) for r in references}


@pytest.fixture
def blobs() -> Blobs:
    return Blobs()


@pytest.fixture
def runtime(blobs: Blobs) -> Any:
    return SimpleNamespace(blobs=blobs, settings=SimpleNamespace(max_document_bytes=1000))


def row(reference: str) -> Located:
    return Located(reference, {"kind": "row", "ref": reference})


def test_the_rows_of_a_batch_are_read_together(runtime: Any, blobs: Blobs) -> None:
    located = [row("a"), row("gone"), row("b")]
    batch = Loading(runtime, located)
    assert [batch.load(located[0]).text, batch.load(located[2]).text] == ["text of a", "text of b"]
    with pytest.raises(BlobMissing):
        batch.load(located[1])
    assert blobs.asked == [["a", "gone", "b"]]


def test_a_batch_may_hold_several_kinds(runtime: Any, blobs: Blobs, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A")
    file = Located((tmp_path / "a.md").as_uri(), {"kind": "file"})
    batch = Loading(runtime, [file, row("a")])
    assert (batch.load(file).data, batch.load(file).text) == (b"# A", None)
    assert blobs.asked == [], "what nobody wants is not read"


def test_a_file_that_is_gone_is_said_to_be(runtime: Any, tmp_path: Path) -> None:
    with pytest.raises(SourceGone):
        loaders.load(runtime, (tmp_path / "absent").as_uri(), {"kind": "file"})


def test_a_kind_of_another_release_is_a_documents_own_failure(runtime: Any) -> None:
    with pytest.raises(UnreadableDocument, match="tape"):
        loaders.load(runtime, "tape://1", {"kind": "tape"})


@pytest.mark.parametrize("kind", origins.ORIGINS)
def test_an_entry_names_what_there_is(kind: str) -> None:
    origin = origins.ORIGINS[kind]
    assert not origin.loader or issubclass(loaders.loader_class(kind), Loader)
    assert not origin.source or resolve_name(origin.source).kind in origins.ORIGINS
