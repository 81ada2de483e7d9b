"""Outcomes: what an error means for its document, and that it says nothing of the document's text."""

import pytest

from embedmill.shared.db.settlement import RetryPolicy
from embedmill.shared.errors import BlobMissing, EncryptedDocument, ParserLimitExceeded, StorageFailed, WorkerLost
from embedmill.shared.outcomes import Fail, origin_of


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (EncryptedDocument("locked"), False),
        (ParserLimitExceeded("too long"), False),
        (WorkerLost("gone"), True),
        (BlobMissing("gone"), True),
        (StorageFailed("full"), True),
        (ValueError("odd"), True),
        (MemoryError(), True),
    ],
    ids=repr,
)
def test_what_may_go_away_by_itself_is_retried(error: BaseException, *, retryable: bool) -> None:
    assert Fail(error).retryable is retryable


def read_page() -> None:
    raise ValueError("the secret of page 7")


def test_a_foreign_error_is_told_by_its_class_and_origin_and_never_by_its_text() -> None:
    with pytest.raises(ValueError, match="page 7") as raised:
        read_page()
    fail = Fail(raised.value)
    assert "secret" not in fail.message + fail.hint
    assert fail.message == "ValueError at shared/test_outcomes.py:read_page"


def test_our_own_errors_speak_for_themselves() -> None:
    fail = Fail(EncryptedDocument("it needs a password"))
    assert (fail.error_class, fail.message) == ("EncryptedDocument", "it needs a password")
    assert "password" in fail.hint


def test_an_error_that_was_never_raised_has_no_origin() -> None:
    assert origin_of(ValueError()) == "unknown place"


def test_the_back_off_doubles_up_to_its_longest() -> None:
    policy = RetryPolicy(base=2.0, longest=10.0)
    assert [policy.delay(attempts) for attempts in (1, 2, 3, 4, 50)] == [2.0, 4.0, 8.0, 10.0, 10.0]
