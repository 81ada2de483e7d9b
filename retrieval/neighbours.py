"""Owns what stands around a hit: the chunks before and after it in its document, without what they repeat."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from embedmill.shared.editions import parse_id
from embedmill.shared.providers.vectorstores.rows import VectorRow


@dataclass(frozen=True, slots=True)
class Neighbour:
    """What a chunk beside a hit adds to it: `text` is the document's from `start` to `end`."""

    chunk: str
    section: str
    page: int | None
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Context:
    """The chunks around a hit, in the order of the document; where one was rejected, the offsets leave it out."""

    before: list[Neighbour]
    after: list[Neighbour]


def ids_before(id: str, count: int) -> list[str]:
    """The ids of the rows before this one in its document and edition, nearest first."""
    ordinal, head = _place(id)
    return [f"{head}{ordinal - step}" for step in range(1, count + 1) if step <= ordinal]


def ids_after(id: str, count: int) -> list[str]:
    """The ids that the rows after it have, nearest first; past the end there are none."""
    ordinal, head = _place(id)
    return [f"{head}{ordinal + step}" for step in range(1, count + 1)]


def context(row: VectorRow, count: int, rows: Mapping[str, VectorRow]) -> Context:
    """What `rows`, by id, add to a row."""
    before = (rows[id] for id in ids_before(row.id, count) if id in rows)
    after = (rows[id] for id in ids_after(row.id, count) if id in rows)
    return Context(before=list(_backward(row.start, before))[::-1], after=list(_forward(row.end, after)))


def _place(id: str) -> tuple[int, str]:
    name = parse_id(id)
    if name is None:
        return 0, id
    return name.ordinal, id.removesuffix(str(name.ordinal))


def _backward(begin: int, rows: Iterable[VectorRow]) -> Iterator[Neighbour]:
    """What stands before `begin`, nearest first."""
    for row in rows:
        if row.start < begin:
            yield _part(row, row.start, min(row.end, begin))
            begin = row.start


def _forward(end: int, rows: Iterable[VectorRow]) -> Iterator[Neighbour]:
    """What stands behind `end`, nearest first."""
    for row in rows:
        if row.end > end:
            yield _part(row, max(row.start, end), row.end)
            end = row.end


def _part(row: VectorRow, start: int, end: int) -> Neighbour:
    return Neighbour(row.chunk, row.section, row.page, start, end, row.body[start - row.start : end - row.start])
