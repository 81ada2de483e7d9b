"""The Pinecone store against the simulator, through the vendor's SDK: the contract, and what a remote service does."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from embedmill.shared.editions import Edition
from embedmill.shared.errors import (
    DocumentError,
    FlowControl,
    InternalError,
    KeyRefused,
    ProviderUnavailable,
    SettingsError,
)
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.blobs.folder import FolderBlobStore
from embedmill.shared.providers.vectorstores.pinecone.client import PineconeClient, parse_address
from embedmill.shared.providers.vectorstores.pinecone.limiter import MOST
from embedmill.shared.providers.vectorstores.pinecone.records import record_of
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.shared.providers.vectorstores.places import Owner
from embedmill.shared.providers.vectorstores.rows import VectorRow
from embedmill.simulators.faults import Fault
from embedmill.simulators.pinecone import PineconeSimulator
from embedmill.simulators.serving import SimulatorServer
from tests.contracts.rows import DIMENSIONS, make_row, near, one_of, unit_vector, without_vector
from tests.contracts.vectorstore import VectorStoreContract
from tests.shared.providers.vectorstores.pinecone.opening import (
    INDEX,
    LATE_SECONDS,
    TRIES,
    asked_until_late,
    open_pinecone,
    paths,
    upserts,
)
from tests.waiting import wait_until


class TestContract(VectorStoreContract):
    pass


def test_of_an_answer_without_end_no_more_is_read_than_an_answer_may_have(
    store: PineconeVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.upsert("s", [make_row()])
    monkeypatch.setattr(answer_bounds, "MOST_BYTES", 10)
    with pytest.raises(ProviderUnavailable, match="Pinecone sent more than 0 MB for one answer"):
        store.count("s")


def test_what_was_written_is_counted_only_when_it_can_be_read(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    store.upsert("s", [make_row()])
    simulator.faults.add(Fault(kind="late", path="upsert", seconds=LATE_SECONDS))
    store.upsert("s", [make_row("d2", ordinal=n) for n in range(3)])
    assert asked_until_late(lambda: store.count_versions("s", {"d2": "v1"}), simulator) == {"d2": 3}


def test_writes_that_stay_unseen_park_the_work(simulator: PineconeSimulator, tmp_path: Path) -> None:
    store = open_pinecone(tmp_path, f"pinecone://{INDEX}?fresh=0.3")
    simulator.faults.add(Fault(kind="late", path="upsert", seconds=60))
    store.upsert("s", [make_row()])
    with pytest.raises(FlowControl, match="cannot be read yet") as parked:
        store.count_versions("s", {"d1": "v1"})
    assert parked.value.reason == "rate"
    simulator.clock.advance(60)
    assert store.count_versions("s", {"d1": "v1"}) == {"d1": 1}
    store.close()


def test_without_positions_the_ids_are_listed_until_they_are_there(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    store.upsert("s", [make_row()])
    assert store.count("s") == 1
    simulator.faults.add(Fault(kind="late", path="upsert", seconds=LATE_SECONDS))
    store.upsert("s", [make_row("d2")])
    store._unseen.forget_positions()
    assert asked_until_late(lambda: store.count_versions("s", {"d2": "v1"}), simulator) == {"d2": 1}


def test_a_batch_that_was_taken_in_part_is_sent_again_and_otherwise_an_error(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    simulator.faults.add(Fault(kind="partial", path="upsert", times=TRIES))
    rows = [make_row(ordinal=n) for n in range(4)]
    with pytest.raises(ProviderUnavailable, match="2 of 4"):
        store.upsert("s", rows)
    simulator.faults.add(Fault(kind="partial", path="upsert"))
    store.upsert("s", rows)
    assert store.count_versions("s", {"d1": "v1"}) == {"d1": 4}


def test_rows_that_were_lost_are_counted_as_they_are(simulator: PineconeSimulator, tmp_path: Path) -> None:
    store = open_pinecone(tmp_path, f"pinecone://{INDEX}?fresh=0.3")
    store.upsert("s", [make_row(ordinal=n) for n in range(3)])
    assert store.count("s") == 3
    del simulator.indexes[INDEX].namespaces["c1-s"].records["d1-v1-1.1"]
    assert store.count_versions("s", {"d1": "v1"}) == {"d1": 2}
    store.close()


def test_upserts_are_packed_by_bytes(simulator: PineconeSimulator, tmp_path: Path) -> None:
    store = open_pinecone(tmp_path, dimensions=1024)
    rng = np.random.default_rng(0)
    rows = [make_row(f"d{n}", text="x" * 4000, vector=rng.standard_normal(1024).astype(np.float32)) for n in range(300)]
    store.upsert("s", rows)
    assert store.count("s") == 300
    sent = [e for e in simulator.exchanges if e.path.endswith("upsert")]
    assert {e.status for e in sent} == {200}
    assert len(sent) == 3
    store.close()


def test_many_small_rows_keep_to_a_thousand_records(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    store.upsert("s", [make_row(f"d{n:04}") for n in range(1001)])
    assert paths(simulator).count("/vectors/upsert") == 2
    assert store.count("s") == 1001
    assert sum(rows for _, _, rows in store.list_editions("s")) == 1001


def test_what_is_over_forty_kilobytes_spills_and_goes_with_its_row(
    store: PineconeVectorStore, simulator: PineconeSimulator, tmp_path: Path
) -> None:
    def spilled() -> int:
        return len(list(FolderBlobStore(tmp_path / "spilled").list_objects()))

    row = make_row(text="ж" * 30_000, metadata={"lang": "de", "big": ["y" * 3000] * 9})
    store.upsert("s", [row, make_row("d2")])
    store.upsert("s", [row])
    assert store.count("s") == 2
    assert spilled() == 1
    held = simulator.vectors(INDEX, "c1-s")[row.id]["metadata"]
    assert "em_row" not in held
    assert "big" not in held
    assert without_vector(store.fetch("s", [row.id])[row.id]) == without_vector(row)
    assert len(near(store, "s", unit_vector(1), top_k=3, where=one_of({"lang": "de"}))) == 1
    store.upsert("s", [make_row(text="z" * 60_000, generation=2)])
    assert store.count("s") == 3
    assert spilled() == 2
    assert store.delete_stale("s", {"d1": 3}) == 2
    assert spilled() == 0
    store.upsert("s", [row])
    store.drop("s")
    assert spilled() == 0


def test_vectors_that_are_not_finite_are_never_sent(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    with pytest.raises(InternalError):
        store.upsert("s", [make_row(vector=np.full(DIMENSIONS, np.inf, np.float32))])
    with pytest.raises(InternalError):
        store.search_vectors(["s"], np.full(DIMENSIONS, np.nan, np.float32), top_k=1)
    assert paths(simulator) == []


@pytest.mark.parametrize("document", ["d-ä", "x" * 513])
def test_ids_that_pinecone_could_not_read_back_are_refused(store: PineconeVectorStore, document: str) -> None:
    with pytest.raises(InternalError):
        store.upsert("s", [make_row(document)])


def test_a_short_refusal_is_waited_for_and_halves_the_limit(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    store.upsert("s", [make_row()])
    limiter = store._asking.client.limiter("c1-s")
    for _ in range(1000):
        limiter.succeeded()
    simulator.faults.add(Fault(kind="status", status=429, path="upsert", headers={"retry-after": "1"}))
    store.upsert("s", [make_row("d2")])
    assert store.count("s") == 2
    assert limiter.limit <= MOST / 2 + 2


def test_a_late_delete_takes_no_row_that_was_written_after_the_look(
    store: PineconeVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The former text comes back under generation 3 while the delete of generation 1 is under way."""
    store.upsert("s", [make_row(version="a"), make_row(version="b", generation=2)])
    delete = store._delete

    def late(space: str, held: Mapping[str, Any]) -> int:
        monkeypatch.setattr(store, "_delete", delete)
        store.upsert("s", [make_row(version="a", generation=3)])
        assert store.count_editions("s", {"d1": ("a", 3)}) == {"d1": 1}
        store.delete_stale("s", {"d1": 3})
        return delete(space, held)

    monkeypatch.setattr(store, "_delete", late)
    store.delete_stale("s", {"d1": 2})
    assert list(store.list_editions("s")) == [("d1", Edition("a", 3), 1)]


