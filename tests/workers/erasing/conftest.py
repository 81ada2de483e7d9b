"""A home with documents that leave traces everywhere, and one of them that is to be erased."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from embedmill.producers.sources.jsonl import JsonlSource
from embedmill.shared.addresses import document_id
from embedmill.shared.db import feedback
from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.engine import Connection
from embedmill.shared.db.query_records import store_records
from embedmill.shared.db.schema import dead_letter, scan_note, term, usage
from embedmill.shared.presence import Presence
from embedmill.shared.settings import Settings
from embedmill.workers.runtime import WorkerRuntime
from tests.migrated import place_migrated
from tests.shared.db.test_query_records import record
from tests.shared.db.tracker import Tracker
from tests.together import once
from tests.workers.erasing.searching import stored_rows
from tests.workers.working import embed_by_hash, submit_sources, work_off

NAME = "Quillfeather"
NEIGHBOURS = 5


@dataclass(frozen=True, slots=True)
class Home:
    """A home and the document in it that is to be erased, with all by which it is told."""

    path: Path
    document: str
    needles: dict[str, bytes]


def fill(runtime: WorkerRuntime, folder: Path, *, encrypt: bool = False) -> Home:
    """Six rows, of which one is changed once; it has feedback, a note, a term, a call, a dead letter, and a record."""
    tracker = Tracker(runtime.database)
    if encrypt:
        root = runtime.keys.root
        settings = {**tracker.collection.settings, "encrypt": True}
        runtime.database.transact(update_settings, 1, settings)
        runtime.database.transact(runtime.keys.create_data_key, 1, root)
    embed_by_hash(runtime, tracker)
    for edition in ("first", "second"):
        submit_sources(runtime, tracker, [_rows(folder, edition)])
        work_off(runtime, tracker)
    _trace(runtime, tracker, document_id("default", NAME))
    return home_at(runtime.home, encrypt=encrypt)


def home_at(path: Path, *, encrypt: bool = False) -> Home:
    """What was filled there."""
    document = document_id("default", NAME)
    needles = {
        "name": NAME.encode(),
        "text": b"unforgettable",
        "earlier text": b"first edition of Quill",
        "title": b"Title of Quill",
        "metadata": b"quill@example.org",
        "reason": b"because of Quill",
        "id": document.encode(),
    }
    return Home(path, document, needles | ({} if encrypt else stored_rows(path, document)))


def place_filled(settings: Settings) -> Home:
    """A copy of a home that is filled once for all tests of a run, with nothing open."""

    def make(folder: Path) -> None:
        place_migrated(folder / "home" / "tracking.db")
        with opened(settings.model_copy(update={"home": folder / "home"})) as runtime:
            fill(runtime, folder)

    shutil.copytree(once("filled", make) / "home", settings.home_path)
    return home_at(settings.home_path)


def _rows(folder: Path, edition: str) -> JsonlSource:
    lines = [f'{{"id": "row-{n}", "text": "The mill number {n} grinds corn."}}\n' for n in range(NEIGHBOURS)]
    text = f"The {edition} edition of {NAME} is unforgettable, as everybody who has read it says."
    meta = '{"mail": "quill@example.org"}'
    lines.append(f'{{"id": "{NAME}", "text": "{text}", "title": "Title of {NAME}", "metadata": {meta}}}\n')
    path = folder / "rows.jsonl"
    path.write_text("".join(lines))
    return JsonlSource(bytes(path))


def _trace(runtime: WorkerRuntime, tracker: Tracker, document: str) -> None:
    work = next(row for row in tracker.rows() if row["document_id"] == document)
    at = time.time()

    def trace(connection: Connection) -> None:
        shown = record("asked", "who?", shown=[f"{document}/c1", "other/c2"])
        store_records(connection, [shown], key=bytes(32), monotonic=time.monotonic())
        feedback.put_feedback(connection, "asked", document, "c1", helpful=False, why=f"because of {NAME}")
        connection.execute(
            scan_note.insert().values(job_id=work["job_id"], kind="note", uri=NAME, reason=f"{NAME} is there twice")
        )
        connection.execute(
            term.insert().values(
                collection_id=1, document_id=document, term=NAME, label=NAME, synonym="Quill", mentions=1
            )
        )
        connection.execute(
            usage.insert().values(
                job_id=work["job_id"], documents=[document, "other"], provider="local", model="planted",
                operation="embed", inputs=1, cached=0, tokens_in=1, tokens_out=0, cost_microusd=0, created_at=at,
                settled_at=at,
            )
        )  # fmt: skip
        connection.execute(
            dead_letter.insert().values(
                work_id=work["id"], job_id=work["job_id"], stage="chunk", error_class="NoText", error=NAME,
                hint="", fingerprint="f", attempts=1, crashes=0, code_version="1", created_at=at,
            )
        )  # fmt: skip

    runtime.database.transact(trace)


@pytest.fixture
def filled(settings: Settings) -> Home:
    """The home, with nothing open."""
    return place_filled(settings)


class Opened:
    """A runtime of its own process, as it were."""

    def __init__(self, settings: Settings) -> None:
        self._presence = Presence(settings.home_path / "run")
        self._settings = settings

    def __enter__(self) -> WorkerRuntime:
        self._presence.__enter__()
        self._runtime = WorkerRuntime(self._settings, process_id=self._presence.id)
        return self._runtime

    def __exit__(self, *_: object) -> None:
        self._runtime.close()
        self._presence.__exit__(None, None, None)


def opened(settings: Settings) -> Opened:
    return Opened(settings)


@pytest.fixture
def runtime(filled: Home, settings: Settings) -> Iterator[WorkerRuntime]:
    """A process that opens that home."""
    with opened(settings) as runtime:
        yield runtime
