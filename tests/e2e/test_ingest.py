"""Ingesting with the real command: documents in, verified vectors out, and only what changed is worked on again."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.command import Command
from tests.corpus import text_of, write_corpus
from tests.workers.parsing.making import pdf

# A disk that cannot read one folder.
UNREADABLE = """
import errno, os
opened = os.open
def fail(path, *arguments, **options):
    if isinstance(path, bytes) and path.endswith(b"/sub"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return opened(path, *arguments, **options)
os.open = fail
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "documents", 12)


def uris(command: Command) -> set[str]:
    return {Path(row["uri"]).stem for row in command.export().values()}


def test_a_folder_is_ingested_found_exported_and_verified(cli: Command, folder: Path) -> None:
    (folder / "special.txt").write_text("The quokka is a small marsupial that lives on Rottnest Island.")
    report = cli.json("ingest", folder)
    assert report["state"] == "completed"
    assert report["documents"]["total"] == report["documents"]["completed"] == 13
    assert report["chunks"]["expected"] == report["chunks"]["indexed"] == len(cli.export())
    hit = cli.json("search", "where does the quokka live", "--top-k", "3")["hits"][0]
    assert hit["uri"].endswith("special.txt")
    assert "quokka" in hit["text"]
    assert cli.json("verify")["ok"]


