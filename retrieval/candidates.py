"""Owns the gathering of candidates: every shard asked, superseded rows dropped, missing scores filled in."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

from embedmill.shared.editions import Edition, parse_id
from embedmill.shared.providers.vectorstores.base import Match

T = TypeVar("T")

WIDENING = 4

ActiveEditions = Callable[[Collection[str]], Mapping[str, Edition]]
Ask = Callable[[str, int], list[Match]]
"""(shard, top_k) to matches."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that a reader may see, with the shard that holds it."""

    shard: str
    match: Match


class Visibility:
    """Which rows a reader may see, by one view of the tracking database: every document is looked up once a query."""

    def __init__(self, active_editions: ActiveEditions) -> None:
        self._look_up = active_editions
        self._known: dict[str, Edition | None] = {}
        self._seen: set[str] = set()
        self._missed: set[str] = set()

    @property
    def moved(self) -> bool:
        """Whether a document may have changed versions during the query: it has one, but only others were found."""
        return bool(self._missed - self._seen)

    def visible(self, matches: Iterable[Candidate]) -> list[Candidate]:
        """Those of the active edition of their document; nothing of a row whose id is none of ours is believed."""
        listed = list(matches)
        unknown = {item.match.document for item in listed} - self._known.keys()
        if unknown:
            active = self._look_up(unknown)
            self._known.update((document, active.get(document)) for document in unknown)
        kept = [item for item in listed if self._sees(item.match)]
        self._seen.update(item.match.document for item in kept)
        self._missed.update(item.match.document for item in listed if self._known[item.match.document] is not None)
        return kept

    def _sees(self, match: Match) -> bool:
        name = parse_id(match.id)
        return (
            name is not None
            and (name.document, name.edition.version) == (match.document, match.version)
            and name.edition.is_seen_as(self._known[match.document])
            and isfinite(match.score)
        )


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
    """Every chunk once: one that is being moved is met at both shards, and the latter is where it stays.

    What 0.1.0 wrote is met beside what replaces it, for as long as that takes to be deleted.
    """
    return list({_chunk_of(item.match.id): item for item in candidates}.values())


def _chunk_of(id: str) -> tuple[str, int]:
    name = parse_id(id)
    return (id, 0) if name is None else (f"{name.document}-{name.edition.version}", name.ordinal)


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
