"""Owns what of a document's address is searched: the name of its file or row, and the folders around it."""

import re
from functools import lru_cache
from urllib.parse import unquote

from embedmill.shared.words.folding import normalise
from embedmill.shared.words.splitting import tokens

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*")
_EXTENSION = re.compile(r"(?<=[^.])(?:\.[a-zA-Z][a-zA-Z0-9]{0,4}){1,2}$")
LONGEST = 1000


@lru_cache(maxsize=1024)
def name_tokens(uri: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tokens of the name, and those of its folders. The extension is part of the whole name alone."""
    path, _, row = _SCHEME.sub("", uri, count=1)[-LONGEST:].partition("#")
    folders, _, name = path.partition("?")[0].rstrip("/").rpartition("/")
    name, row = normalise(unquote(name)), normalise(unquote(row))
    bare = _EXTENSION.sub("", name)
    whole = [name] if bare != name else []
    return (*whole, *tokens(bare), *tokens(row)), tuple(tokens(normalise(unquote(folders))))
