"""Replaying a completed job, and going on after a store outage, costs 0 tokens: by the vendors' own bills."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.command import Command, finish
from tests.corpus import write_corpus
from tests.e2e.stores import Place, running_place
from tests.e2e.test_spend import reasons
from tests.waiting import wait_until

pytestmark = pytest.mark.timeout(300)  # seconds; each test runs several commands with workers of their own

EMBEDDING, VALIDATOR = "openai/text-embedding-3-small", "anthropic/claude-opus-4-7"
DOCUMENTS = 2
OUTAGE_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Vendors:
    """Both vendors, and what they have billed."""

    openai: SimulatorServer[OpenAISimulator]
    anthropic: SimulatorServer[AnthropicSimulator]

    def bills(self) -> list[Any]:
        return [self.openai.simulator.bill.as_json(), self.anthropic.simulator.bill.as_json()]

    def require_paid(self) -> list[Any]:
        bills = self.bills()
        assert all(bill["totals"]["tokens_in"] > 0 for bill in bills)
        return bills


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    with ExitStack() as stack:
        yield Vendors(
            stack.enter_context(running(OpenAISimulator())), stack.enter_context(running(AnthropicSimulator()))
        )


@pytest.fixture
def paid(cli: Command, vendors: Vendors) -> Command:
    """The command with a model that judges and one that embeds, both paid."""
    settings = {
        "embedding": EMBEDDING,
        "validator": VALIDATOR,
        "terms_sample": "0",
        "circuit_seconds": "0.05",
        "lease_seconds": "30",
    }
    return cli.with_settings(**settings).with_environment(**vendors.openai.environment | vendors.anthropic.environment)


@pytest.fixture(scope="module")
def pinecone() -> Iterator[Place]:
    with running_place("pinecone") as place:
        yield place


@pytest.fixture
def refused(paid: Command, pinecone: Place) -> Command:
    """The command on a store that takes nothing until its faults are cleared."""
    assert pinecone.simulator is not None
    pinecone.simulator.faults.clear()
    pinecone.simulator.faults.add(Fault(kind="status", status=500, path="upsert", times=None))
    return paid.with_environment(**pinecone.environment, EMBEDMILL_VECTOR_URL=pinecone.url)


def require_free(report: dict[str, Any]) -> None:
    assert report["spend"] == {"usd": 0.0, "tokens_in": 0, "tokens_out": 0}


def test_a_completed_job_and_its_documents_elsewhere_cost_nothing_again(
    paid: Command, vendors: Vendors, tmp_path: Path
) -> None:
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    first = paid.json("ingest", folder)
    bills = vendors.require_paid()
    again = paid.json("ingest", folder)
    assert again["documents"]["unchanged"] == DOCUMENTS
    require_free(again)
    other = paid.json("ingest", folder, "--collection", "other")
    assert other["documents"]["completed"] == DOCUMENTS
    require_free(other)
    assert vendors.bills() == bills
    shown, chunks = paid.json("cache", "show")["kinds"], first["chunks"]["expected"]
    for kind in ("document", "verdict"):
        assert (shown[kind]["misses"], shown[kind]["hits"]) == (chunks, chunks)
        assert shown[kind]["saved_tokens"] > 0 and shown[kind]["saved_usd"] > 0


@pytest.mark.chaos
def test_a_store_that_was_lost_is_filled_again_for_nothing(paid: Command, vendors: Vendors, tmp_path: Path) -> None:
    paid.json("ingest", write_corpus(tmp_path / "documents", DOCUMENTS))
    bills, indexed = vendors.require_paid(), paid.export()
    shutil.rmtree(paid.home / "vectors")
    assert paid.run("verify", "--json").json["ok"] is False
    assert paid.json("verify", "--repair")["ok"]
    assert paid.export() == indexed
    assert vendors.bills() == bills


def test_dead_letters_of_a_store_outage_are_replayed_for_nothing(
    refused: Command, vendors: Vendors, pinecone: Place, tmp_path: Path
) -> None:
    assert pinecone.simulator is not None
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    impatient = refused.with_settings(max_attempts="1", outage_minutes="0", circuit_failures="1000")
    ran = impatient.run("ingest", folder, "--json")
    assert (ran.status, ran.json["documents"]["dead"]) == (3, DOCUMENTS)
    bills = vendors.require_paid()
    pinecone.simulator.faults.clear()
    letters = impatient.json("dlq", "list")["dead_letters"]
    replayed = impatient.run("dlq", "replay", letters[0]["id"], "--work", "--json")
    assert (replayed.status, replayed.json["outcomes"]["completed"]) == (0, 1), "the others are not its business"
    impatient.json("jobs", "retry", ran.json["job"], "--work")
    shown = impatient.json("jobs", "show", ran.json["job"])
    assert (shown["documents"]["completed"], shown["documents"]["dead"]) == (DOCUMENTS, 0)
    assert impatient.json("verify")["ok"]
    assert vendors.bills() == bills


@pytest.mark.chaos
def test_a_job_that_waits_out_a_store_outage_is_paid_for_once(
    refused: Command, vendors: Vendors, pinecone: Place, tmp_path: Path
) -> None:
    assert pinecone.simulator is not None
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    process = refused.with_settings(circuit_failures="1").start("ingest", folder, "--collection", "late", "--json")
    wait_until(lambda: reasons(refused) == {"circuit"}, "everything waits for the store", seconds=OUTAGE_SECONDS)
    bills = vendors.require_paid()
    pinecone.simulator.faults.clear()
    report = finish(process).json
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (DOCUMENTS, 0)
    assert vendors.bills() == bills
