"""Embeddings by the batch lane, from the stage that asks to the vector in the store, against a simulated OpenAI."""

from pathlib import Path

from shared.simulators.openai import OpenAISimulator
from tests.corpus import text_of
from tests.workers.bulk.line import Line

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
