"""What is gone from a source for certain: no document is that may lie in what could not be read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from embedmill.producers.sources.base import Problem, Remark, RemarkKind, Source, describe_item
from embedmill.shared.containers.walk import WITHIN
from embedmill.shared.redaction.policy import MARK
from embedmill.shared.uris import uri_to_path


@dataclass(slots=True)
class Unread:
    """The places of one source that were not read, each a URI without a slash at its end.

    `is_cut` when the source itself was not read to its end.
    """

    source: Source
    is_cut: bool = field(default=False, init=False)
    _places: set[str] = field(default_factory=set, init=False)

    def __bool__(self) -> bool:
        return bool(self._places)

    def add(self, problem: Problem) -> None:
        """Something that was not read."""
        is_source = problem.uri == self.source.spec["uri"]
        self.is_cut = self.is_cut or (is_source and problem.line is None)
        if self.source.hides_only_below and not is_source:
            self._places.add(problem.uri.rstrip("/"))
        else:
            self.add_all()

    def add_all(self) -> None:
        """The source was not read to its end, or what a problem hides may be anything in it."""
        self._places.add("")

    def place_of(self, uri: str) -> str | None:
        """The URI of what was not read and may hold a document; the source's own where that may be anything in it."""
        if "" in self._places:
            return str(self.source.spec["uri"])
        return next((place for place in _around(uri) if place in self._places), None)


def _around(uri: str) -> Iterator[str]:
    """The folders and containers that a document lies in, and itself."""
    parts = uri.split("/")
    for count in range(1, len(parts)):
        around = "/".join(parts[:count])
        yield around
        yield around.removesuffix(WITHIN[0])
    yield uri


def note_kept(place: str, count: int) -> dict[str, Any]:
    """That so many documents stay because of a place that was not read."""
    documents_are = "document was not met and is" if count == 1 else "documents were not met and are"
    reason = f"{count} {documents_are} kept: not all was read, and what was not may hold them"
    return describe_item(Remark(place, reason, RemarkKind.READ))


def is_missing(uri: str) -> bool:
    """Whether it is certain that there is no file of that URI; of one that was redacted nobody can tell."""
    if MARK in uri:
        return False
    try:
        return stat.S_ISDIR(os.stat(uri_to_path(uri)).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return not _lies_in_a_file(uri)
    except (OSError, ValueError):
        return False


def _lies_in_a_file(uri: str) -> bool:
    """Whether it is a container's member and the container is there: only who reads that one knows the rest."""
    parts = uri.split(WITHIN)
    containers = (WITHIN.join(parts[:count]) for count in range(1, len(parts)))
    return any(os.path.isfile(uri_to_path(container)) for container in containers)
