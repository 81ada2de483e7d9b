"""An encrypted collection, from its documents to a search: what is written says nothing, and the key is needed."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text as sql

from embedmill.console.listening import Listener, Notice
from embedmill.console.services import (
    collections,
    controlling,
    document_reports,
    documents,
    erasing,
    feedback,
    resealing,
    searching,
)
from embedmill.console.services import jobs as reports
from embedmill.console.services.documents import DocumentQuery
from embedmill.console.services.exporting import export
from embedmill.console.services.progress import JobProgress
from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.submission import Submitter
from embedmill.retrieval.hits import Hit
from embedmill.retrieval.question import Mode
from embedmill.shared.db import collections as stored
from embedmill.shared.db import jobs, terms
from embedmill.shared.db.manifest import list_referenced_objects
from embedmill.shared.db.verdict_cache import VerdictCache
from embedmill.shared.db.verdicts import VerdictOrigin
from embedmill.shared.errors import KeyUnavailable, ScanStopped, SettingsError, UsageError, UserError
from embedmill.shared.privacy.verdict_seals import VerdictSeals
from embedmill.shared.sealing.envelope import is_sealed, key_id_of
from embedmill.shared.settings import Settings
from embedmill.workers.chores.dispatcher import dispatch
from embedmill.workers.resealing import Resealer
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.validation.obtaining import own_judge
from tests.corpus import text_of
from tests.e2e.stores import running_place
from tests.planted import Needles, find_planted, forms
from tests.services import postgres
from tests.services.needed import require
from tests.workers.working import work_through

PLANTED = ("zebrafinch", "quinquireme holdings", "memorandum of understanding", "Lieferbedingungen")
ROWS = [
    {
        "id": "r1",
        "title": "The memorandum of understanding",
        "text": "A zebrafinch sings of contracts. " * 20,
        "metadata": {"client": "quinquireme holdings"},
    },
    {"id": "r2", "title": "Other", "text": "Lieferbedingungen were agreed upon by everybody here.", "metadata": {}},
]


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    (tmp_path / "root.key").write_bytes(os.urandom(32))
    return settings.model_copy(update={"key": f"file://{tmp_path / 'root.key'}", "embedding": "hash"})


def ingest(runtime: WorkerRuntime, name: str, source: Path) -> None:
    sources = open_sources([str(source)], options=SourceOptions(), stdin=io.BytesIO())
    collection = runtime.database.query(lambda connection: stored.get_collection(connection, name))
    submitter = Submitter(runtime)
    submitted = submitter.open(sources, collection, options={})
    submitter.enumerate(submitted, sources, collection, allow_deletes=False)
    work_through(runtime, dispatch(runtime.database, runtime.settings))
    runtime.database.transact(jobs.complete_jobs)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "rows.jsonl"
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in ROWS))
    return path


@pytest.fixture
def sealed(runtime: WorkerRuntime, source: Path) -> WorkerRuntime:
    collections.create_collection(runtime, "sealed", encrypt=True, keep_queries=True)
    ingest(runtime, "sealed", source)
    return runtime


def search(runtime: WorkerRuntime, query: str, *, mode: Mode = "hybrid", where: str | None = None) -> list[Hit]:
    return list(searching.search(runtime, query, collection="sealed", top_k=3, mode=mode, where=where).hits)


def without_key(runtime: WorkerRuntime) -> WorkerRuntime:
    return WorkerRuntime(runtime.settings.model_copy(update={"key": ""}), process_id="another")


def test_what_is_written_of_an_encrypted_collection_says_nothing(sealed: WorkerRuntime) -> None:
    assert "zebrafinch" in search(sealed, "zebrafinch contracts")[0].text
    feedback.add_feedback(sealed, "last", "1", helpful=False, why="Lieferbedingungen were wanted")
    assert find_planted(PLANTED, sealed.home) == []


def test_the_scan_finds_what_is_not_encrypted(runtime: WorkerRuntime, source: Path) -> None:
    collections.create_collection(runtime, "open", keep_queries=True)
    ingest(runtime, "open", source)
    assert {text for text, _ in find_planted(PLANTED, runtime.home)} >= set(PLANTED[1:])


def test_what_is_encrypted_is_read_as_it_was_given(sealed: WorkerRuntime) -> None:
    shown = document_reports.show_document(sealed, "r1", collection="sealed")
    assert shown.title == ROWS[0]["title"]
    assert shown.metadata == ROWS[0]["metadata"]
    rows = {row.uri: row for row in export(sealed, "sealed")}
    assert rows["r1"].metadata == ROWS[0]["metadata"]
    assert rows["r2"].text == ROWS[1]["text"]
    assert [hit.uri for hit in search(sealed, "zebrafinch", where='client = "quinquireme holdings"')] == ["r1"]
    found = search(sealed, "agreed Lieferbedingungen", mode="lexical")[0]
    assert (found.uri, found.title) == ("r2", "Other")


def test_a_list_cannot_be_chosen_by_metadata_that_are_encrypted(sealed: WorkerRuntime) -> None:
    with pytest.raises(UsageError, match="metadata of sealed are encrypted"):
        documents.list_documents(sealed, DocumentQuery("sealed", metadata={"client": "x"}))


def test_an_unchanged_source_is_unchanged(sealed: WorkerRuntime, source: Path) -> None:
    before = [(d.id, d.version) for d in documents.list_documents(sealed, DocumentQuery("sealed")).documents]
    ingest(sealed, "sealed", source)
    listed = documents.list_documents(sealed, DocumentQuery("sealed")).documents
    assert [(d.id, d.version) for d in listed] == before
    assert {d.state for d in listed} == {"indexed"}


READS: dict[str, Callable[[WorkerRuntime], object]] = {
    "search": lambda runtime: search(runtime, "zebrafinch"),
    "documents": lambda runtime: documents.list_documents(runtime, DocumentQuery("sealed")),
    "export": lambda runtime: list(export(runtime, "sealed")),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_without_the_key_each_reading_names_it(sealed: WorkerRuntime, read: Callable[[WorkerRuntime], object]) -> None:
    other = without_key(sealed)
    with pytest.raises(KeyUnavailable, match="EMBEDMILL_KEY is not set"):
        read(other)
    other.close()


def test_workers_without_the_key_let_the_work_wait_and_it_goes_on_with_the_key(
    sealed: WorkerRuntime, source: Path
) -> None:
    source.write_bytes(orjson.dumps(ROWS[0] | {"text": "A zebrafinch sings of amended contracts."}))
    sources = open_sources([str(source)], options=SourceOptions(), stdin=io.BytesIO())
    collection = sealed.database.query(lambda connection: stored.get_collection(connection, "sealed"))
    submitter = Submitter(sealed)
    submitted = submitter.open(sources, collection, options={})
    submitter.enumerate(submitted, sources, collection, allow_deletes=True)
    other = without_key(sealed)
    work_through(other, dispatch(sealed.database, sealed.settings))
    other.close()
    states = "SELECT DISTINCT state, wait_reason FROM work WHERE state <> 'completed'"
    with sealed.database.read() as connection:
        assert [tuple(row) for row in connection.execute(sql(states))] == [("waiting", "key")]
    with sealed.database.write() as connection:
        connection.execute(sql("UPDATE work SET available_at = 0 WHERE state = 'waiting'"))
    work_through(sealed, dispatch(sealed.database, sealed.settings))
    assert "amended" in search(sealed, "amended contracts")[0].text


def test_terms_are_counted_and_read_and_say_nothing(sealed: WorkerRuntime) -> None:
    collection = sealed.database.query(lambda connection: stored.get_collection(connection, "sealed"))
    listed = documents.list_documents(sealed, DocumentQuery("sealed")).documents
    found = [terms.FoundTerm("Quinquireme Holdings", ("QH",), 2), terms.FoundTerm("x" * 150, (), 1)]

    def seal(word: str) -> str:
        return sealed.vault.seal_same(collection.id, "term", word)

    with sealed.database.write() as connection:
        for document in listed:
            terms.replace_terms(connection, found, collection_id=collection.id, document_id=document.id, seal=seal)
    shown = collections.list_terms(sealed, "sealed")
    assert [(term.term, term.documents) for term in shown.terms] == [("Quinquireme Holdings", len(listed))]
    assert [synonym.synonym for synonym in shown.terms[0].synonyms] == ["QH"]
    assert find_planted(["quinquireme holdings", "Quinquireme Holdings"], sealed.home) == []


def test_verdicts_are_the_collections_own_and_say_nothing(sealed: WorkerRuntime) -> None:
    collection = sealed.database.query(lambda connection: stored.get_collection(connection, "sealed"))
    assert own_judge(sealed, collection.id, "opus") != "opus"
    body = {"source": "model", "score": 1, "reason": "it is about a zebrafinch"}
    seals = VerdictSeals(sealed.vault, collection.id)
    cache = VerdictCache(sealed.database, VerdictOrigin("opus", "verdict", "1"), seals)
    cache.put_many({"a" * 32: body})
    read = cache.get_many(["a" * 32])["a" * 32]
    assert orjson.loads(read.text) == body
    assert find_planted(["zebrafinch"], sealed.home) == []


def test_a_server_holds_nothing_to_read_and_finds_by_meaning(settings: Settings, source: Path) -> None:
    require(postgres.why_not(extension="vector"))
    with postgres.running_database(extension="vector") as server:
        changed = settings.model_copy(update={"database_url": server.url, "vector_url": server.url})
        runtime = WorkerRuntime(changed, process_id="one")
        collections.create_collection(runtime, "sealed", encrypt=True, keep_queries=True)
        ingest(runtime, "sealed", source)
        (best, *_) = search(runtime, "zebrafinch sings of contracts")
        assert (best.uri, best.title) == ("r1", ROWS[0]["title"])
        rows = server.dump()
        assert not [word for word in PLANTED for form in forms(word) if form in rows]
        assert find_planted(PLANTED, runtime.home) == []
        with pytest.raises(SettingsError, match="encrypted"):
            search(runtime, "zebrafinch", mode="lexical")
        runtime.close()


def test_pinecone_holds_nothing_to_read_finds_as_an_open_store_does_and_forgets(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"id": f"r{n}", "title": f"On zebrafinch {n}", "text": f"zebrafinch sings {n * 7919 % 101} {text_of(n)[:400]}"}
        for n in range(30)
    ]
    source = tmp_path / "many.jsonl"
    source.write_bytes(b"\n".join(orjson.dumps(row | {"metadata": {"client": "quinquireme holdings"}}) for row in rows))
    with running_place("pinecone") as place:
        assert place.simulator is not None
        for name, value in place.environment.items():
            monkeypatch.setenv(name, value)
        runtime = WorkerRuntime(settings.model_copy(update={"vector_url": place.url}), process_id="one")
        for name, encrypt in (("sealed", True), ("open", False)):
            collections.create_collection(runtime, name, encrypt=encrypt)
            ingest(runtime, name, source)
        for query in ("zebrafinch sings 7", str(rows[3]["text"])):
            found = [
                [hit.uri for hit in searching.search(runtime, query, collection=name, top_k=10, mode="dense").hits]
                for name in ("sealed", "open")
            ]
            assert len(found[0]) == 10
            assert found[0] == found[1], "recall is that of plain vectors"
        held = {
            space: place.simulator.vectors(name, space)
            for name, index in place.simulator.indexes.items()
            for space in index.namespaces
        }
        sealed, clear = held["c1-v1-000"], held["c2-v1-000"]
        assert len(sealed) == len(clear) == len(rows)
        assert Needles(PLANTED).found_in(repr(sealed).encode()) == set()
        assert Needles(PLANTED).found_in(repr(clear).encode()) == set(PLANTED[:2])
        receipt = erasing.erase_documents(runtime, ["r3"], DocumentQuery("sealed"))
        assert receipt.erased == 1
        left = documents.list_documents(runtime, DocumentQuery("sealed")).documents
        assert {row.document for row in export(runtime, "sealed")} == {document.id for document in left}
        runtime.close()


def key_ids(runtime: WorkerRuntime) -> set[str]:
    """Of every sealed thing in the home that is not of SQLCipher's."""
    found = set()
    for file in runtime.home.rglob("*"):
        data = file.read_bytes() if file.is_file() else b""
        if "blobs" in file.parts and is_sealed(data):
            found.add(key_id_of(data))
    return found


