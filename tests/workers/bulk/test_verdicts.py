"""Verdicts by the batch lane, against a simulated Claude: what they decide, what they cost, and second chances."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from embedmill.shared.db import bulk_batches
from embedmill.shared.db.schema import dead_letter, verdict
from embedmill.shared.errors import ProviderUnavailable
from embedmill.shared.ledger import Lane
from embedmill.shared.providers.models.anthropic import AnthropicModel
from embedmill.shared.providers.models.base import ModelAnswer
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import ScriptedVerdict as Scripted
from embedmill.workers.chores.batcher import Batcher
from tests.workers.bulk.killing import Killer, live_until_killed
from tests.workers.bulk.line import Line
from tests.workers.validation.documents import LEFTOVER, PLAIN, VAGUE

THREE = {"plain": PLAIN, "leftover": LEFTOVER, "vague": VAGUE}
CALL = "/v1/messages"


def verdicts(line: Line[AnthropicSimulator]) -> list[dict[str, Any]]:
    return [row["body"] for row in line.tracker.rows(verdict)]


def indexed(line: Line[AnthropicSimulator]) -> set[str]:
    return {key.partition("/")[0] for key in line.stored()}


def billed(line: Line[AnthropicSimulator]) -> dict[str, int]:
    names = ("tokens_in", "tokens_out", "cache_read", "cache_write_1h", "cache_write_5m")
    return {name: line.vendor.bill.total(name) for name in names}


def assert_paid(line: Line[AnthropicSimulator]) -> None:
    """The ledger is the vendor's bill to the token."""
    bill = billed(line)
    assert bill["cache_write_5m"] == 0, "a batch takes longer than five minutes"
    assert {name: line.paid(name) for name in ("tokens_in", "tokens_out", "cache_read")} == {
        name: bill[name] for name in ("tokens_in", "tokens_out", "cache_read")
    }
    assert line.paid("cache_write") == bill["cache_write_1h"]
    assert line.ledger("reserved", "unsettled") == []


def test_the_gate_waits_for_the_batch_and_decides_by_it_at_half_the_price(
    judged: Line[AnthropicSimulator], tmp_path: Path
) -> None:
    judged.vendor.writer.add(
        Scripted(match=LEFTOVER, verdict={"score": 1}),
        Scripted(match=VAGUE, verdict={"score": 4, "extraneous_spans": [" Page 12 of 40."]}),
    )
    judged.submit(tmp_path / "docs", THREE)
    judged.park()
    judged.finish()
    assert indexed(judged) == {"plain", "vague"}
    assert judged.vendor.bill.total("requests") == 1, "several chunks share a request"
    assert_paid(judged)
    (row,) = judged.ledger()
    per_million = {"tokens_in": 2.5, "tokens_out": 12.5, "cache_read": 0.25, "cache_write": 5.0}
    exact = sum(row[name] * price for name, price in per_million.items())
    assert exact <= row["cost_microusd"] < exact + 1
    assert row["lane_saved_microusd"] in (row["cost_microusd"], row["cost_microusd"] - 1)
    assert (row["cache_saved_microusd"], row["inputs"]) == (0, 3)
    assert not judged.entries()


def test_requests_of_a_batch_share_the_rubric(judged: Line[AnthropicSimulator], tmp_path: Path) -> None:
    judged.submit(tmp_path / "docs", {f"{n}": f"{PLAIN} It has the number {n}." for n in range(40)})
    judged.finish()
    (batch,) = judged.batches()
    assert batch.requests == judged.vendor.bill.total("requests") == 3
    bill = billed(judged)
    assert bill["cache_read"] == 2 * bill["cache_write_1h"] > 0
    assert_paid(judged)


def test_as_much_is_reserved_as_when_every_request_has_to_write_the_rubric_for_an_hour(
    judged: Line[AnthropicSimulator], tmp_path: Path
) -> None:
    judged.submit(tmp_path / "docs", {f"{n}": f"{PLAIN} It has the number {n}." for n in range(40)})
    judged.park()
    judged.round()
    (reserved,) = judged.ledger("reserved")
    judged.finish()
    bill = billed(judged)
    requests, written = judged.vendor.bill.total("requests"), bill["cache_write_1h"]
    assert requests == 3 and reserved["cache_write"] >= requests * written > 0
    worst = {"tokens_in": 2.5 * bill["tokens_in"], "rubric": 5.0 * requests * written}
    assert reserved["cost_microusd"] - 12.5 * reserved["tokens_out"] >= sum(worst.values())


