"""The batch lane through the real command, against simulated vendors whose clocks are moved on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Simulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.chaos.watching import Watch, seen
from tests.command import Command, finish, kill_group
from tests.corpus import write_corpus
from tests.waiting import wait_until

EMBEDDING, VALIDATOR = "openai/text-embedding-3-small", "anthropic/claude-opus-4-7"
DOCUMENTS = 6
PATIENCE = 90.0
TOKENS = ("tokens_in", "tokens_out", "cache_read", "cache_write_5m", "cache_write_1h")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "documents", DOCUMENTS)


@pytest.fixture
def claude() -> Iterator[SimulatorServer[AnthropicSimulator]]:
    with running(AnthropicSimulator()) as server:
        yield server


@pytest.fixture
def embedded(cli: Command, openai: SimulatorServer[OpenAISimulator]) -> Command:
    """The command with a paid embedder and a batch lane in a hurry."""
    settings = {"bulk_poll_seconds": "0.05", "bulk_gather_seconds": "10", "bulk_lost_seconds": "0"}
    return cli.with_settings(embedding=EMBEDDING, **settings).with_environment(**openai.environment)


@pytest.fixture
def judged(embedded: Command, claude: SimulatorServer[AnthropicSimulator]) -> Command:
    """The same with a gate."""
    return embedded.with_settings(validator=VALIDATOR, terms_sample="0").with_environment(**claude.environment)


@contextmanager
def passing(*simulators: Simulator) -> Iterator[None]:
    """Hours pass at the vendors in no time."""
    ended = threading.Event()

    def advance() -> None:
        while not ended.wait(0.2):
            for simulator in simulators:
                simulator.clock.advance(1800)

    thread = threading.Thread(target=advance, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def spend_by_lane(command: Command) -> dict[str, Any]:
    return {row["key"]: row for row in command.json("spend", "--by", "lane")["rows"]}


def waits_at_vendor(command: Command) -> bool:
    """Whether everything waits for batches, and these are at the vendor."""
    with Watch(command.home) as watch:
        waiting = watch.rows("SELECT DISTINCT coalesce(wait_reason, state) FROM work WHERE finished_at IS NULL")
        states = watch.rows("SELECT state FROM bulk_batch WHERE ended_at IS NULL")
        wanted = watch.count("SELECT count(*) FROM bulk_entry WHERE state = 'wanted'")
    return waiting == [("bulk",)] and {row[0] for row in states} == {"submitted"} and not wanted


@pytest.mark.timeout(400)
def test_a_job_of_the_batch_lane_is_judged_and_embedded_at_half_the_price(
    judged: Command, openai: SimulatorServer[OpenAISimulator], claude: SimulatorServer[AnthropicSimulator], folder: Path
) -> None:
    process = judged.start("ingest", folder, "--lane", "bulk", "--json")
    wait_until(lambda: waits_at_vendor(judged), "everything waits for batches", seconds=PATIENCE)
    shown = judged.json("jobs", "show", 1)
    assert shown["lane"] == "bulk"
    assert {row["reason"] for row in shown["waiting"]} == {"bulk"}
    batch, *_ = shown["bulk"]["batches"]
    assert batch["vendor_id"].startswith("msgbatch_")
    assert (batch["state"], batch["vendor_state"], batch["vendor"]) == ("submitted", "in_progress", "anthropic")
    assert 0 < batch["expires_in_seconds"] <= 86_400 + 60
    assert judged.json("bulk", "list", "--open")["batches"][0]["batch"] == batch["batch"]
    assert judged.json("bulk", "show", batch["batch"])["vendor_id"] == batch["vendor_id"]
    assert batch["vendor_id"] in judged.run("bulk", "list").stdout
    assert "a vendor's batch" in judged.run("jobs", "show", 1).stdout
    with passing(openai.simulator, claude.simulator):
        ran = finish(process)
    report = ran.json
    assert (report["documents"]["completed"], report["state"]) == (DOCUMENTS, "completed")
    lanes = spend_by_lane(judged)
    assert lanes["bulk"]["usd"] == report["spend"]["usd"] > 0
    assert lanes["bulk"]["saved"]["lane_usd"] == pytest.approx(lanes["bulk"]["usd"], rel=0.01)
    assert sum(row["saved"]["cache_usd"] for row in lanes.values()) == 0
    billed = sum(s.simulator.bill.total(kind) for s in (openai, claude) for kind in TOKENS)
    row = lanes["bulk"]
    assert row["tokens_in"] + row["tokens_out"] == billed
    assert row["tokens_fresh"] + row["cache_read"] + row["cache_write"] == row["tokens_in"]
    assert row["unsettled"]["calls"] == 0
    again = judged.json("ingest", folder, "--lane", "bulk", "--collection", "other")
    assert again["documents"]["completed"] == DOCUMENTS
    assert again["spend"] == {"usd": 0.0, "tokens_in": 0, "tokens_out": 0}
    assert {b["state"] for b in judged.json("bulk", "list")["batches"]} == {"ended"}
    assert not openai.simulator.lane.files


def test_what_has_no_batches_goes_live_and_the_command_says_so(cli: Command, folder: Path) -> None:
    ran = cli.run("ingest", folder, "--lane", "bulk", "--json")
    assert ran.status == 0
    assert "embed goes live: it computes on this machine" in ran.stderr
    shown = cli.json("jobs", "show", ran.json["job"])
    assert shown["bulk"]["live"].keys() == {"embed"}
    assert cli.json("bulk", "list") == {"batches": []}


def test_a_lane_that_there_is_not_is_refused(cli: Command, folder: Path) -> None:
    assert cli.run("submit", folder, "--lane", "slow").status == 2


def test_a_job_that_is_in_a_hurry_after_all_changes_lanes(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    process = embedded.start("ingest", folder, "--lane", "bulk", "--json")
    wait_until(lambda: waits_at_vendor(embedded), "everything waits for a batch", seconds=PATIENCE)
    assert embedded.json("jobs", "update", 1, "--lane", "live")["lane"] == "live"
    report = finish(process).json
    assert report["documents"]["completed"] == DOCUMENTS
    assert spend_by_lane(embedded).keys() == {"live"}
    (batch,) = embedded.json("bulk", "list")["batches"]
    assert batch["vendor_state"] == "cancelled"
    assert report["spend"]["tokens_in"] == openai.simulator.bill.total("tokens_in")


def test_a_cancelled_job_has_its_batch_cancelled(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    process = embedded.start("ingest", folder, "--lane", "bulk", "--json")
    wait_until(lambda: waits_at_vendor(embedded), "everything waits for a batch", seconds=PATIENCE)
    embedded.json("jobs", "cancel", 1)
    assert finish(process).json["state"] == "cancelled"
    with Watch(embedded.home) as watch:
        assert watch.count("SELECT count(*) FROM bulk_batch WHERE vendor_state LIKE 'cancel%'") == 1
    assert openai.simulator.bill.total("tokens_in") == 0


MOMENTS = {
    "documents wait and nothing is sent": "SELECT count(*) FROM bulk_entry WHERE state = 'wanted'",
    "a batch is prepared": "SELECT count(*) FROM bulk_batch WHERE state = 'prepared'",
    "a batch is being submitted": "SELECT count(*) FROM bulk_batch WHERE state = 'submitting'",
    "a batch is at the vendor": "SELECT count(*) FROM bulk_batch WHERE state = 'submitted'",
    "results are paid for": "SELECT count(*) FROM bulk_batch WHERE state IN ('collected', 'ended')",
}
STRUCK = "a batch is being submitted"


@pytest.mark.parametrize(
    "query", [pytest.param(q, id=n, marks=[] if n == STRUCK else [pytest.mark.chaos]) for n, q in MOMENTS.items()]
)
def test_a_kill_at_any_moment_pays_for_nothing_twice(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path, query: str
) -> None:
    with passing(openai.simulator):
        process = embedded.start("ingest", folder, "--lane", "bulk", "--json")
        with Watch(embedded.home) as watch:
            struck = seen(process, lambda: watch.count(query))
        kill_group(process)
        finish(process)
        report = embedded.json("ingest", folder, "--lane", "bulk")
    assert report["documents"]["completed"] + report["documents"]["unchanged"] == DOCUMENTS
    texts = {row["text"] for row in embedded.export().values()}
    assert openai.simulator.bill.total("inputs") == len(texts), f"struck: {struck}"
    lanes = spend_by_lane(embedded)
    assert lanes["bulk"]["tokens_in"] == openai.simulator.bill.total("tokens_in")
    assert lanes["bulk"]["unsettled"]["calls"] == 0