def clean_all(runtime: WorkerRuntime) -> None:
    """What the cleaner removes when its time comes."""
    kept = runtime.database.query(list_referenced_objects)
    for object_, _ in list(runtime.blobs.list_objects()):
        if object_ not in kept:
            runtime.blobs.delete(object_)


def test_a_collection_is_encrypted_later_and_decrypted_again(runtime: WorkerRuntime, source: Path) -> None:
    collections.create_collection(runtime, "sealed", keep_queries=True)
    ingest(runtime, "sealed", source)
    assert search(runtime, "zebrafinch contracts")
    before = {row.id: (row.text, row.title, row.metadata) for row in export(runtime, "sealed")}
    done = resealing.reseal_collection(runtime, "sealed")
    assert (done.encrypted, done.documents) == (True, len(ROWS))
    clean_all(runtime)
    runtime.database.close()
    left = find_planted(PLANTED, runtime.home)
    assert {name for _, name in left} <= {"tracking.db-wal", "tracking.db"}, "which SQLite writes over in time"
    assert {row.id: (row.text, row.title, row.metadata) for row in export(runtime, "sealed")} == before
    assert "zebrafinch" in search(runtime, "zebrafinch contracts")[0].text
    assert document_reports.show_document(runtime, "r1", collection="sealed").title == ROWS[0]["title"]
    decrypted = resealing.reseal_collection(runtime, "sealed", wanted="decrypt")
    assert not decrypted.encrypted
    other = without_key(runtime)
    assert other.vault.current_key(1) is None
    assert {row.id: (row.text, row.title, row.metadata) for row in export(runtime, "sealed")} == before
    other.close()


