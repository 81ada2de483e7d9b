"""When a host of a web site may be asked next, whoever asks it."""

from sqlalchemy import Connection, case, func

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.schema import visited_host

# A host that rests for longer was written by a clock that was wrong.
LONGEST_REST_SECONDS = 3600.0


def take_turn(connection: Connection, place: str, pause_seconds: float) -> float:
    """Take the next turn at a host and leave a pause after it; returns the seconds until it comes."""
    now = read_clock(connection)
    due = func.max if connection.dialect.name == "sqlite" else func.greatest
    query = insert_or(connection, visited_host).values(place=place, due_at=now + pause_seconds)
    kept = case((visited_host.c.due_at > now + LONGEST_REST_SECONDS, now), else_=visited_host.c.due_at)
    query = query.on_conflict_do_update(index_elements=["place"], set_={"due_at": due(kept, now) + pause_seconds})
    after = connection.execute(query.returning(visited_host.c.due_at)).scalar_one()
    return max(0.0, float(after) - pause_seconds - now)


def rest(connection: Connection, place: str, seconds: float) -> None:
    """Let nobody ask a host for so many seconds."""
    now = read_clock(connection)
    later = func.max if connection.dialect.name == "sqlite" else func.greatest
    query = insert_or(connection, visited_host).values(place=place, due_at=now + seconds)
    query = query.on_conflict_do_update(
        index_elements=["place"], set_={"due_at": later(visited_host.c.due_at, query.excluded.due_at)}
    )
    connection.execute(query)


def forget_hosts(connection: Connection) -> None:
    """Of hosts that may be asked anyway."""
    connection.execute(visited_host.delete().where(visited_host.c.due_at < clock()))
