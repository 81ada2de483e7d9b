"""Vendors' batches as people see them."""

import pytest
from sqlalchemy import insert

from embedmill.console.cli.reports import print_lane
from embedmill.console.listening import Listener
from embedmill.console.services import controlling
from embedmill.console.services.bulk import describe_batch, list_batches, show_batch
from embedmill.console.services.jobs import BatchLane
from embedmill.shared.db.bulk_batches import BulkBatch
from embedmill.shared.db.schema import bulk_batch
from embedmill.shared.errors import NotFound
from embedmill.shared.ledger import BatchState
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker


def batch(**told: object) -> BulkBatch:
    """A batch that was submitted at 100 and is looked at at 160."""
    nothing = dict.fromkeys(BulkBatch.__dataclass_fields__)
    usual = {"id": 7, "state": BatchState.SUBMITTED, "created_at": 100.0, "due_at": 170.0, "now": 160.0}
    return BulkBatch(**nothing | usual | told)  # type: ignore[arg-type]


def test_an_open_batch_says_how_old_it_is_and_how_long_it_may_take() -> None:
    found = describe_batch(batch(expires_at=400.0))
    assert (found.age_seconds, found.expires_in_seconds, found.next_look_in_seconds) == (60.0, 240.0, 10.0)
    assert (found.created_at, found.ended_at) == ("1970-01-01T00:01:40+00:00", None)


def test_a_batch_that_has_ended_grows_no_older() -> None:
    found = describe_batch(batch(expires_at=400.0, ended_at=130.0))
    assert (found.age_seconds, found.expires_in_seconds, found.next_look_in_seconds) == (30.0, None, None)


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ({"state": BatchState.RELEASED, "error": "openai could not be reached"}, "was not made: openai could not be"),
        ({"state": BatchState.RELEASED}, "no open batch\n"),
        ({"state": BatchState.ENDED, "error": "3 results could not be read"}, "no open batch\n"),
    ],
)
def test_a_batch_that_the_vendor_did_not_take_is_told_where_none_is_open(
    capsys: pytest.CaptureFixture[str], last: dict[str, object], told: str
) -> None:
    batches = [describe_batch(batch(ended_at=130.0, **each)) for each in (last, {"id": 6, "state": BatchState.ENDED})]
    print_lane(BatchLane({}, {}, batches))
    assert told in capsys.readouterr().out


def test_a_job_that_is_cancelled_where_nobody_does_the_chores_says_which_batches_are_out(
    runtime: Runtime, tracker: Tracker
) -> None:
    told: list[str] = []
    listener = Listener(on_notice=lambda notice: told.append(notice.text))
    values = dict.fromkeys(("provider", "model", "operation", "kind", "target", "key"), "any")
    counts = dict.fromkeys(("requests", "inputs", "tokens_in", "tokens_out", "created_at", "due_at"), 1)
    tracker.submit(["file:///a"])
    with runtime.database.write() as connection:
        connection.execute(insert(bulk_batch).values(**values, **counts, job_id=tracker.job, state="prepared"))
    controlling.cancel(runtime, tracker.job, listener=listener)
    (text,) = told
    assert text.startswith("batch 1 is not settled with the vendor: the chores stop it")
    assert text.endswith(": embedmill workers start --only-chores")


def test_a_batch_that_there_is_not_is_named(runtime: Runtime) -> None:
    assert list_batches(runtime).batches == []
    with pytest.raises(NotFound, match="no batch 9"):
        show_batch(runtime, 9)
