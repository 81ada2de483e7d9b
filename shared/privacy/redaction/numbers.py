"""Runs of digits and how they are grouped: one pass over a text finds them, and rules by length and grouping judge."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

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


Candidate = tuple[int, int, Lengths]
"""The last group of what may be one number, how many digits it has, and how they are grouped."""


class Grouping:
    """How a run of digits is grouped, which very many have in common: what may be one number in it is found once.

    `gaps[i]` is what stands before group `i` within the run. `opens[i]` says whether a value may begin with a group.
    `candidates[i]` are what may be one number from a group on, shorter ones first; each is on two lines at most, and
    close. `judged` is what others keep of it.
    """

    __slots__ = ("candidates", "closes", "gaps", "judged", "lengths", "opens")

    def __init__(self, lengths: Lengths, inner: Sequence[str], *, opens: bool, closes: bool) -> None:
        loose = [gap not in _JOINED for gap in inner]
        self.lengths = lengths
        self.gaps = ("", *inner)
        self.opens = (opens, *loose)
        self.closes = (*loose, closes)
        self.candidates = tuple(
            tuple(self._find_candidates(first)) if may else () for first, may in enumerate((True, *loose))
        )
        self.judged: dict[str, Any] = {}

    def _find_candidates(self, first: int) -> Iterator[Candidate]:
        total = breaks = 0
        for last in range(first, len(self.lengths)):
            gap = self.gaps[last]
            if last > first and gap not in _PLAIN:
                breaks += gap.count("\n")
                if breaks > 1 or (len(gap) > 2 and not _is_narrow(gap)):
                    return
            total += self.lengths[last]
            if total > MOST_DIGITS:
                return
            if self.closes[last] and total >= FEWEST_DIGITS:
                yield last, total, self.lengths[first : last + 1]


_KNOWN: dict[tuple[object, ...], Grouping] = {}
_MOST_KNOWN = 4096


def _grouping(lengths: Lengths, inner: list[str], *, opens: bool, closes: bool) -> Grouping:
    key = (lengths, *inner, opens, closes)
    found = _KNOWN.get(key)
    if found is None:
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        found = _KNOWN[key] = Grouping(lengths, inner, opens=opens, closes=closes)
    return found


class Run:
    """Groups of digits in a folded text with single separators between them; `parts` are the groups."""

    __slots__ = ("_before", "_places", "grouping", "lowered", "parts", "start", "text", "written")

    def __init__(self, text: str, lowered: str, start: int, written: list[str], grouping: Grouping) -> None:
        self.text, self.lowered, self.start, self.written = text, lowered, start, written
        self.parts = written[::2]
        self.grouping = grouping
        self._before: Before | None = None
        self._places: list[int] | None = None

    def begin(self, group: int) -> int:
        """Where a group begins in the text."""
        return self._place(2 * group)

    def end(self, group: int) -> int:
        """Where a group ends."""
        return self._place(2 * group + 1)

    def _place(self, number: int) -> int:
        if not number:
            return self.start
        if self._places is None:
            self._places = list(accumulate(map(len, self.written), initial=self.start))
        return self._places[number]

    def digits(self, first: int, last: int) -> str:
        """Those of some groups."""
        return "".join(self.parts[first : last + 1])

    def before(self, first: int) -> Before:
        """What stands before a group; before any but the first stands a number, which no word reaches over."""
        if first:
            return NOTHING
        if self._before is None:
            self._before = Before(self.lowered, self.start)
        return self._before

    def sign(self, first: int) -> str:
        """The character before a group."""
        start = self.begin(first)
        return self.text[start - 1 : start]


def _is_narrow(gap: str) -> bool:
    return "\n" in gap or "(" in gap or ")" in gap or gap in {" - ", " / "}


def runs(text: str, lowered: str) -> Iterator[Run]:
    """The runs of a folded text with digits enough for a number of a person."""
    for match in _RUN.finditer(text):
        found = match[0]
        if len(found) < FEWEST_DIGITS:
            continue
        written = _GAPS.split(found)
        if len(written) == 1 and not _may_stand_alone(text, match):
            continue
        lengths = tuple(map(len, written[::2]))
        if sum(lengths) < FEWEST_DIGITS:
            continue
        start, inner = match.start(), written[1::2]
        if lengths[0] == 2 and _ends_a_code(text, start, inner):
            continue
        opens = opens_at(text, start) and not (lengths[0] == 3 and _is_thousands(text, start))
        yield Run(
            text, lowered, start, written, _grouping(lengths, inner, opens=opens, closes=closes_at(text, match.end()))
        )


def _ends_a_code(text: str, start: int, inner: Sequence[str]) -> bool:
    """Whether it is the digits of what looks like an account's number, with its country before it."""
    if len(inner) < 3 or not is_word(text[start - 1 : start] or " "):
        return False
    return text[start - 2 : start].isupper() and set(inner) == {" "}


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

    def finds(self, run: Run, first: int, last: int) -> bool:
        """Whether the groups from the first to the last, grouped as one of its shapes, are such a number."""
        if self.hint is not None and not self.hint.precedes(run.before(first)):
            return False
        if not self.check(run.digits(first, last)) or (
            last > first and not self.separators.issuperset("".join(run.grouping.gaps[first + 1 : last + 1]))
        ):
            return False
        return not (self.names_things and NO_VALUE.precedes(run.before(first)))


Ruled = tuple[int, int, NumberRule]
"""The first and the last group of what may be a number, and the rule that says of what type."""


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

    def find(self, run: Run) -> Iterator[Finding]:
        """Every number in a run that a rule knows."""
        judged = run.grouping.judged.get("rules")
        if judged is None:
            judged = run.grouping.judged["rules"] = self._judge(run.grouping)
        shaped, hinted, heads = judged
        for first, last, rule in shaped:
            if rule.finds(run, first, last):
                yield Finding(rule.type, run.begin(first), run.end(last), rule.certainty)
        if hinted and not heads.isdisjoint(run.before(0).heads):
            for first, last, rule in hinted:
                if rule.finds(run, first, last):
                    yield Finding(rule.type, run.begin(first), run.end(last), rule.certainty)

    def _judge(self, grouping: Grouping) -> tuple[list[Ruled], list[Ruled], frozenset[str]]:
        """The rules that may hold for a grouping: by its shapes, and at its beginning by words before it."""
        shaped = [
            (first, last, rule)
            for first, candidates in enumerate(grouping.candidates)
            if grouping.opens[first]
            for last, _, lengths in candidates
            for rule in self._by_shape.get(lengths, ())
        ]
        hinted = [
            (0, last, rule)
            for last, total, _ in (grouping.candidates[0] if grouping.opens[0] else ())
            for rule in self._by_total.get(total, ())
        ]
        heads = frozenset[str]().union(*(rule.hint.heads for _, _, rule in hinted if rule.hint))
        return shaped, hinted, heads
