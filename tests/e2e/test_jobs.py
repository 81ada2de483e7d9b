"""Jobs and workers from the user's side: submitted, worked on elsewhere, paused, resumed, cancelled."""

import json
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import Command, Process, finish
from tests.corpus import write_corpus
from tests.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "documents", 30)


@pytest.fixture
def workers(cli: Command) -> Iterator[Process]:
    process = cli.start("workers", "start")
    yield process
    process.send_signal(signal.SIGTERM)
    finish(process)


def state(cli: Command, job: int) -> str:
    return str(cli.json("jobs", "show", job)["state"])


def test_a_submitted_job_waits_for_workers_who_finish_it(cli: Command, folder: Path) -> None:
    submitted = cli.json("submit", folder)
    assert submitted["documents"] == 30
    assert state(cli, submitted["job"]) == "running"
    process = cli.start("workers", "start")
    wait_until(lambda: state(cli, submitted["job"]) == "completed", "the job is completed")
    process.send_signal(signal.SIGTERM)
    assert finish(process).status == 0
    assert cli.json("verify")["ok"]


def test_an_ingest_takes_up_what_was_submitted(cli: Command, folder: Path) -> None:
    submitted = cli.json("submit", folder)
    report = cli.json("ingest", folder)
    assert report["job"] == submitted["job"]
    again = cli.json("submit", folder)
    assert again["job"] != report["job"]
    assert state(cli, again["job"]) == "completed", "nothing has changed, and nobody works here who could say so"
    assert report["documents"]["completed"] == 30


def test_a_job_that_is_resumed_before_its_sources_were_read_says_how_they_are(cli: Command, folder: Path) -> None:
    job = cli.json("submit", folder)["job"]
    cli.json("jobs", "pause", job)
    with closing(sqlite3.connect(cli.home / "tracking.db")) as connection, connection:
        connection.execute("UPDATE job SET enumerated_at = NULL")
    resumed = cli.run("jobs", "resume", job)
    assert "sources were not read to their end" in resumed.stderr
    again = cli.run("submit", folder)
    assert f"taking up job {job} of the same sources" in again.stderr and f"job {job}: 30 documents" in again.stdout


def test_a_paused_job_rests_until_it_is_resumed(cli: Command, folder: Path, workers: Process) -> None:
    other = write_corpus(folder.parent / "other", 3)
    paused = cli.json("submit", folder, "--collection", "paused")["job"]
    cli.json("jobs", "pause", paused)
    done = cli.json("jobs", "show", paused)["documents"]["completed"]
    assert cli.json("ingest", other)["state"] == "completed"
    wait_until(lambda: "running" not in str(cli.json("jobs", "show", paused)["active"]), "what ran has ended")
    assert cli.json("jobs", "show", paused)["state"] == "paused"
    assert cli.json("jobs", "show", paused)["documents"]["completed"] >= done
    cli.json("jobs", "resume", paused)
    wait_until(lambda: state(cli, paused) == "completed", "the resumed job is completed")
    assert cli.json("jobs", "show", paused)["documents"]["completed"] == 30


def test_an_ingest_of_a_paused_job_says_how_to_resume_it(cli: Command, folder: Path) -> None:
    job = cli.json("submit", folder)["job"]
    cli.json("jobs", "pause", job)
    ran = cli.run("ingest", folder, "--json")
    assert ran.status == 1
    assert "paused" in ran.json["error"] and f"jobs resume {job}" in ran.json["hint"]


def test_a_cancelled_job_ends_and_the_next_one_starts_afresh(cli: Command, folder: Path) -> None:
    job = cli.json("submit", folder)["job"]
    assert cli.json("jobs", "cancel", job)["state"] == "cancelled"
    assert cli.json("jobs", "show", job)["documents"]["cancelled"] == 30
    report = cli.json("ingest", folder)
    assert report["job"] != job
    assert report["documents"]["completed"] == 30


def test_what_a_job_s_state_does_not_allow_is_refused_in_one_line(cli: Command, folder: Path) -> None:
    job = cli.json("ingest", folder)["job"]
    ran = cli.run("jobs", "pause", job, "--json")
    assert ran.status == 1
    assert "completed" in ran.json["error"] and "paused" in ran.json["error"]


