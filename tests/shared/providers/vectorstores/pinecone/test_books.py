"""What Pinecone bills is in the books, to the unit, whatever becomes of a request."""

from dataclasses import replace

import numpy as np
import pytest

from embedmill.shared.errors import (
    FlowControl,
    ProviderUnavailable,
)
from embedmill.shared.providers.vectorstores.pinecone import units
from embedmill.shared.providers.vectorstores.pinecone.store import PineconeVectorStore
from embedmill.simulators.faults import Fault
from embedmill.simulators.pinecone import PineconeSimulator
from tests.contracts.rows import DIMENSIONS, make_row, near, unit_vector
from tests.services.pinecone import billed
from tests.shared.providers.books import Books
from tests.shared.providers.vectorstores.pinecone.opening import LATE_SECONDS, asked_until_late
from tests.waiting import wait_until


def booked(store: PineconeVectorStore) -> tuple[PineconeVectorStore, Books]:
    books = Books()
    return store.with_meter(books), books


def require_equal_books(books: Books, simulator: PineconeSimulator) -> None:
    found = {name: books.answered(name) for name in units.OFFER.operations}
    assert {name: amount for name, amount in found.items() if amount} == billed(simulator)
    assert books.doubtful() == 0


def test_every_unit_of_a_rows_life_is_in_the_books(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    metered, books = booked(store)
    rows = [make_row(f"d{n:03}", text="x" * 2500) for n in range(130)]
    metered.upsert("s", [*rows, make_row("many", metadata={"big": "y" * 50_000})])
    metered.upsert("s", [make_row(f"d{n:03}", text="new") for n in range(3)])
    metered.count_versions("s", {"d000": "v1", "many": "v1", "nobody": "v1"})
    found = near(metered, "s", unit_vector(1), top_k=3)
    metered.score("s", [match.id for match in found], unit_vector(1))
    assert len(list(metered.list_rows("s"))) == 131
    assert len(list(metered.list_editions("s"))) == 131
    assert len(metered.fetch_documents("s", ["d000", "d001"])) == 2
    assert metered.delete_stale("s", {"d000": 3, "d010": 1}) == 1
    assert metered.delete_ids("s", [row.id for row in rows[:20]] + ["nobody-v1-1.0"]) == 19
    metered.drop("s")
    metered.count("s")
    require_equal_books(books, simulator)
    assert all(books.answered(name) for name in units.OFFER.operations)
    assert all(usage.documents for usage in books.reserved if usage.operation == "upsert")


def test_the_books_name_the_documents_and_count_the_requests(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    metered, books = booked(store)
    metered.upsert("s", [make_row("d1"), make_row("d2")])
    metered.count_versions("s", {"d2": "v1", "d1": "v1"})
    listed = books.reserved[-1]
    assert (listed.operation, listed.inputs, listed.documents) == ("list", 2, ("d1", "d2"))
    assert books.ended[len(books.reserved) - 1].inputs == 2
    assert list(dict.fromkeys(usage.operation for usage in books.reserved)) == [
        "fetch", "upsert", "query", "list",
    ]  # fmt: skip


def test_what_one_account_wrote_another_waits_for(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    mine, _ = booked(store)
    theirs, books = booked(store)
    mine.upsert("s", [make_row()])
    simulator.faults.add(Fault(kind="late", path="upsert", seconds=LATE_SECONDS))
    mine.upsert("s", [make_row("d2")])
    assert asked_until_late(lambda: theirs.count_versions("s", {"d2": "v1"}), simulator) == {"d2": 1}
    assert books.answered("query") > 1000, "it asked again and again"


def test_rows_that_are_there_are_not_written_and_paid_for_again(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    rows = [make_row("d1"), make_row("d2", vector=np.zeros(DIMENSIONS, np.float32)), make_row("d3", page=2)]
    store.upsert("s", rows)
    paid = simulator.bill.total("write_units")
    store.upsert("s", [*rows, make_row("d4")])
    assert store.count("s") == 4
    assert simulator.bill.total("write_units") == paid + 5
    store.upsert("s", [replace(rows[0], title="changed")])
    assert store.count("s") == 4
    assert simulator.bill.total("write_units") == paid + 5 + 5 + 1
    assert store.fetch("s", [rows[0].id])[rows[0].id].title == "changed"


@pytest.mark.parametrize(
    ("fault", "billed_for_it"),
    [
        (Fault(kind="status", status=503), "no"),
        (Fault(kind="status", status=500), "no"),
        (Fault(kind="status", status=504), "unknown"),
        (Fault(kind="status", status=429, headers={"retry-after": "30"}), "no"),
        (Fault(kind="slow", seconds=1.5), "unknown"),
        (Fault(kind="cut"), "unknown"),
        (Fault(kind="cut_body"), "unknown"),
        (Fault(kind="malformed"), "unknown"),
        (Fault(kind="partial"), "unknown"),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_a_write_that_may_be_billed_stays_in_the_books_and_its_repetition_is_covered(
    impatient: PineconeVectorStore, simulator: PineconeSimulator, fault: Fault, billed_for_it: str
) -> None:
    store, books = booked(impatient)
    rows = [make_row(f"d{n}", text="x" * 5_000) for n in range(4)]
    # A dead shard of another test may still be about to answer.
    others = simulator._in_flight
    simulator.faults.add(fault.model_copy(update={"path": "upsert"}))
    with pytest.raises((FlowControl, ProviderUnavailable)):
        store.upsert("s", rows)
    assert (books.doubtful("upsert") > 0) == (billed_for_it == "unknown")
    store._asking.client._limiters.clear()
    # The service may show what it took of the first attempt, or not yet.
    store.upsert("s", rows)
    wait_until(lambda: simulator._in_flight <= others, "the service has done what it was asked")
    assert (
        books.answered("upsert") <= billed(simulator)["upsert"] <= books.answered("upsert") + books.doubtful("upsert")
    )


def test_of_many_requests_what_was_answered_and_what_is_doubtful_stay_and_the_rest_is_given_back(
    impatient: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    store, books = booked(impatient)
    documents = {f"d{n:02}": "v1" for n in range(30)}
    store.upsert("s", [make_row(document) for document in documents])
    store.count_versions("s", documents)
    simulator.faults.add(Fault(kind="cut_body", path="list", after=10))
    with pytest.raises(ProviderUnavailable):
        store.count_versions("s", documents)
    last = books.ended[len(books.reserved) - 1]
    assert books.reserved[-1].milliunits == 30_000
    assert 11_000 <= last.doubtful_milliunits < 31_000, "one is in doubt"
    assert books.answered("list") + last.doubtful_milliunits == billed(simulator)["list"]


def test_without_money_nothing_is_asked(store: PineconeVectorStore, simulator: PineconeSimulator) -> None:
    store.upsert("s", [make_row()])
    store.count_versions("s", {"d1": "v1"})
    before = billed(simulator)
    poor = store.with_meter(Books(room=0))
    for ask in (
        lambda: poor.upsert("s", [make_row("d2")]),
        lambda: poor.count_versions("s", {"d1": "v1"}),
        lambda: poor.fetch("s", ["d1-v1-1.0"]),
        lambda: list(poor.list_rows("s")),
        lambda: poor.delete_stale("s", {"d1": 2}),
        lambda: poor.delete_ids("s", ["d1-v1-1.0"]),
        lambda: poor.drop("s"),
    ):
        with pytest.raises(FlowControl, match="no money"):
            ask()
    assert billed(simulator) == before
    assert poor.count("s") == 1, "statistics are free"


def test_what_was_tried_in_vain_is_not_in_the_books_and_what_may_be_billed_is(
    store: PineconeVectorStore, simulator: PineconeSimulator
) -> None:
    metered, books = booked(store)
    simulator.faults.add(Fault(kind="status", status=503, path="upsert", times=2))
    metered.upsert("s", [make_row()])
    require_equal_books(books, simulator)
    simulator.faults.add(Fault(kind="status", status=504, path="upsert"))
    metered.upsert("s", [make_row("d2")])
    assert books.doubtful() > 0
