"""The stages as plain functions over a real home folder: what each leaves, and what running it again costs."""

import hashlib
import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from embedmill.console.services.document_reports import show_document
from embedmill.shared.addresses import version_id
from embedmill.shared.caches.embeddings import DOCUMENT, KINDS, Size
from embedmill.shared.db.catalogue import ALL_REJECTED, MEANINGS
from embedmill.shared.db.leases import Lease
from embedmill.shared.db.schema import document, index_version, usage
from embedmill.shared.errors import BadVector, FlowControl, ProviderUnavailable
from embedmill.shared.outcomes import Advance, Complete, Fail, Outcome, Park, Return
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.shared.sharding import shard_for
from embedmill.shared.states import DocumentState, Result, State
from embedmill.workers.runtime import WorkerRuntime
from embedmill.workers.stages import index as stages_index
from embedmill.workers.stages.chunk import chunk
from embedmill.workers.stages.embed import embed
from embedmill.workers.stages.index import MOST_RETURNS, index
from embedmill.workers.stages.validate import validate
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker

STAGES = {"chunk": chunk, "validate": validate, "embed": embed, "index": index}


class Calls:
    """Counts what is sent to the embedder."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.texts: list[str] = []
        original = Embedder.embed_many

        def embed_many(embedder: Embedder, texts: Sequence[str], **options: Any) -> Any:
            self.texts += texts
            return original(embedder, texts, **options)

        monkeypatch.setattr(Embedder, "embed_many", embed_many)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """`hash`, as if its vectors were worth keeping."""
    monkeypatch.setattr(HashEmbedder, "is_instant", False)


@pytest.fixture(autouse=True)
def eight_dimensions(tracker: Tracker, runtime: WorkerRuntime) -> None:
    """The tracker's collection as `hash` makes vectors."""
    embedder = runtime.embedder("hash")
    tracker.write(1, index_version, model=embedder.model, dimensions=embedder.dimensions)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.txt").write_text(text_of(number))
    return folder


def uris(folder: Path) -> list[str]:
    return [path.as_uri() for path in sorted(folder.iterdir())]


def run(runtime: WorkerRuntime, tracker: Tracker, claim: Lease, *, until: str = "index") -> Lease:
    """Bring a claim from the first stage to `until`; returns the claim of that stage."""
    while claim.stage != until:
        (sent,) = tracker.settle(claim, STAGES[claim.stage](runtime, claim)).items()
        claim = tracker.claim(sent[1], sent[0])
    return claim


def finish(runtime: WorkerRuntime, tracker: Tracker, claim: Lease) -> Mapping[int, Outcome]:
    outcomes = index(runtime, claim)
    tracker.settle(claim, outcomes)
    return outcomes


def stored(runtime: WorkerRuntime) -> list[VectorRow]:
    return list(runtime.store(runtime.collection(1)).list_rows("v1-000"))


def test_documents_go_through_every_stage_and_are_seen(runtime: WorkerRuntime, tracker: Tracker, folder: Path) -> None:
    outcomes = finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    assert set(outcomes.values()) == {Complete(Result.INDEXED)}
    expected = sum(row["chunks_expected"] for row in tracker.rows())
    assert len(stored(runtime)) == expected > 3
    assert {row["active_version"] for row in tracker.rows(document)} == {row.version for row in stored(runtime)}


