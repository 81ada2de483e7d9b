"""Runs of digits and how they are grouped: one pass over a text finds them, and rules by length and grouping judge."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from embedmill.shared.privacy.redaction.finding import Certainty, Finding
from embedmill.shared.privacy.redaction.hints import NO_VALUE, NOTHING, Before, Hint

FEWEST_DIGITS = 7
MOST_DIGITS = 19

_RUN = re.compile(r"[0-9]++(?:[ \t.\-/()\r\n]{1,5}+[0-9]++)*+")
_GAPS = re.compile("([^0-9]+)")
_WITHOUT_BLANKS = "\u0e00"
"""From here on are scripts in which no blank parts a number from a word."""
_PLAIN = frozenset({" ", "-", "."})
_JOINED = frozenset("-.)")
"""Separators that are within numbers only, if they stand alone."""

Lengths = tuple[int, ...]


Candidate = tuple[int, str, Lengths]
"""The last group of what may be one number, its digits, and how they are grouped."""


class Run:
    """Groups of digits in a folded text with single separators between them.

    `parts` are the groups, `gaps[i]` is what stands before group `i` within the run. `opens[i]` says whether a value
    may begin with a group, `closes[i]` whether one may end with it.
    """

    __slots__ = ("_before", "_candidates", "closes", "gaps", "groups", "lengths", "lowered", "opens", "parts", "text")

    def __init__(self, text: str, lowered: str, start: int, written: list[str]) -> None:
        self.text, self.lowered = text, lowered
        self.parts = written[::2]
        self.lengths: Lengths = tuple(map(len, self.parts))
        inner = written[1::2]
        self.gaps = ["", *inner]
        places = list(accumulate(map(len, written), initial=start))
        self.groups = list(zip(places[::2], places[1::2], strict=False))
        loose = [gap not in _JOINED for gap in inner]
        opens = opens_at(text, start) and not (self.lengths[0] == 3 and _is_thousands(text, start))
        self.opens = [opens, *loose]
        if self._ends_a_code(text, start):
            self.opens = [False] * len(self.parts)
        self.closes = [*loose, closes_at(text, places[-1])]
        self._candidates: dict[int, list[Candidate]] = {}
        self._before: Before | None = None

    def _ends_a_code(self, text: str, start: int) -> bool:
        """Whether it is the digits of what looks like an account's number, with its country before it."""
        if self.lengths[0] != 2 or len(self.parts) < 4 or not is_word(text[start - 1 : start] or " "):
            return False
        return text[start - 2 : start].isupper() and set(self.gaps) == {"", " "}

    def before(self, first: int) -> Before:
        """What stands before a group; before any but the first stands a number, which no word reaches over."""
        if first:
            return NOTHING
        if self._before is None:
            self._before = Before(self.lowered, self.groups[0][0])
        return self._before

    def sign(self, first: int) -> str:
        """The character before a group."""
        start = self.groups[first][0]
        return self.text[start - 1 : start]

    def candidates(self, first: int) -> list[Candidate]:
        """What may be one number from a group on, shorter ones first; it stands on two lines at most, and close."""
        found = self._candidates.get(first)
        if found is None:
            found = self._candidates[first] = list(self._find_candidates(first))
        return found

    def _find_candidates(self, first: int) -> Iterator[Candidate]:
        digits, breaks = "", 0
        gaps, parts, closes = self.gaps, self.parts, self.closes
        for last in range(first, len(parts)):
            gap = gaps[last]
            if last > first and gap not in _PLAIN:
                breaks += gap.count("\n")
                if breaks > 1 or (len(gap) > 2 and not _is_narrow(gap)):
                    return
            digits += parts[last]
            if len(digits) > MOST_DIGITS:
                return
            if closes[last] and len(digits) >= FEWEST_DIGITS:
                yield last, digits, self.lengths[first : last + 1]


def _is_narrow(gap: str) -> bool:
    return "\n" in gap or "(" in gap or ")" in gap or gap == " - "


