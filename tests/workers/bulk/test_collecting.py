"""Batches survive whatever happens to whoever makes them: no request is paid for twice, and none is lost."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from orjson import loads

from embedmill.shared.db.schema import attempt
from embedmill.shared.json_bytes import json_bytes
from embedmill.shared.ledger import Lane
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from tests.corpus import text_of
from tests.waiting import wait_until
from tests.workers.bulk.killing import Killer, live_until_killed
from tests.workers.bulk.line import Line


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_step_loses_nothing_and_pays_nothing_twice(
    line: Line[OpenAISimulator], killer: Killer, tmp_path: Path, *, after: bool
) -> None:
    asked = 0
    for number in range(1, 40):
        line.tracker.job = line.tracker.create_job(f"killed {number}")
        line.set_lane(Lane.BULK)
        line.submit(tmp_path / f"{after}-{number}", {"one": f"Text {number}.", "two": f"Another text, {number}."})
        line.park()
        with killer.striking(number, after=after):
            killed = live_until_killed(line)
        line.finish()
        line.settle()
        asked += 2
        assert line.vendor.bill.total("inputs") == asked, f"something was paid for twice at step {number}"
        assert line.paid() == line.vendor.bill.total("tokens_in")
        assert line.ledger("reserved", "unsettled") == []
        assert not line.vendor.lane.files
        if not killed:
            assert number > 8
            return
    raise AssertionError("a batch takes fewer steps than that")


@pytest.mark.parametrize("kind", ["malformed", "cut_body"])
def test_a_batch_whose_creation_was_not_answered_is_found_at_the_vendor(
    line: Line[OpenAISimulator], tmp_path: Path, kind: Any
) -> None:
    line.vendor.faults.add(Fault(kind=kind, path="/v1/batches"))
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    line.round()
    assert line.states() == ["submitting"]
    line.finish()
    assert line.states() == ["ended"]
    assert line.vendor.bill.total("inputs") == len(line.stored())
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_a_batch_that_was_never_made_is_made_again(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.vendor.faults.add(Fault(kind="cut", path="/v1/batches"))
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    line.round()
    assert line.states() == ["submitting"]
    line.finish()
    assert line.states() == ["released", "ended"]
    assert [row["state"] for row in line.ledger()] == ["released", "settled"]
    assert not line.vendor.lane.files


def test_a_batch_is_looked_for_before_it_is_given_up(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.change(bulk_lost_seconds=3600.0)
    line.vendor.faults.add(Fault(kind="cut", path="/v1/batches"))
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    for _ in range(3):
        line.round()
    assert line.states() == ["submitting"]


def test_results_that_break_off_are_read_again_and_paid_once(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    line.round()
    line.vendor.clock.advance(3600)
    line.vendor.faults.add(Fault(kind="cut_body", path="/content"), Fault(kind="truncated", path="/content"))
    line.round()
    (batch,) = line.batches()
    assert (batch.state, batch.troubles) == ("submitted", 1)
    line.finish()
    assert line.batches()[0].error is None
    assert line.vendor.bill.total("inputs") == len(line.stored())
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_a_vendor_that_is_away_is_asked_later_and_later(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    line.round()
    line.vendor.faults.add(Fault(kind="status", status=503, path="/v1/batches", times=4))
    wait_until(lambda: line.round() and line.batches()[0].troubles == 4, "it was asked four times")
    line.finish()
    assert line.states() == ["ended"]


def test_a_batch_that_was_deleted_at_the_vendor_counts_as_spent_and_is_made_again(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    line.round()
    line.vendor.forget_batches()
    line.finish()
    assert [row["state"] for row in line.ledger()] == ["unsettled", "settled"]
    assert line.batches()[0].error == "the vendor has no such batch any more"
    assert line.outcomes() == {"one": "indexed"}


def test_an_answer_that_makes_no_sense_leaves_the_reservation_standing(
    line: Line[OpenAISimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = line.vendor.lane._answer_line

    def spoiled(entry: dict[str, Any]) -> dict[str, Any]:
        line_ = answer(entry)
        return {**line_, "response": {**line_["response"], "body": {"data": "nonsense"}}}

    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    line.round()
    monkeypatch.setattr(line.vendor.lane, "_answer_line", spoiled)
    line.vendor.clock.advance(3600)
    line.settle()
    monkeypatch.setattr(line.vendor.lane, "_answer_line", answer)
    (row,) = line.ledger()
    assert row["state"] == "unsettled"
    assert row["tokens_in"] >= line.vendor.bill.total("tokens_in") > 0
    line.work()
    assert {r["error_class"] for r in line.tracker.rows(attempt)} >= {"ProviderUnavailable"}


def spoil(line: Line[OpenAISimulator], monkeypatch: pytest.MonkeyPatch, change: Callable[[bytes], bytes]) -> None:
    """What the vendor keeps as results, from here on, is what `change` makes of it."""
    store = line.vendor.lane._store

    def spoiled(content: bytes, name: str, purpose: str) -> Any:
        return store(change(content) if purpose == "batch_output" else content, name, purpose)

    monkeypatch.setattr(line.vendor.lane, "_store", spoiled)


def first_line(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        first, _, rest = content.partition(b"\n")
        return change(first) + b"\n" + rest

    return changed


def strangers(content: bytes) -> list[bytes]:
    """A good result under ids that were never sent."""
    first = content.partition(b"\n")[0]
    return [re.sub(rb'"custom_id": "[^"]*"', b'"custom_id": "%s"' % id_, first) for id_ in (b"nobody", b"", b"0-9")]


SPOILED = {
    "no JSON": first_line(lambda _: b"<html>502 Bad Gateway</html>"),
    "no object": first_line(lambda _: b"[1, 2]"),
    "truncated": lambda content: content[:-200],
    "another id": first_line(lambda text: text.replace(b'"custom_id": "', b'"custom_id": "x')),
    "an id in a list": first_line(lambda text: re.sub(rb'"custom_id": ("[^"]*")', rb'"custom_id": [\1]', text)),
    "no id": first_line(lambda text: text.replace(b'"custom_id"', b'"id"')),
    "no status": first_line(lambda text: text.replace(b'"status_code"', b'"code"')),
    "a line is missing": lambda content: content.partition(b"\n")[2],
    "twice": lambda content: content + content,
    "empty": lambda _: b"",
    "backwards, twice and with strangers": lambda content: b"".join(
        line + b"\n" for line in (*reversed(content.splitlines()), *strangers(content), *content.splitlines())
    ),
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_good_results_are_kept_and_bad_ones_are_asked_for_at_once(
    line: Line[OpenAISimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoiled: str
) -> None:
    line.submit(tmp_path / "docs", {"one": "A short text.", "two": "Another short text.", "three": "The last one."})
    line.park()
    line.round()
    with monkeypatch.context() as patch:
        spoil(line, patch, SPOILED[spoiled])
        line.vendor.clock.advance(3600)
        line.settle()
    line.work()
    assert set(line.outcomes().values()) == {"indexed"}
    lost = {"twice": 0, "empty": 3, "backwards, twice and with strangers": 0}.get(spoiled, 1)
    assert line.vendor.bill.total("inputs") == 3 + lost
    assert [(batch.requests, batch.returned) for batch in line.batches()] == [(3, lost)]
    assert line.ledger("reserved") == []
    assert sum(row["tokens_in"] for row in line.ledger()) >= line.vendor.bill.total("tokens_in")


@pytest.mark.parametrize("of", [first_line, lambda change: change], ids=["one", "all"])
def test_an_answer_that_took_nothing_counts_at_its_most(
    line: Line[OpenAISimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of: Any
) -> None:
    line.submit(tmp_path / "docs", {"one": "A short text.", "two": "Another short text."})
    line.park()
    line.round()
    spoil(line, monkeypatch, of(lambda content: re.sub(rb'"prompt_tokens": \d+', b'"prompt_tokens": 0', content)))
    line.vendor.clock.advance(3600)
    line.settle()
    line.work()
    assert line.outcomes() == {"one": "indexed", "two": "indexed"}
    assert [row["tokens_in"] for row in line.ledger()] == [line.vendor.bill.total("tokens_in")]


def with_lines(change: Callable[[list[Any]], list[Any]]) -> Callable[[bytes], bytes]:
    return lambda content: b"".join(json_bytes(line) + b"\n" for line in change(list(map(loads, content.splitlines()))))


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        (lambda lines: [{**lines[0], "response": None, "error": {"code": "batch_expired"}}, *lines], 0),
        (lambda lines: [{**lines[0], "response": {"status_code": 200, "body": None}}, *lines[1:]], 1),
        (lambda lines: [{**lines[0], "response": None}, *lines[1:]], 1),
        (lambda lines: [{**lines[0], "response": {"status_code": 504, "body": None}}, *lines[1:]], 1),
    ],
    ids=["expired and answered", "an answer of nothing", "neither answer nor error", "too late"],
)
def test_what_may_have_been_answered_is_paid_for(
    line: Line[OpenAISimulator],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[list[Any]], list[Any]],
    asked: int,
) -> None:
    line.submit(tmp_path / "docs", {"one": "A short text.", "two": "Another short text."})
    line.park()
    line.round()
    with monkeypatch.context() as patch:
        spoil(line, patch, with_lines(change))
        line.vendor.clock.advance(3600)
        line.settle()
    line.finish()
    assert line.outcomes() == {"one": "indexed", "two": "indexed"}
    assert line.vendor.bill.total("inputs") == 2 + asked
    assert line.paid() == line.vendor.bill.total("tokens_in")


def lose_results(line: Line[OpenAISimulator]) -> None:
    """Somebody deletes what the vendor keeps as results."""
    lane = line.vendor.lane
    for batch in lane._batches.all():
        lane._files.pop(lane._settled(batch).meta["output_file_id"], None)


@pytest.mark.parametrize("fault", [Fault(kind="truncated", path="/content", times=None), None], ids=["spoiled", "gone"])
def test_results_that_are_never_to_be_had_end_the_batch_and_its_texts_are_asked_for_at_once(
    line: Line[OpenAISimulator], tmp_path: Path, fault: Fault | None
) -> None:
    line.submit(tmp_path / "docs", {"one": "A short text."})
    line.park()
    if fault is not None:
        line.vendor.faults.add(fault)
    line.round()
    line.vendor.clock.advance(3600)
    if fault is None:
        lose_results(line)
    line.settle()
    line.work()
    assert line.outcomes() == {"one": "indexed"}
    (batch,) = line.batches()
    assert (batch.state, batch.error) == ("ended", "1 results could not be read; they are asked for at once")
    assert line.ledger("reserved") == []
    assert {row["state"] for row in line.ledger() if row["lane"] == "bulk"} == {"unsettled"}
    assert sum(row["tokens_in"] for row in line.ledger()) == line.vendor.bill.total("tokens_in")