@pytest.mark.parametrize("submitted_by", ["content", "state"])
def test_what_could_not_be_read_is_what_was_read_and_not_what_was_submitted(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, submitted_by: str
) -> None:
    file, uri = folder / "0.txt", uris(folder)[0]
    whole = file.read_bytes()
    claim = tracker.take([uri], text=whole.decode())
    if submitted_by == "state":
        claim = replace(claim, items=(replace(claim.items[0], content_hash=""),))
    file.write_bytes(b"%PDF-1.4 in the midst of being written")
    tracker.settle(claim, chunk(runtime, claim))
    assert tracker.states() == [State.DEAD]
    found = tracker.row(1)
    assert found["content_hash"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert found["version"] == version_id(found["content_hash"], found["settings_hash"])
    file.write_bytes(whole)
    again = tracker.submit([uri], text=whole.decode(), job=tracker.create_job("again"))
    assert (again.queued, again.dead_before) == (1, [])


def test_a_stage_that_runs_twice_leaves_the_same(runtime: WorkerRuntime, tracker: Tracker, folder: Path) -> None:
    claim = tracker.take(uris(folder))
    for stage in ("validate", "embed", "index"):
        assert STAGES[claim.stage](runtime, claim).keys() == STAGES[claim.stage](runtime, claim).keys()
        claim = run(runtime, tracker, claim, until=stage)
    index(runtime, claim)
    before = [(row.id, row.text) for row in stored(runtime)]
    finish(runtime, tracker, claim)
    assert [(row.id, row.text) for row in stored(runtime)] == before


@pytest.mark.usefixtures("slow")
def test_what_was_embedded_once_is_never_embedded_again(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, calls: Calls
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)), until="embed")
    embed(runtime, claim)
    paid = list(calls.texts)
    assert paid and len(paid) == len(set(paid))
    tracker.rescue(claim)
    for again in tracker.claim_each(tracker.queue(), "embed"):
        finish(runtime, tracker, run(runtime, tracker, again))
    assert calls.texts == paid


@pytest.mark.parametrize("is_instant", [True, False])
def test_texts_that_are_equal_are_embedded_and_counted_once(
    runtime: WorkerRuntime,
    tracker: Tracker,
    folder: Path,
    calls: Calls,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_instant: bool,
) -> None:
    monkeypatch.setattr(HashEmbedder, "is_instant", is_instant)
    for number in (1, 2):
        (folder / f"{number}.txt").write_text(text_of(0))
    for claim in (tracker.take(uris(folder)[:2]), tracker.take(uris(folder)[2:])):
        finish(runtime, tracker, run(runtime, tracker, claim))
    expected = tracker.rows()[0]["chunks_expected"]
    assert len(set(calls.texts)) == sum(row["chunks_embedded"] for row in tracker.rows()) == expected
    assert is_instant or len(calls.texts) == expected


def test_a_vector_that_is_made_as_quickly_as_it_is_read_is_not_kept_and_counted_once(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, calls: Calls
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)), until="embed")
    embed(runtime, claim)
    tracker.rescue(claim)
    claims = [run(runtime, tracker, again) for again in tracker.claim_each(tracker.queue(), "embed")]
    assert not calls.texts
    for claim in claims:
        finish(runtime, tracker, claim)
    expected = sum(row["chunks_expected"] for row in tracker.rows())
    assert len(calls.texts) == len(stored(runtime)) == expected
    assert runtime.cache.measure() == {DOCUMENT: Size(expected, 0)}
    assert [row["inputs"] for row in tracker.rows(usage) if row["inputs"]] == [expected]


@pytest.mark.parametrize(("stage", "is_instant"), [("index", True), ("embed", False)])
def test_a_text_that_the_embedder_cannot_take_costs_only_its_document(
    runtime: WorkerRuntime,
    tracker: Tracker,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stage: str,
    is_instant: bool,
) -> None:
    monkeypatch.setattr(HashEmbedder, "is_instant", is_instant)
    original = Embedder.embed_many

    def embed_many(embedder: Embedder, texts: Sequence[str], **options: Any) -> Any:
        if any("Document 1," in text for text in texts):
            raise BadVector("not finite")
        return original(embedder, texts, **options)

    monkeypatch.setattr(Embedder, "embed_many", embed_many)
    claim = run(runtime, tracker, tracker.take(uris(folder)), until=stage)
    outcomes = STAGES[stage](runtime, claim)
    well = Complete if is_instant else Advance
    assert [type(outcomes[item.id]) for item in claim.items] == [well, Fail, well]


