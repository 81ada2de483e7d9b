"""File URIs survive the round trip for every name that a file system allows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared.uris import path_to_uri, uri_to_path

NAMES = st.binary(min_size=1, max_size=40).map(lambda data: data.replace(b"\0", b"0"))
PATHS = st.lists(NAMES, max_size=6).map(lambda names: b"/" + b"/".join(names))


@given(PATHS)
def test_every_absolute_path_survives_the_round_trip(path: bytes) -> None:
    uri = path_to_uri(path)
    assert uri_to_path(uri) == path
    assert uri.isascii()


@given(PATHS, PATHS)
def test_different_paths_have_different_uris(one: bytes, other: bytes) -> None:
    assert (path_to_uri(one) == path_to_uri(other)) == (one == other)


def test_a_uri_equals_the_one_of_pathlib() -> None:
    path = "/tmp/a folder/ünï #1?%.md"
    assert path_to_uri(path.encode()) == Path(path).as_uri()


def test_localhost_is_this_machine() -> None:
    assert uri_to_path("file://localhost/a%20b") == b"/a b"


def test_a_relative_path_has_no_uri() -> None:
    with pytest.raises(ValueError, match="absolute"):
        path_to_uri(b"a/b")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/a",
        "http://a/b",
        "file:a",
        "file://host/a",
        "file:///a?b",
        "file:///a#b",
        "file:///a%00b",
        "file:///\udcff",
    ],
)
def test_what_is_no_local_file_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match=r"file URI|a path cannot|not the URI|surrogates"):
        uri_to_path(uri)