def test_an_answer_that_does_not_say_what_it_took_leaves_the_reservation_open(
    judged: Line[AnthropicSimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = AnthropicModel.read_batch
    monkeypatch.setattr(AnthropicModel, "read_batch", lambda self, body: replace(answers(self, body), tokens=None))
    judged.submit(tmp_path / "docs", THREE)
    judged.finish()
    assert indexed(judged) == set(THREE)
    (row,) = judged.ledger()
    assert row["state"] == "unsettled"
    assert row["tokens_in"] + row["cache_write"] >= billed(judged)["tokens_in"] + billed(judged)["cache_write_1h"] > 0


@pytest.mark.parametrize("is_nonsense", [False, True], ids=["untold", "nonsense"])
def test_one_answer_that_does_not_say_what_it_took_counts_at_its_most_and_all_others_as_they_are(
    judged: Line[AnthropicSimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_nonsense: bool
) -> None:
    answers, read = AnthropicModel.read_batch, list[ModelAnswer]()

    def second_in_doubt(model: AnthropicModel, body: Any) -> ModelAnswer:
        read.append(answers(model, body))
        if len(read) != 2:
            return read[-1]
        if is_nonsense:
            raise ProviderUnavailable("nonsense")
        return replace(read[-1], tokens=None)

    monkeypatch.setattr(AnthropicModel, "read_batch", second_in_doubt)
    judged.submit(tmp_path / "docs", {f"{n}": f"{PLAIN} It has the number {n}." for n in range(40)})
    judged.park()
    judged.round()
    (reserved,) = judged.ledger("reserved")
    judged.vendor.clock.advance(3600)
    judged.settle()
    (row,) = judged.ledger()
    out = [answer.tokens.out for answer in read if answer.tokens]
    doubtful = row["tokens_out"] - out[0] - out[2]
    assert row["state"] == "settled"
    assert out[1] < doubtful < reserved["tokens_out"] / 2
    assert billed(judged)["tokens_in"] <= row["tokens_in"] < reserved["tokens_in"]


def test_an_answer_that_cannot_be_used_is_asked_for_once_more(judged: Line[AnthropicSimulator], tmp_path: Path) -> None:
    judged.vendor.writer.add(Scripted(raw="nothing", times=1))
    judged.submit(tmp_path / "docs", THREE)
    judged.finish()
    assert [batch.returned for batch in judged.batches()] == [3, 0]
    assert {(body["source"], body["repaired"]) for body in verdicts(judged)} == {("model", True)}
    assert_paid(judged)


def test_what_cannot_be_used_twice_is_judged_by_the_rules(judged: Line[AnthropicSimulator], tmp_path: Path) -> None:
    judged.vendor.writer.add(Scripted(raw="nothing", times=2))
    judged.submit(tmp_path / "docs", THREE)
    judged.finish()
    assert len(judged.batches()) == 2
    assert {body["source"] for body in verdicts(judged)} == {"rules"}
    assert indexed(judged) == set(THREE)
    assert_paid(judged)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="refusal", match=LEFTOVER, path=CALL),
        Fault(kind="status", status=400, match=LEFTOVER, path=CALL),
    ],
    ids=["refusal", "invalid"],
)
def test_a_chunk_that_is_refused_is_found_and_judged_by_the_rules_alone(
    judged: Line[AnthropicSimulator], tmp_path: Path, fault: Fault
) -> None:
    judged.submit(tmp_path / "docs", THREE)
    judged.park()
    judged.round()
    strike(judged, fault)
    strike(judged, fault)
    judged.finish()
    assert [batch.requests for batch in judged.batches()] == [1, 3]
    assert sorted(body["source"] for body in verdicts(judged)) == ["model", "model", "rules"]
    assert_paid(judged)


def test_a_vendor_that_refuses_everything_is_no_fault_of_the_chunks(
    judged: Line[AnthropicSimulator], tmp_path: Path
) -> None:
    judged.submit(tmp_path / "docs", {f"{n}": f"{PLAIN} It has the number {n}." for n in range(10)})
    judged.park()
    judged.round()
    strike(judged, Fault(kind="status", status=400, match=PLAIN, path=CALL, times=1))
    strike(judged, Fault(kind="status", status=400, match=PLAIN, path=CALL, times=10))
    judged.work()
    assert {letter["error_class"] for letter in judged.tracker.rows(dead_letter)} == {"ProviderRefused"}
    assert len(judged.tracker.rows(dead_letter)) == 10
    assert judged.vendor.bill.total("requests") == 0
    assert not judged.entries()


