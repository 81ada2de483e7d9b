"""What is gone from a source for certain: no document is that may lie in what could not be read."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from embedmill.producers.sources.base import Problem, Remark, RemarkKind, Source, describe_item
from embedmill.shared.containers.entries import Damaged
from embedmill.shared.containers.walk import WITHIN, ContainerBudget, ContainerLimits, is_container, walk
from embedmill.shared.errors import DocumentError
from embedmill.shared.loading.members import member_uri
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


@dataclass(slots=True)
class Missing:
    """What is certain not to be there any more, by URI; a container is looked into once."""

    _held: dict[str, frozenset[str] | None] = field(default_factory=dict, init=False)

    def has(self, uri: str) -> bool:
        """Whether there is no file of that URI, nor one in a container; of one that was redacted nobody can tell."""
        if MARK in uri:
            return False
        try:
            return stat.S_ISDIR(os.stat(uri_to_path(uri)).st_mode)
        except (FileNotFoundError, NotADirectoryError):
            container = _container_of(uri)
            return container is None or self._is_taken_out(container, uri)
        except (OSError, ValueError):
            return False

    def _is_taken_out(self, container: str, uri: str) -> bool:
        if container not in self._held:
            self._held[container] = _find_held(container)
        held = self._held[container]
        return held is not None and held.isdisjoint(_around(uri))


def _container_of(uri: str) -> str | None:
    """The file that it would lie in."""
    parts = uri.split(WITHIN)
    containers = (WITHIN.join(parts[:count]) for count in range(1, len(parts)))
    return next((container for container in containers if os.path.isfile(uri_to_path(container))), None)


def _find_held(container: str) -> frozenset[str] | None:
    """The URIs of all that lies in a container; None where not all of it can be read."""
    path = uri_to_path(container)
    found: set[str] = set()
    try:
        with open(path, "rb") as stream:
            name = os.fsdecode(os.path.basename(path))
            if not is_container(stream, name):
                return None
            for inside in walk(stream, name, ContainerBudget(ContainerLimits(), os.fstat(stream.fileno()).st_size)):
                if isinstance(inside, Damaged):
                    return None
                found.add(member_uri(container, inside.path))
    except (OSError, DocumentError):
        return None
    return frozenset(found)
