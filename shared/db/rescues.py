"""Work is taken away from workers that died or stopped answering; who is to blame for it is judged here."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    and_,
    bindparam,
    func,
    select,
)

from embedmill.shared import stages
from embedmill.shared.db.bulk import insert_each
from embedmill.shared.db.clock import clock
from embedmill.shared.db.running import Letter, bury, cancel_running, move_running
from embedmill.shared.db.schema import attempt, in_state, job, work, worker
from embedmill.shared.db.transitions import hold_with_jobs
from embedmill.shared.errors import WorkerLost
from embedmill.shared.stages import Product
from embedmill.shared.states import JobState, State, WorkerState

# Where a lost worker is hardly a document's fault, it takes so many times its attempts to bury it.
PATIENCE = 3
# Workers that were lost within this time say whether somebody else is killing them.
BLAME_SECONDS = 300.0
# So many deaths of its worker make no suspect of what waited for a provider; one that hangs its worker costs more.
FORGIVEN_DEATHS, FORGIVEN_SILENCES = 3, 1
_ASKING = stages.maker(Product.VECTORS)


@dataclass(frozen=True, slots=True)
class Rescue:
    """How many pieces of work went back to the queue and how many were buried."""

    returned: int
    dead: int


@dataclass(frozen=True, slots=True)
class _Blame:
    """What the loss of its worker means for a document: the attempts that it has used up, and whether it is dead."""

    attempts: int
    is_dead: bool = False


def rescue(connection: Connection, token: str) -> Rescue:
    """Take work away from a worker that has died.

    A crash is held against a document only if the worker held nothing else: the members of a larger claim become
    suspects, which are sent in halves of it, and get their attempt back (decision 0083). So a poison document is
    found, and its neighbours, and whatever else was running when somebody pulled the plug, are not blamed. Nor is
    what was alone, as long as at least as many workers die without it as with it: somebody else is killing them
    (decision 0022).
    """

    def blame(row: RowMapping) -> _Blame:
        if _was_in_company(row) or _count_lost_lately(connection) >= 2 * _count_losses(connection, row):
            return _blame_patiently(row)
        return _Blame(row["attempt"], row["attempt"] >= row["max_attempts"])

    return _take_away(connection, token, blame, forgiven=FORGIVEN_DEATHS)


def rescue_silent(connection: Connection, token: str) -> Rescue:
    """Take work away from a worker that stopped answering, and that nobody saw die.

    A frozen, starved or cut off worker is hardly its document's fault (decision 0022).
    """
    return _take_away(connection, token, _blame_patiently, forgiven=FORGIVEN_SILENCES)


def _blame_patiently(row: RowMapping) -> _Blame:
    """No attempt is used up; only what was alone with `PATIENCE` times as many lost workers is the cause."""
    is_dead = not _was_in_company(row) and row["crashes"] + 1 >= PATIENCE * row["max_attempts"]
    return _Blame(row["attempt"] - 1, is_dead)


def _was_in_company(row: RowMapping) -> bool:
    return bool(row["claimed_with"] > 1)


def _find_forgiven(connection: Connection, rows: Sequence[RowMapping], most: int) -> set[int]:
    """Those that are not suspected for it: lost so often at most where somebody else computes.

    There a worker waits, and is hardly killed by what it waits for. What waited together shares requests again.
    """
    asking = [r["id"] for r in rows if _was_in_company(r) and not r["crashes"] and r["stage"] == _ASKING]
    if not asking:
        return set()
    lost = and_(attempt.c.work_id.in_(asking), attempt.c.stage == _ASKING, attempt.c.outcome == "lost")
    often = select(attempt.c.work_id).where(lost).group_by(attempt.c.work_id).having(func.count() >= most)
    return set(asking) - set(connection.execute(often).scalars())


def _suspicion_of(row: RowMapping, forgiven: Collection[int]) -> dict[str, int]:
    """How suspect a document is after a loss: in company once, alone once more; and who may be with it next."""
    if row["id"] in forgiven:
        return {"losses": 0, "company": row["claimed_with"]}
    losses = max(row["crashes"], 1) if _was_in_company(row) else row["crashes"] + 1
    return {"losses": losses, "company": math.ceil(row["claimed_with"] / 2)}


def _count_losses(connection: Connection, row: RowMapping) -> int:
    """Workers that a document was lost with lately, in whatever company, this one included."""
    lost = and_(attempt.c.work_id == row["id"], attempt.c.outcome == "lost")
    lately = attempt.c.ended_at > clock() - BLAME_SECONDS
    before = connection.execute(select(func.count()).select_from(attempt).where(lost, lately)).scalar_one()
    return max(int(before), int(row["crashes"])) + 1


def _count_lost_lately(connection: Connection) -> int:
    lately = and_(worker.c.state == WorkerState.LOST, worker.c.stopped_at > clock() - BLAME_SECONDS)
    return connection.execute(select(func.count()).select_from(worker).where(lately)).scalar_one()


def _take_away(connection: Connection, token: str, blame: Callable[[RowMapping], _Blame], *, forgiven: int) -> Rescue:
    held = and_(work.c.lease == token, in_state(State.RUNNING))
    query = hold_with_jobs(select(work, job.c.state.label("job_state")).join_from(work, job).where(held))
    rows = connection.execute(query).mappings().all()
    wanted = [r for r in rows if r["job_state"] != JobState.CANCELLED]
    blamed = {r["id"]: blame(r) for r in wanted}
    dead = [r for r in wanted if blamed[r["id"]].is_dead]
    back = [r for r in wanted if not blamed[r["id"]].is_dead]
    trusted = _find_forgiven(connection, back, forgiven)
    lost = WorkerLost("the worker died or stopped answering while it held this document alone")
    bury(connection, [_lost_letter(r, lost) for r in dead])
    cancel_running(connection, [r["id"] for r in rows if r["job_state"] == JobState.CANCELLED])
    move_running(
        connection,
        State.PENDING,
        [{"row": r["id"], "attempts": blamed[r["id"]].attempts} | _suspicion_of(r, trusted) for r in back],
        crashes=bindparam("losses"),
        claimed_with=bindparam("company"),
        attempt=bindparam("attempts"),
        reason="the worker was lost",
    )
    if rows:
        insert_each(connection, attempt, [_lost_attempt(r, lost) for r in rows], ended_at=clock())
    return Rescue(len(back), len(dead))


def _lost_letter(row: RowMapping, lost: WorkerLost) -> Letter:
    return Letter(
        work_id=row["id"],
        job_id=row["job_id"],
        stage=row["stage"],
        error_class=type(lost).__name__,
        error=str(lost),
        hint=lost.hint,
        attempts=row["attempt"],
        crashed=True,
    )


def _lost_attempt(row: RowMapping, lost: WorkerLost) -> dict[str, Any]:
    return {
        "work_id": row["id"],
        "stage": row["stage"],
        "epoch": row["epoch"],
        "attempt": row["attempt"],
        "worker": row["worker"],
        "started_at": row["claimed_at"],
        "outcome": "lost",
        "error_class": type(lost).__name__,
        "error": str(lost),
    }
