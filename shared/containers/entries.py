"""What a container holds: entries that can be read, and what is in it and cannot be."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from embedmill.shared.errors import UnreadableDocument

DAMAGED = "the container is damaged or cut short"


@dataclass(frozen=True, slots=True)
class ContainerEntry:
    """A file in a container by its cleaned path; `open` gives a stream that lasts until the next entry is asked for.

    Raises what `embedmill.shared.errors` has for a document that cannot be read.
    """

    path: str
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, slots=True)
class LeftOutEntry:
    """Something in a container that holds no document, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file in a container that could not be read, so that nothing is known of it, and why."""

    path: str
    reason: str


Inside = ContainerEntry | LeftOutEntry | Damaged
Opener = Callable[[BinaryIO, str], Iterator[Inside]]
"""What reads a container of one kind: its stream, which can seek, and its file's name."""


class Damage(UnreadableDocument):
    """A container, or a file in it, is damaged."""

    def __init__(self, reason: str = DAMAGED) -> None:
        super().__init__(reason)