def test_a_small_job_does_not_wait_for_a_large_one(cli: Command, folder: Path, tmp_path: Path) -> None:
    narrow = cli.with_settings(high_water="16", batch_documents="4")
    large = narrow.json("submit", write_corpus(tmp_path / "large", 400), "--collection", "large")["job"]
    process = narrow.start("workers", "start")
    small = narrow.json("ingest", write_corpus(tmp_path / "small", 3), "--collection", "small")
    assert small["documents"]["completed"] == 3
    assert state(narrow, large) == "running"
    process.send_signal(signal.SIGTERM)
    finish(process)


def test_ten_documents_behind_five_thousand_are_done_before_a_fifth_of_those(cli: Command, tmp_path: Path) -> None:
    rows = tmp_path / "large.jsonl"
    lines = (json.dumps({"id": f"row-{n}", "text": f"Row number {n} of many."}) for n in range(5_000))
    rows.write_text("\n".join(lines))
    large = cli.json("submit", rows, "--collection", "large")["job"]
    process = cli.with_settings(batch_documents="64").start("workers", "start")
    wait_until(lambda: counts(cli, large)["queued"] > 100, "the large job has filled the queues")
    small = cli.json("submit", write_corpus(tmp_path / "small", 10), "--collection", "small")["job"]
    wait_until(lambda: counts(cli, small)["completed"] == 10, "the small job is completed")
    done = counts(cli, large)["completed"]
    process.send_signal(signal.SIGTERM)
    finish(process)
    assert done < 1000, done


def counts(cli: Command, job: int) -> Counter[str]:
    query = "SELECT state, count(*) FROM work WHERE job_id = ? GROUP BY state"
    with closing(sqlite3.connect(cli.home / "tracking.db", timeout=30)) as connection:
        return Counter(dict(connection.execute(query, (job,)).fetchall()))


def test_a_job_shows_what_it_waits_for_and_how_to_get_it_going(cli: Command, folder: Path) -> None:
    job = cli.json("submit", folder, "--priority", 7, "--weight", 3)["job"]
    shown = cli.json("jobs", "show", job)
    assert (shown["priority"], shown["weight"], shown["rate"], shown["seconds_left"]) == (7, 3, 0.0, None)
    assert [(row["stage"], row["reason"], row["documents"]) for row in shown["waiting"]] == [("chunk", "queue", 30)]
    assert shown["queues_without_consumer"] == [{"queue": "chunk", "documents": 30, "start": "embedmill workers start"}]
    printed = cli.run("jobs", "show", job)
    assert "a worker to take it" in printed.stdout
    assert "embedmill workers start" in printed.stderr
    first, second = cli.json("jobs", "show", job, "--waiting", "--limit", 2)["waiting"]
    assert first["uri"].endswith("0000.txt") and second["reason"] == "queue"
    assert "notes" not in cli.json("jobs", "list")["jobs"][0]
    cli.json("jobs", "pause", job)
    assert {row["reason"] for row in cli.json("jobs", "show", job)["waiting"]} == {"paused"}


def test_a_job_s_urgency_is_changed_while_it_is_open_and_refused_when_it_makes_no_sense(
    cli: Command, folder: Path
) -> None:
    job = cli.json("submit", folder)["job"]
    assert cli.json("jobs", "update", job, "--priority", -5) == {
        "job": job,
        "priority": -5,
        "weight": 1,
        "lane": "live",
    }
    assert cli.json("submit", folder, "--weight", 9)["job"] == job
    assert cli.json("jobs", "show", job)["weight"] == 9
    assert cli.run("jobs", "update", job, "--priority", 101, "--json").status == 2
    assert cli.run("jobs", "update", job).status == 2
    assert cli.run("submit", folder, "--weight", 0).status == 2


def test_sigterm_ends_an_ingest_in_good_order(cli: Command, tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "large", 300)
    process = cli.with_settings(batch_documents="8").start("ingest", folder, "--json")
    wait_until(lambda: cli.json("jobs", "list")["jobs"], "the job is recorded")
    process.send_signal(signal.SIGTERM)
    ran = finish(process)
    assert ran.status == 1, ran
    assert ran.json["error"] == "interrupted"
    assert "Traceback" not in ran.stderr
    report = cli.json("ingest", folder)
    assert report["documents"]["completed"] + report["documents"]["unchanged"] == 300
    assert cli.json("dlq", "list")["total"] == 0
