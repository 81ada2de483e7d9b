"""Runs of digits and how they are grouped: one pass over a text finds them, and rules by length and grouping judge."""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, islice, pairwise
from threading import Lock
from typing import Any

from embedmill.shared.redaction.edges import BLANK, closes_at, is_word, opens_at
from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.hints import NO_VALUE, NOTHING, Before, Hint
from embedmill.shared.redaction.late import late

FEWEST_DIGITS = 7
MOST_DIGITS = 19

_RUN = late(r"[0-9](?<![0-9][0-9])(?=[0-9 \t.\-/()\r\n]{6})[0-9]*+(?:[ \t.\-/()\r\n]{1,5}+[0-9]++)*+")
"""Groups of digits, seven characters or more."""
_DIGITS = late("[0-9]+")
_PARTING = frozenset(" -")
_ACCOUNT_HEAD = late(r"(?<![A-Za-z0-9])[A-Z]{2}[0-9]{2}[ -][A-Z]{4}[ -]\Z")
_FOURS = late("[0-9]{4}(?:[ -][0-9]{4}){1,5}(?:[ -][0-9]{1,3})?")
_LIKE_A_CODE = late("[0-9]{2}(?: [0-9]++){3,}+")
_SHAPE = "".join("0" if chr(code) in "123456789" else chr(code) for code in range(128))
_ONLY_DIGITS = "".join(chr(code) if chr(code).isdigit() else " " for code in range(128))
"""Tables for `translate`; those of ASCII that are texts take a third of the time of dictionaries."""
_GROUP = late("0+")
_PLAIN = frozenset({" ", "-", "."})
_JOINING = frozenset("-_")
_JOINED = frozenset("-.)")
"""Separators that are within numbers only, if they stand alone."""

OWN = 64
"""Groups of a long run that are looked at together: those with which a number may begin."""
REACH = MOST_DIGITS + 1
"""Groups behind them that a number of theirs may go on with, and one by which it ends."""
LONG = 4 * OWN
"""Characters; runs with fewer are looked at whole."""

Lengths = tuple[int, ...]


Candidate = tuple[int, int, Lengths]
"""The last group of what may be one number, how many digits it has, and how they are grouped."""


class Grouping:
    """How a run of digits is grouped, which very many have in common: what may be one number in it is found once.

    `spans` are the groups' places in the run, `offsets` those among its digits alone. `gaps[i]` is what stands before
    group `i` within the run. `opens[i]` says whether a value may begin with a group. `candidates[i]` are what may be
    one number from a group on, shorter ones first; each is on two lines at most, and close. Only the groups of `own`
    begin one: the others are what stands around them in a run that is looked at in parts. `judged` is what others keep
    of it.
    """

    __slots__ = ("candidates", "closes", "gaps", "judged", "lengths", "offsets", "opens", "own", "spans")

    def __init__(self, shape: str, *, opens: bool, closes: bool, own: slice) -> None:
        self.spans = tuple(match.span() for match in _GROUP.finditer(shape))
        self.lengths = tuple(end - start for start, end in self.spans)
        self.offsets = tuple(accumulate(self.lengths, initial=0))
        inner = tuple(shape[a[1] : b[0]] for a, b in pairwise(self.spans))
        loose = [gap not in _JOINED for gap in inner]
        self.gaps = ("", *inner)
        self.opens = (opens, *loose)
        self.closes = (*loose, closes)
        self.own = range(len(self.spans))[own]
        self.candidates = tuple(
            tuple(self._find_candidates(first)) if may and first in self.own else ()
            for first, may in enumerate((True, *loose))
        )
        self.judged: dict[Any, Any] = {}

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

    @property
    def may_hold_number(self) -> bool:
        """Whether it has digits enough; digits in one group have to stand alone."""
        if len(self.spans) > 1:
            return sum(self.lengths) >= FEWEST_DIGITS
        return FEWEST_DIGITS <= self.lengths[0] <= MOST_DIGITS and self.opens[0] and self.closes[0]