def test_every_chunk_is_indexed_or_rejected_with_a_reason(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path
) -> None:
    (folder / "1.txt").write_text(text_of(1) + "\n\n" + ". - . - " * 2000)
    (folder / "2.txt").write_text("- . - . " * 2000)
    finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    rows = [row for row in tracker.rows() if row["chunks_rejected"]]
    row = next(row for row in rows if row["chunks_rejected"] < row["chunks_expected"])
    assert row["rejections_ref"] is not None
    (found,) = runtime.blobs.get_pack([row["rejections_ref"]]).values()
    assert isinstance(found, bytes)
    reasons = orjson.loads(found)
    assert len(reasons) == row["chunks_rejected"] and all(reasons.values())
    assert len(stored(runtime)) == sum(r["chunks_expected"] - r["chunks_rejected"] for r in tracker.rows())
    means = [show_document(runtime, str(folder / name)).means for name in ("1.txt", "2.txt")]
    assert means == [MEANINGS[DocumentState.INDEXED], ALL_REJECTED]


def test_a_store_that_does_not_answer_is_left_alone_and_embedding_goes_on(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise ProviderUnavailable("500")

    runtime.settings = runtime.settings.model_copy(update={"circuit_failures": 3})
    claims = [run(runtime, tracker, tracker.take([uri])) for uri in uris(folder)]
    monkeypatch.setattr(type(runtime.store(runtime.collection(1))), "upsert", refuse)
    outcomes = [index(runtime, claim)[claim.items[0].id] for claim in claims]
    assert [type(outcome) for outcome in outcomes] == [Fail, Fail, Park], "what opens the circuit waits for it"
    monkeypatch.undo()
    again = index(runtime, claims[0])[claims[0].items[0].id]
    assert isinstance(again, Park) and again.reason == "circuit", "nobody asks while it is open"
    (folder / "late.txt").write_text(text_of(9))
    late = run(runtime, tracker, tracker.take([(folder / "late.txt").as_uri()]), until="embed")
    assert {type(outcome) for outcome in embed(runtime, late).values()} == {Advance}


def test_one_document_that_a_store_takes_shows_that_it_is_well(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = type(runtime.store(runtime.collection(1))).upsert

    def choosy(store: VectorStore, shard: str, rows: Sequence[VectorRow]) -> None:
        if any("Document 0," in row.text for row in rows):
            raise ProviderUnavailable("500")
        original(store, shard, rows)

    monkeypatch.setattr(type(runtime.store(runtime.collection(1))), "upsert", choosy)
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    kinds = [type(outcome) for outcome in index(runtime, claim).values()]
    assert sorted(kind.__name__ for kind in kinds) == ["Complete", "Complete", "Fail"]
    again = index(runtime, claim)
    assert Park not in {type(outcome) for outcome in again.values()}


def test_what_a_store_confirmed_before_it_broke_off_is_done_and_only_the_rest_comes_back(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = type(runtime.store(runtime.collection(1)))
    asked: list[int] = []
    original = store.count_editions

    def break_off(self: VectorStore, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        asked.append(len(documents))
        if len(asked) > 1:
            raise FlowControl("it went down", reason="circuit", retry_after_seconds=3)
        return original(self, shard, documents)

    monkeypatch.setattr(stages_index, "CONFIRMED_AT_ONCE", 2)
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    monkeypatch.setattr(store, "count_editions", break_off)
    kinds = [type(outcome) for outcome in finish(runtime, tracker, claim).values()]
    assert (asked, sorted(kind.__name__ for kind in kinds)) == ([2, 1], ["Complete", "Complete", "Park"])


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_question_that_fails_sends_its_own_document_back_and_writes_nothing_again(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    failing = claim.items[place]
    store = type(runtime.store(runtime.collection(1)))
    count, upsert = store.count_editions, store.upsert
    calls = Counter[str]()

    def stumble(self: VectorStore, shard: str, documents: Mapping[str, tuple[str, int]]) -> dict[str, int]:
        calls["count"] += 1
        if failing.document_id in documents:
            raise ProviderUnavailable("503")
        return count(self, shard, documents)

    def write(self: VectorStore, shard: str, rows: Sequence[VectorRow]) -> None:
        calls["upsert"] += 1
        upsert(self, shard, rows)

    monkeypatch.setattr(store, "count_editions", stumble)
    monkeypatch.setattr(store, "upsert", write)
    outcomes = index(runtime, claim)
    assert {id_ for id_, outcome in outcomes.items() if not isinstance(outcome, Complete)} == {failing.id}
    assert calls["upsert"] == 1
    assert calls["count"] <= 5


def test_documents_that_failed_before_are_tried_apart_from_all_others(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    first, second, third = claim.items
    items = (replace(first, failing_since=1.0), second, replace(third, failing_since=2.0))
    batches: list[int] = []
    store = type(runtime.store(runtime.collection(1)))
    original = store.upsert

    def upsert(self: VectorStore, shard: str, rows: Sequence[VectorRow]) -> None:
        batches.append(len({row.document for row in rows}))
        original(self, shard, rows)

    monkeypatch.setattr(stages_index, "FAILING_AT_ONCE", 1)
    monkeypatch.setattr(store, "upsert", upsert)
    outcomes = index(runtime, replace(claim, items=items))
    assert (batches, {type(outcome) for outcome in outcomes.values()}) == ([1, 1, 1], {Complete})


def test_a_store_that_does_not_confirm_completes_nothing(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    store = runtime.store(runtime.collection(1))
    monkeypatch.setattr(type(store), "count_editions", lambda self, shard, documents: dict.fromkeys(documents, 0))
    outcomes = finish(runtime, tracker, claim)
    assert all(isinstance(outcome, Fail) for outcome in outcomes.values())
    assert tracker.states() == [State.WAITING] * 3
    assert {row["active_version"] for row in tracker.rows(document)} == {None}


def test_the_old_version_is_deleted_only_after_the_switch(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    (folder / "0.txt").write_text(text_of(0, edition=2))
    job = tracker.create_job("second")
    tracker.submit(uris(folder)[:1], text="changed", job=job)
    claim = run(runtime, tracker, tracker.claim(tracker.queue(job=job)))
    store = runtime.store(runtime.collection(1))
    seen: list[set[str]] = []
    original = VectorStore.delete_stale if "delete_stale" not in vars(type(store)) else type(store).delete_stale

    def delete_stale(self: VectorStore, shard: str, generations: Mapping[str, int]) -> int:
        active = {row["active_version"] for row in tracker.rows(document)}
        seen.append({row.version for row in self.list_rows(shard)} & active)
        assert {item.version for item in claim.items} <= active, "readers were not switched yet"
        return original(self, shard, generations)

    monkeypatch.setattr(type(store), "delete_stale", delete_stale)
    finish(runtime, tracker, claim)
    assert len(seen) == 1
    texts = [row.text for row in stored(runtime) if row.uri.endswith("/0.txt")]
    assert texts and not any("edition 1" in text for text in texts)


def test_work_that_lost_its_lease_before_the_switch_changes_nothing_that_readers_see(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    tracker.rescue(claim)
    assert set(index(runtime, claim).values()) == {Return()}
    assert stored(runtime) == []
    assert {row["active_version"] for row in tracker.rows(document)} == {None}


def test_what_was_written_after_the_document_was_deleted_is_taken_back(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker freezes before its write; another one finishes, the document goes, and the first one goes on."""
    claim = run(runtime, tracker, tracker.take(uris(folder)[:1]))
    store = runtime.store(runtime.collection(1))
    upsert = type(store).upsert

    def late(self: VectorStore, shard: str, rows: Sequence[VectorRow]) -> None:
        monkeypatch.undo()
        tracker.rescue(claim)
        finish(runtime, tracker, tracker.claim(tracker.queue(), "index"))
        finish(runtime, tracker, tracker.remove_all())
        assert stored(runtime) == []
        upsert(self, shard, rows)
        assert stored(runtime)

    monkeypatch.setattr(type(store), "upsert", late)
    assert index(runtime, claim) == {}
    assert stored(runtime) == []


def test_two_jobs_with_work_on_one_document_end_with_the_newer_one(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path
) -> None:
    older = run(runtime, tracker, tracker.take(uris(folder)[:1]))
    (folder / "0.txt").write_text(text_of(0, edition=2))
    job = tracker.create_job("second")
    tracker.submit(uris(folder)[:1], text="changed", job=job)
    newer = run(runtime, tracker, tracker.claim(tracker.queue(job=job)))
    finish(runtime, tracker, newer)
    (late,) = finish(runtime, tracker, older).values()
    assert isinstance(late, Complete | Return)
    texts = [row.text for row in stored(runtime)]
    assert texts and not any("edition 1" in text for text in texts)


def test_two_workers_that_embed_the_same_text_at_once_pay_once(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "1.txt").write_text(text_of(0))
    (folder / "2.txt").unlink()
    held = run(runtime, tracker, tracker.take(uris(folder)), until="validate")
    sent = tracker.settle(held, validate(runtime, held))["embed"]
    claims = [tracker.claim([id_], "embed") for id_ in sent]
    other = WorkerRuntime(runtime.settings, process_id="other")
    paid: list[str] = []
    met = threading.Barrier(2)
    original = Embedder.embed_many

    def embed_many(embedder: Embedder, texts: Sequence[str], **options: Any) -> Any:
        paid.extend(texts)
        with suppress(threading.BrokenBarrierError):
            met.wait(1.0)
        return original(embedder, texts, **options)

    monkeypatch.setattr(Embedder, "embed_many", embed_many)
    threads = [threading.Thread(target=embed, args=pair) for pair in zip((runtime, other), claims, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert len(paid) == len(set(paid))


def submitted_again(tracker: Tracker, folder: Path) -> Lease:
    """The folder's documents under a second job, with other texts."""
    job = tracker.create_job("second")
    tracker.submit(uris(folder), text="changed", job=job)
    return tracker.claim(tracker.queue(job=job))


def parked(outcomes: Mapping[int, Outcome]) -> set[int]:
    return {id_ for id_, outcome in outcomes.items() if isinstance(outcome, Park)}


def at(claim: Lease, shards: Sequence[str], shard: str) -> set[int]:
    return {item.id for item in claim.items if shard_for(item.document_id, shards) == shard}


@pytest.mark.parametrize("method", ["upsert", "delete_stale"])
def test_a_dead_shard_parks_its_documents_and_no_others(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    # Where documents go follows from the folder's name: of so many some are in each shard.
    shards = ["v1-000", "v1-001"]
    tracker.write(1, index_version, shards=shards)
    for number in range(16):
        (folder / f"{number}.txt").write_text(text_of(number))
    finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    for number in range(16):
        (folder / f"{number}.txt").write_text(text_of(number, edition=2))
    claim = run(runtime, tracker, submitted_again(tracker, folder))
    store = runtime.store(runtime.collection(1))
    original = getattr(type(store), method)

    def refuse(self: VectorStore, shard: str, given: Any) -> Any:
        if shard == "v1-001":
            raise FlowControl("no answer", reason="circuit", retry_after_seconds=3)
        return original(self, shard, given)

    monkeypatch.setattr(type(store), method, refuse)
    outcomes = index(runtime, claim)
    assert parked(outcomes) == at(claim, shards, "v1-001")
    assert {outcomes[id_] for id_ in at(claim, shards, "v1-000")} == {Complete(Result.INDEXED)}
    monkeypatch.undo()
    assert not parked(finish(runtime, tracker, claim))
    assert {row.version for shard in shards for row in store.list_rows(shard)} == {
        row["active_version"] for row in tracker.rows(document)
    }


def test_during_a_move_a_new_version_is_written_at_home_and_the_old_one_leaves_where_it_was(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path
) -> None:
    for number in range(8):
        (folder / f"{number}.txt").write_text(text_of(number))
    finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    shards = ["v1-000", "v1-001", "v1-002"]
    tracker.write(1, index_version, shards=shards, leaving=["v1-000"])
    runtime.forget_collections()
    for number in range(8):
        (folder / f"{number}.txt").write_text(text_of(number, edition=2))
    claim = run(runtime, tracker, submitted_again(tracker, folder))
    finish(runtime, tracker, claim)
    store = runtime.store(runtime.collection(1))
    held = {(row.document, shard) for shard in shards for row in store.list_rows(shard)}
    assert held == {(item.document_id, shard_for(item.document_id, shards)) for item in claim.items}
    assert not any("edition 1" in row.text for shard in shards for row in store.list_rows(shard))


def forget_vectors(runtime: WorkerRuntime) -> None:
    """As a cache does that has no room."""
    assert runtime.cache.evict(kinds=KINDS, unused_seconds=-1.0, freeing=None, limit=10_000)


@pytest.mark.usefixtures("slow")
def test_a_document_whose_vectors_were_evicted_is_embedded_again_and_pays_only_for_those(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, calls: Calls
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    paid = list(calls.texts)
    assert runtime.cache.evict(kinds=KINDS, unused_seconds=-1.0, freeing=None, limit=1)
    outcomes = finish(runtime, tracker, claim)
    (again,) = [id_ for id_, outcome in outcomes.items() if outcome == Advance("embed", {"chunks_embedded": 0})]
    assert sum(outcome == Complete(Result.INDEXED) for outcome in outcomes.values()) == 2
    finish(runtime, tracker, run(runtime, tracker, tracker.claim([again], "embed")))
    assert len(calls.texts) == len(paid) + 1
    assert tracker.states() == [State.COMPLETED] * 3
    assert len(stored(runtime)) == sum(row["chunks_expected"] for row in tracker.rows())


@pytest.mark.usefixtures("slow")
def test_a_cache_that_keeps_nothing_is_not_paid_for_without_end(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, calls: Calls
) -> None:
    for name in ("1.txt", "2.txt"):
        (folder / name).unlink()
    claim = run(runtime, tracker, tracker.take(uris(folder)))
    once = len(calls.texts)
    for _ in range(MOST_RETURNS):
        forget_vectors(runtime)
        sent = tracker.settle(claim, index(runtime, claim))
        claim = run(runtime, tracker, tracker.claim(sent["embed"], "embed"))
    forget_vectors(runtime)
    (outcome,) = index(runtime, claim).values()
    assert isinstance(outcome, Fail)
    assert (outcome.error_class, outcome.retryable) == ("VectorsLost", True)
    assert len(calls.texts) == once * (1 + MOST_RETURNS)


@pytest.mark.usefixtures("slow")
def test_documents_whose_provider_failed_before_share_no_request_with_others(
    runtime: WorkerRuntime, tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = run(runtime, tracker, tracker.take(uris(folder)), until="embed")
    first, second, third = claim.items
    calls: list[int] = []
    original = Embedder.embed_many

    def embed_many(embedder: Embedder, texts: Sequence[str], **options: Any) -> Any:
        calls.append(len({number for text in texts for number in re.findall(r"Document (\d+),", text)}))
        return original(embedder, texts, **options)

    monkeypatch.setattr(Embedder, "embed_many", embed_many)
    outcomes = embed(runtime, replace(claim, items=(first, second, replace(third, failing_since=third.claimed_at))))
    assert (calls, {type(outcome) for outcome in outcomes.values()}) == ([2, 1], {Advance})


def test_documents_that_another_chunker_cuts_alike_are_not_paid_again(
    runtime: WorkerRuntime,
    tracker: Tracker,
    folder: Path,
    calls: Calls,
    slow: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    before, paid = {row.chunk for row in stored(runtime)}, len(calls.texts)
    monkeypatch.setattr("embedmill.workers.chunking.settings.CHUNKER_VERSION", 99)
    finish(runtime, tracker, run(runtime, tracker, tracker.take(uris(folder))))
    after = {row.chunk for row in stored(runtime)}
    assert len(after) == len(before) > 3 and not after & before
    assert len(calls.texts) == paid > 0
