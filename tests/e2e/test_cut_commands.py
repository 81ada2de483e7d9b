"""Commands that write all anew are killed on their way, for real, and run again: the end is as without a kill."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from embedmill.shared.settings import Settings
from tests.command import Command, finish
from tests.workers.erasing.conftest import NEIGHBOURS, Home, place_filled
from tests.workers.erasing.searching import find_bytes, vectors

CUT = Path(__file__).parent / "cut"
ERASER, MOVE = "embedmill.workers.erasing.eraser", "embedmill.shared.db.erasures:move"
BACKUPS, RESTORING = "embedmill.console.services.backups", "embedmill.console.services.restoring"
RESEALER = "embedmill.workers.resealing:Resealer"


def some(points: Sequence[tuple[str, int]], *told: int) -> list[object]:
    """The telling points, and the others for the long run."""
    marks = {number: () if number in told else (pytest.mark.chaos,) for number in range(len(points))}
    return [
        pytest.param(*point, id=f"{point[0].partition(':')[2]}-{point[1]}", marks=marks[number])
        for number, point in enumerate(points)
    ]


@pytest.fixture
def filled(settings: Settings, tmp_path: Path) -> Home:
    return place_filled(settings.model_copy(update={"home": tmp_path / "filled"}))


@pytest.fixture
def mill(cli: Command, filled: Home) -> Command:
    return cli.with_settings(home=str(filled.path))


def cut(mill: Command, point: str, number: int, *arguments: object) -> None:
    """Run a command, and have it killed there."""
    dying = mill.altered_when_loaded_by(CUT, CUT_AT=point, CUT_NUMBER=str(number))
    assert finish(dying.start(*arguments)).status == -signal.SIGKILL


STEPS = [(f"{ERASER}:_take", n) for n in range(1, 11)]
NOTES = [(MOVE, n) for n in range(1, 11)]
ENDS = [(f"{ERASER}:_conclude", 1), (f"{ERASER}:receipts.keep", 1), (f"{ERASER}:tracker.clean_up", 1)]


@pytest.mark.parametrize(("point", "number"), some([*STEPS, *NOTES, *ENDS], 3, 15, 20, 22))
def test_an_erasure_that_was_killed_is_taken_up_and_leaves_nothing(
    mill: Command, filled: Home, point: str, number: int
) -> None:
    neighbours = {id: vector for id, vector in vectors(filled.path).items() if not id.startswith(filled.document)}
    cut(mill, point, number, "erase", filled.document, "--yes", "--json")
    done = mill.json("erase", filled.document, "--yes")
    assert (done["erased"], done["waits_for"]) == (1, None)
    assert mill.json("erasures", "verify", done["receipt"])["ok"]
    assert find_bytes(filled.path, filled.needles) == []
    assert vectors(filled.path) == neighbours
    assert len(neighbours) == NEIGHBOURS
    assert mill.json("verify")["ok"]


COPIES = [(f"{BACKUPS}:{name}", 1) for name in ("_copy_shards", "_copy_cache", "_copy_key", "_write_manifest")]


@pytest.mark.parametrize(("point", "number"), some(COPIES, 1, 3))
def test_a_backup_that_was_killed_is_none_and_the_next_is_whole(
    mill: Command, filled: Home, tmp_path: Path, point: str, number: int
) -> None:
    before = vectors(filled.path)
    cut(mill, point, number, "backup", tmp_path / "cut")
    assert mill.run("backup", tmp_path / "cut", "--verify").status != 0
    elsewhere = mill.with_settings(home=str(tmp_path / "second"))
    assert elsewhere.run("restore", tmp_path / "cut").status != 0
    mill.json("backup", tmp_path / "whole")
    assert mill.json("backup", tmp_path / "whole", "--verify")["ok"]
    assert elsewhere.json("restore", tmp_path / "whole")["documents"] == NEIGHBOURS + 1
    assert vectors(tmp_path / "second") == vectors(filled.path) == before


PLACES = [(f"{RESTORING}:{name}", 1) for name in ("_fill_home", "_finish", "_copy_objects", "carry_out", "verify")]


@pytest.mark.parametrize(("point", "number"), some(PLACES, 1, 4))
def test_a_restore_that_was_killed_is_done_again(
    mill: Command, filled: Home, tmp_path: Path, point: str, number: int
) -> None:
    mill.json("backup", tmp_path / "backup")
    mill.json("erase", filled.document, "--yes")
    second = mill.with_settings(home=str(tmp_path / "second"))
    cut(second, point, number, "restore", tmp_path / "backup")
    done = second.json("restore", tmp_path / "backup", "--replace")
    assert (done["documents"], done["erased"]) == (NEIGHBOURS, 1)
    assert vectors(tmp_path / "second") == vectors(filled.path)
    assert find_bytes(tmp_path / "second", filled.needles) == []
    assert second.json("verify")["ok"]


SEALS = [(f"{RESEALER}._texts", 1), (f"{RESEALER}._objects", 1), (f"{RESEALER}._shards", 1)]
SEALS += [("embedmill.shared.db.resealing:reseal_page", n) for n in (2, 4)]
SEALS += [("embedmill.console.services.resealing:_end", 1)]


@pytest.mark.parametrize(("point", "number"), some(SEALS, 2, 5))
def test_an_encryption_that_was_killed_is_taken_up_and_leaves_nothing_open(
    mill: Command, filled: Home, point: str, number: int
) -> None:
    for job in mill.json("jobs", "list")["jobs"]:
        if job["state"] == "running":
            mill.json("jobs", "cancel", job["id"])
    cut(mill, point, number, "keys", "re-encrypt", "default")
    assert mill.json("keys", "re-encrypt", "default")["documents"] == NEIGHBOURS + 1
    assert len(mill.export()) == NEIGHBOURS + 1
    assert mill.json("verify")["ok"]
    open_ = {name: filled.needles[name] for name in ("text", "title", "metadata")}
    shards = [(file, name) for file, name in find_bytes(filled.path, open_) if file.startswith("vectors")]
    assert shards == []
