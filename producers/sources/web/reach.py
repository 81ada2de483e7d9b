"""How far a crawl goes: which addresses are of the site, which of them are asked, and how many links away they are."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from urllib.parse import unquote_to_bytes, urlsplit

from embedmill.producers.sources.globs import Globs
from embedmill.producers.sources.seen import SeenKeys
from embedmill.producers.sources.web.addresses import place, shape, trap
from embedmill.producers.sources.web.judging import LEFT_OUT
from embedmill.shared.spellings import address_key

ALIKE = 60
"""So many pages of one making are looked at …"""
FEWEST_KINDS = 20
"""… and if fewer than so many say something of their own, there is no end of them."""
WITHOUT_TEXT = "images, scripts and other files without text"
SAY_THE_SAME = "of a kind that says the same again and again, as calendars do"

_MARK_BYTES = 16


@dataclass(frozen=True, slots=True)
class CrawlLimits:
    """Of one crawl: how many pages are asked, and how many links they may be away."""

    pages: int = 10_000
    depth: int = 50


@dataclass(slots=True)
class SiteReach:
    """What of a site is asked; `places` are its hosts. What is not is counted by rule, with an example."""

    places: set[str]
    limits: CrawlLimits
    globs: Globs
    year: int
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    is_full: bool = False
    _seen: SeenKeys = field(default_factory=SeenKeys)
    _asked: int = 0
    _alike: dict[str, tuple[int, set[str]]] = field(default_factory=dict)

    def holds(self, address: str) -> bool:
        """Whether an address is of the site."""
        return place(address) in self.places

    def has_met(self, address: str) -> bool:
        """Whether this or another address of the same page was met."""
        return self._seen.find([mark_of(address_key(address))]) is not None

    def meet(self, address: str) -> None:
        """From now on it was."""
        self._seen.add([mark_of(address_key(address))], 0)

    def admit(self, address: str, *, depth: int, is_listed: bool = False) -> bool:
        """Whether an address is asked that was met now; the lists of a site name what is elsewhere, too."""
        if self.has_met(address) or not (self.holds(address) or is_listed):
            return False
        self.meet(address)
        if rule := self._rule(address, depth):
            self.count(rule, address)
            return False
        return self.take_place()

    def take_place(self) -> bool:
        """Whether there is room for one more."""
        self.is_full = self.is_full or self._asked >= self.limits.pages
        self._asked += not self.is_full
        return not self.is_full

    def count(self, rule: str, address: str) -> None:
        """Something was not asked."""
        self.counts[rule] += 1
        self.examples.setdefault(rule, address)

    def wants(self, address: str) -> bool:
        """Whether a page is to be a document, by the patterns."""
        path = unquote_to_bytes(urlsplit(address).path).lstrip(b"/")
        return self.globs.takes(path or b"/")

    def has_no_end(self, address: str) -> bool:
        """Whether pages of this making say the same again and again."""
        count, kinds = self._alike.get(shape(address), (0, set()))
        return count >= ALIKE and len(kinds) < FEWEST_KINDS

    def note_saying(self, address: str, says: str) -> None:
        """What a page says, as something that is the same for pages that say the same."""
        making = shape(address)
        count, kinds = self._alike.get(making, (0, set()))
        if len(kinds) < FEWEST_KINDS:
            self._alike[making] = count + 1, kinds | {says[:_MARK_BYTES]}

    def describe(self) -> Iterator[str]:
        """What was not asked, by rule."""
        for rule, count in sorted(self.counts.items()):
            yield f"{count:,} not asked: {rule}; as {self.examples[rule]}"
        if self.is_full:
            yield f"{self.limits.pages:,} pages were asked, and there are more (--max-pages): nothing leaves"

    def _rule(self, address: str, depth: int) -> str:
        path = urlsplit(address).path.lower()
        if path.endswith(LEFT_OUT):
            return WITHOUT_TEXT
        if found := trap(address, year=self.year):
            return found
        if not self.wants(address):
            return "left out by the patterns"
        if self.has_no_end(address):
            return SAY_THE_SAME
        return f"more than {self.limits.depth:,} links away (--max-depth)" if depth > self.limits.depth else ""


def mark_of(name: str) -> bytes:
    """A short mark that stands for the key of an address."""
    return blake2b(name.encode(), digest_size=_MARK_BYTES).digest()
