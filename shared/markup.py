"""Owns what is done to markup before it is a tree: which encoding it declares, and whether its tags have bounds."""

import re
from collections.abc import Iterable
from math import isqrt

MOST_ATTRIBUTES = 1000
"""Of one element: the time that Lexbor takes grows with the square of their number."""

_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>"'][^\s>]*+)?)?"""
_TAG = re.compile(rf"<[a-zA-Z][^\s/>]*+(?:{_ATTRIBUTE}){{0,{MOST_ATTRIBUTES}}}+(?P<others>(?:{_ATTRIBUTE})*+)")
# What ends a script or a comment, in which `<` opens nothing; the longest is `</noframes`.
_CLOSER = re.compile(r"(?:--|</[a-zA-Z]{1,8})\Z")

_SHORTEST = 2 * MOST_ATTRIBUTES
"""Characters that so many attributes have at the least."""
_QUOTED_END = re.compile(r"""=\s*+(?:"[^">]*+>|'[^'>]*+>)""")
"""A sign that ends tags, in the value of an attribute."""

_META_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"""<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9_.-]{1,40})""", re.IGNORECASE)
# What a browser opens and closes by itself nests nothing.
_UNNESTED = frozenset(
    "a area base br col embed hr img input link meta nobr param source track wbr p li dt dd tr td th tbody thead tfoot "
    "option optgroup colgroup caption rt rp html head body".split()
)
# What a browser opens again in each element that begins before it was closed.
_FORMATTING = frozenset("b big code em font i s small strike strong tt u".split())
_ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_FORMATTING_TAG = re.compile(
    # What may begin such a name is looked at first, which tells most tags apart.
    rf"<(/?)(?=[bBcCeEfFiIsStTuU])({'|'.join(sorted(_FORMATTING))})(?![a-zA-Z0-9])",
    re.IGNORECASE | re.ASCII,
)
MOST_STEPS, MOST_COPIES = 100_000_000, 3_000_000
# What nests no deeper than it has tags cannot be over a bound.
FEW_TAGS, FEW_STEPS = isqrt(MOST_COPIES), isqrt(MOST_STEPS)


def bounded(markup: str) -> str:
    """Without the attributes of an element that are too many; the same object where there are none."""
    if max(map(len, markup.split(">"))) < _SHORTEST and not _QUOTED_END.search(markup):
        return markup
    pieces: list[str] = []
    end = 0
    for tag in _TAG.finditer(markup):
        if others := tag["others"]:
            closer = _CLOSER.search(others[-10:])
            pieces += markup[end : tag.start("others")], closer[0] if closer else ""
            end = tag.end()
    return "".join((*pieces, markup[end:])) if pieces else markup


def declared_encoding(data: bytes) -> str | None:
    """The encoding that a page says it is in."""
    found = _META_CHARSET.search(data[:4096]) or _XML_ENCODING.match(data[:200])
    return found[1].decode("ascii") if found else None


def is_tangled(markup: str) -> bool:
    """Whether a tree of it would take too long or too much memory: by how deep it nests, and how it misnests.

    Browsers look up the whole stack of open elements for some tags, and repeat formatting that was not closed.
    """
    tags = markup.count("<")
    if tags < FEW_TAGS:
        return False
    if _deepest(_FORMATTING_TAG.findall(markup)) * tags > MOST_COPIES:
        return True
    return tags > FEW_STEPS and _deepest(filter(_is_nesting, _ANY_TAG.findall(markup))) * tags > MOST_STEPS


def _is_nesting(tag: tuple[str, str]) -> bool:
    name = tag[1].lower()
    return name not in _UNNESTED and name not in _FORMATTING


def _deepest(tags: Iterable[tuple[str, str]]) -> int:
    """How deep elements nest, of which each tag is a slash where it closes one, and a name."""
    depth = deepest = 0
    for slash, _ in tags:
        depth = max(0, depth - 1) if slash else depth + 1
        deepest = max(deepest, depth)
    return deepest
