"""Owns the name that this database has in the stores that it writes to."""

import re
import secrets
import socket

from sqlalchemy import Connection, select

from embedmill.shared.db.bulk import insert_or
from embedmill.shared.db.schema import installation

LONGEST_HOST = 20


def find_installation(connection: Connection) -> str | None:
    """The name; None while nobody has asked for one."""
    return connection.execute(select(installation.c.name)).scalar()


def name_installation(connection: Connection) -> str:
    """The name, given once: that of the host, for people, and a number that no other has."""
    host = re.sub(r"[^a-z0-9]+", "-", socket.gethostname().lower())[:LONGEST_HOST].strip("-") or "host"
    values = {"id": 1, "name": f"{host}-{secrets.token_hex(4)}"}
    connection.execute(insert_or(connection, installation).values(values).on_conflict_do_nothing())
    return str(connection.execute(select(installation.c.name)).scalar_one())
