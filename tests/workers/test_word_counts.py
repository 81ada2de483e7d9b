"""Words that the tracking database counts for a store whose service counts none: through every way a document takes."""

from collections.abc import Iterator

import pytest
from sqlalchemy import delete, update

from embedmill.console.services import searching, verifying
from embedmill.producers.sources.given import GivenSource
from embedmill.producers.submission import create_collection
from embedmill.shared.db import word_counts
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.schema import document, word_delta, word_edition
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.settings import Settings
from embedmill.shared.word_counts import WordCounter
from embedmill.shared.words.cutting import VERSION
from embedmill.shared.words.queries import parse_query
from embedmill.shared.words.weighing import WordCounts
from embedmill.workers import word_counts as counting
from embedmill.workers.runtime import WorkerRuntime
from tests.services.pinecone import running_pinecone
from tests.shared.db.tracker import Tracker
from tests.workers.working import submit_sources, work_off

TEXTS = {"a": "The pump is blocked.", "b": "A pump and a valve.", "c": "Nothing of note."}
WORDS = parse_query("pump valve blocked quokka").terms


@pytest.fixture
def settings(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    with running_pinecone(lag_seconds=0) as service:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        yield settings.model_copy(update={"vector_url": "pinecone://mill"})


@pytest.fixture
def collection(runtime: WorkerRuntime, tracker: Tracker) -> Collection:
    tracker.collection = create_collection(runtime, "c", embedding="hash", shards=2)
    return tracker.collection


def index(runtime: WorkerRuntime, tracker: Tracker, texts: dict[str, str]) -> None:
    submit_sources(runtime, tracker, [GivenSource.of({"id": id, "text": text} for id, text in texts.items())])
    work_off(runtime, tracker)


def counted(runtime: WorkerRuntime, collection: Collection) -> WordCounts:
    return WordCounter(runtime.database, collection.id)(WORDS)


def held(runtime: WorkerRuntime, collection: Collection) -> WordCounts:
    """What reading every row of the store finds."""
    store, shards = runtime.store(collection), runtime.collection(collection.id).reading_shards
    return VectorStore.count_words(store, shards, WORDS).counts


def test_words_are_counted_as_documents_come_and_change(
    runtime: WorkerRuntime, tracker: Tracker, collection: Collection
) -> None:
    assert counted(runtime, collection) == WordCounts(0, 0, dict.fromkeys(WORDS, 0))
    for texts in (TEXTS, TEXTS | {"a": "Blocked valves."}, TEXTS | {"a": "Blocked valves."}):
        index(runtime, tracker, texts)
        assert counted(runtime, collection) == held(runtime, collection)
    assert counted(runtime, collection).rows == 3
    assert verifying.verify(runtime, "c").ok


def test_a_reader_keeps_up_with_what_is_folded(
    runtime: WorkerRuntime, tracker: Tracker, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(word_counts, "FOLD_FROM_DELTAS", 3)
    counter = WordCounter(runtime.database, collection.id)
    for number in range(5):
        index(runtime, tracker, {str(number): f"pump {number}"})
        assert counter(WORDS) == held(runtime, collection)
    assert len(tracker.rows(word_delta)) < 3


def test_documents_of_before_are_counted_by_the_first_search(
    runtime: WorkerRuntime, tracker: Tracker, collection: Collection
) -> None:
    index(runtime, tracker, TEXTS)
    forget(tracker, word_edition, word_delta)
    assert not verifying.verify(runtime, "c").ok
    result = searching.search(runtime, "blocked pump", collection="c", top_k=3, mode="lexical")
    assert [hit.uri for hit in result.hits] == ["a", "b"]
    assert counted(runtime, collection) == held(runtime, collection)


def test_documents_of_another_cutter_are_counted_anew(
    runtime: WorkerRuntime, tracker: Tracker, collection: Collection
) -> None:
    index(runtime, tracker, TEXTS)
    with tracker.database.write() as connection:
        connection.execute(update(word_edition).values(edition=f"{VERSION - 1}/1//"))
    assert verifying.verify(runtime, "c").collections[0].uncounted_words == 3
    counting.count_everywhere(runtime)
    assert counted(runtime, collection) == held(runtime, collection)
    assert len(tracker.rows(word_delta)) == 1, "what is the same leaves no trace"


def test_a_document_that_is_gone_is_taken_away(
    runtime: WorkerRuntime, tracker: Tracker, collection: Collection
) -> None:
    index(runtime, tracker, TEXTS)
    with tracker.database.write() as connection:
        connection.execute(update(document).where(document.c.uri == "a").values(active_version=None))
        connection.execute(delete(document).where(document.c.uri == "b"))
    counting.count_everywhere(runtime)
    found = counted(runtime, collection)
    assert (found.rows, set(found.holding.values()) if found.holding else None) == (1, {0})


def test_sums_that_do_not_agree_are_made_anew(runtime: WorkerRuntime, tracker: Tracker, collection: Collection) -> None:
    index(runtime, tracker, TEXTS)
    forget(tracker, word_delta)
    report = verifying.verify(runtime, "c")
    assert (report.ok, report.collections[0].uncounted_words) == (False, 3)
    assert verifying.verify(runtime, "c", repair=True).ok
    assert counted(runtime, collection) == held(runtime, collection)
    assert verifying.verify(runtime, "c").ok


def forget(tracker: Tracker, *tables: object) -> None:
    with tracker.database.write() as connection:
        for table in tables:
            connection.execute(delete(table))  # type: ignore[arg-type]
