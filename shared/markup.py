"""Owns what is done to markup before it is a tree: which encoding it declares, and whether its tags have bounds."""

import re

MOST_ATTRIBUTES = 1000
"""Of one element: the time that Lexbor takes grows with the square of their number."""

_ATTRIBUTE = r"""[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"?|'[^']*+'?|[^\s>"'][^\s>]*+)?)?"""
_TAG = re.compile(rf"<[a-zA-Z][^\s/>]*+(?:{_ATTRIBUTE}){{0,{MOST_ATTRIBUTES}}}+(?P<others>(?:{_ATTRIBUTE})*+)")
# What ends a script or a comment, in which `<` opens nothing; the longest is `</noframes`.
_CLOSER = re.compile(r"(?:--|</[a-zA-Z]{1,8})\Z")

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
FEW_TAGS = 1000
MOST_STEPS, MOST_COPIES = 100_000_000, 3_000_000


def bounded(markup: str) -> str:
    """Without the attributes of an element that are too many; the same object where there are none."""
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
    depths = {False: 0, True: 0}
    deepest = dict(depths)
    for tag in _ANY_TAG.finditer(markup):
        name = tag[2].lower()
        if name not in _UNNESTED:
            is_formatting = name in _FORMATTING
            depth = depths[is_formatting] = max(0, depths[is_formatting] + (-1 if tag[1] else 1))
            deepest[is_formatting] = max(deepest[is_formatting], depth)
    return deepest[False] * tags > MOST_STEPS or deepest[True] * tags > MOST_COPIES
