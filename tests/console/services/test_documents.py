"""What people write about documents is understood: conditions, globs over paths, and every spelling of a name."""

import os
from pathlib import Path

import pytest

from embedmill.console.services.documents import Asked, _in_uris, ask_where, spellings
from embedmill.shared.errors import UsageError
from embedmill.shared.states import DocumentState


def test_conditions_are_read() -> None:
    asked = ask_where(["state=dead", "job=3", "uri=*.pdf", "noted=true", "metadata.team=a=b"], collection="c")
    assert asked == Asked("c", DocumentState.DEAD, job=3, uri="*.pdf", noted=True, metadata=("team=a=b",))
    assert ask_where([], collection="c").is_everything
    assert not ask_where(["stale="], collection=None).is_everything


@pytest.mark.parametrize("condition", ["state=odd", "job=x", "colour=red", "state=", "metadata.=x", "noted=maybe"])
def test_a_condition_without_a_meaning_is_refused(condition: str) -> None:
    with pytest.raises(UsageError, match="--where"):
        ask_where([condition], collection=None)


def test_a_glob_over_paths_is_one_over_uris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _in_uris("./a b/*.p?f") == f"file://{tmp_path}/a%20b/*.p?f"
    assert _in_uris("/x/[a-c]*") == "file:///x/[a-c]*"
    assert _in_uris("*.pdf") == "*.pdf"
    assert _in_uris("row-1*") == "row-1*"


def test_a_name_may_be_a_uri_an_id_or_a_path_through_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    os.symlink(tmp_path / "real", tmp_path / "link")
    assert spellings("file:///a") == ["file:///a"]
    found = spellings("link/a.txt")
    assert found[0] == "link/a.txt"
    assert {f"file://{tmp_path}/link/a.txt", (tmp_path / "real").resolve().as_uri() + "/a.txt"} == set(found[1:])
