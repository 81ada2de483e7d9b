"""Globs over URIs: `*` for anything, `?` for one character, `[a-z]` and `[!a-z]` for one of some; upper case counts."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote_from_bytes

from embedmill.shared.errors import UsageError

_SET = r"\[(!?)(\][^\]]*|[^\]]+)\]"
_PART = re.compile(rf"\*+|\?|{_SET}|[^*?\[]+|\[")
_MEMBER = re.compile(r"(.)-(.)|(.)", re.DOTALL)
_LAST_CHARACTER = 0x10FFFF
_FIRST_SURROGATE, _AFTER_SURROGATES = 0xD800, 0xE000


@dataclass(frozen=True, slots=True)
class Glob:
    """A pattern that a whole text has to match; raises UsageError for a set that nothing is in."""

    pattern: str

    def __post_init__(self) -> None:
        """Find sets without a member at once."""
        self.as_regex()

    @property
    def prefix(self) -> str:
        """What every match begins with."""
        first = next(self._parts(), None)
        return first if first and first[0] not in "*?[" else ""

    @property
    def is_literal(self) -> bool:
        """Whether it matches one text only."""
        return self.prefix == self.pattern

    def as_sqlite(self) -> str:
        """The same for SQLite's GLOB, in which `^` negates a set."""
        return "".join(_as_sqlite(part) for part in self._parts())

    def as_regex(self) -> str:
        """The same as an anchored regular expression, as Python and Postgres have it."""
        return "^" + "".join(_as_regex(part) for part in self._parts()) + "$"

    def encode(self, *, safe: str) -> "Glob":
        """The same over texts of which all but letters, digits, `_.-~` and what is `safe` is percent-encoded.

        A set is left as it is, and `?` is one character of the encoded text.
        """
        return Glob("".join(part if _is_special(part) else _encoded(part, safe) for part in self._parts()))

    def matches(self, text: str) -> bool:
        """Whether the whole text matches, in a time that grows with its length alone, however many stars there are."""
        return _compiled(self.pattern).fullmatch(text) is not None

    def between_stars(self) -> list[str]:
        """The regular expressions of what stands before, between and after the stars."""
        fixed = [""]
        for part in self._parts():
            if part[0] == "*":
                fixed.append("")
            else:
                fixed[-1] += _as_regex(part)
        return fixed

    def _parts(self) -> Iterator[str]:
        return (found[0] for found in _PART.finditer(self.pattern))


def _is_special(part: str) -> bool:
    return part[0] in "*?" or (len(part) > 1 and part[0] == "[")


def _encoded(part: str, safe: str) -> str:
    return quote_from_bytes(part.encode("utf-8", "surrogateescape"), safe=safe)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Between two stars the first place that fits is taken for good: what a later one allows, the earlier one does."""
    head, *between = Glob(pattern).between_stars()
    if not between:
        return re.compile(head)
    *inner, tail = between
    return re.compile(f"{head}{''.join(f'(?>(?s:.*?){fixed})' for fixed in inner)}(?s:.*){tail}")


def successor(prefix: str) -> str | None:
    """The least text after everything that begins so, by code points; None when there is none."""
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following == _FIRST_SURROGATE:
            following = _AFTER_SURROGATES
        if following <= _LAST_CHARACTER:
            return prefix[: end - 1] + chr(following)
    return None


@dataclass(frozen=True, slots=True)
class _Set:
    """Characters and ranges of them, `-` and `^` last, where they mean themselves."""

    negated: bool
    ranges: tuple[tuple[str, str], ...]
    singles: tuple[str, ...]

    @classmethod
    def read(cls, part: str) -> "_Set":
        found = re.fullmatch(_SET, part, re.DOTALL)
        assert found is not None
        members = _MEMBER.findall(found[2])
        ranges = tuple((low, high) for low, high, _ in members if low and low <= high)
        singles = tuple(sorted({single for _, _, single in members if single}, key=_place_in_set))
        if not ranges and not singles:
            raise UsageError(f"the glob has a set that nothing is in: {part}")
        return cls(bool(found[1]), ranges, singles)


def _place_in_set(character: str) -> int:
    return {"]": 0, "-": 3, "^": 2}.get(character, 1)


def _as_sqlite(part: str) -> str:
    if part == "[":
        return "[[]"
    if part[0] != "[":
        return "*" if part[0] == "*" else part
    members = _Set.read(part)
    if members.singles == ("^",) and not members.ranges and not members.negated:
        return "^"
    ranges = "".join(f"{low}-{high}" for low, high in members.ranges)
    first, rest = members.singles[:1] == ("]",), "".join(members.singles)
    inside = f"]{ranges}{rest[1:]}" if first else f"{ranges}{rest}"
    return f"[{'^' if members.negated else ''}{'-^' if inside == '^-' else inside}]"


def _as_regex(part: str) -> str:
    if part[0] == "*":
        return "(.|\n)*"
    if part == "?":
        return "(.|\n)"
    if part[0] != "[" or part == "[":
        return re.escape(part)
    members = _Set.read(part)
    inside = "".join(f"{_quoted(low)}-{_quoted(high)}" for low, high in members.ranges)
    inside += "".join(map(_quoted, members.singles))
    return f"[{'^' if members.negated else ''}{inside}]"


def _quoted(character: str) -> str:
    return f"\\{character}" if character in "\\]^[-" else character