def test_a_new_key_takes_the_place_of_the_old_one_everywhere(sealed: WorkerRuntime) -> None:
    collection = sealed.database.query(lambda connection: stored.get_collection(connection, "sealed"))
    old = sealed.vault.current_key(collection.id)
    done = resealing.reseal_collection(sealed, "sealed")
    assert old is not None
    assert done.key not in {None, old.id}
    clean_all(sealed)
    assert key_ids(sealed) == {done.key}
    with sealed.database.write() as connection:
        connection.execute(sql("DELETE FROM encryption_key WHERE id = :id"), {"id": old.id})
    after = WorkerRuntime(sealed.settings, process_id="after")
    assert "zebrafinch" in search(after, "zebrafinch contracts")[0].text
    assert document_reports.show_document(after, "r1", collection="sealed").metadata == ROWS[0]["metadata"]
    after.close()


def test_what_was_cut_short_is_taken_up_under_the_same_key(
    sealed: WorkerRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: Resealer) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(Resealer, "_shards", die)
        with pytest.raises(RuntimeError, match="killed"):
            resealing.reseal_collection(sealed, "sealed")
    sealed.forget_collections()
    begun = sealed.vault.current_key(1)
    assert "zebrafinch" in search(sealed, "zebrafinch contracts")[0].text
    assert begun is not None
    job, *_ = reports.list_jobs(sealed).jobs
    assert (job.source, job.state, job.activity) == ("keys re-encrypt", "running", "cut short")
    assert [each.command for each in reports.explain_job(sealed, job.id).hindrances] == [
        "embedmill keys re-encrypt sealed"
    ]
    with pytest.raises(UserError, match=f"job {job.id} still works"):
        collections.delete_collection(sealed, "sealed")
    controlling.pause(sealed, job.id)
    with pytest.raises(UserError, match=f"job {job.id} is paused"):
        resealing.reseal_collection(sealed, "sealed")
    notices: list[Notice] = []
    controlling.resume(sealed, job.id, listener=Listener(on_notice=notices.append))
    assert [notice.text.rpartition(": ")[2] for notice in notices] == ["embedmill keys re-encrypt sealed"]
    told: list[JobProgress] = []
    done = resealing.reseal_collection(sealed, "sealed", listener=Listener(on_progress=told.append, every_seconds=0))
    assert (done.key, done.job) == (begun.id, job.id)
    assert {each.pace.activity for each in told} == {"re-encrypting"}
    assert (told[-1].documents.ended, told[-1].documents.total) == (len(ROWS), len(ROWS))
    ended = reports.describe_job(sealed, job.id)
    assert (ended.state, ended.activity, ended.documents.completed) == ("completed", "completed", len(ROWS))
    assert "zebrafinch" in search(sealed, "zebrafinch contracts")[0].text


