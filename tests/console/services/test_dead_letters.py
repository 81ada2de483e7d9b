"""Dead letters for people: by root cause, one by one, explained with what comes next, given up, exported."""

import pytest

from embedmill.console.rendering import to_json
from embedmill.console.services.dead_letters import (
    ExportedLetter,
    discard_letters,
    explain_letter,
    export_letters,
    list_letters,
    show_message,
)
from embedmill.console.services.replaying import replay_letters
from embedmill.shared.db import unreadable
from embedmill.shared.errors import EncryptedDocument, NotFound, UnreadableDocument
from embedmill.shared.letters import LetterFilter
from embedmill.shared.outcomes import Fail
from embedmill.shared.runtime import Runtime
from tests.shared.db.tracker import Tracker

TORN, LOCKED = Fail(UnreadableDocument("torn")), Fail(EncryptedDocument("locked"))


@pytest.fixture
def letters(tracker: Tracker) -> list[int]:
    """Two torn documents and one that needs a password, in a job that has ended."""
    claim = tracker.take([f"file:///nowhere/{n}" for n in range(3)])
    first, second, third = (item.id for item in claim.items)
    tracker.settle(claim, {first: TORN, second: TORN, third: LOCKED})
    tracker.end_scan()
    tracker.complete_jobs()
    return [1, 2, 3]


@pytest.fixture
def message(runtime: Runtime) -> int:
    """A message that came twice and that nobody could read."""
    with runtime.database.write() as connection:
        for _ in range(2):
            unreadable.record(connection, queue="embedmill-embed", reason="version 9", body='{"v": 9}', headers={})
    return 1


def test_letters_are_listed_by_root_cause_and_one_by_one(runtime: Runtime, letters: list[int]) -> None:
    found = list_letters(runtime)
    assert (found.total, [letter.id for letter in found.dead_letters]) == (3, [3, 2, 1])
    assert [(cause.count, cause.error_class) for cause in found.groups] == [
        (2, "UnreadableDocument"), (1, "EncryptedDocument"),
    ]  # fmt: skip
    assert [letter.id for letter in list_letters(runtime, before=3, limit=1).dead_letters] == [2]
    assert list_letters(runtime, LetterFilter(fingerprint=found.groups[0].fingerprint)).total == 2
    assert list_letters(runtime, LetterFilter(older_than=7200)).total == 0


def test_what_is_not_there_is_not_taken_for_nothing_to_do(runtime: Runtime, letters: list[int]) -> None:
    for wanted in (LetterFilter(job=99), LetterFilter(collection="none")):
        with pytest.raises(NotFound):
            list_letters(runtime, wanted)
        with pytest.raises(NotFound):
            discard_letters(runtime, wanted, reason="gone")
        with pytest.raises(NotFound):
            list(export_letters(runtime, wanted))
    done = discard_letters(runtime, LetterFilter(ids=[999]), reason="gone")
    assert to_json(done.refused) == [{"id": 999, "reason": "there is no such dead letter"}]


def test_a_letter_says_what_can_be_done_about_it(runtime: Runtime, letters: list[int]) -> None:
    torn, locked = explain_letter(runtime, 1), explain_letter(runtime, 3)
    discard = 'embedmill dlq discard {} --reason "..."'
    of_cause = f"embedmill dlq replay --fingerprint {torn.fingerprint} --dry-run"
    assert (torn.same_cause, torn.next) == (2, ["embedmill dlq replay 1", of_cause, discard.format(1)])
    assert locked.next == ["embedmill dlq replay 3", discard.format(3)]
    assert [attempt.outcome for attempt in torn.history] == ["error"]
    assert torn.sample.source.startswith("cannot be read from here")


def test_a_letter_that_was_dealt_with_says_where_its_story_goes_on(
    runtime: Runtime, tracker: Tracker, letters: list[int]
) -> None:
    discard_letters(runtime, LetterFilter(ids=[3]), reason="not ours")
    assert explain_letter(runtime, 3).next == []
    replay_letters(runtime, LetterFilter(ids=[1]))
    tracker.settle(tracker.claim(tracker.queue()), TORN)
    again = explain_letter(runtime, 1)
    assert (again.outcome, again.next_letter, again.next) == ("dead again", 4, ["embedmill dlq show 4"])
    assert again.replayed_by is not None and again.replayed_by.outcomes["dead again"] == 1
    assert [letter.outcome for letter in again.letters] == ["dead again", None]


def test_a_discarded_letter_is_gone_and_its_reason_stays(runtime: Runtime, letters: list[int]) -> None:
    done = discard_letters(runtime, LetterFilter(error_class="UnreadableDocument"), reason="not ours")
    assert (done.discarded, sorted(done.ids), done.refused) == (2, [1, 2], [])
    assert list_letters(runtime).total == 1
    assert list_letters(runtime, LetterFilter(resolved=True)).total == 3
    assert explain_letter(runtime, 1).resolution_reason == "not ours"


def test_messages_that_nobody_can_read_are_beside_letters_that_nothing_narrows(
    runtime: Runtime, letters: list[int], message: int
) -> None:
    (kept,) = list_letters(runtime).unreadable
    assert (kept.queue, kept.times, show_message(runtime, message).body) == ("embedmill-embed", 2, '{"v": 9}')
    assert list_letters(runtime, LetterFilter(stage="chunk")).unreadable == []
    done = discard_letters(runtime, None, messages=[message], reason="an old producer")
    assert (done.discarded, done.ids, done.messages) == (1, [], [message])
    assert list_letters(runtime).unreadable == []
    (resolved,) = list_letters(runtime, LetterFilter(resolved=True)).unreadable
    assert resolved.resolution_reason == "an old producer"


def test_letters_are_exported_whole_and_messages_after_them(runtime: Runtime, letters: list[int], message: int) -> None:
    lines = to_json(list(export_letters(runtime)))
    assert [line["kind"] for line in lines] == ["dead_letter"] * 3 + ["unreadable_message"]
    assert {"uri", "error_class", "fingerprint", "history", "sample", "cost", "letters"} <= set(lines[0])
    narrowed = list(export_letters(runtime, LetterFilter(stage="chunk")))
    assert len(narrowed) == 3 and all(isinstance(line, ExportedLetter) for line in narrowed)
    discard_letters(runtime, LetterFilter(), reason="not ours")
    assert [line["kind"] for line in to_json(list(export_letters(runtime)))] == ["unreadable_message"]
    assert len(list(export_letters(runtime, LetterFilter(resolved=True)))) == 4