class _Groupings:
    """What is known of shapes, of so many characters in all: each may take a thousand times its length."""

    def __init__(self, *, most: int) -> None:
        self._known: dict[tuple[str, bool, bool, int, int | None], Grouping | None] = {}
        self._size, self._most = 0, most
        self._turn = Lock()

    def of(self, shape: str, *, opens: bool, closes: bool, own: slice) -> Grouping | None:
        """How a run of a shape is grouped; None where it holds no number."""
        key = (shape, opens, closes, own.start, own.stop)
        try:
            return self._known[key]
        except KeyError:
            found = Grouping(shape, opens=opens, closes=closes, own=own)
            return self._keep(key, found if found.may_hold_number else None)

    def _keep(self, key: tuple[str, bool, bool, int, int | None], grouping: Grouping | None) -> Grouping | None:
        size = len(key[0])
        if size > self._most // 16:
            return grouping
        with self._turn:
            if self._size + size > self._most:
                self._known.clear()
                self._size = 0
            if key not in self._known:
                self._size += size
            return self._known.setdefault(key, grouping)


_GROUPINGS = _Groupings(most=50_000)
_WHOLE = slice(0, None)


class DigitRun:
    """Groups of digits in a folded text with single separators between them; `written` is all of it.

    Of a long run it is a part, in which numbers begin with the grouping's `own` groups; `last_zero` is then the last
    place in the whole run where a zero stands in brackets.
    """

    __slots__ = ("_before", "_digits", "_last_zero", "grouping", "lowered", "start", "text", "written")

    def __init__(
        self,
        text: str,
        lowered: str,
        start: int,
        written: str,
        grouping: Grouping,
        *,
        before: Before | None = None,
        last_zero: int | None = None,
    ) -> None:
        self.text, self.lowered, self.start, self.written, self.grouping = text, lowered, start, written, grouping
        self._before = before
        self._digits: str | None = None
        self._last_zero = last_zero

    @property
    def goes_on(self) -> bool:
        """Whether it goes on with what the part before it began."""
        return self.grouping.own.start > 0

    def begin(self, group: int) -> int:
        """Where a group begins in the text."""
        return self.start + self.grouping.spans[group][0]

    def end(self, group: int) -> int:
        """Where a group ends."""
        return self.start + self.grouping.spans[group][1]

    def group(self, number: int) -> str:
        """The digits of a group."""
        return self.written[slice(*self.grouping.spans[number])]

    def begins_with_zero(self, number: int) -> bool:
        """Whether a group does."""
        return self.written[self.grouping.spans[number][0]] == "0"

    def has_zero(self) -> bool:
        """Whether any group begins with a zero."""
        return "0" in [self.written[start] for start, _ in self.grouping.spans]

    def digits(self, first: int, last: int) -> str:
        """Those of some groups."""
        if first == last:
            return self.group(first)
        if self._digits is None:
            self._digits = "".join(self.written.translate(_ONLY_DIGITS).split())
        offsets = self.grouping.offsets
        return self._digits[offsets[first] : offsets[last + 1]]

    def before(self, first: int) -> Before:
        """What stands before a group; before any but the first stands a number, which no word reaches over."""
        if first:
            return NOTHING
        if self._before is None:
            self._before = Before(self.lowered, self.start)
        return self._before

    def has_zero_in_brackets(self, first: int) -> bool:
        """Whether one begins at a group or behind it, as of the area in `+44 (0)20`."""
        if self._last_zero is None:
            self._last_zero = _last_zero(self.text, self.start, self.written)
        return self._last_zero >= self.begin(first)

    def is_one(self, found: Sequence[Finding]) -> bool:
        """Whether what was found is one number, which is sure and all of the run."""
        return (
            len(found) == 1
            and found[0].certainty is not Certainty.HINTED
            and found[0].end - found[0].start == len(self.written)
        )

    def sign(self, first: int) -> str:
        """The character before a group."""
        start = self.begin(first)
        return self.text[start - 1 : start]


