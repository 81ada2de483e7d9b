"""A small world of collections, documents and labels, indexed in this process, for tests of who may see what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from embedmill.console.services import collections
from embedmill.console.services.submitting import JobOptions, submit
from embedmill.producers.sources.given import GivenSource
from embedmill.shared import stages
from embedmill.shared.access.labels import SEALED
from embedmill.shared.addresses import document_id
from embedmill.shared.db.collections import get_collection
from embedmill.shared.db.queueing import queue_ready
from embedmill.shared.db.terms import FoundTerm, replace_terms
from embedmill.workers.messages import BatchMessage
from embedmill.workers.runtime import WorkerRuntime
from tests.workers.working import work_through

SAID = [(None, None), ("public", None), ("Secret", None), ("secret", "ann"), (None, "bob"), ("no such level!", None)]
"""The access level and owner in documents' metadata."""
DEFAULTS = {"north": ("internal", ""), "south": ("public", "ann")}
"""The same of collections."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A document as its owner thinks of it: where it is, who may see it, and a word that nothing else holds."""

    collection: str
    uri: str
    access: str
    owner: str
    word: str

    @property
    def id(self) -> str:
        return document_id(self.collection, self.uri)

    def as_document(self, said: str | None, whose: str | None) -> dict[str, object]:
        labels = {name: value for name, value in (("access", said), ("owner", whose)) if value}
        text = f"The {self.word} is kept in the common cellar of the house. Ask keep.{self.collection}word@example.com."
        return {"id": self.uri, "title": f"On {self.word}", "text": text, "metadata": {"shelf": self.word, **labels}}


def put_in(
    runtime: WorkerRuntime, collection: str, documents: Sequence[Mapping[str, object]], **options: str | None
) -> int:
    """Submit documents, and do what workers would do until they are indexed; returns the job."""
    how = JobOptions(**options)  # type: ignore[arg-type]  # labels only
    job = submit(runtime, [GivenSource.of(documents)], collection=collection, options=how).job
    with runtime.database.write() as connection:
        ready = tuple(work.id for work in queue_ready(connection, job, limit=100))
    if ready:
        runtime.forget_collections()
        work_through(runtime, [BatchMessage(stages.first(), ready)])
    return job


def make_world(runtime: WorkerRuntime) -> list[Thing]:
    """Two collections with other defaults; documents that say who may see them, and others that leave it to them."""
    things: list[Thing] = []
    for name, (access, owner) in DEFAULTS.items():
        kept = [f"keep.{name}word@example.com"]
        collections.create_collection(
            runtime, name, access=access, owner=owner, expand=True, redact="patterns", redact_keep=kept, retain_days=900
        )
        made = [
            Thing(name, f"{name}-{n}", _level(said, access), whose or owner, f"{name}word{n}")
            for n, (said, whose) in enumerate(SAID)
        ]
        put_in(runtime, name, [thing.as_document(*said) for thing, said in zip(made, SAID, strict=True)])
        add_terms(runtime, name, made)
        things += made
    return things


def _level(said: str | None, default: str) -> str:
    if said is None:
        return default
    return SEALED if " " in said else said.lower()


def add_terms(runtime: WorkerRuntime, name: str, things: Sequence[Thing]) -> None:
    """Terms as a model would have found them: in each document the cellar has a synonym of its own."""
    with runtime.database.write() as connection:
        collection_id = get_collection(connection, name).id
        for thing in things:
            found = [FoundTerm("cellar", (f"syn{thing.word}",), 1)]
            replace_terms(connection, found, collection_id=collection_id, document_id=thing.id)
