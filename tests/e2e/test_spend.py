"""Money end to end: the command line against a simulated provider, whose bill the ledger has to meet."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedmill.simulators.base import Options
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.chaos.conftest import query
from tests.chaos.watching import Watch
from tests.command import Command, finish, kill_group
from tests.corpus import write_corpus
from tests.waiting import wait_until

MODEL = "openai/text-embedding-3-small"
DOCUMENTS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "documents", DOCUMENTS)


@pytest.fixture
def provider() -> Iterator[SimulatorServer[OpenAISimulator]]:
    with running(OpenAISimulator(Options(latency_seconds=0.05))) as server:
        yield server


@pytest.fixture
def paid(cli: Command, provider: SimulatorServer[OpenAISimulator]) -> Command:
    """The command with a paid model, in batches of few documents, whose texts share calls all the same."""
    settings = {"embedding": MODEL, "batch_documents": "2", "circuit_seconds": "0.02"}
    return cli.with_settings(**settings).with_environment(**provider.environment)


def billed(provider: SimulatorServer[OpenAISimulator]) -> int:
    return provider.simulator.bill.total("tokens_in")


def ledger(command: Command, *states: str) -> int:
    """Tokens in the ledger, in rows of these states."""
    marks = ", ".join(f"'{state}'" for state in states)
    statement = f"SELECT coalesce(sum(tokens_in), 0) FROM usage WHERE state IN ({marks})"
    return int(query(command.home / "tracking.db", statement)[0][0])


def attempts(command: Command) -> set[str]:
    return {row[0] for row in query(command.home / "tracking.db", "SELECT outcome FROM attempt WHERE stage = 'embed'")}


def end_rests(command: Command) -> None:
    """As if the time had passed for which circuits rest, which doubles with every failure."""
    for statement in ("DELETE FROM flow_state", "UPDATE work SET available_at = 0 WHERE wait_reason = 'circuit'"):
        query(command.home / "tracking.db", statement)


def unfinished(command: Command, column: str) -> set[str]:
    """The values of a column in unfinished work; none before there is any."""
    with Watch(command.home) as watch:
        return {str(row[0]) for row in watch.rows(f"SELECT DISTINCT {column} FROM work WHERE finished_at IS NULL")}


def reasons(command: Command) -> set[str]:
    """What unfinished work waits for, `work` when it is not waiting."""
    return unfinished(command, "coalesce(wait_reason, 'work')")


def test_after_a_clean_run_ledger_report_and_bill_are_equal_to_the_token(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    report = paid.json("ingest", folder)
    assert report["documents"]["completed"] == DOCUMENTS
    assert report["spend"]["tokens_in"] == billed(provider) == ledger(paid, "settled") > 0
    spend = paid.json("spend", "--by", "model")
    (row,) = spend["rows"]
    assert row["key"] == MODEL
    assert row["microusd"] == spend["total"]["microusd"] == round(report["spend"]["usd"] * 1e6) > 0
    assert row["calls"] == provider.simulator.bill.total("requests") > 1
    assert row["unsettled"] == {"calls": 0, "usd": 0.0, "tokens": 0, "units": 0.0}
    (by_job,) = paid.json("spend", "--by", "job")["rows"]
    assert by_job["key"] == report["job"]


@pytest.mark.chaos
def test_a_text_that_is_known_costs_nothing_and_the_dollars_saved_are_shown(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    first = paid.json("ingest", folder, "--collection", "one")
    before = billed(provider)
    second = paid.json("ingest", folder, "--collection", "two")
    assert billed(provider) == before
    assert second["spend"] == {"usd": 0.0, "tokens_in": 0, "tokens_out": 0}
    (one, two) = sorted(paid.json("spend", "--by", "collection")["rows"], key=lambda row: str(row["key"]))
    assert two["calls"] == 0 < two["cached"] == one["inputs"]
    assert 0.5 * first["spend"]["usd"] < two["saved"]["cache_usd"] <= 1.5 * first["spend"]["usd"]


def test_work_over_a_budget_waits_and_goes_on_when_it_is_raised(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    paid.json("budget", "set", "--scope", "total", "--tokens", 5000)
    ingest = paid.start("ingest", folder, "--json")
    wait_until(lambda: reasons(paid) == {"budget"}, "everything left waits for the budget")
    shown = paid.json("budget", "show")
    (stopped,) = shown["budgets"]
    assert stopped["stopped"] and 0 < stopped["used_tokens"] <= 5000
    assert billed(provider) == stopped["used_tokens"]
    reached = [percent for percent in (100, 90, 75) if stopped["used_tokens"] >= 5000 * percent / 100]
    assert [alert["percent"] for alert in shown["alerts"]] == reached
    assert 75 in reached
    asked = len(provider.simulator.exchanges)
    paid.json("budget", "set", "--scope", "total", "--usd", 5)
    report = finish(ingest).json
    assert report["documents"]["completed"] == DOCUMENTS and report["documents"]["dead"] == 0
    assert len(provider.simulator.exchanges) > asked
    assert report["spend"]["tokens_in"] == billed(provider)
    assert attempts(paid) == {"ok", "parked"}
    worst = query(paid.home / "tracking.db", "SELECT max(attempt) FROM attempt WHERE outcome = 'ok'")
    assert worst == [(1,)], "an attempt was used up by waiting"


def test_a_budget_of_nothing_stops_paid_work_and_not_the_rest(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    assert paid.json("budget", "set", "--usd", 0)["stopped"]
    paid.json("submit", folder)
    workers = paid.start("workers", "start")
    local = paid.with_settings(embedding="hash")
    assert local.json("ingest", folder, "--collection", "local")["documents"]["completed"] == DOCUMENTS
    wait_until(lambda: reasons(paid) == {"budget"}, "the paid job waits")
    assert not provider.simulator.exchanges
    paid.json("budget", "delete")
    wait_until(lambda: reasons(paid) == set(), "the paid job is done")
    workers.send_signal(signal.SIGTERM)
    finish(workers)
    assert ledger(paid, "settled") > billed(provider) > 0


def test_a_kill_in_the_middle_of_calls_leaves_the_ledger_no_shorter_than_the_bill(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    slow = Fault(kind="slow", seconds=2.0)
    provider.simulator.faults.add(slow)
    process = paid.start("ingest", folder)
    wait_until(lambda: not provider.simulator.faults.left(), "a call hangs at the provider")
    kill_group(process)
    assert ledger(paid, "reserved") > 0
    wait_until(lambda: not provider.simulator._in_flight, "the provider has done what it was asked")
    provider.simulator.exchanges.clear()
    report = paid.json("ingest", folder)
    assert report["documents"]["completed"] + report["documents"]["unchanged"] == DOCUMENTS
    assert len(provider.simulator.exchanges) <= 2, (
        "texts of six batches are packed again: a small first request, and one"
    )
    wait_until(lambda: ledger(paid, "reserved") == 0, "the entries of the dead are closed")
    settled, unsettled = ledger(paid, "settled"), ledger(paid, "unsettled")
    assert unsettled > 0
    assert settled <= billed(provider) <= settled + unsettled
    assert paid.json("spend")["total"]["unsettled"]["tokens"] == unsettled


def test_answers_that_come_too_late_or_broken_leave_the_ledger_no_shorter_than_the_bill(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    provider.simulator.faults.add(
        Fault(kind="cut_body", after=1), Fault(kind="malformed", after=2), Fault(kind="status", status=500)
    )
    report = paid.json("ingest", folder)
    assert report["documents"]["completed"] == DOCUMENTS
    settled, unsettled = ledger(paid, "settled"), ledger(paid, "unsettled")
    assert settled < billed(provider) == settled + unsettled
    assert report["spend"]["tokens_in"] == billed(provider)


def test_a_document_at_which_the_provider_fails_for_a_while_is_not_buried(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    # More failures than one attempt makes; alone at last, each of them doubles the rest of the circuit.
    provider.simulator.faults.add(Fault(kind="status", status=500, match="Document 3,", times=16))
    report = paid.with_settings(retry_base_seconds="0.05", max_attempts="1").json("ingest", folder)
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (DOCUMENTS, 0)
    assert attempts(paid) >= {"ok", "error"}, "it failed as a whole, and was tried again"
    assert report["spend"]["tokens_in"] == billed(provider)


def test_a_refusal_with_retry_after_uses_up_no_attempt(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    provider.simulator.faults.add(Fault(kind="status", status=429, headers={"retry-after": "1"}, times=2))
    report = paid.json("ingest", folder)
    assert report["documents"]["completed"] == DOCUMENTS
    assert report["seconds"] > 1
    assert attempts(paid) == {"ok"}, "a short wait is waited by the process that asks for all"
    assert report["spend"]["tokens_in"] == billed(provider)


def test_while_the_embedder_is_down_chunking_goes_on_and_nothing_dies(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    provider.simulator.faults.add(Fault(kind="status", status=500, times=None))
    process = paid.start("ingest", folder, "--json")

    def rests() -> bool:
        return "circuit" in reasons(paid) and unfinished(paid, "stage") == {"embed"}

    wait_until(rests, "everything is chunked and waits for the circuit")
    provider.simulator.faults.clear()
    end_rests(paid)
    report = finish(process).json
    assert report["documents"]["completed"] == DOCUMENTS and report["documents"]["dead"] == 0
    assert report["spend"]["tokens_in"] == billed(provider)


def test_a_model_without_a_price_is_refused_before_anything_is_submitted(paid: Command, folder: Path) -> None:
    unknown = paid.with_settings(validator="openai/gpt-of-tomorrow")
    ran = unknown.run("ingest", folder, "--json")
    assert ran.status == 1
    assert "openai/gpt-of-tomorrow" in ran.json["error"]
    assert "EMBEDMILL_PRICES" in ran.json["hint"]
    assert unknown.json("jobs", "list")["jobs"] == []


@pytest.mark.chaos
def test_an_estimate_prices_stages_and_lanes_and_stays_with_the_job(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    limited = paid.with_settings(limits='{"openai": {"tpm": 60000}}')
    estimated = limited.json("estimate", folder)
    embed = estimated["stages"]["embed"]
    assert embed["lanes"]["live"]["usd"] == 2 * embed["lanes"]["bulk"]["usd"] > 0
    assert embed["lanes"]["live"]["seconds"] == pytest.approx(embed["tokens"] / 1000, abs=0.1)
    assert estimated["stages"]["validate"]["lanes"]["live"]["usd"] == 0
    assert estimated["total"]["live"]["usd"] == embed["lanes"]["live"]["usd"]
    assert not provider.simulator.exchanges
    report = limited.json("ingest", folder)
    # Each call is rounded up to a micro-dollar.
    assert report["spend"]["usd"] == pytest.approx(embed["lanes"]["live"]["usd"], rel=0.01, abs=1e-5)
    kept = limited.json("spend", "--by", "job")["rows"][0]["estimate"]
    assert kept == report["estimate"]
    assert 0.3 < kept["usd"] / report["spend"]["usd"] < 3


def test_what_search_and_doctor_ask_a_paid_model_is_in_the_ledger(
    paid: Command, provider: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    paid.json("ingest", folder)
    before = billed(provider)
    assert paid.json("search", "copper lantern", "--mode", "dense")["hits"]
    assert ledger(paid, "settled") == billed(provider) > before
    searched = billed(provider)
    assert paid.json("doctor")["ok"]
    assert ledger(paid, "settled") == billed(provider) > searched
