"""Replaying a completed job, and going on after a store outage, costs 0 tokens: by the vendors' own bills."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.simulators.anthropic import AnthropicSimulator
from shared.simulators.faults import Fault
from shared.simulators.openai import OpenAISimulator
from shared.simulators.serving import Running, running
from tests.command import Command, finish
from tests.corpus import write_corpus
from tests.e2e.stores import Place, running_place
from tests.e2e.test_spend import reasons
from tests.waiting import wait_until

EMBEDDING, VALIDATOR = "openai/text-embedding-3-small", "anthropic/claude-opus-4-7"
DOCUMENTS = 6


@dataclass(frozen=True, slots=True)
class Vendors:
    """Both vendors, and what they have billed."""

    openai: Running[OpenAISimulator]
    anthropic: Running[AnthropicSimulator]

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
        "circuit_seconds": "0.5",
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


def test_a_completed_job_again_in_every_way_costs_nothing(paid: Command, vendors: Vendors, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    first = paid.json("ingest", folder)
    bills = vendors.require_paid()
    indexed = paid.export()

    again = paid.json("ingest", folder)
    assert again["documents"]["unchanged"] == DOCUMENTS
    require_free(again)

    other = paid.json("ingest", folder, "--collection", "other")
    assert other["documents"]["completed"] == DOCUMENTS
    require_free(other)

    shutil.rmtree(paid.home / "vectors")
    assert paid.run("verify", "--json").json["ok"] is False
    assert paid.json("verify", "--repair")["ok"]
    assert paid.export() == indexed

    for path in folder.iterdir():
        path.touch()
        path.write_text(path.read_text() + "\n")
    changed = paid.json("ingest", folder)
    assert changed["documents"]["completed"] + changed["documents"]["unchanged"] == DOCUMENTS
    assert vendors.bills() == bills
    shown = paid.json("cache", "show")["kinds"]
    chunks = first["chunks"]["expected"]
    assert (shown["document"]["misses"], shown["verdict"]["misses"]) == (chunks, chunks)
    assert shown["document"]["hits"] >= 2 * chunks
    assert shown["document"]["saved_tokens"] > first["spend"]["tokens_in"] / 2 and shown["document"]["saved_usd"] > 0
    assert shown["verdict"]["hits"] >= chunks and shown["verdict"]["saved_usd"] > 0


def test_dead_letters_of_a_store_outage_are_replayed_for_nothing(
    refused: Command, vendors: Vendors, pinecone: Place, tmp_path: Path
) -> None:
    assert pinecone.simulator is not None
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    impatient = refused.with_settings(max_attempts="1", circuit_failures="1000")
    ran = impatient.run("ingest", folder, "--json")
    assert (ran.status, ran.json["documents"]["dead"]) == (3, DOCUMENTS)
    bills = vendors.require_paid()
    pinecone.simulator.faults.clear()
    letters = impatient.json("dlq", "list")["dead_letters"]
    impatient.json("dlq", "replay", letters[0]["id"], "--work")
    impatient.json("jobs", "retry", ran.json["job"], "--work")
    shown = impatient.json("jobs", "show", ran.json["job"])
    assert (shown["documents"]["completed"], shown["documents"]["dead"]) == (DOCUMENTS, 0)
    assert impatient.json("verify")["ok"]
    assert vendors.bills() == bills


def test_a_job_that_waits_out_a_store_outage_is_paid_for_once(
    refused: Command, vendors: Vendors, pinecone: Place, tmp_path: Path
) -> None:
    assert pinecone.simulator is not None
    folder = write_corpus(tmp_path / "documents", DOCUMENTS)
    process = refused.with_settings(circuit_failures="1").start("ingest", folder, "--collection", "late", "--json")
    wait_until(lambda: reasons(refused) == {"circuit"}, "everything is embedded and waits for the store")
    bills = vendors.require_paid()
    pinecone.simulator.faults.clear()
    report = finish(process).json
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (DOCUMENTS, 0)
    assert vendors.bills() == bills