def test_a_refused_key_leaves_the_chunks_wanted_and_is_not_tried_again(
    judged: Line[AnthropicSimulator], tmp_path: Path
) -> None:
    judged.vendor.faults.add(Fault(kind="status", status=401, times=None))
    judged.submit(tmp_path / "docs", THREE)
    judged.park()
    for _ in range(4):
        judged.round()
    assert judged.vendor.faults.left()[0]["happened"] == 1
    assert judged.reasons() == {"bulk"}
    assert "ANTHROPIC_API_KEY" in str(judged.batcher.refused["anthropic"])
    judged.vendor.faults.clear()
    judged.runtime.spender.keys.try_anew()
    with judged.runtime.database.write() as connection:
        for batch in judged.batches():
            bulk_batches.note_look(connection, batch.id, due_in_seconds=0.0)
    judged.finish()
    assert not judged.tracker.rows(dead_letter)
    assert not judged.batcher.refused
    assert_paid(judged)


def strike(line: Line[AnthropicSimulator], fault: Fault) -> None:
    """Let the batch that is out meet a fault, and what is left of it be sent again."""
    line.vendor.faults.add(fault)
    line.vendor.clock.advance(3600)
    line.settle()
    line.round()


@pytest.mark.parametrize("kind", ["malformed", "cut_body"])
def test_a_batch_whose_creation_was_not_answered_is_known_by_its_results(
    judged: Line[AnthropicSimulator], tmp_path: Path, kind: Any
) -> None:
    judged.vendor.faults.add(Fault(kind=kind, path="/batches"))
    judged.submit(tmp_path / "docs", THREE)
    judged.park()
    for _ in range(4):
        judged.round()
        assert judged.states() == ["submitting"], "until it has ended nobody can tell, and nothing is sent again"
    judged.finish()
    assert judged.states() == ["ended"]
    assert judged.vendor.bill.total("requests") == 1
    assert_paid(judged)


def test_a_batch_of_somebody_else_is_not_taken_for_ours(judged: Line[AnthropicSimulator], tmp_path: Path) -> None:
    import anthropic

    params: Any = {"model": "claude-opus-4-7", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
    with anthropic.Anthropic() as client:
        stranger = client.messages.batches.create(requests=[{"custom_id": "theirs", "params": params}])
        judged.vendor.faults.add(Fault(kind="cut", path="/batches"))
        judged.submit(tmp_path / "docs", THREE)
        judged.park()
        judged.round()
        judged.round()
        assert judged.states() == ["submitting"]
        judged.finish()
        assert judged.states() == ["released", "ended"]
        assert client.messages.batches.retrieve(stranger.id).processing_status == "ended"


def test_results_do_not_stay_at_the_vendor(judged: Line[AnthropicSimulator], tmp_path: Path) -> None:
    import anthropic

    judged.submit(tmp_path / "docs", THREE)
    judged.finish()
    (batch,) = judged.batches()
    with anthropic.Anthropic() as client, pytest.raises(anthropic.NotFoundError):
        client.messages.batches.retrieve(str(batch.vendor_id))


@pytest.mark.chaos
@pytest.mark.timeout(600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_at_any_step_loses_nothing_and_pays_nothing_twice(
    judged: Line[AnthropicSimulator], killer: Killer, tmp_path: Path, *, after: bool
) -> None:
    for number in range(1, 40):
        judged.tracker.job = judged.tracker.create_job(f"killed {number}")
        judged.set_lane(Lane.BULK)
        judged.submit(tmp_path / f"{after}-{number}", {"one": f"{PLAIN} {number}.", "two": f"{VAGUE} {number}."})
        judged.park()
        with killer.striking(number, after=after):
            killed = live_until_killed(judged)
        judged.finish()
        judged.settle()
        assert judged.vendor.bill.total("requests") == number, f"something was paid for twice at step {number}"
        assert_paid(judged)
        if not killed:
            assert number > 8
            return
    raise AssertionError("a batch takes fewer steps than that")


def test_a_killed_scheduler_is_followed_by_one_that_goes_on(judged: Line[AnthropicSimulator], tmp_path: Path) -> None:
    judged.submit(tmp_path / "docs", THREE)
    judged.park()
    for _ in range(6):
        judged.batcher = Batcher(judged.runtime)
        judged.round()
        judged.work()
        judged.vendor.clock.advance(1800)
    judged.finish()
    assert judged.vendor.bill.total("requests") == 1
    assert_paid(judged)
