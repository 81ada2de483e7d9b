"""Labels on their way into rows and lists: from a document, its source or its collection, and what a change costs."""

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from embedmill.console.services import collections, documents, exporting, jobs, searching
from embedmill.console.services.documents import DocumentQuery
from embedmill.producers.batches import find_sealed
from embedmill.producers.sources.options import FieldMap
from embedmill.producers.sources.rows import RowReader
from embedmill.shared.access.labels import SEALED, Labels, kept_with, read_labels, split_kept
from embedmill.shared.access.principals import Principal, Role
from embedmill.shared.db.schema import document
from embedmill.shared.errors import UsageError
from embedmill.shared.presence import Presence
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.console.services.world import put_in
from tests.migrated import place_migrated


@pytest.fixture
def runtime(settings: Settings) -> Iterator[WorkerRuntime]:
    place_migrated(settings.home_path / "tracking.db")
    with Presence(settings.home_path / "run") as presence:
        opened = WorkerRuntime(settings, process_id=presence.id)
        yield opened
        opened.close()


def labels_of(runtime: WorkerRuntime) -> dict[str, tuple[str, str]]:
    """As the list and the store have them, which agree."""
    listed = documents.list_documents(runtime, DocumentQuery("default")).documents
    exported = {each.uri: (each.access, each.owner) for each in exporting.export(runtime, "default")}
    assert {each.uri: (each.access, each.owner) for each in listed} == exported
    return exported


def found_by(runtime: WorkerRuntime, *levels: str) -> set[str]:
    with runtime.acting_for(Principal("zoe", Role.VIEWER, None, frozenset(levels))):
        return {hit.uri for hit in searching.search(runtime, "word", collection="default", top_k=9, mode="hybrid").hits}


def row(name: str, **metadata: object) -> dict[str, object]:
    return {"id": name, "text": f"A word about {name}.", "metadata": metadata}


def test_a_document_speaks_before_its_source_and_that_before_its_collection(runtime: WorkerRuntime) -> None:
    put_in(runtime, "default", [row("a"), row("b", access="public", owner="ann")], access="secret")
    put_in(runtime, "default", [row("c")])
    expected = {"a": ("secret", ""), "b": ("public", "ann"), "c": ("internal", "")}
    assert labels_of(runtime) == expected
    assert found_by(runtime, "secret") == {"a"}


def test_what_a_source_says_stays_until_it_says_something_else(runtime: WorkerRuntime) -> None:
    rows = [row("a"), row("b")]
    put_in(runtime, "default", rows, access="secret", owner="ann")
    put_in(runtime, "default", rows)
    assert labels_of(runtime)["a"] == ("secret", "ann")
    put_in(runtime, "default", rows, access="public")
    assert labels_of(runtime) == {"a": ("public", "ann"), "b": ("public", "ann")}
    put_in(runtime, "default", rows, access="", owner="")
    assert labels_of(runtime) == {"a": ("internal", ""), "b": ("internal", "")}
    assert found_by(runtime, "secret", "public") == set()


