"""One `embedmill workers start` on a broker, watched through its database while tests disturb the broker."""

import io
import sqlite3
from collections.abc import Callable
from contextlib import closing

from embedmill.producers.sources.open import open_sources
from embedmill.producers.sources.options import SourceOptions
from embedmill.producers.submission import Submitter, ensure_collection
from embedmill.shared.configuration import load_settings
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from tests.command import Command
from tests.corpus import text_of
from tests.holding import Gate
from tests.waiting import wait_until

MARKER = "HOLD-UP"
RECOVERY_SECONDS = 90.0


class Workshop:
    """Workers that were started once and must never have to be started again."""

    def __init__(self, command: Command) -> None:
        self._gate = Gate(command, MARKER)
        self.command = self._gate.command
        self._number = 0
        self._runtime = Runtime(_settings(command), process_id="test")
        self.process = self.command.start("workers", "start")
        wait_until(lambda: self.worker() is not None or self.process.poll() is not None, "a worker is at work")
        self._worker = self.worker()

    def close(self) -> None:
        """Release the database."""
        self._runtime.close()

    def worker(self) -> object:
        """The name of the worker that is registered and not stopped, or None."""
        rows = self.query("SELECT id FROM worker WHERE stopped_at IS NULL ORDER BY started_at DESC LIMIT 1")
        return rows[0][0] if rows else None

    def submit(self, *, holds: bool = False) -> int:
        """A job of one document; returns its number."""
        self._number += 1
        path = self.command.folder / f"document-{self._number}.txt"
        path.write_text(text_of(self._number) + (f"\n\n{MARKER}" if holds else ""))
        collection = ensure_collection(self._runtime, "default")
        sources = open_sources([str(path)], options=SourceOptions(), stdin=io.BytesIO())
        submitter = Submitter(self._runtime)
        submitted = submitter.open(sources, collection, options={})
        submitter.enumerate(submitted, sources, collection, allow_deletes=False)
        return submitted.job_id

    def hold(self) -> int:
        """A job whose document is in a worker's hands when this returns."""
        self._gate.close()
        job = self.submit(holds=True)
        self._gate.wait(seconds=RECOVERY_SECONDS)
        return job

    def release(self) -> None:
        """Let the worker go on."""
        self._gate.open()

    def wait_until_settled(self, job: int) -> None:
        """Until the stage that was held up is over."""
        query = "SELECT count(*) FROM attempt JOIN work ON work.id = attempt.work_id WHERE work.job_id = ?"
        wait_until(lambda: self.query(query, (job,)) != [(0,)], "the document's stage is over")

    def wait_for(self, *jobs: int) -> None:
        """Until jobs are completed, by the worker that was there from the beginning."""
        wait_until(
            lambda: self._are_completed(jobs), f"jobs {jobs} are completed", seconds=RECOVERY_SECONDS, every=0.05
        )
        assert self.worker() == self._worker, "the worker died and another took its place"

    def _are_completed(self, jobs: tuple[int, ...]) -> bool:
        assert self.process.poll() is None, "the workers ended"
        marks = ", ".join("?" * len(jobs))
        query = f"SELECT count(*) FROM job WHERE state = 'completed' AND id IN ({marks})"
        return bool(self.query(query, jobs) == [(len(jobs),)])

    def query(self, query: str, values: tuple[int, ...] = ()) -> list[tuple[object, ...]]:
        """Rows of the tracking database; none before it is there."""
        database = self.command.home / "tracking.db"
        if not database.exists():
            return []
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            try:
                return connection.execute(query, values).fetchall()
            except sqlite3.OperationalError:
                return []


def outlive(workshop: Workshop, down: Callable[[], None], up: Callable[[], None]) -> None:
    """The broker goes and comes back: with an idle worker, and with one that ends its document while it is away."""
    down()
    up()
    workshop.wait_for(workshop.submit())
    held = workshop.hold()
    waiting = workshop.submit()
    down()
    workshop.release()
    workshop.wait_until_settled(held)
    up()
    workshop.wait_for(held, waiting)


def _settings(command: Command) -> Settings:
    """As the command reads them."""
    given = {name: value for name, value in command.environment.items() if name.startswith("EMBEDMILL_")}
    return load_settings(**{name.removeprefix("EMBEDMILL_").lower(): value for name, value in given.items()})