def _is_narrow(gap: str) -> bool:
    return "\n" in gap or "(" in gap or ")" in gap or gap in {" - ", " / "}


def _last_zero(text: str, start: int, written: str) -> int:
    return text.rfind("(0)", start, start + len(written) + 1)


def runs(text: str, lowered: str, known: Sequence[Finding], naming: Container[str]) -> Iterator[DigitRun]:
    """The runs of a folded text with digits enough for a number of a person; none that is within a known finding.

    A long one is in parts, so that what is known of it at a time does not grow with it. The known ones are in order and
    apart. `naming` are heads of words that a number may be joined to: `ssn-…`.
    """
    left = iter((*known, Finding("", len(text) + 1, len(text) + 1, Certainty.HINTED)))
    known_start, known_end = next(left)[1:3]
    for match in _RUN.finditer(text):
        start, end = match.span()
        while known_end <= start:
            known_start, known_end = next(left)[1:3]
        before = text[start - 1 : start]
        if known_start <= start and end <= known_end and before != "+":
            continue
        written = match[0]
        opens = before in BLANK or (
            (opens_at(text, start) and not _is_thousands(text, start, written)) or _is_joined(lowered, start, naming)
        )
        closes = text[end : end + 1] in BLANK or closes_at(text, end)
        if written[2:3] == " " and _ends_a_code(text, start, written):
            continue
        if written[4:5] in _PARTING and _ends_account(text, start, written):
            continue
        if len(written) > LONG:
            yield from _parts(text, lowered, start, written, opens=opens, closes=closes)
            continue
        grouping = _GROUPINGS.of(written.translate(_SHAPE), opens=opens, closes=closes, own=_WHOLE)
        if grouping is not None:
            yield DigitRun(text, lowered, start, written, grouping)


def _parts(text: str, lowered: str, start: int, written: str, *, opens: bool, closes: bool) -> Iterator[DigitRun]:
    """A run in parts; a group is before those that a part has of its own, and as many behind as a number may need."""
    last_zero = _last_zero(text, start, written)
    left, groups, before = _DIGITS.finditer(written), list[tuple[int, int]](), 0
    while True:
        most = before + OWN + REACH
        groups += [match.span() for match in islice(left, most - len(groups))]
        is_last = len(groups) < most
        begin, end = groups[0][0], groups[-1][1]
        part = written[begin:end]
        own = slice(before, None if is_last else before + OWN)
        grouping = _GROUPINGS.of(part.translate(_SHAPE), opens=opens and not before, closes=closes and is_last, own=own)
        if grouping is not None:
            of_run = NOTHING if before else None
            yield DigitRun(text, lowered, start + begin, part, grouping, before=of_run, last_zero=last_zero)
        if is_last:
            return
        del groups[: before + OWN - 1]
        before = 1


def _is_joined(lowered: str, start: int, naming: Container[str]) -> bool:
    """Whether a word that says what it is stands right before it, as in the name of a file."""
    if lowered[start - 1 : start] not in _JOINING:
        return False
    before = Before(lowered, start - 1)
    return before.text[-1:].isalpha() and before.heads[-1] in naming


def _ends_a_code(text: str, start: int, written: str) -> bool:
    """Whether it is the digits of what looks like an account's number, with its country before it."""
    if not is_word(text[start - 1 : start] or " "):
        return False
    return text[start - 2 : start].isupper() and _LIKE_A_CODE.fullmatch(written) is not None


def _ends_account(text: str, start: int, written: str) -> bool:
    """Whether it is fours behind a country, two digits and a bank, as of an account's number whose sum is wrong."""
    return (
        text[start - 2 : start - 1].isupper()
        and _FOURS.fullmatch(written) is not None
        and _ACCOUNT_HEAD.search(text, max(0, start - 11), start) is not None
    )


