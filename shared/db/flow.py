"""What processes tell each other about providers, in the tracking database; and the waking of work that waits."""

from typing import Any

from sqlalchemy import Connection, select, update

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.schema import flow_state
from embedmill.shared.db.transitions import wake_work
from embedmill.shared.states import WaitReason


def read_value(connection: Connection, key: str) -> tuple[dict[str, Any], float]:
    """The value of a key ({} when there is none) and the database's time."""
    found = select(flow_state.c.value).where(flow_state.c.key == key).scalar_subquery()
    row = connection.execute(select(found, clock())).one()
    return dict(row[0] or {}), float(row[1])


def list_values(connection: Connection, prefix: str) -> tuple[dict[str, dict[str, Any]], float]:
    """The values of all keys that begin so, and the database's time."""
    query = select(flow_state.c.key, flow_state.c.value).where(flow_state.c.key.startswith(prefix, autoescape=True))
    return {row.key: dict(row.value or {}) for row in connection.execute(query)}, read_clock(connection)


def lock_value(connection: Connection, key: str) -> tuple[dict[str, Any], float]:
    """The value of a key ({} when there is none yet) and the database's time; nobody else changes it meanwhile."""
    query = select(flow_state.c.value).where(flow_state.c.key == key).with_for_update()
    row = connection.execute(query).first()
    if row is None:
        values = {"key": key, "value": {}, "updated_at": clock()}
        connection.execute(insert_or(connection, flow_state).values(values).on_conflict_do_nothing())
        row = connection.execute(query).one()
    # Asked once the row is ours: a statement that waited for it has the time at which it began to wait.
    return dict(row[0]), read_clock(connection)


def write_value(connection: Connection, key: str, value: dict[str, Any]) -> None:
    """Put a value that is locked."""
    connection.execute(update(flow_state).where(flow_state.c.key == key).values(value=value, updated_at=clock()))


def wake_circuit(connection: Connection) -> int:
    """All work that waits for a circuit, now that one has closed; what another holds up comes back to it."""
    return wake_work(connection, WaitReason.CIRCUIT)


def wake_keys(connection: Connection) -> int:
    """All work that waits for a key, now that one is accepted or may have been corrected; others come back."""
    return wake_work(connection, WaitReason.KEY)
