"""The commands about erasing and backups, as a user runs them."""

from pathlib import Path

from tests.command import Command


def test_a_document_is_erased_stays_out_and_stays_out_of_a_restored_home(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("kept", "gone"):
        (folder / f"{name}.txt").write_text(f"The {name} document speaks of xylophones.")
    cli.json("ingest", folder)
    backup = tmp_path / "backup"
    made = cli.json("backup", backup)
    assert (made["objects"], made["shards"], made["key"]) == (1, 1, "in the backup")

    gone = folder / "gone.txt"
    assert cli.run("erase", gone, stdin="n\n").stdout.endswith("nothing was erased\n")
    receipt = tmp_path / "receipt.json"
    done = cli.json("erase", gone, "--yes", "--receipt", receipt)
    assert done["erased"] == 1
    assert Path(done["receipt"]).read_bytes() == receipt.read_bytes()
    verified = cli.json("erasures", "verify", receipt)
    assert (verified["ok"], verified["found"]) == (True, [])

    again = cli.json("ingest", folder)["documents"]
    assert (again["unchanged"], again["skipped"]) == (1, 1)

    restored = cli.json("restore", backup, "--replace")
    assert (restored["documents"], restored["erased"]) == (1, 1)
    assert [row["uri"] for row in cli.export().values()] == [(folder / "kept.txt").as_uri()]
