"""A wrong or missing key, through the real command: nothing dies of it, nobody hammers, and a corrected key goes on."""

import json
import signal
from pathlib import Path

import pytest

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.faults import Fault
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import SimulatorServer, running
from tests.chaos.conftest import query
from tests.chaos.watching import Watch
from tests.command import Command, finish
from tests.corpus import text_of, write_corpus
from tests.waiting import wait_until

EMBEDDING, VALIDATOR = "openai/text-embedding-3-small@64", "anthropic/claude-opus-4-7"
DOCUMENTS = 24
REFUSED = Fault(kind="status", status=401, code="invalid_api_key", times=None)
HANDFUL = 8
# A key is tried again after a minute; whoever waits for that now outlasts the test.
PUT_OFF = "UPDATE work SET available_at = available_at + 3600"
WAITING = "SELECT count(*) FROM work WHERE wait_reason = 'key'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "documents", DOCUMENTS)


@pytest.fixture
def embedded(cli: Command, openai: SimulatorServer[OpenAISimulator]) -> Command:
    """The command with a paid embedder, in batches of a few documents."""
    return cli.with_settings(embedding=EMBEDDING, batch_documents="4").with_environment(**openai.environment)


def requests(server: SimulatorServer[OpenAISimulator]) -> int:
    return len(server.simulator.exchanges)


