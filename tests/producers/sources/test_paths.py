"""Paths become absolute as their user meant them."""

import os
from pathlib import Path

import pytest

from embedmill.producers.sources.paths import absolute_path, shown


@pytest.mark.parametrize(
    ("name", "expected"), [(b"a", b"/w/a"), (b".", b"/w"), (b"./a//b/", b"/w/a/b"), (b"//x", b"/x"), (b"/", b"/")]
)
def test_a_path_is_joined_and_cleaned(name: bytes, expected: bytes) -> None:
    assert absolute_path(name, base=b"/w") == expected


def test_the_parent_of_a_linked_folder_is_the_one_the_system_would_open(tmp_path: Path) -> None:
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "real/a.md").touch()
    (tmp_path / "link").symlink_to("real/sub")
    found = absolute_path(b"link/../a.md", base=bytes(tmp_path))
    assert os.path.samefile(found, tmp_path / "real/a.md")


def test_every_name_can_be_shown() -> None:
    assert shown(b"a\xff\n\x1b[1m") == r"a\xff\n\x1b[1m"
    assert shown("ü b".encode()) == "ü b"
