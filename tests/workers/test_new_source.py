"""A source is a module and a line in the table of origins: one that is made up here is ingested, measured and shown."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import pytest

from embedmill.console.services.measuring import measure_job
from embedmill.console.services.sampling import take_sample
from embedmill.producers.sources.base import FileItem, Item, ReadContext, Source, Spec
from embedmill.producers.sources.open import open_sources, source_from_spec
from embedmill.producers.sources.options import SourceOptions
from embedmill.shared import origins
from embedmill.shared.db.schema import document
from embedmill.shared.errors import SourceError, SourceGone
from embedmill.shared.loading.loaders import Loaded, Loader, Located
from embedmill.shared.origins import Origin
from embedmill.shared.states import State
from embedmill.workers.runtime import WorkerRuntime
from tests.console.letters import letter
from tests.corpus import text_of
from tests.shared.db.tracker import Tracker
from tests.workers.working import embed_by_hash, submit_sources, work_off

SHELF: dict[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class ShelfSource(Source):
    """The throw-away source: what stands on a shelf of this process, by a URL as `shelf://upper`."""

    kind: ClassVar[str] = "shelf"

    url: str

    @classmethod
    def open(cls, url: str, options: SourceOptions) -> Self:
        return cls(url)

    @classmethod
    def from_spec(cls, spec: Spec) -> Self:
        return cls(spec["uri"])

    @property
    def spec(self) -> Spec:
        return {"kind": self.kind, "uri": self.url}

    def read(self, context: ReadContext) -> Iterator[Item]:
        for uri, data in SHELF.items():
            if uri.startswith(self.url):
                yield FileItem(uri, len(data), hashlib.sha256(data).hexdigest(), kind=self.kind)


class ShelfLoader(Loader):
    """What a worker reads of it later."""

    whence = "the shelf"

    def load(self, located: Located) -> Loaded:
        if located.uri not in SHELF:
            raise SourceGone("it was taken from the shelf")
        return Loaded(self.whence, SHELF[located.uri])


@pytest.fixture(autouse=True)
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two documents, and the one line."""
    monkeypatch.setitem(origins.ORIGINS, "shelf", Origin(f"{__name__}:ShelfLoader", f"{__name__}:ShelfSource"))
    SHELF.update({f"shelf://upper/{number}.txt": text_of(number).encode() for number in range(2)})
    yield
    SHELF.clear()


@pytest.fixture
def job(runtime: WorkerRuntime, tracker: Tracker) -> int:
    """The submission of the shelf."""
    embed_by_hash(runtime, tracker)
    return submit_sources(runtime, tracker, opened("shelf://upper"))


def opened(url: str) -> list[Source]:
    return open_sources([url], options=SourceOptions(), stdin=io.BytesIO())


def test_what_it_holds_is_ingested(runtime: WorkerRuntime, tracker: Tracker, job: int) -> None:
    work_off(runtime, tracker)
    assert tracker.states() == [State.COMPLETED, State.COMPLETED]
    found = {row["uri"]: row["content_hash"] for row in tracker.rows(document)}
    assert found == {uri: hashlib.sha256(data).hexdigest() for uri, data in SHELF.items()}


def test_what_is_gone_when_a_worker_comes_is_the_documents_own_failure(
    runtime: WorkerRuntime, tracker: Tracker, job: int
) -> None:
    del SHELF["shelf://upper/0.txt"]
    work_off(runtime, tracker)
    assert sorted(tracker.states()) == [State.COMPLETED, State.DEAD]


def test_it_is_measured_before_anything_is_paid(runtime: WorkerRuntime, tracker: Tracker, job: int) -> None:
    measured = measure_job(runtime, job, runtime.collection_settings(1), runtime.collection(1))
    assert (measured.totals.documents, measured.totals.unreadable) == (2, 0)
    assert measured.totals.chunks >= 2


def test_a_sample_says_where_it_was_taken(runtime: WorkerRuntime) -> None:
    sample = take_sample(runtime, letter(uri="shelf://upper/1.txt", origin={"kind": "shelf"}))
    assert sample.source == "the shelf"
    assert sample.excerpt


def test_it_is_built_again_from_its_spec_and_other_schemes_are_refused() -> None:
    (source,) = opened("shelf://upper")
    assert source_from_spec(source.spec) == source
    with pytest.raises(SourceError, match="tape:// sources are not supported yet"):
        opened("tape://upper")
