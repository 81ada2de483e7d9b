"""Owns the comparison of a collection's tracker with its vector store.

Both sides are walked together in the order of documents, so that memory does not grow with the collection. What differs
at first sight is looked at again: the tracker is read before and after the store, and what moved between, or is being
worked on, is not held against anybody.
"""

from collections.abc import Collection as Shards
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter

from embedmill.shared.db import manifest
from embedmill.shared.db.collections import Collection
from embedmill.shared.db.manifest import Tracked, Unsettled
from embedmill.shared.editions import Edition
from embedmill.shared.paging import batched
from embedmill.shared.runtime import Runtime

PAGE = 500
SHOWN = 20
LOOKS = 3
"""So often a document is looked at again that another's hand is moving."""


@dataclass(frozen=True, slots=True)
class Held:
    """An edition of a document as a shard holds it."""

    shard: str
    document: str
    edition: Edition
    rows: int


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with one document; `surplus` are editions that readers do not see and nobody will switch to."""

    document: str
    tracked: Tracked | None
    lacks_rows: bool
    surplus: tuple[Held, ...]


@dataclass(slots=True)
class Findings:
    """What was found in one collection, counted.

    `missing` are documents of which the store lacks vectors; `stale` are editions that readers do not see any more,
    `orphan` editions of documents that the tracker does not know as indexed. `in_flight` are documents that looked
    different and are being worked on. What is in shards that are `unread` counts as missing; but of documents that
    belong to `silent` ones, which do not answer now, nobody can tell: `unanswered` is their number.
    """

    documents: int = 0
    chunks: int = 0
    vectors: int = 0
    missing: int = 0
    stale: int = 0
    orphan: int = 0
    in_flight: int = 0
    unanswered: int = 0
    unread: frozenset[str] = frozenset()
    silent: frozenset[str] = frozenset()
    examples: dict[str, list[str]] = field(default_factory=lambda: {"missing": [], "orphan": [], "stale": []})

    @property
    def ok(self) -> bool:
        """Whether store and tracker agree."""
        return not (self.missing or self.stale or self.orphan or self.unread or self.silent)

    def readable(self, collection: Collection) -> list[str]:
        """The shards that can be read, in the order in which readers ask them."""
        return [shard for shard in collection.reading_shards if shard not in self.unread | self.silent]

    def is_silent_about(self, collection: Collection, document: str) -> bool:
        """Whether a shard that may hold a document does not answer."""
        return bool(self.silent) and not self.silent.isdisjoint(
            {collection.home(document), collection.former_home(document)}
        )

    def note(self, difference: Difference) -> None:
        """Count a difference and keep it as an example while there are few."""
        tracked, kind = difference.tracked, "stale" if difference.tracked else "orphan"
        if tracked is not None and difference.lacks_rows:
            self.missing += 1
            self._show("missing", tracked.uri)
        self.stale += len(difference.surplus) if tracked else 0
        self.orphan += 0 if tracked else len(difference.surplus)
        for held in difference.surplus:
            self._show(kind, held.document)

    def _show(self, kind: str, name: str) -> None:
        if len(self.examples[kind]) < SHOWN:
            self.examples[kind].append(name)


def compare(
    runtime: Runtime, collection: Collection, *, without: Shards[str] = (), silent: Shards[str] = ()
) -> Findings:
    """Count what differs, where the shards `without` cannot be read, and the `silent` ones not now."""
    findings = Findings(unread=frozenset(without), silent=frozenset(silent))
    for _ in find_differences(runtime, collection, findings):
        pass
    return findings


def find_differences(runtime: Runtime, collection: Collection, findings: Findings) -> Iterator[list[Difference]]:
    """What differs and has been looked at again, by pages; counted in `findings` as it comes."""
    for suspects in batched(_suspects(runtime, collection, findings), PAGE):
        confirmed = _look_again(runtime, collection, suspects, findings)
        for difference in confirmed:
            findings.note(difference)
        if confirmed:
            yield confirmed


def _suspects(runtime: Runtime, collection: Collection, findings: Findings) -> Iterator[str]:
    """Documents of which the two sides tell different things, in one walk that takes its time."""
    shards = findings.readable(collection)
    for document, tracked, held in walk(_each_tracked(runtime, collection), _each_held(runtime, collection, shards)):
        findings.documents += tracked is not None
        findings.chunks += tracked.indexed if tracked else 0
        findings.vectors += sum(entry.rows for entry in held)
        if findings.is_silent_about(collection, document):
            findings.unanswered += tracked is not None
        elif judge(collection, document, tracked, held) is not None:
            yield document


def walk(
    tracked: Iterable[Tracked], held: Iterable[Iterable[Held]]
) -> Iterator[tuple[str, Tracked | None, list[Held]]]:
    """Each document that one side knows with what both have of it; every iterable is in the order of documents."""
    of_tracker: Iterator[tuple[str, Tracked | Held]] = ((entry.id, entry) for entry in tracked)
    of_store = [((entry.document, entry) for entry in shard) for shard in held]
    for document, entries in groupby(merge(of_tracker, *of_store, key=itemgetter(0)), itemgetter(0)):
        known = [entry for _, entry in entries]
        yield (
            document,
            next((entry for entry in known if isinstance(entry, Tracked)), None),
            [entry for entry in known if isinstance(entry, Held)],
        )


def _each_tracked(runtime: Runtime, collection: Collection) -> Iterator[Tracked]:
    return chain.from_iterable(manifest.walk_tracked(runtime.database, collection.id, page=PAGE))


def _each_held(runtime: Runtime, collection: Collection, shards: Iterable[str]) -> list[Iterator[Held]]:
    store = runtime.store(collection)

    def each(shard: str) -> Iterator[Held]:
        return (Held(shard, *held) for held in store.list_editions(shard))

    return [each(shard) for shard in shards]


def _look_again(
    runtime: Runtime, collection: Collection, suspects: Sequence[str], findings: Findings
) -> list[Difference]:
    """Those that still differ while nothing about them moves."""
    confirmed: list[Difference] = []
    left = list(suspects)
    store = runtime.store(collection)
    for _ in range(LOOKS):
        before = _read(runtime, collection, left)
        held: dict[str, list[Held]] = {}
        for shard in findings.readable(collection):
            for document, edition, rows in store.find_editions(shard, left):
                held.setdefault(document, []).append(Held(shard, document, edition, rows))
        after = _read(runtime, collection, left)
        still = [document for document in left if before.is_at_rest(document) and before.says_as(after, document)]
        confirmed += _judge_all(collection, still, after, held)
        left = sorted({*left} - {*still})
        if not left:
            break
    findings.in_flight += len(left)
    return confirmed


@dataclass(frozen=True, slots=True)
class _Tracker:
    """What the tracker says of some documents at one moment."""

    tracked: Mapping[str, Tracked]
    unsettled: Mapping[str, Unsettled]

    def is_at_rest(self, document: str) -> bool:
        """Whether nobody is writing or removing rows of it."""
        return document not in self.unsettled or not self.unsettled[document].is_indexing

    def says_as(self, other: "_Tracker", document: str) -> bool:
        """Whether another moment says the same."""
        return self.tracked.get(document) == other.tracked.get(document) and (
            self.unsettled.get(document) == other.unsettled.get(document)
        )


def _read(runtime: Runtime, collection: Collection, ids: Sequence[str]) -> _Tracker:
    with runtime.database.read() as connection:
        return _Tracker(
            manifest.find_tracked(connection, collection.id, ids),
            manifest.find_unsettled(connection, collection.id, ids),
        )


def _judge_all(
    collection: Collection, ids: Iterable[str], tracker: _Tracker, held: Mapping[str, Sequence[Held]]
) -> list[Difference]:
    found = (
        judge(
            collection,
            document,
            tracker.tracked.get(document),
            held.get(document, ()),
            to_come=tracker.unsettled[document].generations if document in tracker.unsettled else frozenset(),
        )
        for document in ids
    )
    return [difference for difference in found if difference is not None]


def judge(
    collection: Collection,
    document: str,
    tracked: Tracked | None,
    held: Sequence[Held],
    *,
    to_come: frozenset[int] = frozenset(),
) -> Difference | None:
    """What differs; None when nothing does. Rows of generations that are still `to_come` are nobody's fault.

    What has more rows than it should is surplus as a whole: nobody knows which of them are right.
    """
    seen = [entry for entry in _seen(collection, tracked, held) if entry.rows <= tracked.indexed] if tracked else []
    surplus = tuple(entry for entry in held if entry not in seen and entry.edition.generation not in to_come)
    lacks_rows = tracked is not None and not _is_whole(tracked, seen)
    return Difference(document, tracked, lacks_rows, surplus) if lacks_rows or surplus else None


def _is_whole(tracked: Tracked, seen: Sequence[Held]) -> bool:
    """Whether one of its homes has all rows that the tracker claims, and no more."""
    return any(entry.rows == tracked.indexed for entry in seen) or not (tracked.indexed or seen)


def _seen(collection: Collection, tracked: Tracked, held: Sequence[Held]) -> list[Held]:
    """The rows that readers see: at home, and, between copy and deletion in a move, at the former home too.

    Rows of 0.1.0, which tell no generation, are seen where none of their version do.
    """
    homes = {collection.home(tracked.id), collection.former_home(tracked.id)}
    at_home = [entry for entry in held if entry.shard in homes and entry.edition.is_seen_as(tracked.edition)]
    exact = [entry for entry in at_home if entry.edition == tracked.edition]
    return exact or at_home
