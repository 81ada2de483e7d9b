"""Owns the gathering of candidates: every shard asked, superseded rows dropped, missing scores filled in."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.providers.vectorstores.base import Match

T = TypeVar("T")

WIDENING = 4

ActiveVersions = Callable[[Collection[str]], Mapping[str, str]]
Ask = Callable[[str, int], list[Match]]
"""(shard, top_k) to matches."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that a reader may see, with the shard that holds it."""

    shard: str
    match: Match


class Visibility:
    """Which rows a reader may see, by one view of the tracking database: every document is looked up once a query."""

    def __init__(self, active_versions: ActiveVersions) -> None:
        self._look_up = active_versions
        self._known: dict[str, str | None] = {}
        self._seen: set[str] = set()
        self._missed: set[str] = set()

    @property
    def moved(self) -> bool:
        """Whether a document may have changed versions during the query: it has one, but only others were found."""
        return bool(self._missed - self._seen)

    def visible(self, matches: Iterable[Candidate]) -> list[Candidate]:
        """Those of the active version of their document."""
        listed = list(matches)
        unknown = {item.match.document for item in listed} - self._known.keys()
        if unknown:
            active = self._look_up(unknown)
            self._known.update((document, active.get(document)) for document in unknown)
        kept = [item for item in listed if self._known[item.match.document] == item.match.version]
        self._seen.update(item.match.document for item in kept)
        self._missed.update(item.match.document for item in listed if self._known[item.match.document] is not None)
        return kept


def scatter(shards: Iterable[str], ask: Callable[[str], T]) -> list[T]:
    """The answer of every shard, in their order; one after the other, as threads made embedded shards slower."""
    return [ask(shard) for shard in shards]


def gather(shards: Sequence[str], ask: Ask, visibility: Visibility, *, wanted: int) -> list[Candidate]:
    """The `wanted` best visible rows of all shards, best first.

    Asks for more when dropped rows leave less than half, until there is enough or the shards have no more.
    """
    depth = wanted
    while True:
        answers = scatter(shards, lambda shard: ask(shard, depth))  # noqa: B023 - used before depth changes
        found = [Candidate(shard, match) for shard, answer in zip(shards, answers, strict=True) for match in answer]
        best = _once(visibility.visible(sorted(found, key=lambda item: (-item.match.score, item.match.id))))
        exhausted = all(len(answer) < depth for answer in answers)
        if exhausted or 2 * len(best) >= wanted:
            return best[:wanted]
        depth *= WIDENING


def _once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Every row once: one that is being moved is met at both shards, and the latter is where it stays."""
    return list({item.match.id: item for item in candidates}.values())


def fill(
    candidates: Mapping[str, Candidate],
    scores: Mapping[str, float],
    rescore: Callable[[str, list[str]], Mapping[str, float]],
) -> dict[str, float]:
    """The scores with those that are missing asked from the candidates' shards."""
    missing: dict[str, list[str]] = {}
    for id, candidate in candidates.items():
        if id not in scores:
            missing.setdefault(candidate.shard, []).append(id)
    answers = scatter(list(missing), lambda shard: rescore(shard, missing[shard]))
    return dict(scores) | {id: score for answer in answers for id, score in answer.items()}
