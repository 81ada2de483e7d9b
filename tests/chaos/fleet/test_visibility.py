"""A stage that takes longer than the broker waits for it: its message comes again, and nothing is paid twice."""

from pathlib import Path

import pytest

from embedmill.simulators.base import Options
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from tests.chaos.fleet.conftest import MATRIX, Services, tell
from tests.chaos.fleet.deployment import LaunchedFleet
from tests.command import Command
from tests.corpus import write_corpus

IMPATIENT = Path(__file__).parent / "impatient"
VISIBILITY_SECONDS = 2
STAGE_SECONDS = 9.0


@pytest.mark.chaos
@pytest.mark.timeout(300)
@pytest.mark.parametrize("pair", MATRIX, ids="-".join)
def test_a_stage_longer_than_the_visibility_timeout_makes_one_provider_call(
    services: Services, chaotic: Command, pair: tuple[str, str]
) -> None:
    broker, database = (services[name] for name in pair)
    corpus = write_corpus(chaotic.folder / "corpus", 1, paragraphs=1)
    with (
        running(OpenAISimulator(Options(latency_seconds=STAGE_SECONDS))) as provider,
        broker.impatient(VISIBILITY_SECONDS),
    ):
        command = chaotic.altered_by(
            IMPATIENT, VISIBILITY_SECONDS=str(VISIBILITY_SECONDS), **provider.environment
        ).with_settings(embedding="openai/text-embedding-3-small", lease_seconds="2", log_level="info")
        with LaunchedFleet(command, broker=broker, database=database) as fleet:
            fleet.start(2)
            job = fleet.command.json("submit", corpus)["job"]
            fleet.wait_for(job, seconds=120)
            assert fleet.number("SELECT count(*) FROM work WHERE state = 'completed'") == 1
            outcomes = fleet.rows("SELECT stage, outcome FROM attempt WHERE outcome <> 'ok'")
            assert outcomes == []
            assert provider.simulator.bill.total("requests") == 1
            assert set(fleet.stop()) <= {0}
            lines = fleet.log.read_text().splitlines()
            again = sum("batch.nothing_to_claim" in line and '"stage": "embed"' in line for line in lines)
        # The embedded broker's message is gone when it is taken.
        assert again or pair[0] == "embedded", "the message never came again"
    tell(pair, f"1 provider call of {STAGE_SECONDS:.0f} s, {again} deliveries in vain")
