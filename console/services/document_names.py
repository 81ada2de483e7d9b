"""The names that a document may be called by: its URI, a path of a file, or what lies in a container."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from embedmill.shared.containers.walk import WITHIN
from embedmill.shared.db.collections import list_collections
from embedmill.shared.loading.members import member_uri
from embedmill.shared.runtime import Runtime
from embedmill.shared.uris import path_to_uri

_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def document_names(runtime: Runtime, name: str) -> list[str]:
    """What a user may mean, by URIs that may be stored without values, too; to be called outside of a transaction."""
    named = spellings(name)
    redactors = [runtime.redactor(each.id) for each in runtime.database.query(list_collections)]
    return [*named, *(redactor.address(each) for redactor in redactors if redactor.is_on for each in named)]


def spellings(name: str) -> list[str]:
    """What a user may mean: an id or a URI as it stands, or the file by that path, through links or not.

    The path may follow a kind, as in `slack:export.zip`, and go on within a container, as in `archive.zip!/a.txt`.
    """
    scheme = _HAS_SCHEME.match(name)
    kind, path = (scheme[0].lower(), name[scheme.end() :]) if scheme else ("file://", name)
    if kind == "sqlite:":
        # Two slashes, none or one for the root, and the path, which may be one from here.
        below = path.lstrip("/")
        found = [f"sqlite:///{below}", *_uris("sqlite://", f"/{below}"), *_uris("sqlite://", below)]
    elif scheme and path.startswith("//"):
        # A bucket or a host by itself is on record with the slash after it.
        found = [f"{name}/"] if "/" not in path[2:] else []
    else:
        found = _uris(kind, path)
    return list(dict.fromkeys([name, *found]))


def _uris(kind: str, path: str) -> list[str]:
    try:
        uris = [kind + path_to_uri(each).removeprefix("file://") for each in _paths(path)]
        within = [(member, each) for before, member in _splits(path) for each in _paths(before)]
        return uris + [kind + member_uri(path_to_uri(each), member).removeprefix("file://") for member, each in within]
    except (OSError, RuntimeError, ValueError):
        return []


def _paths(path: str) -> list[bytes]:
    """The same path as it stands, and without links."""
    found = Path(path).expanduser()
    return [os.fsencode(os.path.abspath(found)), os.fsencode(os.path.realpath(found))]


def _splits(path: str) -> Iterator[tuple[str, str]]:
    """A path as that of a container, and of what is in it; one that is gone cannot be asked which of them it is."""
    parts = path.split(WITHIN)
    for count in range(1, len(parts)):
        yield WITHIN.join(parts[:count]), WITHIN.join(parts[count:])