def runs(text: str, lowered: str) -> Iterator[Run]:
    """The runs of a folded text with digits enough for a number of a person."""
    for match in _RUN.finditer(text):
        found = match[0]
        if len(found) < FEWEST_DIGITS:
            continue
        written = _GAPS.split(found)
        if len(written) == 1 and not _may_stand_alone(text, match):
            continue
        if sum(map(len, written[::2])) >= FEWEST_DIGITS:
            run = Run(text, lowered, match.start(), written)
            if True in run.opens and True in run.closes:
                yield run


def _may_stand_alone(text: str, match: re.Match[str]) -> bool:
    return len(match[0]) <= MOST_DIGITS and opens_at(text, match.start()) and closes_at(text, match.end())


def _is_thousands(text: str, start: int) -> bool:
    return text[start - 1 : start] == "," and text[start - 2 : start - 1].isdigit()


def is_word(character: str) -> bool:
    """A letter or digit that goes on with a word or number; of scripts without blanks, none does."""
    return character == "_" or (character < _WITHOUT_BLANKS and character.isalnum())


def opens_at(text: str, start: int) -> bool:
    """Whether a value may begin here: it is no end of a word, of another number, or of an amount."""
    if not start:
        return True
    before = text[start - 1]
    if before in " \n":
        return True
    if is_word(before) or before in "$€£¥@":
        return False
    further = text[start - 2 : start - 1] if start > 1 else ""
    if before == "-":
        return not (further and is_word(further))
    return not (before in ".:" and further.isdigit())


def closes_at(text: str, end: int) -> bool:
    """Whether a value may end here."""
    after = text[end : end + 1]
    if not after or after in " \n":
        return True
    further = text[end + 1 : end + 2]
    if is_word(after):
        return after in "xX" and further.isdigit()
    if after == "@":
        return False
    if after == "-":
        return not (further and is_word(further))
    return not (after == "." and further.isdigit())


@dataclass(frozen=True, slots=True)
class NumberRule:
    """A number of so many digits: what groupings it is written in, and what its digits must satisfy.

    Without `shapes` every grouping will do. Where a `hint` is given, it has to stand before the number: `check` is
    right by chance too often, and the form is not telling.
    """

    type: str
    totals: Iterable[int]
    check: Callable[[str], bool]
    shapes: frozenset[Lengths] | None = None
    hint: Hint | None = None
    certainty: Certainty = Certainty.CHECKED
    separators: frozenset[str] = frozenset(" -./\n\t\r()")
    names_things: bool = False
    """Whether a word before it, such as "order", tells that it is something else."""

    def finds(self, run: Run, first: int, last: int, digits: str) -> bool:
        """Whether the groups from the first to the last, grouped as one of its shapes, are such a number."""
        if self.hint is not None and not self.hint.precedes(run.before(first)):
            return False
        if not self.check(digits) or not self.separators.issuperset("".join(run.gaps[first + 1 : last + 1])):
            return False
        return not (self.names_things and NO_VALUE.precedes(run.before(first)))


class NumberRules:
    """Rules by the shapes that they know; those that ask for a word, by how many digits they take."""

    def __init__(self, rules: Iterable[NumberRule]) -> None:
        self._by_shape: dict[Lengths, list[NumberRule]] = {}
        self._by_total: dict[int, list[NumberRule]] = {}
        for rule in rules:
            for shape in rule.shapes or ():
                self._by_shape.setdefault(shape, []).append(rule)
            for total in rule.totals if rule.shapes is None else ():
                self._by_total.setdefault(total, []).append(rule)
        self._heads = {
            total: frozenset[str]().union(*(rule.hint.heads for rule in ruled if rule.hint))
            for total, ruled in self._by_total.items()
        }

    def find(self, run: Run) -> Iterator[Finding]:
        """Every number in a run that a rule knows."""
        for first, opens in enumerate(run.opens):
            if opens:
                for last, digits, lengths in run.candidates(first):
                    for rule in self._possible(run, first, digits, lengths):
                        if rule.finds(run, first, last, digits):
                            yield Finding(rule.type, run.groups[first][0], run.groups[last][1], rule.certainty)

    def _possible(self, run: Run, first: int, digits: str, lengths: Lengths) -> Iterator[NumberRule]:
        yield from self._by_shape.get(lengths, ())
        heads = self._heads.get(len(digits)) if not first else None
        if heads is not None and not heads.isdisjoint(run.before(first).heads):
            yield from self._by_total[len(digits)]
