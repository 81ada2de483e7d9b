"""Owns what one search looks through: the parts of all shards, each with the rows that may be found."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.providers.vectorstores.embedded.field_index import FieldIndex, Selected
from embedmill.shared.providers.vectorstores.embedded.segment import Segment
from embedmill.shared.providers.vectorstores.embedded.shard_file import Patience
from embedmill.shared.providers.vectorstores.embedded.view import SegmentPart
from embedmill.shared.providers.vectorstores.exact import best
from embedmill.shared.providers.vectorstores.rows import Found, Match, Selection

Mask = NDArray[np.bool_]
LATE = "it was too late"
SHARE_OF_TIME = 0.5


@dataclass(frozen=True, slots=True)
class Portion:
    """A segment of a shard, and which of its rows may be found; None for all of them."""

    shard: str
    segment: Segment
    mask: Mask | None

    @property
    def size(self) -> int:
        """How many rows may be found."""
        return len(self.segment) if self.mask is None else int(np.count_nonzero(self.mask))


@dataclass(slots=True)
class Pass:
    """One pass over shards: which of them failed, and why; `deadline` is on the monotonic clock."""

    deadline: float | None = None
    failed: dict[str, str] = field(default_factory=dict)
    vanished: bool = False
    """Whether rows that a view holds were there no more when they were read."""

    def ask(self, shard: str, step: Callable[[], None]) -> None:
        """Take a step of a shard's; its failure is noted, and a shard that has failed is not asked again."""
        if shard in self.failed:
            return
        if not self.is_in_time():
            self.failed[shard] = LATE
            return
        try:
            with Patience(self._share_of_time()):
                step()
        except EmbedmillError as error:
            self.failed[shard] = str(error)
        except TimeoutError as error:
            self.failed[shard] = str(error) or LATE

    def _share_of_time(self) -> float:
        """How long a shard that others hold is waited for: the rest has to do for those that follow."""
        return inf if self.deadline is None else SHARE_OF_TIME * (self.deadline - time.monotonic())

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile takes none of the time: it is made once, and every later search is glad of it."""
        begin = time.monotonic()
        yield
        if self.deadline is not None:
            self.deadline += time.monotonic() - begin

    def for_a_share(self) -> Callable[[], bool]:
        """Whether a share of the time that is left now is not yet over."""
        until = time.monotonic() + self._share_of_time()
        return lambda: time.monotonic() <= until

    def is_in_time(self) -> bool:
        """Whether there is time left."""
        return self.deadline is None or time.monotonic() <= self.deadline

    def found(self, matches: Sequence[Match], top_k: int) -> Found:
        """The best of the matches of shards that did not fail."""
        answering = [match for match in matches if match.shard not in self.failed]
        return Found(best(answering, top_k), self.failed, self.vanished)


def select(
    shard: str, connection: sqlite3.Connection, parts: Sequence[SegmentPart], fields: FieldIndex, selection: Selection
) -> list[Portion]:
    """The portions of a shard that a search with this selection looks through."""
    allowed = None if selection.where is None else fields.select(connection, selection.where)
    return [
        Portion(shard, part.segment, _all((part.kept, *_allowed(part, allowed), *_words_masks(part, selection))))
        for part in parts
    ]


def _allowed(part: SegmentPart, allowed: Selected | None) -> list[Mask]:
    return [] if allowed is None else [allowed.mask(part.segment.keys)]


def _words_masks(part: SegmentPart, selection: Selection) -> list[Mask]:
    wanted = [_holding_all(part.segment, selection.required)] if selection.required else []
    return [*wanted, ~_holding(part.segment, selection.excluded)] if selection.excluded else wanted


def _holding_all(segment: Segment, required: Sequence[frozenset[int]]) -> Mask:
    """The rows that hold one of each; a mask at a time, as a phrase may be long and a segment large."""
    mask = np.ones(len(segment), np.bool_)
    for terms in required:
        mask &= _holding(segment, terms)
        if not mask.any():
            break
    return mask


def _holding(segment: Segment, terms: frozenset[int]) -> Mask:
    """The rows that hold any of the terms."""
    mask = np.zeros(len(segment), np.bool_)
    for begin, end in zip(*segment.postings.spans(np.array(sorted(terms), np.uint32)), strict=True):
        mask[segment.postings.rows[begin:end]] = True
    return mask


def _all(masks: Sequence[Mask | None]) -> Mask | None:
    given = [mask for mask in masks if mask is not None]
    return np.logical_and.reduce(given) if given else None
