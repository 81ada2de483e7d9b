"""Work leaves `running`: by row, once its lease was found to hold; what has failed for good leaves a dead letter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Double,
    Integer,
    String,
    Text,
    bindparam,
    select,
    update,
)

from embedmill.shared import VERSION
from embedmill.shared.db.bulk import Rows, insert_each, update_alike
from embedmill.shared.db.clock import clock
from embedmill.shared.db.schema import STAGE_LETTERS, collection, dead_letter, document, job, work
from embedmill.shared.db.transitions import move_work
from embedmill.shared.fingerprints import fingerprint
from embedmill.shared.states import State

SUBMITTED_AGAIN = "the document was submitted again"

# Types of the parameters that are not columns of `work`; those that are begin with `v_`.
PARAMETERS: dict[str, Any] = {
    "row": BigInteger(),
    "to_stage": String(STAGE_LETTERS),
    "delay": Double(),
    "fails": Boolean(),
    "why": Text(),
    "ended": String(10),
    "because": String(8),
    "attempts": Integer(),
    "losses": Integer(),
    "company": Integer(),
} | {f"v_{c.name}": c.type for c in work.c}


@dataclass(frozen=True, slots=True)
class Letter:
    """What a failure says of itself; `origin` is where a foreign error arose, `values` what was read of its work."""

    work_id: int
    job_id: int
    stage: str
    error_class: str
    error: str
    hint: str
    attempts: int
    origin: str | None = None
    crashed: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


def bury(connection: Connection, letters: Sequence[Letter]) -> None:
    """Dead-letter running work, with the code and the settings under which it failed."""
    if not letters:
        return
    _end_dead(connection, letters)
    circumstances = _find_circumstances(connection, [letter.work_id for letter in letters])
    rows = [_letter_row(letter, circumstances[letter.work_id]) | {"code_version": VERSION} for letter in letters]
    insert_each(connection, dead_letter, rows, created_at=clock())
    _supersede_overtaken(connection, [letter.work_id for letter in letters])


def _end_dead(connection: Connection, letters: Sequence[Letter]) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for letter in letters:
        said = {"row": letter.work_id, "why": letter.error} | {f"v_{name}": v for name, v in letter.values.items()}
        groups.setdefault(tuple(sorted(letter.values)), []).append(said)
    for names, rows in groups.items():
        read: dict[str, Any] = {name: bindparam(f"v_{name}") for name in names}
        move_running(connection, State.DEAD, rows, reason=bindparam("why"), **read)


def _supersede_overtaken(connection: Connection, works: Sequence[int]) -> None:
    """Close what a document's older work left, and what it leaves when it dies last: the newest speaks for it."""
    theirs = select(work.c.document_id).where(work.c.id.in_(works))
    overtaken = (
        select(work.c.id)
        .join_from(work, document)
        .where(work.c.document_id.in_(theirs.scalar_subquery()), work.c.generation < document.c.generation)
    )
    connection.execute(
        update(dead_letter)
        .where(dead_letter.c.work_id.in_(overtaken.scalar_subquery()), dead_letter.c.resolved_at.is_(None))
        .values(resolved_at=clock(), resolution="superseded", resolution_reason=SUBMITTED_AGAIN)
    )


def _find_circumstances(connection: Connection, ids: Sequence[int]) -> dict[int, Any]:
    query = (
        select(work.c.id, work.c.crashes, work.c.epoch, work.c.settings_hash, collection.c.active_index_version)
        .join_from(work, job)
        .join(collection, collection.c.id == job.c.collection_id)
        .where(work.c.id.in_(ids))
    )
    return {row.id: row for row in connection.execute(query)}


def _letter_row(letter: Letter, circumstances: Any) -> dict[str, Any]:
    said = ("work_id", "job_id", "stage", "error_class", "error", "hint", "attempts")
    return {name: getattr(letter, name) for name in said} | {
        "fingerprint": fingerprint(letter.stage, letter.error_class, letter.error, origin=letter.origin),
        "crashes": circumstances.crashes + letter.crashed,
        "epoch": circumstances.epoch,
        "settings_hash": circumstances.settings_hash,
        "index_version": circumstances.active_index_version,
    }


def move_running(connection: Connection, target: State, rows: Rows, **values: Any) -> None:
    """Move work out of `running` by `row`, whose lease the caller holds; rows have the parameters of `values`."""
    if rows:
        query = move_work(target, of=[State.RUNNING], **values)
        update_alike(connection, query, work.c.id, rows, PARAMETERS)


def cancel_running(connection: Connection, ids: Sequence[int]) -> None:
    """End work whose job was cancelled while it ran."""
    move_running(connection, State.CANCELLED, [{"row": id_} for id_ in ids], reason="the job was cancelled")
