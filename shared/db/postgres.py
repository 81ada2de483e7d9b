"""What is particular to Postgres: how sessions are opened, and which failures are the session's or the moment's."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, OperationalError

CONNECT_SECONDS = 5
# A claim or a settlement holds its rows for milliseconds; whoever waits this long waits for somebody who is stuck.
LOCK_SECONDS = 30
# A session that died half-way without the server noticing gives its rows back after this.
IDLE_SECONDS = 60
# Together: a peer that vanished without a word is given up after 60 s, one that does not acknowledge after 30 s.
KEEPALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
UNACKNOWLEDGED_MS = 30_000

# Admin and crash shutdown, starting up, idle time-outs, too many connections: the server is or will be back.
AWAY = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04", "53300"})
# Serialization failure, deadlock, lock not available: the same transaction may well pass now.
CONTENDED = frozenset({"40001", "40P01", "55P03"})
# What a server says that is there and refuses for good; it comes without a code while a session is being opened.
REFUSED = ("authentication failed", "does not exist", "pg_hba.conf", "no password supplied", "invalid", "unsupported")

LOOK_AT_URL = (
    "Look at EMBEDMILL_DATABASE_URL: the database has to be there, and its user to be let in; see docs/postgres.md."
)


@dataclass(frozen=True, slots=True)
class Sizing:
    """How a process uses the database: slots that work at once, and seconds for a statement and for an outage.

    Where no statement changes more than a batch, what SQLite keeps to take one back may stay in memory.
    """

    slots: int = 1
    statement_seconds: float = 300.0
    outage_seconds: float = 120.0
    by_batches: bool = False


def normalise(url: URL) -> URL:
    """`postgresql://…` in any spelling, with the driver named; other URLs as they are."""
    if url.get_backend_name() in ("postgresql", "postgres") and "+" not in url.drivername:
        return url.set(drivername="postgresql+psycopg")
    return url


def connect_arguments(url: URL, sizing: Sizing) -> dict[str, Any]:
    """Arguments of every new session; what the URL says itself has precedence."""
    given = url.query
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "embedmill",
        "tcp_user_timeout": UNACKNOWLEDGED_MS,
        **KEEPALIVE,
    }
    options = {
        "statement_timeout": int(sizing.statement_seconds * 1000),
        "lock_timeout": LOCK_SECONDS * 1000,
        "idle_in_transaction_session_timeout": IDLE_SECONDS * 1000,
        # Jobs differ in size by six orders of magnitude: a plan made for one is wrong for another.
        "plan_cache_mode": "force_custom_plan",
    }
    listed = " ".join(f"-c {name}={value}" for name, value in options.items())
    own = given.get("options", "")
    arguments["options"] = f"{listed} {own if isinstance(own, str) else ' '.join(own)}".strip()
    return {name: value for name, value in arguments.items() if name == "options" or name not in given}


def is_away(error: DBAPIError) -> bool:
    """Whether the session was lost or could not be had, and another one may be had later."""
    code = getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code in AWAY or code.startswith("08")
    if error.connection_invalidated:
        return True
    return type(error.orig).__name__ in ("OperationalError", "ConnectionTimeout") and not any(
        word in str(error.orig) for word in REFUSED
    )


def is_refused(error: DBAPIError) -> bool:
    """Whether no session was opened, because of what the server was told and not because of its state."""
    no_session = isinstance(error, OperationalError) and getattr(error.orig, "sqlstate", None) is None
    return no_session and any(word in str(error.orig) for word in REFUSED)


def is_contended(error: DBAPIError) -> bool:
    """Whether the transaction gave way to another one."""
    return getattr(error.orig, "sqlstate", None) in CONTENDED