def test_a_re_encryption_that_somebody_cancels_ends_between_two_steps_and_is_begun_anew(sealed: WorkerRuntime) -> None:
    def cancel(progress: JobProgress) -> None:
        controlling.cancel(sealed, progress.job, listener=Listener(on_notice=told.append))

    told: list[Notice] = []
    rest = "embedmill keys re-encrypt sealed"
    with pytest.raises(ScanStopped, match="is cancelled") as stopped:
        resealing.reseal_collection(sealed, "sealed", listener=Listener(on_progress=cancel, every_seconds=0))
    assert stopped.value.hint == f"sealed is written anew in part; {rest} writes the rest"
    assert [notice.text for notice in told] == [f"sealed is written anew in part, and this writes the rest: {rest}"]
    assert sealed.database.query(lambda c: resealing.find_in_part(sealed, c)) == [rest]
    sealed.forget_collections()
    assert "zebrafinch" in search(sealed, "zebrafinch contracts")[0].text
    first, second = (each.id for each in reports.list_jobs(sealed).jobs[:2])
    assert resealing.reseal_collection(sealed, "sealed").job not in {first, second}
    assert sealed.database.query(lambda c: resealing.find_in_part(sealed, c)) == []


def test_vectors_that_were_paid_for_come_along(
    runtime: WorkerRuntime, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("embedmill.workers.resealing.FREE_PROVIDERS", frozenset())
    collections.create_collection(runtime, "sealed", validator="off")
    ingest(runtime, "sealed", source)
    embedder = runtime.embedder("hash")
    (row, *_) = (row for row in export(runtime, "sealed", with_vectors=True) if row.uri == "r2")
    address = embedder.address(f"{row.title}\n\n{row.text}")
    assert row.vector is not None
    runtime.cache.put_many({address: row.vector})
    known = set(runtime.cache.get_many([address]))
    resealing.reseal_collection(runtime, "sealed")
    assert set(runtime.cache_of(1).get_many([address])) == known
    assert not runtime.cache.get_many([address])
    resealing.reseal_collection(runtime, "sealed", wanted="decrypt")
    assert set(runtime.cache.get_many([address])) == known
