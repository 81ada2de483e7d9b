"""Queries and filters as nobody writes them, made from a seed: all of Unicode, signs of query languages, any length."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from embedmill.retrieval.question import MODES, Mode
from tests.retrieval.layouts import QUERIES, TEXTS

SYNTAX = (
    *('"', '""', "'", "*", "^stack", "NEAR(stack pump, 3)", "stack AND", "OR", "NOT pump", "title:stack", "{a b}: c"),
    *("'); DROP TABLE vectors; --", "' OR 1=1 --", "%", "_", "\\", "$1", "%(x)s", "{table}", "\\0", "::tsquery"),
    *("(stack|pump)+?", "[a-z]{2,}", "(?i)", "(", ")", "a & b | !c", "stack:*", "<->", "@@", "$regex", '{"$gt": 1}'),
    *(
        "-",
        "--",
        "-stack",
        '-"the pump"',
        "- stack",
        '"stack',
        'pump"',
        "“stack temperature”",
        "+pump",
        "~2",
        "/stack/",
    ),
    *(
        "../../etc/passwd",
        "file:///shelf/d01.txt",
        "https://example.org/?q=a&b=c#d",
        "<b>stack</b>",
        "&amp;",
        "\u202estack",
    ),
)
RANGES = (
    *((0, 0x20), (0x20, 0x7F), (0x7F, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE80)),
    *((0x1100, 0x1200), (0x2000, 0x2070), (0x2070, 0x2C00), (0x3000, 0x3100), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4)),
    *((0xD800, 0xE000), (0xE000, 0xF900), (0xFB00, 0xFE10), (0xFE00, 0xFE10), (0xFF00, 0x10000), (0x1F000, 0x20000)),
    *((0x20000, 0x2A000), (0xE0000, 0xE0200), (0x10FF00, 0x110000)),
)
CONDITIONS = (
    *("n >= 3", "n != 2", "lang = en", "not lang in (de, en)", "exists(lang)", "uri ~ *1?.txt", "title = Notes"),
    *("n = true", "n < 2020-01-01", "section > 'Part 1'", "page >= 2", "document in (d01, d02, d03)", "nothing = 1"),
)
LONGEST = 100_000


@dataclass(frozen=True)
class Odd:
    """One question; `where` may be no filter at all."""

    text: str
    mode: Mode
    where: str | None
    top_k: int


def questions(number: int, seed: int) -> Iterator[Odd]:
    """So many, the same for a seed."""
    for n in range(number):
        chance = random.Random(f"{seed}-{n}")
        where = made_filter(chance) if chance.random() < 0.3 else None
        yield Odd(made_query(chance), chance.choice(MODES), where, chance.choice((1, 3, 10, 50)))


def made_query(chance: random.Random) -> str:
    """Characters of any kind, signs, words of the corpus, or all of them together; sometimes very long."""
    kind = chance.random()
    if kind < 0.25:
        return characters(chance, chance.randrange(1, 40))
    if kind < 0.35:
        return "".join(chance.choice("\"'-*()^:+&|!~<>%_\\/ \t\n\0.,;?") for _ in range(chance.randrange(1, 30)))
    if kind < 0.98:
        return chance.choice((" ", "", "  ", "\n")).join(part(chance) for _ in range(chance.randrange(1, 8)))
    text = part(chance) + chance.choice((" ", ""))
    return (text * (1 + LONGEST // len(text)))[:LONGEST]


def part(chance: random.Random) -> str:
    """A word of the corpus as it is or spoilt, a sign, a whole query, or characters."""
    kind = chance.random()
    if kind < 0.4:
        return chance.choice(chance.choice(TEXTS).split())
    if kind < 0.55:
        word = chance.choice(chance.choice(TEXTS).split())
        return f"{chance.choice(SYNTAX)}{word.upper() if kind < 0.5 else word}{characters(chance, 1)}"
    if kind < 0.8:
        return chance.choice(SYNTAX)
    return chance.choice(QUERIES) if kind < 0.9 else characters(chance, chance.randrange(1, 6))


def characters(chance: random.Random, number: int) -> str:
    """Characters of one part of Unicode, or of all."""
    ranges = (chance.choice(RANGES),) if chance.random() < 0.5 else RANGES
    return "".join(chr(chance.randrange(*chance.choice(ranges))) for _ in range(number))


def made_filter(chance: random.Random) -> str:
    """A filter, or what looks like one."""
    if chance.random() < 0.2:
        return made_query(chance)
    sign = chance.choice((" and ", " or ", " and not "))
    return sign.join(chance.choice(CONDITIONS) for _ in range(chance.randrange(1, 4)))
