"""Validation by a model through the real command, against the simulated vendor."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.prompts import ScriptedVerdict as Scripted
from embedmill.simulators.serving import SimulatorServer, running
from tests.command import Command

MODEL = "anthropic/claude-opus-4-7"
PLAIN = "The crane on quay four lifts forty tonnes. It is inspected every spring by the harbour office."
LEFTOVER = "Everything in this part was reported lost and nothing more is known about it at all."
VAGUE = "It must be shut down before the cover is opened. Page 12 of 40. Wait until the lamp is dark."


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer[AnthropicSimulator]]:
    with running(AnthropicSimulator()) as running_server:
        yield running_server


@pytest.fixture
def claude(server: SimulatorServer[AnthropicSimulator]) -> AnthropicSimulator:
    simulator = server.simulator
    simulator.faults.clear()
    simulator.bill.clear()
    simulator.exchanges.clear()
    simulator.writer.clear()
    return simulator


@pytest.fixture
def validated(cli: Command, server: SimulatorServer[AnthropicSimulator], claude: AnthropicSimulator) -> Command:
    command = cli.with_environment(**server.environment)
    return command.with_settings(validator=MODEL, terms_sample="0", retry_base_seconds="0.01")


def rows(tmp_path: Path, **texts: str) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in texts.items()))
    return path


def tokens(claude: AnthropicSimulator) -> int:
    return sum(claude.bill.total(kind) for kind in ("tokens_in", "cache_read", "cache_write_5m", "tokens_out"))


def indexed(command: Command) -> dict[str, dict[str, Any]]:
    return {row["uri"]: row for row in command.export().values()}


def test_the_gate_decides_and_a_second_run_and_a_second_collection_cost_nothing(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path
) -> None:
    claude.writer.add(
        Scripted(match=LEFTOVER, verdict={"score": 1}),
        Scripted(match=VAGUE, verdict={"score": 4, "extraneous_spans": [" Page 12 of 40."]}),
    )
    source = rows(tmp_path, plain=PLAIN, leftover=LEFTOVER, vague=VAGUE)
    report = validated.json("ingest", source)
    assert (report["chunks"]["indexed"], report["chunks"]["rejected"]) == (2, 1)
    assert report["spend"]["usd"] > 0
    (row,) = [r for r in validated.json("spend")["rows"] if "claude" in r["key"]]
    kinds = ("tokens_fresh", "tokens_out", "cache_read", "cache_write")
    assert sum(row[kind] for kind in kinds) == tokens(claude), "the ledger is the vendor's bill to the token"
    assert row["tokens_in"] + row["tokens_out"] == tokens(claude), "what is sent has one name everywhere"
    found = indexed(validated)
    assert found.keys() == {"plain", "vague"}
    assert found["vague"]["text"] == VAGUE, "what is shown stays the source's"
    paid = tokens(claude)
    assert validated.json("ingest", source)["documents"]["unchanged"] == 3
    again = validated.json("ingest", source, "--collection", "other")
    assert (again["chunks"]["rejected"], again["spend"]["usd"]) == (1, 0)
    assert tokens(claude) == paid


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(kind="truncated"), id="truncated"),
        pytest.param(Fault(kind="refusal"), id="refusal", marks=pytest.mark.chaos),
        pytest.param(
            Fault(kind="status", status=529, headers={"retry-after": "0.1"}), id="overloaded", marks=pytest.mark.chaos
        ),
    ],
)
def test_one_bad_answer_costs_no_document(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path, fault: Fault
) -> None:
    claude.faults.add(fault)
    report = validated.json("ingest", rows(tmp_path, one=PLAIN, two=VAGUE))
    assert (report["documents"]["completed"], report["chunks"]["indexed"]) == (2, 2)


def test_a_wrong_key_is_waited_for_and_the_same_command_goes_on_with_another(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path
) -> None:
    claude.faults.add(Fault(kind="status", status=401, times=None))
    source = rows(tmp_path, one=PLAIN, two=VAGUE)
    ran = validated.run("ingest", source, "--json")
    assert ran.status == 1
    assert "ANTHROPIC_API_KEY; 2 documents wait for that" in ran.stderr
    assert validated.json("dlq", "list")["dead_letters"] == []
    assert len(claude.exchanges) <= 2
    claude.faults.clear()
    report = validated.json("ingest", source)
    assert (report["documents"]["completed"], report["documents"]["dead"]) == (2, 0)


def test_a_key_without_the_right_to_a_model_is_a_dead_letter_that_says_what_to_mend(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path
) -> None:
    claude.faults.add(Fault(kind="status", status=403, times=None))
    ran = validated.run("ingest", rows(tmp_path, one=PLAIN), "--json")
    assert ran.status == 3
    (letter,) = validated.json("dlq", "list")["dead_letters"]
    assert letter["error_class"] == "ProviderRefused"
    assert "ANTHROPIC_API_KEY" in letter["error"]


def test_a_verdict_in_doubt_waits_for_a_person_and_is_then_applied_for_nothing(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path
) -> None:
    long = " ".join(f"{PLAIN} {n}." for n in range(14))
    claude.writer.add(Scripted(match=PLAIN, verdict={"score": 1}))
    assert validated.json("ingest", rows(tmp_path, long=long, other=LEFTOVER))["chunks"]["rejected"] == 0
    (entry,) = validated.json("review", "list")["reviews"]
    assert entry["doubts"] == ["a long chunk with a very low score"]
    assert entry["text"].startswith(PLAIN)
    paid = tokens(claude)
    validated.json("review", "accept", entry["id"], "--work")
    assert indexed(validated).keys() == {"other"}
    assert validated.json("verify")["ok"]
    assert tokens(claude) == paid
    assert validated.run("review", "reject", entry["id"]).status == 1


def test_an_audit_holds_no_document_while_the_provider_is_down(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path
) -> None:
    claude.faults.add(Fault(kind="status", status=503, times=None))
    audited = validated.with_settings(validation_policy="audit")
    report = audited.json("ingest", rows(tmp_path, one=PLAIN, two=VAGUE))
    assert (report["documents"]["completed"], report["chunks"]["indexed"]) == (2, 2)
    audit = audited.json("collections", "show", "default")["audit"]
    assert (audit["sampled"], audit["judged"]) == (2, 0)


@pytest.mark.chaos
def test_audits_and_terms_are_done_beside_the_path(
    validated: Command, claude: AnthropicSimulator, tmp_path: Path
) -> None:
    answer = {"terms": [{"reasoning": "r", "term": "harbour office", "synonyms": ["HO"]}]}
    claude.writer.add(
        Scripted(match=LEFTOVER, verdict={"score": 1}),
        Scripted(match="(HO)", raw=json.dumps(answer), times=1),
    )
    learning = validated.with_settings(terms_sample="1", validation_policy="audit")
    source = rows(tmp_path, one="The harbour office (HO) inspects cranes. The HO is open.", two=LEFTOVER)
    assert learning.json("ingest", source)["chunks"]["rejected"] == 0
    audit = learning.json("collections", "show", "default")["audit"]
    assert (audit["sampled"], audit["judged"] > 0) == (2, True)
    assert "terms" in learning.json("collections", "terms", "default")


def test_without_a_model_nothing_is_asked(cli: Command, claude: AnthropicSimulator, tmp_path: Path) -> None:
    assert cli.json("ingest", rows(tmp_path, one=PLAIN))["chunks"]["indexed"] == 1
    assert cli.json("collections", "terms", "default")["terms"] == []
    assert claude.bill.total("requests") == 0


def test_a_validator_that_does_not_exist_is_refused_at_once(cli: Command, tmp_path: Path) -> None:
    ran = cli.with_settings(validator="claude").run("ingest", rows(tmp_path, one=PLAIN), "--json")
    assert ran.status == 2
    assert "anthropic/" in ran.stdout
