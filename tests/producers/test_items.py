"""What a scan does with items that were not read, that are held, or that are proven to have left; and with memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from embedmill.producers import scanning
from embedmill.producers.departing import close_source
from embedmill.producers.memory import StoredMemory
from embedmill.producers.scanning import SourceScan
from embedmill.producers.sources.base import Departed, HeldItem, Item, Kept, Problem, ReadContext, Source, Spec
from embedmill.producers.sources.memory import Memory
from embedmill.shared import origins
from embedmill.shared.db import scans, source_memory
from embedmill.shared.db.engine import Database
from embedmill.shared.db.schema import document, scan_note, source
from embedmill.shared.errors import SourceError
from embedmill.shared.origins import Origin
from tests.contracts.sources import Desk, Killed, desk
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.conftest import runtime, tracker

__all__ = ["desk", "runtime", "tracker"]
NAMES = tuple(f"thing:{number}" for number in range(6))


@dataclass
class Things(Source):
    """Yields what it is told to."""

    kind: ClassVar[str] = "thing"

    items: Callable[[ReadContext], Iterator[Item]]
    detects_deletions: bool = True  # type: ignore[misc]

    @property
    def spec(self) -> Spec:
        return {"kind": self.kind, "uri": "thing:"}

    def read(self, context: ReadContext) -> Iterator[Item]:
        return self.items(context)


def things(*items: Item, detects_deletions: bool = True) -> Things:
    return Things(lambda _: iter(items), detects_deletions)


def held(*names: str) -> list[Item]:
    return [HeldItem(name, f"<p>{text_of(NAMES.index(name))}</p>".encode(), "text/html") for name in names]


@pytest.fixture
def filled(desk: Desk) -> Desk:
    """An index of six things that were held."""
    assert desk.ingest(things(*held(*NAMES))).documents.completed == 6
    return desk


def notes(desk: Desk, kind: str) -> list[tuple[str, str]]:
    return [(row["uri"], row["reason"]) for row in desk.tracker.rows(scan_note) if row["kind"] == kind]


def test_what_is_held_is_parsed_by_its_type_and_known_by_its_bytes(filled: Desk) -> None:
    assert filled.indexed()[NAMES[2]] == " ".join(text_of(2).split())
    assert filled.ingest(things(*held(*NAMES))).documents.unchanged == 6


def test_what_is_kept_stays_and_counts_as_unchanged(filled: Desk) -> None:
    kept = [Kept(name) for name in NAMES[:5]] + [Kept(NAMES[5], "it answered 503")]
    report = filled.ingest(things(*kept), allow_deletes=True)
    assert (report.documents.unchanged, report.problems) == (6, 0)
    assert len(filled.indexed()) == 6
    assert notes(filled, "note") == [(NAMES[5], "it answered 503")]


def test_what_is_kept_and_was_never_there_is_a_problem_or_skipped(filled: Desk) -> None:
    kept = [Kept(name) for name in NAMES]
    report = filled.ingest(things(*kept, Kept("thing:7", "503"), Kept("thing:8", "archived", skipped_if_new=True)))
    assert (report.problems, report.documents.skipped) == (1, 2)
    assert notes(filled, "problem") == [("thing:7", "503")]
    assert notes(filled, "skipped") == [("thing:8", "archived")]


def test_a_source_is_told_what_is_settled_and_that_changes_with_the_settings(filled: Desk) -> None:
    told: list[frozenset[str]] = []

    def ask(context: ReadContext) -> Iterator[Item]:
        told.append(context.settled([*NAMES, "thing:7"]))
        return iter(Kept(name) for name in NAMES)

    filled.ingest(Things(ask))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("embedmill.shared.collections.PIPELINE_VERSION", "1")
        filled.ingest(Things(ask))
    assert told == [frozenset(NAMES), frozenset()]


@pytest.mark.parametrize("detects_deletions", [True, False])
def test_what_is_proven_to_have_left_leaves_whatever_the_listing_proves(
    filled: Desk, *, detects_deletions: bool
) -> None:
    left = things(Departed(NAMES[0], "404"), Problem("thing:", "cut"), detects_deletions=detects_deletions)
    assert filled.ingest(left).documents.deleted == 1
    assert filled.indexed().keys() == set(NAMES[1:])
    assert (NAMES[0], "404") in notes(filled, "note")


def test_proofs_of_more_than_a_fifth_are_asked_about(filled: Desk) -> None:
    left = [Departed(name) for name in NAMES[:2]]
    assert filled.ingest(things(*left, detects_deletions=False)).held_deletions == 2
    assert len(filled.indexed()) == 6
    filled.ingest(things(*left, detects_deletions=False), allow_deletes=True)
    assert len(filled.indexed()) == 4


def test_memory_is_durable_with_the_items_that_it_belongs_to(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def remember(context: ReadContext) -> Iterator[Item]:
        for item, name in zip(held(*NAMES), NAMES, strict=True):
            context.memory.put_many({name: {"seen": True}})
            yield item

    record = SourceScan.record
    done: list[Any] = []

    def end_after_one(scan: SourceScan, batch: Any) -> Any:
        if done:
            raise Killed
        done.append(batch)
        return record(scan, batch)

    with monkeypatch.context() as patch:
        patch.setattr(scanning, "BATCH_ITEMS", 2)
        patch.setattr(SourceScan, "record", end_after_one)
        with pytest.raises(Killed):
            desk.scan(Things(remember))
    found = {row["uri"] for row in desk.tracker.rows(document)}
    assert {key for key, _ in recalled(desk).walk()} == found == set(NAMES[:2])
    desk.ingest(Things(remember))
    assert recalled(desk).get_many([*NAMES, "x"]) == {name: {"seen": True} for name in NAMES}


def recalled(desk: Desk) -> Memory:
    (mine,) = (row["id"] for row in desk.tracker.rows(source) if row["spec"].get("uri") == "thing:")
    return StoredMemory(desk.runtime.database, mine, desk.runtime.vault)


def test_memory_is_forgotten_with_its_source(desk: Desk) -> None:
    def remember(context: ReadContext) -> Iterator[Item]:
        context.memory.put_many({"a": {"n": 1}, "b": {"n": 2}})
        context.memory.forget(["b"])
        assert context.memory.get_many(["a", "b"]) == {"a": {"n": 1}}
        return iter(held(*NAMES))

    desk.ingest(Things(remember))
    memory = recalled(desk)
    assert list(memory.walk()) == [("a", {"n": 1})]
    (mine,) = (row["id"] for row in desk.tracker.rows(source) if row["spec"].get("uri") == "thing:")
    close_source(desk.runtime, mine)
    assert list(memory.walk()) == []


def test_memory_is_walked_once_with_what_is_not_durable_yet(database: Database) -> None:
    tracked = Tracker(database)
    values: dict[str, Mapping[str, Any]] = {f"https://{number}/" + "ä\0" * 2000: {"n": number} for number in range(9)}
    database.transact(lambda c: source_memory.write_memory(c, tracked.source, values))
    memory = StoredMemory(database, tracked.source, SimpleNamespace(open_json=lambda _, value: value))  # type: ignore[arg-type]
    memory.put_many({"new": {"n": 9}, next(iter(values)): {"n": 0}})
    walked = list(memory.walk())
    assert sorted(value["n"] for _, value in walked) == list(range(10))
    after = walked[4][0]
    assert list(memory.walk(after)) == walked[5:]


def test_another_package_brings_a_source_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {"tape": Origin(source="x:Y"), "bad": object()}

    def load(name: str) -> Any:
        if name == "broken":
            raise ImportError(name)
        return found[name]

    def entry_points(*, group: str, name: str) -> list[Any]:
        known = (*found, "broken") if group == "embedmill.sources" else ()
        return [SimpleNamespace(value="x", module="x", load=lambda: load(name))] if name in known else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    origins._find_entry_point.cache_clear()
    assert origins.find_origin("tape") == found["tape"]
    assert origins.find_origin("none") is None
    assert not scans.names_places("broken")
    for name in ("bad", "broken"):
        with pytest.raises(SourceError):
            origins.find_origin(name)
    origins._find_entry_point.cache_clear()
