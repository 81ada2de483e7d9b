"""Embeddings by the batch lane, from the stage that asks to the vector in the store, against a simulated OpenAI."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from embedmill.shared.db import budgets, bulk_batches, bulk_lane, jobs, waits
from embedmill.shared.db.collections import update_settings
from embedmill.shared.db.schema import attempt, dead_letter, usage
from embedmill.shared.ledger import BudgetScope, Lane
from embedmill.shared.tokenizer import count_tokens
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from tests.corpus import text_of
from tests.waiting import wait_until
from tests.workers.bulk.conftest import MODEL
from tests.workers.bulk.line import DAY_SECONDS, Line

TEXTS = {f"{n}": text_of(n) for n in range(4)}


def test_documents_wait_for_the_batch_and_are_then_embedded_at_half_the_price(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    assert all(row["attempt"] == 0 for row in line.tracker.rows()), "waiting uses up no attempt"
    line.round()
    (batch,) = line.batches()
    assert (batch.state, batch.vendor_state) == ("submitted", "in_progress")
    assert line.vendor.bill.total("requests") == 0
    line.work()
    assert line.reasons() == {"bulk"}
    line.finish()
    assert set(line.outcomes().values()) == {"indexed"}
    (row,) = line.ledger()
    assert (row["state"], row["lane"], row["tokens_in"]) == ("settled", "bulk", line.vendor.bill.total("tokens_in"))
    live = -(-row["tokens_in"] * 2 // 100)
    assert row["cost_microusd"] == -(-row["tokens_in"] // 100)
    assert row["lane_saved_microusd"] == live - row["cost_microusd"] > 0
    assert row["cache_saved_microusd"] == 0
    assert row["documents"] and row["job_id"] == line.tracker.job
    assert line.states() == ["ended"]
    assert not line.entries() and not line.waits()


def test_an_encrypted_collection_leaves_nothing_in_the_batch_lane_and_is_embedded_at_once(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    root, id_ = line.runtime.keys.root, line.tracker.collection.id
    line.runtime.database.transact(update_settings, id_, {**line.runtime.collection(id_).settings, "encrypt": True})
    line.runtime.database.transact(line.runtime.keys.create_data_key, id_, root)
    line.runtime.forget_collections()
    line.submit(tmp_path / "docs", TEXTS)
    line.work()
    assert set(line.outcomes().values()) == {"indexed"}
    assert (line.batches(), line.entries(), line.waits()) == ([], [], [])
    assert line.vendor.bill.total("requests") > 0


def test_every_text_gets_its_own_vector_though_results_come_in_no_order(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.finish()
    stored = line.stored()
    assert len(stored) == line.vendor.bill.total("inputs") > len(TEXTS)
    claim = line.tracker.rows()
    assert sum(row["chunks_embedded"] for row in claim) == len(stored)
    vectors = {key: np.asarray(row.vector, np.float32) for key, row in stored.items()}
    assert len({vector.tobytes() for vector in vectors.values()}) == len(stored)
    live = line.runtime.embedder(MODEL)
    for key in ("0/0", "3/0"):
        text = stored[key].text
        expected = live.embed_batch([text])[0]
        assert abs(float(vectors[key] @ expected) - 1) < 1e-3


def test_the_same_texts_cost_nothing_in_another_job(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.finish()
    paid = line.vendor.bill.total("tokens_in")
    line.tracker.job = line.tracker.create_job("again")
    line.set_lane(Lane.BULK)
    line.submit(tmp_path / "copies", TEXTS)
    line.finish()
    assert line.vendor.bill.total("tokens_in") == paid == line.paid()
    assert len(line.batches()) == 1
    saved = [row["cache_saved_microusd"] for row in line.tracker.rows(usage) if row["job_id"] == line.tracker.job]
    assert sum(saved) > 0


def test_equal_texts_are_asked_for_once_and_all_their_documents_go_on(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", {"one": TEXTS["0"], "two": TEXTS["0"]})
    line.finish()
    assert set(line.outcomes().values()) == {"indexed"}
    assert 2 * line.vendor.bill.total("inputs") == len(line.stored())
    assert sum(row["chunks_embedded"] for row in line.tracker.rows()) == line.vendor.bill.total("inputs")


def test_more_than_a_batch_may_hold_makes_several(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.change(bulk_max_requests=3)
    line.submit(tmp_path / "docs", TEXTS)
    line.finish()
    batches, inputs = line.batches(), line.vendor.bill.total("inputs")
    assert len(batches) == -(-inputs // 3) > 1
    assert {batch.requests for batch in batches[:-1]} == {3}
    assert sum(batch.succeeded for batch in batches) == inputs
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_a_text_that_is_refused_dead_letters_its_document_and_no_other(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.vendor.faults.add(Fault(kind="status", status=400, match="poison", path="/v1/embeddings", times=None))
    line.submit(tmp_path / "docs", {**TEXTS, "bad": "a text with poison in it"})
    line.finish()
    outcomes = line.outcomes()
    assert outcomes.pop("bad") == "dead"
    assert set(outcomes.values()) == {"indexed"}
    (letter,) = line.tracker.rows(dead_letter)
    assert (letter["error_class"], letter["stage"], letter["attempts"]) == ("InputRefused", "embed", 1)
    assert line.paid() == line.vendor.bill.total("tokens_in")
    assert not line.entries()


def test_a_text_that_the_vendor_finds_too_long_is_cut_and_goes_round_again(
    line: Line[OpenAISimulator], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line.vendor, "options", replace(line.vendor.options, max_input_tokens=340))
    line.submit(tmp_path / "docs", {"long": text_of(9, paragraphs=7), **TEXTS})
    line.finish()
    assert line.outcomes() == dict.fromkeys(["long", *TEXTS], "indexed")
    assert max(count_tokens(row.text) for row in line.stored().values()) <= 340
    assert line.vendor.bill.total("inputs") == len(line.stored()), "everything was paid once"
    assert {row["lane"] for row in line.ledger("settled")} == {"bulk"}
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_a_request_that_fails_at_the_vendor_is_made_again_and_uses_up_no_attempt(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.vendor.faults.add(Fault(kind="status", status=500, match="unlucky", path="/v1/embeddings"))
    line.change(retry_base_seconds=3600.0, retry_max_seconds=3600.0)
    line.submit(tmp_path / "docs", {"one": "an unlucky text"})
    line.park()
    line.round()
    line.vendor.clock.advance(3600)
    line.round()
    line.work()
    (row,) = line.tracker.rows()
    assert (row["wait_reason"], row["attempt"], row["reason"].partition(":")[0]) == (
        "circuit",
        0,
        "ProviderUnavailable",
    )
    line.tracker.write(row["id"], available_at=0.0)
    line.park()
    line.finish()
    assert line.outcomes() == {"one": "indexed"}


def test_what_expires_is_asked_again_and_has_cost_nothing(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.vendor.faults.add(Fault(kind="late", seconds=2 * DAY_SECONDS, path="/v1/batches"))
    line.submit(tmp_path / "docs", TEXTS)
    line.finish(seconds=DAY_SECONDS)
    first, second = line.batches()
    assert (first.vendor_state, first.succeeded, first.returned) == ("expired", 0, first.requests)
    assert (second.vendor_state, second.succeeded) == ("completed", second.requests)
    assert [row["state"] for row in line.ledger()] == ["released", "settled"]
    assert all(row["attempt"] == 0 for row in line.tracker.rows() if row["state"] != "completed")
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_what_expires_too_often_is_asked_for_at_once(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.change(bulk_returns=2)
    line.vendor.faults.add(Fault(kind="late", seconds=2 * DAY_SECONDS, path="/v1/batches", times=None))
    line.submit(tmp_path / "docs", TEXTS)
    line.finish(seconds=DAY_SECONDS)
    assert [batch.vendor_state for batch in line.batches()] == ["expired", "expired"]
    assert {(row["lane"], row["state"]) for row in line.ledger()} == {("bulk", "released"), ("live", "settled")}
    assert set(line.outcomes().values()) == {"indexed"}


def test_a_rate_limit_inside_a_batch_uses_up_no_attempt(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.vendor.faults.add(Fault(kind="status", status=429, match="busy", path="/v1/embeddings"))
    line.submit(tmp_path / "docs", {"one": "a busy text"})
    line.finish()
    assert [batch.returned for batch in line.batches()] == [1, 0]
    assert {row["outcome"] for row in line.tracker.rows(attempt)} == {"ok", "parked"}


def test_a_budget_without_room_parks_documents_and_they_go_on_when_it_is_raised(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    set_budget(line, tokens=0)
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    assert line.reasons() == {"budget"}
    assert not line.batches()
    line.round()
    assert not line.batches()
    set_budget(line, tokens=1_000_000)
    line.finish()
    assert line.paid() == line.vendor.bill.total("tokens_in")
    assert {row["outcome"] for row in line.tracker.rows(attempt)} == {"ok", "parked"}


def test_a_batch_is_made_as_large_as_the_budget_allows(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    set_budget(line, tokens=900)
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    batches = line.batches()
    assert 0 < sum(batch.tokens_in for batch in batches) <= 900
    assert 0 < sum(batch.requests for batch in batches) < len(line.entries())
    assert line.reasons() == {"budget"}
    set_budget(line, tokens=1_000_000)
    line.finish()
    assert set(line.outcomes().values()) == {"indexed"}
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_cancelling_a_job_stops_its_batches_at_the_vendor(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    line.tracker.control("cancel_job")
    line.batcher.finish(seconds=60)  # as the process does that worked on the job
    assert [batch.vendor_state for batch in line.batches()] == ["cancelled"]
    rounds(line, 3)
    (batch,) = line.batches()
    assert (batch.state, batch.vendor_state) == ("ended", "cancelled")
    assert [row["state"] for row in line.ledger()] == ["released"]
    assert line.vendor.bill.total("tokens_in") == 0
    assert not line.vendor.lane.files


def test_what_a_cancelled_batch_did_answer_is_kept_and_paid(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.vendor.faults.add(Fault(kind="partial", path="/v1/batches"))
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    line.tracker.control("cancel_job")
    line.settle()
    answered = line.vendor.bill.total("inputs")
    assert 0 < answered < line.batches()[0].requests
    assert line.paid() == line.vendor.bill.total("tokens_in") > 0
    line.tracker.job = line.tracker.create_job("again")
    line.set_lane(Lane.BULK)
    line.submit(tmp_path / "copies", TEXTS)
    line.finish()
    assert line.vendor.bill.total("inputs") == line.batches()[0].requests
    assert line.batches()[1].requests == line.batches()[0].requests - answered
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_what_a_batch_answered_before_it_expired_is_not_asked_again(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.vendor.faults.add(
        Fault(kind="partial", path="/v1/batches"), Fault(kind="late", seconds=2 * DAY_SECONDS, path="/v1/batches")
    )
    line.submit(tmp_path / "docs", TEXTS)
    line.finish(seconds=DAY_SECONDS)
    first, second = line.batches()
    assert first.succeeded + second.requests == first.requests == line.vendor.bill.total("inputs")
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_a_batch_that_another_job_waits_for_is_not_cancelled(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    first = line.tracker.job
    line.tracker.job = line.tracker.create_job("other")
    line.set_lane(Lane.BULK)
    line.submit(tmp_path / "copies", TEXTS)
    line.park()
    line.tracker.control("cancel_job", first)
    line.finish()
    (batch,) = line.batches()
    assert batch.vendor_state == "completed"
    assert {row["state"] for row in line.tracker.rows() if row["job_id"] == first} == {"cancelled"}
    assert [row["state"] for row in line.tracker.rows() if row["job_id"] == line.tracker.job] == ["completed"] * 4


def test_a_job_that_leaves_the_lane_asks_for_what_was_not_sent_at_once(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.set_lane(Lane.LIVE)
    line.round()
    line.work()
    assert set(line.outcomes().values()) == {"indexed"}
    assert not line.batches()
    assert {row["lane"] for row in line.ledger()} == {"live"}


def test_a_job_that_leaves_the_lane_does_not_wait_for_what_is_out(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    line.set_lane(Lane.LIVE)
    line.round()
    line.work()
    assert set(line.outcomes().values()) == {"indexed"}
    line.settle()
    assert line.batches()[0].vendor_state == "cancelled"
    assert line.vendor.bill.total("inputs") == len(line.stored())
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_what_a_batch_answers_after_its_job_has_left_the_lane_is_kept_and_paid(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    line.vendor.clock.advance(3600)
    for batch in line.vendor.lane._batches.all():
        line.vendor.lane._settled(batch)
    line.set_lane(Lane.LIVE)
    with line.runtime.database.write() as connection:
        bulk_lane.leave(connection)
    assert line.reasons() == {"pending"}
    line.settle()
    line.work()
    assert set(line.outcomes().values()) == {"indexed"}
    assert line.paid() == line.vendor.bill.total("tokens_in")
    assert {row["lane"] for row in line.ledger()} == {"bulk"}, "the batch had answered before anybody asked again"


def test_a_paused_job_sends_nothing(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.tracker.control("pause_job")
    line.round()
    assert not line.batches()
    line.tracker.control("resume_job")
    line.finish()
    assert set(line.outcomes().values()) == {"indexed"}


@pytest.mark.parametrize("path", ["/v1/files", "/v1/batches"])
def test_a_refused_key_leaves_the_batch_prepared_and_the_documents_waiting(
    line: Line[OpenAISimulator], tmp_path: Path, path: str
) -> None:
    line.vendor.faults.add(Fault(kind="status", status=401, path=path, times=None))
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    for _ in range(3):
        line.round()
    assert line.states() == ["prepared"]
    line.submit(tmp_path / "more", {"later": "A text that comes later."}, job=line.tracker.create_job("later"))
    line.work()
    line.round()
    assert refusals(line) == 1, "nobody asks again with a key that was refused"
    assert "OPENAI_API_KEY" in str(line.batcher.refused["openai"])
    assert not line.tracker.rows(dead_letter)
    line.vendor.faults.clear()
    correct_key(line)
    line.finish()
    assert set(line.outcomes().values()) == {"indexed"}
    assert line.states() == ["released", "ended"]
    assert line.paid() == line.vendor.bill.total("tokens_in")
    assert not line.batcher.refused


def test_a_key_that_is_refused_while_a_batch_is_out_leaves_it_submitted(
    line: Line[OpenAISimulator], tmp_path: Path
) -> None:
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    line.vendor.faults.add(Fault(kind="status", status=401, times=None))
    line.vendor.clock.advance(3600)
    for _ in range(3):
        line.round()
    assert (line.states(), line.reasons()) == (["submitted"], {"bulk"})
    assert refusals(line) == 1
    with line.runtime.database.read() as connection:
        (row,) = waits.list_waiting(connection, jobs.get_job(connection, line.tracker.job))
    assert "it does not accept the key; check OPENAI_API_KEY" in row["last_error"]
    line.vendor.faults.clear()
    correct_key(line)
    line.finish()
    assert set(line.outcomes().values()) == {"indexed"}
    assert line.paid() == line.vendor.bill.total("tokens_in")


def refusals(line: Line[OpenAISimulator]) -> int:
    (fault,) = line.vendor.faults.left()
    return int(fault["happened"])


def correct_key(line: Line[OpenAISimulator]) -> None:
    """As a process does that starts with another key, and a minute later."""
    line.runtime.spender.keys.try_anew()
    with line.runtime.database.write() as connection:
        for batch in line.batches():
            bulk_batches.note_look(connection, batch.id, due_in_seconds=0.0)


def test_a_vendor_that_asks_to_wait_is_waited_for(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.vendor.faults.add(Fault(kind="status", status=429, path="/v1/batches", headers={"retry-after": "1"}))
    line.submit(tmp_path / "docs", TEXTS)
    line.park()
    line.round()
    line.round()
    assert line.states() == ["released"]
    wait_until(lambda: line.round() and line.states() == ["released", "submitted"], "it was sent again", every=0.1)
    line.finish()
    assert line.paid() == line.vendor.bill.total("tokens_in")


def test_results_and_files_do_not_stay_at_the_vendor(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.vendor.faults.add(Fault(kind="status", status=400, match="poison", path="/v1/embeddings"))
    line.submit(tmp_path / "docs", {"one": TEXTS["0"], "bad": "poison"})
    line.park()
    line.round()
    assert len(line.vendor.lane.files) == 1
    line.finish()
    assert not line.vendor.lane.files


def rounds(line: Line[OpenAISimulator], count: int) -> None:
    for _ in range(count):
        line.round()


def set_budget(line: Line[OpenAISimulator], *, tokens: int) -> None:
    with line.runtime.database.write() as connection:
        budgets.set_budget(connection, BudgetScope.TOTAL, "", limit_microusd=None, limit_tokens=tokens)
