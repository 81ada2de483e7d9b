"""Owns which of the rows that a store finds are candidates: seen by readers, each chunk once, and enough of them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from math import inf, isfinite
from operator import attrgetter, itemgetter

from embedmill.shared.editions import Edition, ordinal_of
from embedmill.shared.providers.vectorstores.rows import Match

WIDENING = 4
SPARE = 1.25
"""More rows are asked for than are wanted, so that a few that are dropped cost no second pass."""

MOST_SEEN = 50_000
"""Rows that are remembered to be seen, some 150 bytes each."""

_ID, _SCORE = itemgetter(0), itemgetter(3)
_DOCUMENT = attrgetter("document")

ActiveEditions = Callable[[Collection[str]], Mapping[str, Edition]]
FindSeen = Callable[[], set[str]]
"""The ids of rows that were found to be seen since any document changed; what is found more is added to it."""
Ask = Callable[[int], list[Match]]
"""How many to the best matches, best first."""
Keep = Callable[[Sequence[Match]], list[Match]]
"""Matches to those of them that may be shown, in their order."""


class Visibility:
    """Which rows a reader may see, by one view of the tracking database: every document is looked up once a query.

    Nothing is looked up of rows that were seen before, as long as no document of the collection has changed.
    """

    def __init__(self, active_editions: ActiveEditions, find_seen: FindSeen = set) -> None:
        self._look_up = active_editions
        self._find_seen = find_seen
        self._known: dict[str, Edition | None] = {}
        self._seen_before: set[str] = set()
        self._shown: list[list[Match]] = []
        self._missed: set[str] = set()

    @property
    def counts(self) -> tuple[int, int]:
        """How many documents it was asked about, and how many of them are active, whoever looked them up."""
        gone = sum(edition is None for edition in self._known.values())
        asked = len(self._known.keys() | self._seen_before)
        return asked, asked - gone

    @property
    def moved(self) -> bool:
        """Whether a document may have changed versions during the query: it has one, but only others were found."""
        return bool(self._missed and self._missed - {match.document for shown in self._shown for match in shown})

    def learn(self, matches: Iterable[Match]) -> None:
        """Look up the documents of these rows, as far as they are not known yet."""
        listed = list(matches)
        if self._were_seen(listed):
            self._seen_before.update(map(_DOCUMENT, listed))
            return
        unknown = set(map(_DOCUMENT, listed)) - self._known.keys()
        if unknown:
            active = self._look_up(unknown)
            self._known.update(zip(unknown, map(active.get, unknown), strict=True))

    def visible(self, matches: Sequence[Match]) -> list[Match]:
        """Those of the active edition of their document; nothing of a row whose id is none of ours is believed."""
        if self._were_seen(matches):
            self._shown.append(list(matches))
            return self._shown[-1]
        self.learn(matches)
        kept = self._seen_of(matches)
        self._remember(kept)
        self._shown.append(kept)
        if len(kept) < len(matches):
            self._missed.update(match.document for match in matches if self._known[match.document] is not None)
        return kept

    @cached_property
    def _seen(self) -> set[str]:
        return self._find_seen()

    def _were_seen(self, matches: Sequence[Match]) -> bool:
        return self._seen.issuperset(map(_ID, matches)) and all(map(isfinite, map(_SCORE, matches)))

    def _remember(self, kept: Sequence[Match]) -> None:
        """What was looked up after a change is not noted as seen before it."""
        if self._find_seen() is self._seen:
            if len(self._seen) > MOST_SEEN:
                self._seen.clear()
            self._seen.update(map(_ID, kept))

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
