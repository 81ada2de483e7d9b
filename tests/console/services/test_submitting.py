"""What holds for a submission, whoever submits."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from embedmill.console.listening import NOBODY, Listener, Notice
from embedmill.console.services.lanes import require_prices
from embedmill.console.services.submitting import USUAL, JobSubmission, submit, tell_spellings
from embedmill.producers.sources.folder import FolderSource
from embedmill.producers.sources.maildir import MaildirSource
from embedmill.producers.submission import ensure_collection, usual_settings
from embedmill.shared.db import presence
from embedmill.shared.db.clock import clock
from embedmill.shared.db.scans import open_source
from embedmill.shared.db.schema import worker
from embedmill.shared.errors import UnknownPrice
from embedmill.shared.presence import Presence
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings
from embedmill.shared.spend.prices import Prices


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Presence(settings.home_path / "run") as presence_:
        opened = Runtime(settings, process_id=presence_.id)
        yield opened
        opened.close()


def test_a_source_that_is_known_by_another_spelling_is_named(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "link").symlink_to("docs")
    former = FolderSource(bytes(tmp_path / "link"))
    collection = ensure_collection(runtime, "default")
    with runtime.database.write() as connection:
        open_source(connection, collection_id=collection.id, identity=former.identity, spec=former.spec)
    told: list[Notice] = []
    tell_spellings(runtime, collection, [FolderSource(bytes(tmp_path / "docs"))], Listener(told.append))
    (notice,) = told
    assert f"embedmill sources remove {(tmp_path / 'link').as_uri()}" in notice.text
    tell_spellings(runtime, collection, [former], Listener(told.append))
    assert told == [notice]


def test_a_maildir_that_is_on_record_as_a_folder_is_named(runtime: Runtime, tmp_path: Path) -> None:
    folder, maildir = FolderSource(bytes(tmp_path)), MaildirSource(bytes(tmp_path))
    collection = ensure_collection(runtime, "default")
    with runtime.database.write() as connection:
        open_source(connection, collection_id=collection.id, identity=folder.identity, spec=folder.spec)
    told: list[Notice] = []
    tell_spellings(runtime, collection, [maildir], Listener(told.append))
    assert [f"{tmp_path.as_uri()} is on record as a folder too" in notice.text for notice in told] == [True]
    tell_spellings(runtime, collection, [folder], Listener(told.append))
    assert len(told) == 1


def test_a_job_that_nobody_serves_or_hands_out_is_submitted_with_a_warning(runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("a mill")
    docs = FolderSource(bytes(tmp_path / "docs"))
    told: list[Notice] = []
    submit(runtime, [docs], collection="default", listener=Listener(told.append))
    assert [notice.text for notice in told] == ["nobody serves any queue: embedmill workers start"]
    with runtime.database.write() as connection:
        presence.register_worker(connection, runtime.process_id, host="here", pid=1, queues=["chunk"])
        connection.execute(worker.update().values(started_at=clock() - 40.0))
    submit(runtime, [docs], collection="default", listener=Listener(told.append))
    assert "embedmill workers start --only-chores" in told[-1].text


def test_who_submits_what_another_process_is_reading_is_told_so(
    runtime: Runtime, settings: Settings, tmp_path: Path
) -> None:
    docs = [FolderSource(bytes(tmp_path))]
    JobSubmission(runtime, docs, "default", USUAL, NOBODY).open()
    told: list[Notice] = []
    with Presence(settings.home_path / "run") as other, closing(Runtime(settings, process_id=other.id)) as second:
        assert submit(second, docs, collection="default", listener=Listener(told.append)).documents == 0
    assert any("another process reads the sources of job 1" in notice.text for notice in told)


def required(settings: Settings, prices: Prices, **changed: str) -> None:
    """Ask for the prices of a job under some settings."""
    with closing(Runtime(settings.model_copy(update=changed), process_id="test")) as runtime:
        vars(runtime.spender)["prices"] = prices
        require_prices(runtime, usual_settings(runtime.settings))


def test_a_job_whose_store_would_bill_without_a_price_is_refused(settings: Settings) -> None:
    with pytest.raises(UnknownPrice, match="pinecone/serverless"):
        required(settings, Prices([]), vector_url="pinecone://mill")


@pytest.mark.parametrize(
    ("prices", "store"),
    [
        (Prices([]), "embedded://"),
        (Prices([], allow_unpriced=True), "pinecone://mill"),
        (Prices.load(), "pinecone://mill"),
    ],
)
def test_a_job_whose_store_is_free_or_priced_or_may_be_unpriced_is_not(
    settings: Settings, prices: Prices, store: str
) -> None:
    required(settings, prices, vector_url=store)