def test_a_write_that_comes_late_takes_no_others_place(
    store: PineconeVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetch = store._asking.fetch

    def late(space: str, ids: Sequence[str]) -> dict[str, Any]:
        monkeypatch.setattr(store._asking, "fetch", fetch)
        held = fetch(space, ids)
        store.upsert("s", [make_row(generation=5, text="the owner's")])
        return held

    monkeypatch.setattr(store._asking, "fetch", late)
    store.upsert("s", [make_row(generation=4, text="too late")])
    assert store.delete_stale("s", {"d1": 5}) == 1
    assert [(row.generation, row.text) for row in store.list_rows("s")] == [(5, "the owner's")]


def test_records_of_others_are_passed_over(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    store.upsert("s", [make_row()])
    assert store.count("s") == 1
    held = simulator.indexes[INDEX].namespaces["c1-s"].records
    held["somebody's"] = held["d1-v1-1.0"] | {"id": "somebody's", "metadata": {}}
    assert [match.id for match in near(store, "s", unit_vector(1), top_k=9)] == ["d1-v1-1.0"]
    assert list(store.list_editions("s")) == [("d1", Edition("v1", 1), 1)]
    assert [row.id for row in store.list_rows("s")] == ["d1-v1-1.0"]


def rows_of_the_first_release(simulator: PineconeSimulator, *rows: VectorRow) -> None:
    """As 0.1.0 wrote them: their ids tell no generation."""
    held = simulator.indexes[INDEX].namespaces["c1-s"].records
    for row in rows:
        made = record_of(row, lambda _: "")
        id = f"{row.document}-{row.version}-{row.ordinal}"
        held[id] = made | {"id": id}


def test_rows_of_the_first_release_are_read_replaced_and_deleted(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    store.upsert("s", [make_row("other")])
    assert store.count("s") == 1
    rows_of_the_first_release(simulator, make_row(generation=3), make_row(ordinal=1, generation=3), make_row("d2"))
    assert sorted(store.list_editions("s")) == [
        ("d1", Edition("v1", None), 2), ("d2", Edition("v1", None), 1), ("other", Edition("v1", 1), 1)
    ]  # fmt: skip
    assert {row.generation for row in store.fetch_documents("s", ["d1"]).values()} == {3}
    assert {match.id for match in near(store, "s", unit_vector(1), top_k=9)} >= {"d1-v1-0", "d1-v1-1"}
    assert store.delete_stale("s", {"d1": 3}) == 0
    store.upsert("s", [make_row(generation=4)])
    assert store.count_editions("s", {"d1": ("v1", 4)}) == {"d1": 1}
    assert store.delete_stale("s", {"d1": 4}) == 2
    assert store.delete_ids("s", ["d2-v1-0"]) == 1


def test_a_long_refusal_parks_the_work_with_its_time(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    simulator.faults.add(Fault(kind="status", status=429, path="upsert", headers={"retry-after": "30"}))
    with pytest.raises(FlowControl) as parked:
        store.upsert("s", [make_row()])
    assert (parked.value.reason, parked.value.retry_after_seconds) == ("rate", 30)
    assert upserts(simulator) == 1


@pytest.mark.parametrize(
    ("status", "expected", "sent"),
    [
        (307, ProviderUnavailable, TRIES),
        (400, InternalError, 1),
        (401, KeyRefused, 1),
        (402, FlowControl, 1),
        (403, FlowControl, 1),
        (413, DocumentError, 1),
        (404, ProviderUnavailable, TRIES),
        (429, FlowControl, TRIES),
        (500, ProviderUnavailable, TRIES),
        (502, ProviderUnavailable, TRIES),
        (503, ProviderUnavailable, TRIES),
    ],
)
def test_refusals_are_translated_and_only_stumbles_are_sent_again(
    store: PineconeVectorStore, simulator: PineconeSimulator, status: int, expected: type[Exception], sent: int
) -> None:
    simulator.faults.add(Fault(kind="status", status=status, path="upsert", times=None, message="quotes a document"))
    with pytest.raises(expected) as refused:
        store.upsert("s", [make_row()])
    assert "quotes" not in str(refused.value)
    assert upserts(simulator) == sent


@pytest.mark.parametrize("path", ["/vectors/list", "/vectors/fetch", "/"])
@pytest.mark.parametrize("times", [1, None])
def test_a_namespace_is_gone_only_when_no_rows_are_counted_in_it(
    store: PineconeVectorStore, simulator: PineconeSimulator, path: str, times: int | None
) -> None:
    store.upsert("s", [make_row()])
    simulator.faults.add(Fault(kind="status", status=404, path=path, times=times))
    if times is None:
        with pytest.raises((ProviderUnavailable, FlowControl)):
            store.delete_stale("s", {"d1": 5})
        simulator.faults.clear()
    assert store.delete_stale("s", {"d1": 5}) == 1
    assert store.count_versions("s", {"d1": "v1"}) == {"d1": 0}


def test_a_gateway_that_knows_no_address_is_away_and_makes_no_index(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    simulator.faults.add(Fault(kind="status", status=404, times=None))
    with pytest.raises(ProviderUnavailable):
        store.count("s")


@pytest.mark.parametrize("kind", ["malformed", "truncated", "cut"])
def test_an_answer_that_is_none_is_the_services_failure_and_asked_for_again(
    store: PineconeVectorStore, simulator: PineconeSimulator, kind: str
) -> None:
    simulator.faults.add(Fault.model_validate({"kind": kind, "path": "upsert", "times": TRIES}))
    with pytest.raises(ProviderUnavailable):
        store.upsert("s", [make_row()])
    simulator.faults.add(Fault.model_validate({"kind": kind, "path": "upsert"}))
    store.upsert("s", [make_row("d2")])
    assert store.count_versions("s", {"d2": "v1"}) == {"d2": 1}


def test_a_service_that_stumbles_at_a_fifth_of_the_requests_does_all_that_is_asked(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    for status in (429, 503):
        simulator.faults.add(Fault(kind="status", status=status, path="/i/", times=None, probability=0.1))
    rows = [make_row(f"d{n:03}") for n in range(300)]
    store.upsert("s", rows)
    assert store.count_versions("s", {row.document: "v1" for row in rows}) == {row.document: 1 for row in rows}
    assert store.delete_ids("s", [rows[0].id]) == 1
    failed = sum(fault["happened"] for fault in simulator.faults.left())
    assert failed > 20
    assert len(paths(simulator)) <= len(rows) + failed + 30, "each is made again by itself, and nothing beside it"


def test_a_stumble_at_the_mark_of_a_place_sends_no_batch_back(tmp_path: Path, simulator: PineconeSimulator) -> None:
    with closing(open_pinecone(tmp_path, owner=Owner(lambda: "host-1", len))) as store:
        simulator.faults.add(*(Fault(kind="status", status=503, path="/namespaces", after=n) for n in (0, 1, 2)))
        store.upsert("marked", [make_row()])
        assert store.count_versions("marked", {"d1": "v1"}) == {"d1": 1}
        assert store.marks.read_marks("c1") == {"host-1"}
        simulator.faults.add(Fault(kind="status", status=429, path="/namespaces"))
        store.marks.remove_mark("c1", "host-1")
        assert store.marks.read_marks("c1") == set()


def test_a_dead_shard_is_given_up_in_seconds_and_its_neighbours_work(
    impatient: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    simulator.faults.add(Fault(kind="slow", seconds=60, match="c1-dead", times=None))
    with pytest.raises(FlowControl) as parked:
        impatient.upsert("dead", [make_row()])
    assert parked.value.reason == "circuit"
    assert "/vectors/upsert" not in paths(simulator), "its answer was not waited for"
    with pytest.raises(FlowControl, match="left alone"):
        impatient.count_versions("dead", {"d1": "v1"})
    impatient.upsert("alive", [make_row()])
    assert impatient.count("alive") == 1


def test_a_service_that_is_away_parks_the_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("PINECONE_API_KEY", "key")
    store = open_pinecone(tmp_path)
    with pytest.raises(ProviderUnavailable, match="no connection"):
        store.upsert("s", [make_row()])
    with pytest.raises(FlowControl) as parked:
        store.upsert("s", [make_row()])
    assert parked.value.reason == "circuit"


def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PINECONE_API_KEY", raising=False)
    with pytest.raises(KeyRefused, match="no Pinecone API key: PINECONE_API_KEY"):
        open_pinecone(tmp_path).count("s")
    assert open_pinecone(tmp_path).key_hash == ""


@pytest.mark.parametrize(
    ("fault", "reason", "seconds", "told"),
    [
        (Fault(kind="status", status=401, path="upsert"), "key", 60, "PINECONE_API_KEY"),
        (Fault(kind="status", status=401, path="/indexes"), "key", 60, "PINECONE_API_KEY"),
        (Fault(kind="status", status=402, path="upsert"), "budget", 300, "no credit is left"),
        (Fault(kind="status", status=403, path="upsert"), "circuit", 60, "plan and quotas"),
    ],
    ids=["key", "key-of-the-control-plane", "credit", "plan"],
)
def test_what_is_never_about_a_document_is_waited_for(
    store: PineconeVectorStore, simulator: PineconeSimulator, fault: Fault, reason: str, seconds: float, told: str
) -> None:
    simulator.faults.add(fault)
    with pytest.raises(FlowControl, match=told) as parked:
        store.upsert("s", [make_row()])
    assert (parked.value.reason, parked.value.retry_after_seconds) == (reason, seconds)
    store.upsert("s", [make_row()])
    assert store.key_hash


def test_an_index_of_other_dimensions_is_refused_and_names_can_hold_them(
    store: PineconeVectorStore, simulator: PineconeSimulator, tmp_path: Path
) -> None:
    store.upsert("s", [make_row()])
    with pytest.raises(SettingsError, match="8 dimensions"):
        open_pinecone(tmp_path, dimensions=4).count("s")
    named = open_pinecone(tmp_path, "pinecone://mill-{dimensions}", dimensions=4)
    assert named.count("s") == 0
    assert set(simulator.indexes) == {INDEX, "mill-4"}
    named.close()


def test_the_data_planes_host_can_be_given(
    store: PineconeVectorStore, service: SimulatorServer[PineconeSimulator], tmp_path: Path
) -> None:
    store.upsert("s", [make_row()])
    direct = open_pinecone(tmp_path, f"pinecone://?host={service.url}/i/{INDEX}")
    # A client that did not write waits like anybody until the write has arrived.
    wait_until(lambda: direct.count("s") == 1 == store.count("s"), "both see the row")
    assert "8 dimensions" in direct.check()
    direct.close()


def test_looking_at_an_index_that_is_not_there_makes_none(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    assert "not there yet" in store.check()
    assert not simulator.indexes
    store.upsert("s", [make_row()])
    assert store.count("s") == 1
    assert "1 vectors" in store.check()


@pytest.mark.parametrize("url", ["pinecone://", "pinecone://a/b", "pinecone://a?what=1", "pinecone://a?timeout=soon"])
def test_urls_that_mean_nothing_are_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match="EMBEDMILL_VECTOR_URL"):
        open_pinecone(tmp_path, url)


def test_an_index_at_a_simulator_is_another_than_the_vendors_of_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PINECONE_API_KEY", "same")
    client = PineconeClient(parse_address("pinecone://docs", dimensions=8), dimensions=8)
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", "https://api.pinecone.io")
    vendors = client.identity
    assert client.endpoint == ""
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", "http://127.0.0.1:5081/")
    assert client.endpoint == "http://127.0.0.1:5081"
    assert client.identity != vendors
