"""Owns where the sentences of a text that is shown are.

A line that goes on where it was wrapped ends none of them, nor does the stop of an abbreviation or an ordinal number.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from embedmill.shared.stops import Stops

Span = tuple[int, int]

BULLETS = r"-*+\u2022\u25e6\u2023\u00b7"
"""What begins an item of a list, for a set of characters of a pattern."""

_SENTENCE = re.compile(
    rf"""\S.*?(?:
        \.(?=\s|$)(?!\s+[a-zß-öø-ÿα-ωа-я])                    # a stop before a small letter is an abbreviation's
      | [!?。！？](?=\s|$)
      | (?=\n\s*(?: \n | \| | \#{{1,6}}\s | [{BULLETS}]\s | `{{3}} ))   # a paragraph, row, heading, item or code begins
      | (?=\n[^\n]*\ \|\ )
      | $
    )""",
    re.DOTALL | re.VERBOSE,
)
_NUMBERED = re.compile(r"^[ \t]*\(?(\d{1,3})[.)][ \t]", re.MULTILINE)
_ENDED = ".!?。！？:;|"


def sentences_of(text: str) -> Iterator[Span]:
    """Where each sentence, row, heading or item of a text is."""
    for start, end in pairwise([0, *_numbered_items(text), len(text)]):
        yield from _joined(text, [found.span() for found in _SENTENCE.finditer(text, start, end)])


def _joined(text: str, spans: list[Span]) -> Iterator[Span]:
    """The sentences, those made one that a stop within had parted."""
    begin = None
    for (start, end), (after, _) in pairwise([*spans, (len(text), len(text))]):
        begin = start if begin is None else begin
        between = text[end:after]
        if text[end - 1] == "." and between.count("\n") <= 1 and _stops(text).goes_on(end, after):
            continue
        yield begin, end
        begin = None


@lru_cache(maxsize=8)
def _stops(text: str) -> "Stops":
    from embedmill.shared.stops import Stops  # most texts need nobody who tells languages

    return Stops(text)


def _numbered_items(text: str) -> list[int]:
    """Where items with a number begin: with the first, beside their neighbours, or behind a line that ended.

    A number and a stop alone may also be the end of a sentence that was wrapped before them.
    """
    found = list(_NUMBERED.finditer(text))
    numbers = [int(match[1]) for match in found]
    beside = {n for one, other in pairwise(numbers) if other - one in (0, 1) for n in (one, other)}
    return [
        match.start()
        for match, number in zip(found, numbers, strict=True)
        if number == 1 or number in beside or text[: match.start()].rstrip()[-1:] in _ENDED
    ]
