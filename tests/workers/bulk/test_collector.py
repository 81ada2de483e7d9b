"""Batches survive whatever happens to whoever makes them: no request is paid for twice, and none is lost."""

from pathlib import Path
from typing import Any

import pytest

from shared.db.schema import attempt
from shared.simulators.faults import Fault
from shared.simulators.openai import OpenAISimulator
from shared.spend.terms import Lane
from tests.corpus import text_of
from tests.waiting import wait_until
from tests.workers.bulk.killing import Scythe, live_until_killed
from tests.workers.bulk.line import Line


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_step_loses_nothing_and_pays_nothing_twice(
    line: Line[OpenAISimulator], scythe: Scythe, tmp_path: Path, *, after: bool
) -> None:
    asked = 0
    for number in range(1, 40):
        line.tracker.job = line.tracker.create_job(f"killed {number}")
        line.set_lane(Lane.BULK)
        line.submit(tmp_path / f"{after}-{number}", {"one": f"Text {number}.", "two": f"Another text, {number}."})
        line.park()
        with scythe.striking(number, after=after):
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
