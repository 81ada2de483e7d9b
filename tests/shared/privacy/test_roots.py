"""Key files: whole under their name or not there, whenever the process that makes one is killed."""

import os
import signal
from pathlib import Path

import pytest

from embedmill.shared.errors import StorageFailed
from embedmill.shared.privacy.roots import make_key_file


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_process_that_is_killed_while_it_makes_a_key_file_leaves_nothing_of_it(tmp_path: Path, call: str) -> None:
    if not (child := os.fork()):
        setattr(os, call, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
        make_key_file(tmp_path / "root")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("has_unnamed_files", [True, False])
def test_a_key_file_is_its_owners_and_the_first_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_unnamed_files: bool
) -> None:
    if not has_unnamed_files:
        monkeypatch.setattr("embedmill.shared.privacy.roots._UNNAMED", os.O_RDONLY)

    made = make_key_file(tmp_path / "root")

    assert make_key_file(tmp_path / "root") == made
    assert [path.name for path in tmp_path.iterdir()] == ["root"]
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageFailed, match="cannot be made"):
        make_key_file(tmp_path / "nowhere" / "root")
