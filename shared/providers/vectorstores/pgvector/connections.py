"""Owns the connections to the Postgres that holds vectors, and what its errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from pgvector.psycopg import register_vector

from embedmill.shared.errors import EmbedmillError, FlowControl, ProviderUnavailable, SettingsError
from embedmill.shared.providers.vectorstores.outages import open_circuit
from embedmill.shared.providers.vectorstores.persistence import Persistence

CONNECT_SECONDS = 5
# Without it a server that vanished holds a worker for the kernel's two hours.
UNANSWERED_MILLISECONDS = 30_000
# What a shard that nothing was written to looks like.
ABSENT = (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedObject, psycopg.errors.InvalidSchemaName)
LATE = (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
"""What a statement says that was not done in the time that it was given."""
POSTGRES = "the vector store's Postgres"
USERS_FAULT = ("authentication failed", "does not exist", "no pg_hba.conf entry", "password", "permission denied")


class Connections:
    """As many connections as threads use at once; each use is a transaction of its own."""

    def __init__(self, conninfo: str, *, prepare: str) -> None:
        self.persistence = Persistence()
        self._conninfo = conninfo
        self._prepare = prepare
        self._idle: list[psycopg.Connection[Any]] = []
        self._circuit = open_circuit(POSTGRES)

    @contextmanager
    def use(self) -> Iterator[psycopg.Connection[Any]]:
        """One transaction; raises FlowControl while the server is away, ABSENT and LATE as they are, else our errors.

        What may be carried out twice is made again by `persistence` when the server stumbles.
        """
        connection = self._take()
        try:
            with connection.transaction():
                yield connection
            self._circuit.succeeded()
        except (*ABSENT, *LATE):
            raise
        except psycopg.Error as error:
            raise self._translated(error) from None
        finally:
            self._give_back(connection)

    @contextmanager
    def alone(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection outside any transaction, for statements that need that."""
        connection = self._take()
        try:
            yield connection
        except psycopg.Error as error:
            raise self._translated(error) from None
        finally:
            self._give_back(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def _take(self) -> psycopg.Connection[Any]:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed:
                return connection
        self._circuit.ask()
        try:
            connection = self._connect()
        except psycopg.Error as error:
            raise self._translated(error) from None
        self._circuit.succeeded()
        return connection

    def _connect(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=CONNECT_SECONDS,
            tcp_user_timeout=UNANSWERED_MILLISECONDS,
            application_name="embedmill",
        )
        try:
            _ensure_extension(connection)
            register_vector(connection)
            connection.execute(self._prepare)
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: psycopg.Connection[Any]) -> None:
        if not connection.closed:
            self._idle.append(connection)

    def _translated(self, error: psycopg.Error) -> EmbedmillError:
        """Only what the server says of itself: messages about rows quote them."""
        name = type(error).__name__
        match error:
            case psycopg.errors.FeatureNotSupported() | psycopg.errors.UndefinedFile():
                return SettingsError(
                    "EMBEDMILL_VECTOR_URL: the Postgres server has no pgvector", hint="Install pgvector on the server."
                )
            case psycopg.errors.InsufficientPrivilege():
                return SettingsError(
                    "EMBEDMILL_VECTOR_URL: the user may not create or write the vector tables",
                    hint="Grant CREATE on the database, and let an administrator run CREATE EXTENSION vector.",
                )
            case psycopg.errors.DeadlockDetected() | psycopg.errors.SerializationFailure():
                return FlowControl(
                    f"the vector store asked to try again ({name})", reason="rate", retry_after_seconds=1, is_told=False
                )
            case psycopg.OperationalError() if any(words in str(error) for words in USERS_FAULT):
                return SettingsError(f"EMBEDMILL_VECTOR_URL: {' '.join(str(error).split())}")
            case psycopg.OperationalError() | psycopg.InterfaceError():
                self.close()
                outage = ProviderUnavailable(f"{POSTGRES}: no answer from the server ({name})", may_be_billed=False)
                return self._circuit.failed(outage)
        return ProviderUnavailable(f"the vector store's Postgres refused: {name} {error.sqlstate or ''}".rstrip())


def _ensure_extension(connection: psycopg.Connection[Any]) -> None:
    """One at a time: two that make it together fail, whatever IF NOT EXISTS says."""
    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone() is None:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(7166233)")
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