def test_a_change_of_labels_embeds_nothing_again(runtime: WorkerRuntime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HashEmbedder, "is_instant", False)
    embedded: list[int] = []
    plain = HashEmbedder.embed_batch

    def embed(self: HashEmbedder, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        embedded.append(len(texts))
        return plain(self, texts, input_type=input_type)

    monkeypatch.setattr(HashEmbedder, "embed_batch", embed)
    put_in(runtime, "default", [row("a")])
    assert sum(embedded) == 1
    put_in(runtime, "default", [row("a")], access="secret")
    assert labels_of(runtime) == {"a": ("secret", "")}
    assert sum(embedded) == 1


def test_a_collections_own_level_changes_without_a_row_being_written(runtime: WorkerRuntime) -> None:
    put_in(runtime, "default", [row("a"), row("b", access="public")])
    before = runtime.database.query(lambda connection: connection.execute(document.select()).all())
    collections.update_collection(runtime, "default", access="Secret", owner="zoe")
    assert labels_of(runtime) == {"a": ("secret", "zoe"), "b": ("public", "zoe")}
    assert found_by(runtime, "public") == {"a", "b"}, "the owner sees what is hers"
    collections.update_collection(runtime, "default", owner="")
    assert found_by(runtime, "public") == {"b"}
    assert runtime.database.query(lambda connection: connection.execute(document.select()).all()) == before


@pytest.mark.parametrize("level", ["two words", "", "ä"])
def test_what_is_no_level_is_refused_where_somebody_sets_it(runtime: WorkerRuntime, level: str) -> None:
    collections.create_collection(runtime, "default")
    with pytest.raises(UsageError):
        collections.update_collection(runtime, "default", access=level)
    if level:
        with pytest.raises(UsageError):
            put_in(runtime, "default", [row("a")], access=level)


@pytest.mark.parametrize("said", ["two words", ["public", "secret"], 7, True, {"public": True}])
def test_what_is_no_level_in_a_document_seals_it(said: object) -> None:
    assert read_labels({"access": said}) == Labels(SEALED, None)
    assert Principal("zoe", Role.VIEWER, None, frozenset({"public"})).levels is not None


@pytest.mark.parametrize("whole", [{}, {"metadata": {"other": 1}}, {"metadata": {"access": None, "owner": ""}}])
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        *(({"access": value}, (SEALED, "")) for value in (["secret"], [], {}, {"of": "secret"}, 7, True, "two words")),
        ({"owner": ["ann"]}, ("public", SEALED)),
        *(({name: "Secret"}, ("secret", "")) for name in ("access", "Access", "ACCESS", " access ")),
        ({"Access": ["secret"], "OWNER": "ann"}, (SEALED, "ann")),
        ({"Access": "secret", "access": "public"}, (SEALED, "")),
        ({"Access": "secret", "access": ""}, ("secret", "")),
        ({"access": None}, ("public", "")),
    ],
)
def test_a_field_of_a_row_is_a_label_however_it_is_written(
    said: dict[str, object], expected: tuple[str, str], whole: dict[str, object]
) -> None:
    read = RowReader(FieldMap(), "file:///rows").read({"id": "a", "text": "A word."} | said | whole, 1)
    labels = read_labels(read.metadata).over(Labels("public", ""))
    assert (labels.access, labels.owner) == expected
    assert len(find_sealed(read)) == expected.count(SEALED)


def test_a_row_that_says_one_level_and_another_in_its_metadata_is_sealed() -> None:
    reader = RowReader(FieldMap(), "file:///rows")
    said = [("secret", "public"), (["secret"], "public"), ("secret", "secret")]
    rows = [{"id": n, "text": "", "access": one, "metadata": {"access": two}} for n, (one, two) in enumerate(said)]
    assert [read_labels(reader.read(each, 1).metadata).access for each in rows] == [SEALED, SEALED, "secret"]


def test_what_is_sealed_is_in_no_viewers_hits_and_noted(runtime: WorkerRuntime) -> None:
    collections.create_collection(runtime, "default", access="public")
    job = put_in(runtime, "default", [{"id": "a", "text": "A word.", "access": ["secret"]}, row("b")])
    assert labels_of(runtime) == {"a": (SEALED, ""), "b": ("public", "")}
    assert found_by(runtime, "public", "secret") == {"b"}
    (note,) = jobs.describe_job(runtime, job).notes
    assert (note.kind, note.line, "is no level" in note.reason) == ("note", 1, True)


@pytest.mark.parametrize("said", [None, "", "  "])
def test_an_empty_label_says_nothing(said: object) -> None:
    assert read_labels({"access": said, "owner": said}) == Labels()


def test_metadata_under_the_names_of_labels_is_left_out_of_rows() -> None:
    kept = kept_with({"_access": "=public", "_owner": ["=zoe"], "a": 1}, Labels("secret"))
    assert split_kept(kept) == ({"a": 1}, Labels("secret"))


ADDRESS = "zed@planted.example"


def test_no_owner_is_taken_whom_redaction_would_hide(runtime: WorkerRuntime) -> None:
    """A label is kept as it is, in the tracking database, the store and every export."""
    with pytest.raises(UsageError, match="redaction"):
        collections.create_collection(runtime, "default", redact="patterns", owner=ADDRESS)
    collections.create_collection(runtime, "default", redact="patterns")
    with pytest.raises(UsageError, match="redaction") as refused:
        put_in(runtime, "default", [row("a")], owner=ADDRESS)
    assert ADDRESS not in f"{refused.value} {refused.value.hint}"
    with pytest.raises(UsageError, match="redaction"):
        collections.update_collection(runtime, "default", owner=ADDRESS)
    collections.update_collection(runtime, "default", redact="off", owner=ADDRESS)
    with pytest.raises(UsageError, match="redaction"):
        collections.update_collection(runtime, "default", redact="patterns")
    collections.update_collection(runtime, "default", redact="patterns", owner="zed")
