"""The reranker interface: a query and some texts in, a relevance for each of them out, as far as it can be believed."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from embedmill.shared.ledger import NO_TOKENS, Tokens
from embedmill.shared.providers.endpoints import RERANKERS, find_endpoint

MOST_UNITS = 100
"""More search units than any request of ours takes: what a vendor says beyond is not believed."""


@dataclass(frozen=True, slots=True)
class Reranked:
    """What an answer says: the relevance by place of the text, from 0 to 1, and how much in it was wrong, by kind.

    `units` are the search units that it was billed, None where the vendor does not say.
    """

    relevance: Mapping[int, float]
    flaws: Mapping[str, int]
    units: int | None
    request_id: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)

    @property
    def tokens(self) -> Tokens:
        """None: it is billed by units."""
        return NO_TOKENS


class Reranker(ABC):
    """Ranks texts. `name` is what settings call it, `model` what its provider does.

    Raises FlowControl when the provider asks to wait, ProviderUnavailable when it cannot answer, ProviderRefused when
    it refuses the caller, and InputRefused when it refuses this one request.
    """

    provider: ClassVar[str]
    extra: ClassVar[str]
    package: ClassVar[str]
    seconds_per_request: float = 30.0

    def __init__(self, name: str, model: str) -> None:
        self.name = name
        self.model = model
        self.endpoint = find_endpoint(RERANKERS, self.provider)
        """Who answers, where that is not the vendor itself."""

    @property
    @abstractmethod
    def key_hash(self) -> str:
        """Tells apart the credentials that calls use, whose limits are counted apart; empty without any."""

    @abstractmethod
    def rerank(self, query: str, texts: Sequence[str]) -> Reranked:
        """One call; nothing is retried here, because whoever calls has reserved money for exactly one."""

    def check(self) -> str:
        """Open its client and say so; raises KeyRefused without a key. Nothing is asked: every request is paid for."""
        self._client()
        return f"{self.provider} is set up; whether it takes the key, only a paid call of {self.model} would tell"

    def _client(self) -> Any:  # noqa: B027 - some open nothing
        """The vendor's client, opened on first use, where there is one; raises KeyRefused without a key to send."""

    def close(self) -> None:  # noqa: B027 - some keep nothing open
        """Release connections."""


def read_relevance(pairs: Iterable[tuple[Any, Any]], count: int) -> tuple[dict[int, float], dict[str, int]]:
    """The relevance of each place as an answer lists it, and what was wrong with the list.

    What is said twice and differently is said not at all. Numbers that are none, or outside 0 to 1, are left out,
    and so are places that were not asked about.
    """
    found: dict[int, float] = {}
    flaws: dict[str, int] = {}
    disputed: set[int] = set()
    for place, relevance in pairs:
        flaw = _flaw(place, relevance, count, found)
        if flaw is None:
            found[place] = float(relevance)
            continue
        flaws[flaw] = flaws.get(flaw, 0) + 1
        if flaw == "contradicted":
            disputed.add(place)
    return {place: value for place, value in found.items() if place not in disputed}, flaws


def _flaw(place: Any, relevance: Any, count: int, found: Mapping[int, float]) -> str | None:
    if type(place) is not int or not 0 <= place < count:
        return "foreign"
    if type(relevance) not in (int, float) or not 0 <= relevance <= 1:
        return "out_of_range"
    if place in found:
        return "repeated" if found[place] == relevance else "contradicted"
    return None


def credible(units: int | None) -> int | None:
    """The units that a vendor says it bills, where that can be true."""
    return units if units is not None and 0 < units <= MOST_UNITS else None
