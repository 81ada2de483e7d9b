"""The batcher: rounds in a thread while there is something to do, and one process at a time."""

from pathlib import Path

from embedmill.simulators.openai import OpenAISimulator
from embedmill.workers.chores.batcher import Batcher
from embedmill.workers.runtime import WorkerRuntime
from tests.corpus import text_of
from tests.waiting import wait_until
from tests.workers.bulk.conftest import embeddings, home, line, openai
from tests.workers.bulk.line import Line

__all__ = ["embeddings", "home", "line", "openai"]


def test_a_poke_starts_rounds_only_while_there_is_something_to_do(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.batcher.poke()
    assert not line.batcher.is_busy
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()

    def poked() -> bool:
        line.batcher.poke()
        line.vendor.clock.advance(600)
        return line.states() == ["ended"]

    wait_until(poked, "the batch was made, answered and collected")
    line.work()
    assert line.outcomes() == {"one": "indexed"}
    wait_until(lambda: not line.batcher.is_busy, "the last round has ended")
    line.batcher.close(seconds=1.0)
    line.batcher.poke()
    assert not line.batcher.is_busy


def test_while_batches_rest_at_the_vendor_nothing_is_written(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.change(bulk_poll_seconds=3600.0)
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    assert line.batcher.has_work()
    line.round()
    line.round()
    assert line.states() == ["submitted"] and not line.batcher.has_work()
    line.tracker.control("cancel_job")
    assert line.batcher.has_work(), "the vendor is to be told"


def test_two_schedulers_make_one_batch_of_it(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    other = Batcher(WorkerRuntime(line.runtime.settings, process_id="other-host-and-process"))
    with line.batcher._leased() as is_ours:
        assert is_ours
        assert other.run_round() == 0
        assert not line.batches()
    assert other.run_round() == 1
    assert line.round() <= 1
    assert line.states() == ["submitted"]
    other._runtime.close()


def test_a_scheduler_that_lost_its_lease_takes_no_further_step(line: Line[OpenAISimulator], tmp_path: Path) -> None:
    line.submit(tmp_path / "docs", {"one": text_of(1)})
    line.park()
    batcher = line.batcher
    batcher._may_act = lambda: False  # type: ignore[method-assign]
    line.round()
    assert line.states() in ([], ["prepared"])
    assert not [e for e in line.vendor.exchanges if e.path == "/v1/batches"]
    line.batcher = Batcher(line.runtime)
    line.finish()
    assert line.vendor.bill.total("inputs") == len(line.stored())