def _is_thousands(text: str, start: int, written: str) -> bool:
    """Whether it goes on with an amount: `1,234 567`."""
    if text[start - 1 : start] != ",":
        return False
    return text[start - 2 : start - 1].isdigit() and written[:3].isdigit() and not written[3:4].isdigit()


@dataclass(frozen=True, slots=True, eq=False)
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
    is_even: bool = False
    """Whether all its groups are parted by the same sign, but for a line's end."""
    is_alone: bool = False
    """Whether no group as long as its own goes on with it in its line: then it is a part of what has more of them."""

    def may_find(self, grouping: Grouping, first: int, last: int) -> bool:
        """Whether it may be written with what stands between the groups."""
        gaps = grouping.gaps[first + 1 : last + 1]
        if self.is_alone and _is_part_of_row(grouping, first, last):
            return False
        if self.is_even and len({gap for gap in gaps if "\n" not in gap}) > 1:
            return False
        return self.separators.issuperset("".join(gaps))

    def finds(self, run: DigitRun, first: int, last: int) -> bool:
        """Whether the groups from the first to the last, which it may be written in, are such a number."""
        if self.hint is not None and not self.hint.precedes(run.before(first)):
            return False
        if not self.check(run.digits(first, last)):
            return False
        return not (self.names_things and NO_VALUE.precedes(run.before(first)))


def _is_part_of_row(grouping: Grouping, first: int, last: int) -> bool:
    lengths, gaps = grouping.lengths, grouping.gaps
    further = [(beside, gaps[max(beside, first)]) for beside in (first - 1, last + 1) if 0 <= beside < len(lengths)]
    return any(lengths[beside] == lengths[first] and "\n" not in gap for beside, gap in further)


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

    @cached_property
    def naming(self) -> frozenset[str]:
        """The heads of all words that a rule asks for."""
        hints = [rule.hint for rules in self._by_total.values() for rule in rules]
        return frozenset().union(*(hint.heads for hint in hints if hint is not None))

    def find(self, run: DigitRun) -> list[Finding]:
        """Every number in a run that a rule knows; one that is the whole run and sure is the only one."""
        shaped, hinted = self._judged(run.grouping)
        found = [
            Finding(rule.type, run.begin(first), run.end(last), rule.certainty)
            for first, last, rule in shaped
            if rule.finds(run, first, last)
        ]
        if hinted and not run.is_one(found) and not hinted.keys().isdisjoint(run.before(0).heads):
            found += [
                Finding(rule.type, run.begin(first), run.end(last), rule.certainty)
                for first, last, rule in {each: None for head in run.before(0).heads for each in hinted.get(head, ())}
                if rule.finds(run, first, last)
            ]
        return found

    def _judged(self, grouping: Grouping) -> tuple[list[Ruled], dict[str, list[Ruled]]]:
        judged: tuple[list[Ruled], dict[str, list[Ruled]]] | None = grouping.judged.get("rules")
        if judged is None:
            judged = grouping.judged["rules"] = self._judge(grouping)
        return judged

    def _judge(self, grouping: Grouping) -> tuple[list[Ruled], dict[str, list[Ruled]]]:
        """The rules that may hold for a grouping: by its shapes, and at its beginning by heads of words before it."""
        shaped = [
            (first, last, rule)
            for first, candidates in enumerate(grouping.candidates)
            if grouping.opens[first]
            for last, _, lengths in candidates
            for rule in self._by_shape.get(lengths, ())
            if rule.may_find(grouping, first, last)
        ]
        hinted: dict[str, list[Ruled]] = {}
        for last, total, _ in grouping.candidates[0] if grouping.opens[0] else ():
            for rule in self._by_total.get(total, ()):
                if rule.hint is not None and rule.may_find(grouping, 0, last):
                    for head in rule.hint.heads:
                        hinted.setdefault(head, []).append((0, last, rule))
        return shaped, hinted
