"""Taking documents out of the index: which would go, and who would bring them back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from embedmill.console.listening import NOBODY, Listener
from embedmill.console.services.choosing import choose, walk_documents
from embedmill.console.services.documents import EVERY_DOCUMENT, DocumentQuery
from embedmill.console.services.jobs import describe_job
from embedmill.console.services.reach import in_documents
from embedmill.console.services.serving import Trace, serves
from embedmill.console.services.working import work_on_job
from embedmill.shared.access.principals import Right
from embedmill.shared.db import sources
from embedmill.shared.db.catalogue import DocumentSummary
from embedmill.shared.db.collections import get_collection
from embedmill.shared.runtime import Runtime

SHOWN = 20


@dataclass(frozen=True, slots=True)
class DeletionPreview:
    """How many documents would be taken out, some of them, and the sources that would bring some back."""

    deleted: int
    would_delete: int
    examples: Sequence[str]
    claimed_by: Sequence[str]
    spelled: Mapping[str, str]
    """URIs on record of those that were named by other spellings, by these."""


@dataclass(frozen=True, slots=True)
class DepartedDocuments:
    """How many documents left the index, and the jobs that took them out."""

    deleted: int
    jobs: Sequence[int]


@dataclass(frozen=True, slots=True)
class DeletedDocuments(DepartedDocuments):
    """The same of documents that were named, with the sources that bring some back when they are read again."""

    claimed_by: Sequence[str]
    spelled: Mapping[str, str]
    """URIs on record of those that were named by other spellings, by these."""


@serves("documents.preview", Right.OPERATE, in_documents(), trace=Trace.NOTHING)
def preview_deletion(
    runtime: Runtime, names: Sequence[str] = (), query: DocumentQuery = EVERY_DOCUMENT
) -> DeletionPreview:
    """What `delete_documents` would take out; raises the same."""
    count, examples, claiming = 0, list[str](), set[str]()
    choice = choose(runtime, names, query)
    for page in walk_documents(runtime, choice.wanted):
        count += len(page)
        examples += [listed.uri for listed in page[: SHOWN - len(examples)]]
        claiming |= _find_claiming(runtime, page)
    return DeletionPreview(0, count, examples, sorted(claiming), choice.spelled)


@serves("documents.delete", Right.OPERATE, in_documents(), told=("names",))
def delete_documents(
    runtime: Runtime,
    names: Sequence[str] = (),
    query: DocumentQuery = EVERY_DOCUMENT,
    *,
    listener: Listener = NOBODY,
) -> DeletedDocuments:
    """Take documents out through the queue, and work here until they are out.

    They are named, by id, URI or path, or those of a query. Raises UsageError for both or neither, NotFound, UserError.
    """
    from embedmill.producers.departing import delete_documents as submit

    chosen: dict[str, list[str]] = {}
    claiming = set[str]()
    choice = choose(runtime, names, query)
    for page in walk_documents(runtime, choice.wanted):
        claiming |= _find_claiming(runtime, page)
        for listed in page:
            chosen.setdefault(listed.collection, []).append(listed.id)
    departed = []
    for name, ids in chosen.items():
        found = runtime.database.query(partial(get_collection, name=name))
        departed.append(submit(runtime, found.id, ids))
    done = finish_departures(runtime, [each.job_id for each in departed if each.job_id is not None], listener)
    return DeletedDocuments(**asdict(done), claimed_by=sorted(claiming), spelled=choice.spelled)


def _find_claiming(runtime: Runtime, page: Sequence[DocumentSummary]) -> set[str]:
    """The sources that claim any of some documents, by URI."""
    claims = runtime.database.query(partial(sources.find_claims, ids=[listed.id for listed in page]))
    return {uri for uris in claims.values() for uri in uris}


def finish_departures(runtime: Runtime, jobs: Sequence[int], listener: Listener) -> DepartedDocuments:
    """Work until documents that are to leave are out of the index."""
    for job in jobs:
        work_on_job(runtime, job, listener)
    return DepartedDocuments(sum(describe_job(runtime, job).documents.deleted for job in jobs), list(jobs))
