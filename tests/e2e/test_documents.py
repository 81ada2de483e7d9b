"""The commands about documents and sources, as a user runs them."""

from pathlib import Path

import pytest

from tests.command import Command
from tests.workers.parsing.making import pdf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "half.pdf").write_bytes(pdf([["Llamas."], []]))
    for name in ("kept", "gone"):
        (folder / f"{name}.txt").write_text(f"The {name} document.")
    return folder


def test_documents_are_listed_shown_deleted_and_come_back_with_their_source(cli: Command, folder: Path) -> None:
    cli.json("ingest", folder)
    assert cli.run("documents", "list", "--job", 77).status == 1, "there is no such job"
    listed = cli.json("documents", "list")
    assert listed["next"] is None
    assert [row["state"] for row in listed["documents"]] == ["indexed"] * 3
    assert {tuple(row["sources"]) for row in listed["documents"]} == {(folder.as_uri(),)}
    (noted,) = cli.json("documents", "list", "--job", 1, "--noted")["documents"]
    assert (noted["uri"], noted["notes"]) == ((folder / "half.pdf").as_uri(), ["1 of 2 pages hold no text: 2"])

    shown = cli.json("documents", "show", folder / "half.pdf")
    assert shown["chunks"] == {"expected": 1, "indexed": 1, "rejected": 0}
    assert [stage["stage"] for stage in shown["stages"]] == ["chunk", "validate", "embed", "index"]
    assert [verdict["verdict"] for verdict in shown["verdicts"]] == ["accepted"]
    assert shown["last_error"] is None
    assert "1 of 2 pages hold no text" in cli.run("documents", "show", noted["id"]).stderr

    gone = (folder / "gone.txt").as_uri()
    assert cli.json("documents", "delete", gone, "--dry-run")["would_delete"] == 1
    assert cli.run("documents", "delete", gone, stdin="n\n").status == 0
    assert len(cli.export()) == 3
    deleted = cli.json("documents", "delete", "--where", "uri=*gone.txt", "--yes")
    assert (deleted["deleted"], deleted["claimed_by"]) == (1, [folder.as_uri()])
    assert gone not in {row["uri"] for row in cli.export().values()}
    assert len(cli.json("documents", "list")["documents"]) == 2
    assert cli.json("documents", "show", gone)["state"] == "deleted"
    assert cli.json("verify")["ok"]

    assert cli.json("ingest", folder)["documents"]["completed"] == 1
    assert cli.json("documents", "show", gone)["state"] == "indexed"


def test_a_source_that_is_removed_takes_what_nobody_else_claims_and_is_opened_by_reading_it_again(
    cli: Command, folder: Path
) -> None:
    cli.json("ingest", folder)
    cli.json("ingest", folder / "kept.txt")
    rows = cli.json("sources", "list")["sources"]
    assert [(row["uri"], row["documents"], row["state"]) for row in rows] == [
        (folder.as_uri(), 3, "open"),
        ((folder / "kept.txt").as_uri(), 1, "open"),
    ]
    assert cli.json("sources", "remove", folder, "--dry-run")["would_delete"] == 2
    removed = cli.json("sources", "remove", 1, "--yes")
    assert (removed["deleted"], removed["removed"]["state"]) == (2, "closed")
    assert {row["uri"] for row in cli.export().values()} == {(folder / "kept.txt").as_uri()}
    report = cli.json("sources", "rescan", folder.as_uri())
    assert (report["documents"]["completed"], report["documents"]["unchanged"]) == (2, 1)
    assert cli.json("sources", "list")["sources"][0]["state"] == "open"
    assert len(cli.export()) == 3
