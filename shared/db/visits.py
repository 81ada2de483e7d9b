"""When a host of a web site may be asked next, whoever asks it."""

from sqlalchemy import Connection, text

from embedmill.shared.db.clock import clock, read_clock
from embedmill.shared.db.schema import visited_host

# A host that rests for longer was written by a clock that was wrong.
LONGEST_REST_SECONDS = 3600.0

# Written out, as they run once a page: a statement that is put together leaves 50 objects for the garbage collector.
_TAKE = text(
    "INSERT INTO visited_host (place, due_at) VALUES (:place, :due_at) ON CONFLICT (place) DO UPDATE SET due_at ="
    " :pause + CASE WHEN visited_host.due_at BETWEEN :now AND :latest THEN visited_host.due_at ELSE :now END"
    " RETURNING due_at"
)
_REST = text(
    "INSERT INTO visited_host (place, due_at) VALUES (:place, :due_at) ON CONFLICT (place) DO UPDATE SET due_at ="
    " CASE WHEN visited_host.due_at > excluded.due_at THEN visited_host.due_at ELSE excluded.due_at END"
)


def take_turn(connection: Connection, place: str, pause_seconds: float) -> float:
    """Take the next turn at a host and leave a pause after it; returns the seconds until it comes."""
    now = read_clock(connection)
    given = {"place": place, "now": now, "latest": now + LONGEST_REST_SECONDS, "pause": pause_seconds}
    after = connection.execute(_TAKE, given | {"due_at": now + pause_seconds}).scalar_one()
    return max(0.0, float(after) - pause_seconds - now)


def rest(connection: Connection, place: str, seconds: float) -> None:
    """Let nobody ask a host for so many seconds."""
    connection.execute(_REST, {"place": place, "due_at": read_clock(connection) + seconds})


def forget_hosts(connection: Connection) -> None:
    """Of hosts that may be asked anyway."""
    connection.execute(visited_host.delete().where(visited_host.c.due_at < clock()))
