"""The Python API: what the commands do, as methods that return typed values or raise an error of ours.

Nothing is printed, no signal handler is taken, and no logging is set up; see docs/python.md.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack

from embedmill.choices import Document, JobChoices, ReadChoices, job_options, open_given, require_known
from embedmill.console.listening import Listener, Notice, Severity
from embedmill.console.services import budgets as budget_service
from embedmill.console.services import collections as collection_service
from embedmill.console.services import (
    controlling,
    deleting,
    document_reports,
    parsing,
    replaying,
    spending,
    submitting,
    verifying,
    working,
)
from embedmill.console.services import dead_letters as letter_service
from embedmill.console.services import documents as document_service
from embedmill.console.services import estimates as estimate_service
from embedmill.console.services import exporting as export_service
from embedmill.console.services import fields as field_service
from embedmill.console.services import jobs as job_service
from embedmill.console.services import sources as source_service
from embedmill.console.services.budgets import BudgetReport
from embedmill.console.services.collections import CollectionChoices, CollectionReport, DeletedCollection
from embedmill.console.services.controlling import JobControl
from embedmill.console.services.dead_letters import EVERY_LETTER, DeadLetters
from embedmill.console.services.deleting import DeletedDocuments
from embedmill.console.services.document_reports import DocumentReport
from embedmill.console.services.documents import EVERY_DOCUMENT, DocumentPage, DocumentQuery
from embedmill.console.services.estimates import Estimate
from embedmill.console.services.exporting import Exported, Rejected
from embedmill.console.services.fields import FieldReports
from embedmill.console.services.jobs import JobExplanation, JobReport, JobSummary
from embedmill.console.services.lending import Runtimes
from embedmill.console.services.parsing import ParsedFile
from embedmill.console.services.progress import JobProgress
from embedmill.console.services.replaying import ReplayReport
from embedmill.console.services.sources import ListedSource
from embedmill.console.services.spending import SpendReport
from embedmill.console.services.submitting import SubmittedJob
from embedmill.console.services.verifying import Verification
from embedmill.console.usual import USUAL
from embedmill.finding import Readers
from embedmill.shared.configuration import load_settings
from embedmill.shared.letters import LetterFilter
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.states import JobState
from embedmill.trust import Trust, verify_backup

if TYPE_CHECKING:
    from embedmill.console.services.restoring import Restored

__all__ = ["Mill", "open", "restore", "verify_backup"]

OnProgress = Callable[[JobProgress], object]
OnNotice = Callable[[Notice], object]

_LEVELS = {Severity.INFO: logging.INFO, Severity.WARNING: logging.WARNING, Severity.ERROR: logging.ERROR}


def log_notice(notice: Notice) -> None:
    """Hand a notice to the `logging` of the program, if it has set that up."""
    logger = logging.getLogger("embedmill")
    if logger.hasHandlers():
        logger.log(_LEVELS[notice.severity], "%s", notice.text)


def open(  # noqa: A001 - it is called as embedmill.open
    home: str | os.PathLike[str] | None = None,
    *,
    settings: Settings | Mapping[str, Any] | None = None,
    token: str | None = None,
    on_notice: OnNotice = log_notice,
) -> "Mill":
    """A mill over a home folder, or over `settings`, by names in lower case as docs/configuration.md has them.

    What is not given comes from the environment and from embedmill.toml, as for commands. `token` says who calls.
    Notices, such as that work waits for money, go to `on_notice`. Raises SettingsError, HomeInUse.
    """
    return Mill(_choose_settings(home, settings, token=token), on_notice=on_notice)


def restore(
    folder: str | os.PathLike[str],
    home: str | os.PathLike[str] | None = None,
    *,
    settings: Settings | Mapping[str, Any] | None = None,
    receipts: Sequence[str | os.PathLike[str]] = (),
    replace: bool = False,
    on_notice: OnNotice = log_notice,
) -> "Restored":
    """Restore a backup into a home, and the database of `settings`, as `embedmill restore` does; none may be open.

    With `replace`, a home that is there is put aside. `receipts` are folders with further receipts of erasures. Raises
    UsageError for a backup that is not whole, HomeInUse, StorageFailed.
    """
    from embedmill.console.services.restoring import restore_backup

    chosen = _choose_settings(home, settings, token=None)
    folders = [Path(each) for each in receipts]
    return restore_backup(chosen, Path(folder), receipt_folders=folders, replace=replace, listener=Listener(on_notice))


def _choose_settings(
    home: str | os.PathLike[str] | None, settings: Settings | Mapping[str, Any] | None, *, token: str | None
) -> Settings:
    chosen = settings if isinstance(settings, Settings) else load_settings(**settings or {})
    given = {"home": None if home is None else Path(home), "token": token}
    return chosen.model_copy(update={name: value for name, value in given.items() if value is not None})


class Mill(Readers, Trust):
    """Collections, jobs and searches of one installation; for any number of threads, and one process.

    Where no collection is named, it is `default`, or the only one that the token reaches. Open it after a fork. What is
    submitted is worked on by `ingest`, by `embedmill workers start`, or by both.
    """

    def __init__(self, settings: Settings, *, on_notice: OnNotice = log_notice) -> None:
        self.settings = settings
        self._on_notice = on_notice
        self._runtimes = Runtimes(settings)
        self._work = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release what is held open; calls that are under way end first."""
        self._runtimes.close()

    def submit(
        self,
        *sources: str | os.PathLike[str],
        documents: Iterable[Document] | None = None,
        collection: str = USUAL,
        **choices: Unpack[JobChoices],
    ) -> SubmittedJob:
        """Put sources, documents given as values, or both in for the workers; returns when all of it is durable.

        What could not be read is in the result's `notes`, and is counted in its `problems`. Raises UserError.
        """
        require_known(choices, JobChoices)
        with self._runtimes.lend() as runtime:
            return submitting.submit(
                runtime,
                open_given(sources, documents, choices),
                collection=collection,
                options=job_options(choices),
                listener=self._listener(),
            )

    def ingest(
        self,
        *sources: str | os.PathLike[str],
        documents: Iterable[Document] | None = None,
        collection: str = USUAL,
        on_progress: OnProgress | None = None,
        **choices: Unpack[JobChoices],
    ) -> JobReport:
        """The same, and work on it with processes of this machine until it is done; one at a time in a mill.

        It ends early where all that is left waits for a key that this process does not have. Raises UserError,
        StorageFailed.
        """
        require_known(choices, JobChoices)
        with self._work, self._runtimes.lend() as runtime:
            return working.ingest(
                runtime,
                open_given(sources, documents, choices),
                collection=collection,
                options=job_options(choices),
                listener=self._listener(on_progress),
            )

    def parse(
        self, file: str | os.PathLike[str] | bytes, *, name: str = "bytes", collection: str | None = None
    ) -> ParsedFile:
        """What is read from a file, or from the content of one, and its chunks; nothing is stored.

        `name` is what the content would be called: an ending tells its format. It is cut as `collection` does, and as
        usual without one. Raises UserError, NotFound.
        """
        chunking = None
        if collection is not None:
            with self._runtimes.lend() as runtime:
                chunking = parsing.read_chunking(runtime, collection)
        with parsing.FileParser(self.settings, chunking=chunking) as parser:
            return parser.parse_bytes(file, name=name) if isinstance(file, bytes) else parser.parse(Path(file))

    def estimate(
        self,
        *sources: str | os.PathLike[str],
        documents: Iterable[Document] | None = None,
        collection: str = USUAL,
        **choices: Unpack[ReadChoices],
    ) -> Estimate:
        """What an ingest would take and cost; nothing is stored or spent. Raises UserError."""
        require_known(choices, ReadChoices)
        with self._runtimes.lend() as runtime:
            return estimate_service.estimate(
                runtime,
                open_given(sources, documents, choices),
                collection=collection,
                limit=choices.get("limit"),
            )

    def jobs(
        self, *, state: JobState | None = None, collection: str | None = None, limit: int = 100
    ) -> list[JobSummary]:
        """Jobs, newest first; raises NotFound for a collection that there is not."""
        with self._runtimes.lend() as runtime:
            return job_service.list_jobs(runtime, state=state, collection=collection, limit=limit).jobs

    def job(self, job: int) -> JobExplanation:
        """A job with what its work waits for, and what would get it going; raises NotFound."""
        with self._runtimes.lend() as runtime:
            return job_service.explain_job(runtime, job)

    def wait(self, job: int, *, seconds: float = float("inf"), on_progress: OnProgress | None = None) -> JobReport:
        """The report of a job when workers have ended it, or as it stands after so many seconds; raises NotFound."""
        with self._runtimes.lend() as runtime:
            return working.wait(runtime, job, seconds=seconds, listener=self._listener(on_progress))

    def pause(self, job: int) -> JobControl:
        """Stop sending a job's work; what runs is finished. Raises NotFound, IllegalTransition."""
        with self._runtimes.lend() as runtime:
            return controlling.pause(runtime, job)

    def resume(self, job: int) -> JobControl:
        """Let a paused job go on; raises NotFound, IllegalTransition."""
        with self._runtimes.lend() as runtime:
            return controlling.resume(runtime, job)

    def cancel(self, job: int) -> JobControl:
        """End a job; what is indexed stays. Raises NotFound, IllegalTransition."""
        with self._runtimes.lend() as runtime:
            return controlling.cancel(runtime, job)

    def retry(self, job: int, *, work: bool = False, wait: bool = False) -> ReplayReport:
        """Send every dead letter of a job again; with `work`, work on them here, with `wait`, until workers have.

        Raises NotFound.
        """
        return self.replay(LetterFilter(job=self.job(job).job), work=work, wait=wait)

    def documents(
        self, query: DocumentQuery = EVERY_DOCUMENT, *, limit: int = 100, after: str | None = None
    ) -> DocumentPage:
        """A page of documents from where `after` says; raises NotFound for what the query names and there is not."""
        with self._runtimes.lend() as runtime:
            return document_service.list_documents(runtime, query, limit=limit, after=after)

    def document(self, name: str, *, collection: str | None = None) -> DocumentReport:
        """Everything about one document, by id, URI or path; raises NotFound, UserError."""
        with self._runtimes.lend() as runtime:
            return document_reports.show_document(runtime, name, collection=collection)

    def delete_documents(self, *names: str, query: DocumentQuery = EVERY_DOCUMENT) -> DeletedDocuments:
        """Take documents out, by name or all that a query finds, and work here until they are; raises NotFound."""
        with self._work, self._runtimes.lend() as runtime:
            return deleting.delete_documents(runtime, names, query, listener=self._listener())

    def sources(self, *, collection: str | None = None, limit: int = 100, after: int = 0) -> Sequence[ListedSource]:
        """Which sources claim documents, those with a number above `after`; raises NotFound."""
        with self._runtimes.lend() as runtime:
            return source_service.list_sources(runtime, collection=collection, limit=limit, after=after).sources

    def dead_letters(
        self, wanted: LetterFilter = EVERY_LETTER, *, limit: int = 100, before: int | None = None
    ) -> DeadLetters:
        """What failed for good, newest first, and its root causes; raises NotFound."""
        with self._runtimes.lend() as runtime:
            return letter_service.list_letters(runtime, wanted, limit=limit, before=before)

    def replay(
        self, wanted: LetterFilter = EVERY_LETTER, *, rate: float | None = None, work: bool = False, wait: bool = False
    ) -> ReplayReport:
        """Send dead letters again, at most so many a second; with `work` or `wait` as `retry` does. Raises NotFound."""
        with self._work if work else nullcontext(), self._runtimes.lend() as runtime:
            return replaying.replay_letters(runtime, wanted, rate=rate, work=work, wait=wait, listener=self._listener())

    def verify(self, collection: str | None = None, *, repair: bool = False) -> Verification:
        """Compare the records with the vector store; with `repair`, mend what differs here. Raises NotFound."""
        if not repair:
            with self._runtimes.lend() as runtime:
                return verifying.verify(runtime, collection)
        with self._work, self._runtimes.lend() as runtime:
            return verifying.verify(runtime, collection, repair=True, listener=self._listener())

    def export(self, collection: str = USUAL, *, vectors: bool = False) -> Iterator[Exported]:
        """What the vector store itself holds, one entry for each vector, streamed; raises NotFound."""
        with self._runtimes.lend() as runtime:
            yield from export_service.export(runtime, collection, with_vectors=vectors)

    def rejected(self, collection: str = USUAL) -> Iterator[Rejected]:
        """The rejected chunks with their reasons, streamed; raises NotFound, BlobMissing."""
        with self._runtimes.lend() as runtime:
            yield from export_service.export_rejected(runtime, collection)

    def collections(self) -> Sequence[CollectionReport]:
        """Every collection, by name."""
        with self._runtimes.lend() as runtime:
            return collection_service.list_collections(runtime).collections

    def fields(self, collection: str = USUAL) -> FieldReports:
        """The fields of the metadata that filters can ask for; raises NotFound."""
        with self._runtimes.lend() as runtime:
            return field_service.list_fields(runtime, collection)

    def create_collection(self, name: str, **choices: Unpack[CollectionChoices]) -> CollectionReport:
        """Make a collection with settings of its own; raises UserError, SettingsError."""
        with self._runtimes.lend() as runtime:
            return collection_service.create_collection(runtime, name, **choices)

    def delete_collection(self, name: str) -> DeletedCollection:
        """Delete a collection with all that is in it; raises NotFound, and UserError while it is worked on."""
        with self._runtimes.lend() as runtime:
            return collection_service.delete_collection(runtime, name)

    def spend(self, by: str = "model", *, since: str | None = None) -> SpendReport:
        """What was spent, saved, and is still reserved; by model, job, collection, day, provider, operation or lane."""
        with self._runtimes.lend() as runtime:
            return spending.sum_spend(runtime, by, since=since)

    def budgets(self) -> BudgetReport:
        """Every limit, what is used of it, and alerts."""
        with self._runtimes.lend() as runtime:
            return budget_service.show_budgets(runtime)

    def _lend(self) -> AbstractContextManager[Runtime]:
        return self._runtimes.lend()

    @contextmanager
    def _work_alone(self) -> Iterator[Runtime]:
        with self._work, self._runtimes.lend() as runtime:
            yield runtime

    def _listener(self, on_progress: OnProgress | None = None) -> Listener:
        return Listener(self._on_notice, on_progress)
