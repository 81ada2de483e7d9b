"""Leaves a record of every query that was answered: numbers and hashes, by which readers can say what they think."""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from embedmill.retrieval.steps import Step, count_kept
from embedmill.shared.db.query_records import QueryRecord
from embedmill.shared.runtime import Runtime

if TYPE_CHECKING:
    from embedmill.retrieval.hits import SearchResult
    from embedmill.retrieval.question import Mode

SHOWN = 50
"""So many hits can be judged: more than anybody reads."""
MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Door:
    """How a query came in: by which command, to which collection, and with what."""

    name: str
    collection: str
    mode: "Mode"
    filtered: bool
    ranked: bool


@dataclass(frozen=True, slots=True)
class CameTo:
    """What a query came to, with all that was done for it; `seconds` from the question to the answer."""

    steps: Sequence[Step]
    faults: Mapping[str, int]
    degraded: bool
    seconds: float


def note_query(runtime: Runtime, door: Door, found: "SearchResult", came_to: CameTo) -> str | None:
    """Have a query recorded, behind its answer; returns the result's id, None where none is recorded."""
    if not runtime.settings.record_queries:
        return None
    record = replace(_record(secrets.token_hex(8), door, found, came_to), asked_by=asker_of(runtime))
    runtime.query_log.add(record)
    return record.id


def asker_of(runtime: Runtime) -> str | None:
    """By what somebody who reads some access levels only is told of their own queries; None for all others."""
    principal = runtime.principal
    if principal.reads_every_level:
        return None
    return runtime.keys.mac("asker", principal.name).hex()[:32]


def _record(id_: str, door: Door, found: "SearchResult", came_to: CameTo) -> QueryRecord:
    steps = [step for step in came_to.steps if step.ran or step.failed]
    return QueryRecord(
        id=id_,
        collection=door.collection,
        door=door.name,
        text=found.query.original,
        mode=door.mode,
        filtered=door.filtered,
        ranked=door.ranked,
        models={step.name: {"model": step.model, "prompt": step.prompt} for step in steps if step.model},
        hits=len(found.hits),
        relevance=found.relevance,
        degraded=came_to.degraded,
        partial=len(found.partial),
        seconds=came_to.seconds,
        steps={step.name: (step.seconds, step.given, step.out, step.unpriced_calls or 0) for step in steps},
        calls=sum(step.calls for step in steps),
        cost_microusd=round(MICRO * sum(step.usd for step in steps)),
        cached=count_kept(came_to.steps),
        saved_microusd=round(MICRO * sum(step.saved_usd for step in came_to.steps)),
        faults=dict(came_to.faults),
        hallucinations=sum(came_to.faults.values()),
        shown=[f"{hit.document}/{hit.chunk}" for hit in found.hits[:SHOWN]],
        first_rank=found.hits[0].rank if found.hits else 1,
        asked_at=time.monotonic(),
    )
