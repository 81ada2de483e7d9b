"""The history of one document: its versions, every attempt at it, what stands in its way, and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from embedmill.shared import stages
from embedmill.shared.db.schema import attempt, dead_letter, job, usage, work
from embedmill.shared.states import DocumentState, State

MOST_WORK = 50
MOST_ATTEMPTS = 200
MOST_CALLS = 5000
# A call is entered before it is made, and settled after it; both within an attempt, by the same clock.
SLACK_SECONDS = 1.0
MICROUSD = 1_000_000


@dataclass(frozen=True, slots=True)
class History:
    """What was done about a document, newest first; `letters` are its dead letters."""

    work: Sequence[Mapping[str, Any]]
    attempts: Sequence[Mapping[str, Any]]
    letters: Sequence[Mapping[str, Any]]


def read_history(connection: Connection, id_: str, *, upto: int | None = None) -> History:
    """The newest work on a document, up to one generation if that is given, its attempts and its dead letters."""
    until = [] if upto is None else [work.c.generation <= upto]
    works = (
        select(work, job.c.state.label("job_state"))
        .join_from(work, job)
        .where(work.c.document_id == id_, *until)
        .order_by(work.c.id.desc())
        .limit(MOST_WORK)
    )
    found = [dict(row) for row in connection.execute(works).mappings()]
    ids = [row["id"] for row in found]
    attempts = select(attempt, (attempt.c.ended_at - attempt.c.started_at).label("seconds")).where(
        attempt.c.work_id.in_(ids)
    )
    letters = select(dead_letter).where(dead_letter.c.work_id.in_(ids)).order_by(dead_letter.c.id.desc())
    return History(
        found,
        [
            dict(row)
            for row in connection.execute(attempts.order_by(attempt.c.id.desc()).limit(MOST_ATTEMPTS)).mappings()
        ],
        [dict(row) for row in connection.execute(letters.limit(MOST_ATTEMPTS)).mappings()],
    )


def sum_stages(history: History) -> list[dict[str, Any]]:
    """Seconds that workers had the document in hand, by stage, in the newest work that reads it."""
    newest = next((row["id"] for row in history.work if not row["deletes"]), None)
    mine = [row for row in history.attempts if row["work_id"] == newest]
    return [
        {"stage": stage, "seconds": round(sum(row["seconds"] for row in of_stage), 3), "attempts": len(of_stage)}
        for stage in stages.names()
        if (of_stage := [row for row in mine if row["stage"] == stage])
    ]


def last_error(state: DocumentState, history: History) -> str | None:
    """What stands in the document's way now; None where nothing does, whatever went wrong before."""
    if not history.work:
        return None
    newest = history.work[0]
    letter = next((row for row in history.letters if row["work_id"] == newest["id"]), None)
    if state in (DocumentState.DEAD, DocumentState.DISCARDED) and letter:
        return f"{letter['error_class']}: {letter['error']}"
    if newest["state"] in (State.WAITING, State.PENDING, State.QUEUED, State.RUNNING):
        last = next((row for row in history.attempts if row["work_id"] == newest["id"]), None)
        failed = (
            last is not None and last["stage"] == newest["stage"] and last["outcome"] in ("error", "lost", "parked")
        )
        return newest["reason"] if failed else None
    return None


@dataclass(frozen=True, slots=True)
class Cost:
    """A document's share of the calls that were made for it: each call is shared equally by its documents."""

    calls: int = 0
    usd: float = 0.0
    tokens_in: float = 0.0
    tokens_out: float = 0.0


def measure_cost(connection: Connection, id_: str, history: History) -> Cost:
    """What the ledger has for one document; calls of a vendor's batch name none, and are not in it."""
    jobs = {row["id"]: row["job_id"] for row in history.work}
    found: dict[int, Any] = {}
    for held in history.attempts:
        for row in _list_calls(connection, held):
            if row.job_id == jobs[held["work_id"]] and id_ in (row.documents or ()):
                found[row.id] = row
    shares = [(row, 1 / len(row.documents)) for row in found.values()]
    return Cost(
        calls=len(found),
        usd=round(sum((row.cost_microusd or 0) * share for row, share in shares) / MICROUSD, 9),
        tokens_in=round(sum(row.tokens_in * share for row, share in shares), 1),
        tokens_out=round(sum(row.tokens_out * share for row, share in shares), 1),
    )


def _list_calls(connection: Connection, held: Mapping[str, Any]) -> Sequence[Any]:
    """Calls that were entered while an attempt ran: by time, because the ledger has no index of documents."""
    during = usage.c.created_at.between(held["started_at"] - SLACK_SECONDS, held["ended_at"] + SLACK_SECONDS)
    columns = (
        usage.c.id,
        usage.c.job_id,
        usage.c.documents,
        usage.c.cost_microusd,
        usage.c.tokens_in,
        usage.c.tokens_out,
    )
    return connection.execute(select(*columns).where(during).limit(MOST_CALLS)).all()