def test_a_second_run_embeds_nothing(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    before = cli.export()
    report = cli.json("ingest", folder)
    assert (report["documents"]["unchanged"], report["documents"]["completed"]) == (12, 0)
    assert (report["chunks"]["embedded"], report["spend"]["tokens_in"]) == (0, 0)
    assert cli.export() == before


def test_a_changed_document_is_replaced_whole(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    (folder / "0003.txt").write_text(text_of(3, edition=2))
    report = cli.json("ingest", folder)
    assert (report["documents"]["unchanged"], report["documents"]["completed"]) == (11, 1)
    texts = [row["text"] for row in cli.export().values() if row["uri"].endswith("0003.txt")]
    assert texts and not any("edition 1" in text for text in texts)
    assert cli.json("verify")["ok"]


def test_a_changed_paragraph_embeds_only_its_chunks(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    path = folder / "0003.txt"
    path.write_text(path.read_text() + "\n\nA last line.")
    report = cli.json("ingest", folder)
    assert 1 <= report["chunks"]["embedded"] < report["chunks"]["expected"]


def test_a_text_that_is_known_under_another_name_is_not_embedded_again(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    (folder / "copy.txt").write_bytes((folder / "0003.txt").read_bytes())
    report = cli.json("ingest", folder)
    assert (report["documents"]["completed"], report["chunks"]["embedded"]) == (1, 0)


def test_a_document_that_left_its_folder_leaves_the_index(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    (folder / "0003.txt").unlink()
    assert cli.json("ingest", folder)["documents"]["deleted"] == 1
    assert "0003" not in uris(cli)
    assert cli.json("verify")["ok"]


def test_many_documents_leave_only_with_a_flag(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    for number in range(6):
        (folder / f"{number:04}.txt").unlink()
    report = cli.json("ingest", folder)
    assert (report["documents"]["deleted"], report["held_deletions"]) == (0, 6)
    assert len(uris(cli)) == 12
    report = cli.json("ingest", folder, "--allow-deletes")
    assert (report["documents"]["deleted"], report["held_deletions"]) == (6, 0)
    assert len(uris(cli)) == 6


def test_a_document_that_comes_back_is_indexed_again_for_nothing(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    text = (folder / "0003.txt").read_text()
    (folder / "0003.txt").unlink()
    cli.json("ingest", folder)
    (folder / "0003.txt").write_text(text)
    report = cli.json("ingest", folder)
    assert (report["documents"]["completed"], report["chunks"]["embedded"]) == (1, 0)
    assert "0003" in uris(cli)


def test_bad_rows_of_a_jsonl_file_are_reported_and_the_others_are_indexed(cli: Command, tmp_path: Path) -> None:
    rows = [json.dumps({"id": f"row-{n}", "text": text_of(n, paragraphs=1)}) for n in range(5)]
    rows[2:2] = ["{not json", json.dumps({"id": "no text"}), json.dumps(["a", "list"])]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows))
    ran = cli.run("ingest", path, "--json")
    report = ran.json
    counts = report["documents"]
    assert (counts["completed"], counts["skipped"], counts["total"]) == (5, 3, 8)
    assert (ran.status, report["problems"]) == (1, 3)
    assert {row["uri"] for row in cli.export().values()} == {f"row-{n}" for n in range(5)}
    again = cli.run("ingest", path)
    assert again.status == 1
    assert "5 unchanged" in again.stdout
    assert "it was read as rows: 5 of them" in again.stdout
    assert "rows.jsonl:3: not JSON" in again.stderr


def test_what_a_folder_holds_beside_documents_is_left_out_and_said(cli: Command, folder: Path) -> None:
    for name, text in {
        ".env": "TOKEN=abc",
        ".aws/credentials": "aws_secret_access_key = x",
        ".venv/lib/x.py": "print(1)",
        "node_modules/x/i.js": "var x",
        "notes.txt": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    report = cli.json("ingest", folder)
    assert (report["documents"]["completed"], report["documents"]["skipped"]) == (12, 5)
    assert {Path(note["uri"]).name for note in report["notes"]} == {
        ".env",
        ".aws",
        ".venv",
        "node_modules",
        "notes.txt",
    }
    assert len(uris(cli)) == 12
    said = cli.run("ingest", folder).stdout
    assert (
        "left out: 1 hidden, 2 dependency or build folders (.venv, node_modules), 1 file for credentials, "
        "1 private key; --hidden takes them" in said
    )
    assert cli.json("ingest", folder / ".env")["documents"]["completed"] == 1
    assert cli.json("ingest", folder, "--hidden")["documents"]["total"] == 17


def test_a_document_that_would_be_left_out_now_leaves_and_a_flag_keeps_it(cli: Command, folder: Path) -> None:
    (folder / "x.txt").write_text("words")
    cli.json("ingest", folder)
    (folder / "x.txt").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert cli.json("ingest", folder)["documents"]["deleted"] == 1
    assert cli.json("ingest", folder, "--hidden")["documents"]["completed"] == 1


def test_every_spelling_of_a_folder_is_one_source(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    (folder.parent / "link").symlink_to(folder)
    for spelling in (folder.parent / "link", folder / ".." / folder.name):
        assert cli.json("ingest", spelling)["documents"]["unchanged"] == 12
    assert len(uris(cli)) == 12


def test_what_was_asked_for_and_is_not_there_is_said_and_ends_with_one(cli: Command, tmp_path: Path) -> None:
    empty, rows = tmp_path / "empty", tmp_path / "rows.csv"
    empty.mkdir()
    rows.write_text("id,text\n1,words\n")
    for arguments, said in (
        ((empty,), "empty: no file is in it"),
        ((rows, "--field", "title=headline"), "no row has the field 'headline'"),
        ((rows, "--field", "text=body"), "no header with the columns 'id' and 'body'"),
        (("-",), "it names no file"),
    ):
        ran = cli.run("ingest", *arguments)
        assert (ran.status, said in ran.stderr) == (1, True), ran
    for command in ("submit", "estimate"):
        ran = cli.run(command, empty, "--json")
        assert (ran.status, [note["kind"] for note in ran.json["notes"]]) == (1, ["problem"])


def test_an_unreadable_folder_is_a_problem_and_keeps_its_documents(cli: Command, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub/a.txt").write_text("words")
    cli.json("ingest", folder)
    alter = folder.parent / "alter"
    alter.mkdir()
    (alter / "sitecustomize.py").write_text(UNREADABLE)
    ran = cli.altered_when_loaded_by(alter).run("ingest", folder, "--json")
    assert (ran.status, ran.json["problems"], ran.json["documents"]["deleted"]) == (1, 1, 0)
    assert ran.json["notes"][0]["reason"] == "Input/output error"
    assert "a" in uris(cli)


def test_an_empty_document_is_passed_over_with_a_reason(cli: Command, folder: Path) -> None:
    (folder / "empty.txt").write_text("")
    report = cli.json("ingest", folder)
    assert (report["documents"]["completed"], report["documents"]["skipped"]) == (12, 1)


def test_collections_do_not_see_each_other(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    cli.json("ingest", folder, "--collection", "other")
    assert not set(cli.export()) & set(cli.export("other"))
    assert cli.json("ingest", folder, "--collection", "other")["documents"]["unchanged"] == 12


def test_a_source_that_does_not_exist_is_named(cli: Command, tmp_path: Path) -> None:
    ran = cli.run("ingest", tmp_path / "nowhere", "--json")
    assert ran.status in (1, 2)
    assert "nowhere" in ran.json["error"]
    assert "Traceback" not in ran.stderr


def test_a_wrong_setting_is_a_usage_error_that_names_it(cli: Command, folder: Path) -> None:
    ran = cli.with_settings(lease_seconds="soon").run("ingest", folder)
    assert ran.status == 2
    assert "EMBEDMILL_LEASE_SECONDS" in ran.stderr


def test_verify_finds_missing_vectors_and_repairs_them_for_nothing(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    before = {id_: row["text"] for id_, row in cli.export().items()}
    cli.json("verify")
    (shard,) = cli.home.glob("vectors/*/*.db")
    for suffix in ("", "-wal", "-shm"):
        shard.with_name(shard.name + suffix).unlink(missing_ok=True)
    ran = cli.run("verify", "--json")
    assert ran.status == 1
    assert ran.json["collections"][0]["missing"] == 12
    assert cli.json("verify", "--repair")["ok"]
    assert {id_: row["text"] for id_, row in cli.export().items()} == before
    with closing(sqlite3.connect(cli.home / "tracking.db")) as connection:
        ((inputs,),) = connection.execute("SELECT sum(inputs) FROM usage")
    assert inputs == len(before)


def test_a_damaged_object_is_made_again_from_its_source(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    before = {id_: row["text"] for id_, row in cli.export().items()}
    for path in (*cli.home.glob("vectors/*/*.db*"), *cli.home.glob("blobs/??/*")):
        path.unlink() if path.parent.parent.name == "vectors" else path.write_bytes(b"damaged")
    assert cli.json("verify", "--repair")["ok"]
    assert {id_: row["text"] for id_, row in cli.export().items()} == before


def test_a_row_whose_stored_text_is_damaged_comes_back_with_its_source(cli: Command, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": "1", "text": "of bread"}\n{"id": "2", "text": "of wine"}')
    once = cli.with_settings(max_attempts="1")
    once.json("ingest", rows)
    for path in (*cli.home.glob("vectors/*/*.db*"), *cli.home.glob("blobs/??/*")):
        path.unlink() if path.parent.parent.name == "vectors" else path.write_bytes(b"damaged")
    assert once.run("verify", "--repair", "--json").status == 1
    again = once.json("ingest", rows)["documents"]
    assert (again["completed"], again["unchanged"], again["dead"]) == (2, 0, 0)
    assert cli.json("verify")["ok"]


def test_rejected_chunks_are_listed_with_their_reason(cli: Command, tmp_path: Path) -> None:
    rule = tmp_path / "rule.txt"
    rule.write_text("=-=-" * 400)
    report = cli.json("ingest", rule)
    assert report["chunks"]["rejected"] == report["chunks"]["expected"] > 0
    lines = cli.run("export", "--rejected").lines
    assert len(lines) == report["chunks"]["rejected"]
    assert {line["reason"] for line in lines} == {"it holds no letter and no digit"}


def test_what_holds_no_document_is_named_with_its_reason(cli: Command, folder: Path) -> None:
    (folder / "blank.txt").write_text("  \n")
    os.mkfifo(folder / "pipe")
    report = cli.json("ingest", folder)
    reasons = {Path(note["uri"]).name: note["reason"] for note in report["notes"]}
    assert report["documents"]["skipped"] == len(reasons) == 2
    assert "FIFO" in reasons["pipe"]
    assert "no text" in reasons["blank.txt"]


def test_what_was_read_in_part_is_said_by_the_command_by_the_job_and_in_the_list(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "contract.pdf").write_bytes(pdf([["Llamas."], [], [], [], ["Llamas again."]]))
    (folder / "whole.txt").write_text("Nothing is missing here.")
    ran = cli.run("ingest", folder)
    assert "job 1 completed in part: 2 documents" in ran.stdout
    assert "contract.pdf: 3 of 5 pages hold no text: 2-4" in ran.stderr
    report = cli.json("jobs", "show", 1)
    assert (report["noted"], report["state"], report["documents"]["completed"]) == (1, "completed", 2)
    assert [(note["kind"], note["reason"]) for note in report["notes"]] == [("noted", "3 of 5 pages hold no text: 2-4")]
    assert cli.json("jobs", "list")["jobs"][0]["noted"] == 1
