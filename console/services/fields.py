"""The fields that a collection's metadata has, as filters can ask for them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from embedmill.console.services.reach import in_collection, reach_within
from embedmill.console.services.serving import serves
from embedmill.shared.access.principals import Right
from embedmill.shared.db import collections
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.fields import list_metadata
from embedmill.shared.filtering.conditions import Condition, fields_named
from embedmill.shared.filtering.fields import OWN, walk
from embedmill.shared.filtering.readings import Axis, Reading
from embedmill.shared.privacy.document_seals import METADATA
from embedmill.shared.runtime import Runtime

MOST_DOCUMENTS = 10_000
"""Looked at: some tenths of a second."""
MOST_FIELDS = 1_000
MOST_VALUES = 1_000
"""Different values of a field that are told apart."""
EXAMPLES = 5
EXAMPLE_LETTERS = 60

Kind = Literal["text", "number", "date", "boolean"]
KINDS: Mapping[Axis, Kind] = {"number": "number", "moment": "date", "truth": "boolean", "text": "text"}
"""What a value is, by the first of its axes: a text that is written as a number counts as one."""


@dataclass(frozen=True, slots=True)
class FieldReport:
    """A field of the metadata: in how many of the documents that were looked at, and what it holds there.

    `values` is how many different ones there are, None where they are too many to count; `examples` are the most
    frequent. `least` and `greatest` are of its numbers and dates, None without any.
    """

    name: str
    types: Sequence[Kind]
    documents: int
    values: int | None
    examples: Sequence[Any]
    least: Any
    greatest: Any


@dataclass(frozen=True, slots=True)
class FieldReports:
    """The fields of a collection, those of the most documents first; `looked_at` of its documents were read.

    There are `more` where a document has a field beyond the first MOST_FIELDS that were met.
    """

    collection: str
    documents: int
    looked_at: int
    fields: Sequence[FieldReport]
    more: bool


@dataclass(slots=True)
class _Gathered:
    """What is known of a field so far."""

    documents: int = 0
    types: set[Kind] = field(default_factory=set)
    values: Counter[tuple[str, Any]] = field(default_factory=Counter)
    is_full: bool = False
    ends: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def add(self, value: Any, reading: Reading) -> None:
        axis = next(axis for axis in KINDS if axis in reading)
        self.types.add(KINDS[axis])
        if axis in ("number", "moment"):
            self._reach(axis, reading[axis], value)
        named = (type(value).__name__, value)
        if named in self.values or len(self.values) < MOST_VALUES:
            self.values[named] += 1
        else:
            self.is_full = True

    def _reach(self, axis: str, place: Any, value: Any) -> None:
        """Ends by axis, of numbers before dates; each with the place that it has there."""
        least, greatest = self.ends.get(axis, ((place, value), (place, value)))
        self.ends[axis] = (min(least, (place, value), key=_place), max(greatest, (place, value), key=_place))

    def report(self, name: str) -> FieldReport:
        common = sorted(self.values.items(), key=lambda found: (-found[1], str(found[0])))[:EXAMPLES]
        least, greatest = self.ends.get("number") or self.ends.get("moment") or ((None, None), (None, None))
        return FieldReport(
            name=name,
            types=sorted(self.types),
            documents=self.documents,
            values=None if self.is_full else len(self.values),
            examples=[_shown(value) for (_, value), _ in common],
            least=least[1],
            greatest=greatest[1],
        )


@serves("collections.fields", Right.READ, in_collection("name"), filters=True)
def list_fields(runtime: Runtime, name: str) -> FieldReports:
    """The fields of a collection's metadata, of all documents that the caller sees or a sample; raises NotFound."""
    documents, metadata = runtime.database.query(lambda connection: _read(runtime, connection, name))
    gathered = _Fields()
    for each in metadata:
        gathered.add(each)
    return FieldReports(name, documents, len(metadata), gathered.report(), gathered.more)


def note_unknown(runtime: Runtime, name: str, condition: Condition) -> list[str]:
    """A note for each field that a filter asks for and no document has, as far as was looked; raises NotFound."""
    documents, metadata = runtime.database.query(lambda connection: _read(runtime, connection, name))
    known = {field_name for each in metadata for field_name, *_ in walk(each.items())}.union(OWN)
    whose = "no document" if len(metadata) == documents else f"none of {len(metadata)} documents that were looked at"
    hint = f"embedmill collections fields {name} lists what there is"
    return [f"{whose} has a field {unknown!r}: {hint}" for unknown in sorted(fields_named(condition) - known)]


def _read(runtime: Runtime, connection: Connection, name: str) -> tuple[int, list[Mapping[str, Any]]]:
    """How many documents there are, and the metadata of some."""
    found = collections.get_collection(connection, name)
    reach = reach_within(runtime.principal, found)
    documents, _ = collections.count_documents(connection, found.id, reach)
    listed = list_metadata(connection, found.id, most=MOST_DOCUMENTS, reach=reach)
    return documents, [runtime.vault.open_json(METADATA, metadata) for metadata in listed]


class _Fields:
    """What is known of the fields so far."""

    def __init__(self) -> None:
        self.more = False
        self._held: dict[str, _Gathered] = {}

    def add(self, metadata: Mapping[str, Any]) -> None:
        """One document's."""
        seen: set[str] = set()
        for name, value, reading in walk(metadata.items()):
            if name not in self._held and len(self._held) == MOST_FIELDS:
                self.more = True
            elif reading:
                held = self._held.setdefault(name, _Gathered())
                held.add(value, reading)
                held.documents += name not in seen
                seen.add(name)

    def report(self) -> list[FieldReport]:
        """Those of the most documents first."""
        reports = [held.report(name) for name, held in self._held.items()]
        return sorted(reports, key=lambda report: (-report.documents, report.name))


def _place(end: tuple[Any, Any]) -> Any:
    return end[0]


def _shown(value: Any) -> Any:
    is_long = isinstance(value, str) and len(value) > EXAMPLE_LETTERS
    return f"{value[:EXAMPLE_LETTERS]}…" if is_long else value
