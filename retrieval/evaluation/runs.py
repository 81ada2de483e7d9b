"""Owns a run: what one way of searching found for every query, folded to documents, and what became of the others."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RankedDocuments:
    """The documents of one answer, best first, each once, at the score of its best chunk."""

    documents: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def varies(self) -> bool:
        """Whether the scores tell documents apart, as far as there are some to be told apart."""
        return len(self.scores) < 2 or max(self.scores) > min(self.scores)


@dataclass(frozen=True, slots=True)
class LeftOutQuery:
    """A query that says nothing of the search: it failed, or was answered in part; `why` in one line."""

    query: str
    run: str
    state: str
    why: str


@dataclass(slots=True)
class Run:
    """One way of searching over all queries: what was found, and what was left out."""

    name: str
    found: dict[str, RankedDocuments] = field(default_factory=dict)
    left_out: list[LeftOutQuery] = field(default_factory=list)

    def leave_out(self, query: str, state: str, why: str) -> None:
        """Note that a query was not answered as it should be."""
        self.left_out.append(LeftOutQuery(query, self.name, state, why))

    def rankings(self, queries: Iterable[str]) -> Mapping[str, Sequence[str]]:
        """The documents found for some of the queries."""
        return {query: self.found[query].documents for query in queries if query in self.found}

    @property
    def varies(self) -> bool:
        """Whether any answer has scores that differ."""
        return any(found.varies for found in self.found.values())


def fold(chunks: Iterable[tuple[str, float]]) -> RankedDocuments:
    """Documents where their best chunks are, from (document, score) of chunks, best first."""
    best: dict[str, float] = {}
    for document, score in chunks:
        best.setdefault(document, score)
    return RankedDocuments(tuple(best), tuple(best.values()))
