"""What searches and answers came to by day and collection: how long each step took, what it cost."""

import time
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.console.services.reach import in_collection
from embedmill.console.services.recording import asker_of
from embedmill.console.services.serving import Trace, serves
from embedmill.retrieval.relevance import Relevance
from embedmill.shared.access.principals import Right
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.ledger import day_of
from embedmill.shared.db.query_records import MeasuredQuery, list_measured
from embedmill.shared.runtime import Runtime

DAY_SECONDS = 86_400
MICRO = 1_000_000
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long something took that was done `count` times: half of them no longer than `p50`, and so on."""

    count: int
    p50: float
    p95: float
    p99: float


@dataclass(frozen=True, slots=True)
class DayOfQueries:
    """The queries of a day (UTC) in a collection.

    `no_match` is the share of those without a hit that is near, of all of which that can be told (None where of none);
    `degraded` the share of those that had to do without something. `hallucinations` are quotes and sentences of models
    that nothing bears out. `cached` counts answers that were kept from before, and `saved_usd` what they had cost.
    `unpriced_calls` are those of the `calls` whose price nobody knows: what they cost is missing in `usd`.
    """

    day: str
    collection: str
    queries: int
    seconds: Seconds
    no_match: float | None
    degraded: float
    calls: int
    usd: float
    cached: int
    saved_usd: float
    hallucinations: int
    unpriced_calls: int
    steps: Mapping[str, Seconds]


@dataclass(frozen=True, slots=True)
class QueryStats:
    """What was recorded of queries since a day, the newest day first."""

    since: str
    collection: str | None
    days: Sequence[DayOfQueries]


@serves("stats", Right.READ, in_collection(), filters=True, trace=Trace.NOTHING)
def measure_queries(
    runtime: Runtime, *, days: int = 7, collection: str | None = None, now: float | None = None
) -> QueryStats:
    """What was recorded of the queries of so many days, today's included; raises NotFound.

    Who reads some access levels only is told of their own.
    """
    now = time.time() if now is None else now
    since = (now // DAY_SECONDS - (days - 1)) * DAY_SECONDS

    def find(connection: Connection) -> list[DayOfQueries]:
        within = None if collection is None else get_collection(connection, collection).id
        return add_up(list_measured(connection, since=since, collection_id=within, asked_by=asker_of(runtime)))

    runtime.query_log.flush()
    return QueryStats(day_of(since), collection, runtime.database.query(find))


@dataclass(slots=True)
class _Sums:
    """What is added up of a day and collection."""

    relevances: dict[str | None, int] = field(default_factory=dict)
    degraded: int = 0
    calls: int = 0
    microusd: int = 0
    cached: int = 0
    saved_microusd: int = 0
    hallucinations: int = 0
    unpriced_calls: int = 0
    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    steps: "dict[str, array[float]]" = field(default_factory=dict)

    def add(self, record: MeasuredQuery) -> None:
        self.relevances[record.relevance] = self.relevances.get(record.relevance, 0) + 1
        self.degraded += record.degraded
        self.calls += record.calls
        self.microusd += record.cost_microusd
        self.cached += record.cached
        self.saved_microusd += record.saved_microusd
        self.hallucinations += record.hallucinations
        self.seconds.append(record.seconds)
        for name, (seconds, _given, _out, *unpriced) in record.steps.items():
            self.steps.setdefault(name, array("d")).append(seconds)
            # Records of older releases say nothing of it.
            self.unpriced_calls += sum(map(int, unpriced))


def add_up(records: Iterable[MeasuredQuery]) -> list[DayOfQueries]:
    """Records by day and collection, the newest day first."""
    sums: dict[tuple[str, str], _Sums] = {}
    for record in records:
        sums.setdefault((day_of(record.created_at), record.collection), _Sums()).add(record)
    ordered = sorted(sums.items(), key=lambda item: item[0][1])
    ordered.sort(key=lambda item: item[0][0], reverse=True)
    return [_describe(*key, found) for key, found in ordered]


def _describe(day: str, collection: str, found: _Sums) -> DayOfQueries:
    queries = len(found.seconds)
    told = queries - found.relevances.get(None, 0)
    return DayOfQueries(
        day,
        collection,
        queries,
        _percentiles(found.seconds),
        no_match=round(found.relevances.get(Relevance.NONE, 0) / told, 4) if told else None,
        degraded=round(found.degraded / queries, 4),
        calls=found.calls,
        usd=found.microusd / MICRO,
        cached=found.cached,
        saved_usd=found.saved_microusd / MICRO,
        hallucinations=found.hallucinations,
        unpriced_calls=found.unpriced_calls,
        steps={name: _percentiles(seconds) for name, seconds in found.steps.items()},
    )


def _percentiles(seconds: "array[float]") -> Seconds:
    import numpy as np

    values = np.percentile(np.frombuffer(seconds), PERCENTILES)
    return Seconds(len(seconds), *(round(float(value), 6) for value in values))
