"""Writes down what queries came to, behind their answers: nothing that goes wrong here reaches who asked."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from embedmill.shared.db.engine import Database
from embedmill.shared.db.query_records import QueryRecord, store_records
from embedmill.shared.db.sealed import QUERY
from embedmill.shared.errors import EmbedmillError, HomeInUse
from embedmill.shared.logs import get_logger

if TYPE_CHECKING:
    from embedmill.shared.privacy.vault import Vault

log = get_logger()

GATHER_SECONDS = 0.5
"""So long records wait for others that are written with them."""
AT_ONCE = 500
"""So many records are written in one transaction, and no more are gathered."""
MOST_WAITING = 5000
"""Where the database does not take them, no more records wait; the rest is lost."""
CLOSE_SECONDS = 2.0
"""How long the end waits for the last records where the database is busy."""


class QueryLog:
    """Records of queries on their way into the database; for any number of threads.

    A thread that ends by itself writes what was gathered. Errors are logged: a search never fails for its record, and
    waits for none.
    """

    def __init__(self, database: Database, key: Callable[[], bytes], vault: "Vault | None" = None) -> None:
        self._database = database
        self._key = key
        self._vault = vault
        self._lock = threading.Lock()
        self._waiting: list[QueryRecord] = []
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, record: QueryRecord) -> None:
        """Have a record written."""
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append(record)
            if len(self._waiting) >= AT_ONCE:
                self._hurry.set()
            if self._thread is None:
                self._hurry.clear()
                self._thread = self._start()

    def flush(self) -> bool:
        """Write what was gathered, and wait for that, though not for long; returns whether nothing is left."""
        with self._lock:
            thread = self._thread
            self._hurry.set()
        if thread is not None:
            thread.join(CLOSE_SECONDS)
        return thread is None or not thread.is_alive()

    def close(self) -> None:
        """Write what is left."""
        if not self.flush():
            log.warning("queries.not_recorded", error="the database is busy")

    def _start(self) -> threading.Thread | None:
        """The thread that writes; None where the machine has none left, and the next record tries again."""
        thread = threading.Thread(target=self._run, name="query-log", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            return None
        return thread

    def _run(self) -> None:
        while some := self._gather():
            self._write(some)

    def _gather(self) -> list[QueryRecord]:
        """What has to be written, after a while in which there may be more; nothing ends the thread."""
        self._hurry.wait(GATHER_SECONDS)
        with self._lock:
            some, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            if not some:
                self._thread = None
        return some

    def _seal(self, collection_id: int, text: str) -> str:
        return text if self._vault is None else self._vault.seal_text(collection_id, QUERY, text)

    def _write(self, records: list[QueryRecord]) -> None:
        try:
            # It may be read from the database, or made there.
            key = self._key()
            with self._database.impatient():
                self._database.transact(store_records, records, monotonic=time.monotonic(), key=key, seal=self._seal)
        except HomeInUse as error:
            # Its readers were told that it cannot be written.
            log.info("queries.not_recorded", queries=len(records), error=str(error))
        except EmbedmillError as error:
            log.warning("queries.not_recorded", queries=len(records), error=str(error))
        # A fault of ours costs a record, and never an answer.
        except Exception as error:  # noqa: BLE001
            log.warning("queries.not_recorded", queries=len(records), error_class=type(error).__name__)
