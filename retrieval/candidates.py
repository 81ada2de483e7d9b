"""Owns which of the rows that a store finds are candidates: seen by readers, each chunk once, and enough of them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from math import inf, isfinite
from operator import attrgetter

from embedmill.shared.editions import Edition, ordinal_of
from embedmill.shared.providers.vectorstores.rows import Match

WIDENING = 4
SPARE = 1.25
"""More rows are asked for than are wanted, so that a few that are dropped cost no second pass."""

_DOCUMENT = attrgetter("document")

ActiveEditions = Callable[[Collection[str]], Mapping[str, Edition]]
Ask = Callable[[int], list[Match]]
"""How many to the best matches, best first."""
Keep = Callable[[Sequence[Match]], list[Match]]
"""Matches to those of them that may be shown, in their order."""


class Visibility:
    """Which rows a reader may see, by one view of the tracking database: every document is looked up once a query."""

    def __init__(self, active_editions: ActiveEditions) -> None:
        self._look_up = active_editions
        self._known: dict[str, Edition | None] = {}
        self._shown: list[list[Match]] = []
        self._missed: set[str] = set()

    @property
    def moved(self) -> bool:
        """Whether a document may have changed versions during the query: it has one, but only others were found."""
        return bool(self._missed and self._missed - {match.document for shown in self._shown for match in shown})

    def learn(self, matches: Iterable[Match]) -> None:
        """Look up the documents of these rows, as far as they are not known yet."""
        unknown = set(map(_DOCUMENT, matches)) - self._known.keys()
        if unknown:
            active = self._look_up(unknown)
            self._known.update(zip(unknown, map(active.get, unknown), strict=True))

    def visible(self, matches: Sequence[Match]) -> list[Match]:
        """Those of the active edition of their document; nothing of a row whose id is none of ours is believed."""
        try:
            kept = self._seen_of(matches)
        except KeyError:
            self.learn(matches)
            kept = self._seen_of(matches)
        self._shown.append(kept)
        if len(kept) < len(matches):
            self._missed.update(match.document for match in matches if self._known[match.document] is not None)
        return kept

    def _seen_of(self, matches: Sequence[Match]) -> list[Match]:
        """Raises KeyError where a document is not known."""
        known, seen = self._known, []
        for match in matches:
            id, document, version, score, _ = match
            active = known[document]
            if active is None or version != active.version or not isfinite(score):
                continue
            # The name of most rows is told by its beginning.
            beginning, _, number = id.rpartition(".")
            is_plain = (
                beginning == f"{document}-{version}-{active.generation}" and number.isdigit() and number.isascii()
            )
            if is_plain or active.names(id, document):
                seen.append(match)
        return seen


def asked_for(wanted: int) -> int:
    """How many rows the first pass asks for."""
    return int(wanted * SPARE)


def gather(found: list[Match], ask: Ask, keep: Keep, *, wanted: int, most: float = inf) -> list[Match]:
    """The `wanted` best rows that are kept, of what a first pass has `found`; asks for more while there are too few.

    `most` is how deep it goes for them, at least.
    """
    depth = asked_for(wanted)
    while True:
        best = each_once(keep(found))
        if len(best) >= wanted or len(found) < depth or depth >= most:
            return best[:wanted]
        depth *= WIDENING
        found = ask(depth)


def each_once(matches: Iterable[Match]) -> list[Match]:
    """Every chunk of visible rows once: one that is being moved is met at both shards, and stays at the latter.

    What 0.1.0 wrote is met beside what replaces it, for as long as that takes to be deleted.
    """
    listed = list(matches)
    if len(set(map(_DOCUMENT, listed))) == len(listed):
        return listed
    return list({(match.document, match.version, ordinal_of(match.id)): match for match in listed}.values())