def test_a_refused_key_ends_ingest_with_one_error_and_the_same_command_takes_it_up(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    openai.simulator.faults.add(REFUSED)
    ran = embedded.run("ingest", folder, "--json")
    assert ran.status == 1
    (error,) = [line for line in ran.stderr.splitlines() if line.startswith("error:")]
    assert "openai answered 401 (invalid_api_key)" in error
    assert "OPENAI_API_KEY" in error
    assert f"{DOCUMENTS} documents wait" in error
    assert "run the same command again" in ran.stderr
    report = ran.json
    assert (report["state"], report["documents"]["dead"]) == ("running", 0)
    assert report["active"] == {"embed": {"waiting": DOCUMENTS}}
    assert requests(openai) <= HANDFUL
    assert embedded.json("dlq", "list")["dead_letters"] == []
    openai.simulator.faults.clear()
    query(embedded.home / "tracking.db", PUT_OFF)
    again = embedded.json("ingest", folder)
    assert (again["job"], again["documents"]["completed"]) == (report["job"], DOCUMENTS)
    assert again["spend"]["tokens_in"] == openai.simulator.bill.total("tokens_in")
    assert openai.simulator.bill.total("inputs") == again["chunks"]["embedded"], "nothing was paid twice"
    assert embedded.json("verify")["ok"]


def test_a_missing_key_ends_ingest_before_any_request(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    ran = embedded.with_environment(OPENAI_API_KEY="").run("ingest", folder, "--json")
    assert ran.status == 1
    assert "OPENAI_API_KEY is not set" in ran.stderr
    assert (ran.json["state"], ran.json["documents"]["dead"]) == ("running", 0)
    assert requests(openai) == 0
    assert embedded.json("ingest", folder)["documents"]["completed"] == DOCUMENTS


@pytest.mark.chaos
def test_what_can_move_moves_before_ingest_gives_up(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    with running(AnthropicSimulator()) as claude:
        judged = embedded.with_settings(validator=VALIDATOR, terms_sample="0").with_environment(**claude.environment)
        openai.simulator.faults.add(REFUSED)
        assert judged.run("ingest", folder, "--json").status == 1
        assert judged.json("jobs", "show", 1)["active"] == {"embed": {"waiting": DOCUMENTS}}
        paid = claude.simulator.bill.total("tokens_in")
        claude.simulator.faults.add(Fault(kind="status", status=401, times=None))
        openai.simulator.faults.clear()
        assert judged.json("ingest", folder)["documents"]["completed"] == DOCUMENTS
        assert claude.simulator.bill.total("tokens_in") == paid > 0


def test_workers_wait_for_a_key_say_so_and_a_start_with_another_has_effect_at_once(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    openai.simulator.faults.add(REFUSED)
    job = embedded.json("submit", folder)["job"]
    workers = embedded.start("workers", "start")
    with Watch(embedded.home) as watch:
        wait_until(lambda: watch.count(WAITING) == DOCUMENTS, "everything waits for a key", seconds=60)
        (row,) = embedded.json("jobs", "show", job)["waiting"]
        assert (row["stage"], row["reason"], row["documents"]) == ("embed", "key", DOCUMENTS)
        assert "OPENAI_API_KEY" in row["last_error"]
        assert 0 < row["next_in_seconds"] <= 60
        shown = embedded.run("jobs", "show", job).stdout
        assert "a key that its provider accepts" in shown
        check = {check["name"]: check for check in embedded.run("doctor", "--json").json["checks"]}["embedding"]
        assert not check["ok"]
        assert "OPENAI_API_KEY" in check["detail"]
        assert workers.poll() is None
        assert requests(openai) <= HANDFUL + 1
        watcher = embedded.launch("jobs", "watch", job)
        assert watcher.stderr is not None
        assert "OPENAI_API_KEY" in watcher.stderr.readline(), "whoever watches is told what is waited for"
        workers.send_signal(signal.SIGTERM)
        log = finish(workers).stderr
        assert log.count("key.refused") == 1, "once, and not for every document"
        openai.simulator.faults.clear()
        query(embedded.home / "tracking.db", PUT_OFF)
        other = embedded.with_environment(OPENAI_API_KEY="another").start("workers", "start")
        wait_until(
            lambda: not watch.count("SELECT count(*) FROM work WHERE finished_at IS NULL"), "nobody waits for an hour"
        )
        assert finish(watcher).status == 0
        other.send_signal(signal.SIGTERM)
        assert finish(other).status == 0
    assert embedded.json("jobs", "show", job)["documents"]["completed"] == DOCUMENTS


@pytest.mark.chaos
def test_a_replay_in_the_foreground_ends_as_ingest_does(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], tmp_path: Path
) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text(json.dumps({"id": "one", "text": text_of(1)}) + "\n")
    openai.simulator.faults.add(Fault(kind="status", status=404, times=None))
    assert embedded.run("ingest", source, "--json").status == 3
    openai.simulator.faults.clear()
    openai.simulator.faults.add(REFUSED)
    ran = embedded.run("dlq", "replay", "--work", "--all", "--json")
    assert (ran.status, ran.json["replayed"]) == (1, 1)
    assert "1 document waits" in ran.stderr
    openai.simulator.faults.clear()
    assert embedded.json("ingest", source)["documents"]["completed"] == 1


def test_a_search_with_a_refused_key_answers_by_words_at_once_and_names_the_key(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    embedded.json("ingest", folder)
    openai.simulator.faults.add(REFUSED)
    for _ in range(2):
        ran = embedded.run("search", "anything", "--json")
        assert (ran.status, ran.json["degraded"]) == (0, True)
        assert "OPENAI_API_KEY" in ran.stderr
        by_meaning = embedded.run("search", "anything", "--mode", "dense", "--json")
        assert by_meaning.status == 1
        assert "OPENAI_API_KEY" in by_meaning.json["error"]


@pytest.mark.chaos
def test_a_job_of_the_batch_lane_ends_too_and_is_taken_up(
    embedded: Command, openai: SimulatorServer[OpenAISimulator], folder: Path
) -> None:
    hurried = embedded.with_settings(bulk_poll_seconds="0.05", bulk_gather_seconds="10", bulk_lost_seconds="0")
    openai.simulator.faults.add(REFUSED)
    ran = hurried.run("ingest", folder, "--lane", "bulk", "--json")
    assert ran.status == 1
    assert "OPENAI_API_KEY" in ran.stderr
    assert f"{DOCUMENTS} documents wait" in ran.stderr
    assert (ran.json["state"], ran.json["documents"]["dead"]) == ("running", 0)
    assert requests(openai) <= HANDFUL
    openai.simulator.faults.clear()
    assert hurried.json("ingest", folder, "--lane", "live")["documents"]["completed"] == DOCUMENTS
    with Watch(hurried.home) as watch:
        assert watch.count("SELECT count(*) FROM usage WHERE state IN ('reserved', 'unsettled')") == 0


@pytest.mark.chaos
def test_a_refused_key_keeps_no_document_from_being_indexed_when_it_is_only_for_audits(
    cli: Command, tmp_path: Path
) -> None:
    with running(AnthropicSimulator()) as claude:
        claude.simulator.faults.add(Fault(kind="status", status=401, times=None))
        audited = cli.with_settings(validator=VALIDATOR, validation_policy="audit", terms_sample="1")
        audited = audited.with_environment(**claude.environment)
        source = write_corpus(tmp_path / "documents", 4)
        report = audited.json("ingest", source)
        assert (report["documents"]["completed"], report["spend"]["usd"]) == (4, 0)
        audit = audited.json("collections", "show", "default")["audit"]
        assert audit["sampled"] > 0
        assert audit["judged"] == 0
        with Watch(audited.home) as watch:
            assert watch.count("SELECT count(*) FROM sample WHERE state = 'failed' OR attempts > 0") == 0
        assert len(claude.simulator.exchanges) <= HANDFUL
