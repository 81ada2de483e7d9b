"""Owns what of a document's address is searched: the name of its file or row, and the folders around it."""

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from embedmill.shared.words.folding import normalise
from embedmill.shared.words.splitting import split, tokens

_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^/]*")
_EXTENSION = re.compile(r"(?<=[^.])(?:\.[a-zA-Z][a-zA-Z0-9]{0,4}){1,2}$")
LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Name:
    """The tokens of a name and of its folders, the name as it is written, with its extension, and all of it as text.

    `bare_text` is that without what stands behind the last stop of a name with an extension.
    """

    tokens: tuple[str, ...]
    folders: tuple[str, ...]
    wholes: tuple[str, ...]
    text: str
    bare_text: str


@lru_cache(maxsize=1024)
def read_name(uri: str) -> Name:
    """What of a URI is searched. The extension is part of the whole name alone."""
    path, _, row = _SCHEME.sub("", uri, count=1)[-LONGEST:].partition("#")
    folders, _, name = path.partition("?")[0].rstrip("/").rpartition("/")
    name, row = normalise(unquote(name)), normalise(unquote(row))
    bare = _EXTENSION.sub("", name)
    last = tokens(name)[-1:] if bare != name else ()
    wholes = tuple(whole for token in last for whole in split(token).wholes[:1])
    text, within = _read_folders(folders)
    stem = name.rpartition(".")[0] if bare != name else name
    return Name((*tokens(bare), *tokens(row)), within, wholes, f"{text}/{name} {row}", f"{text}/{stem} {row}")


@lru_cache(maxsize=256)
def _read_folders(path: str) -> tuple[str, tuple[str, ...]]:
    """A path as text, and its tokens: what lies in a folder comes together."""
    text = normalise(unquote(path))
    return text, tuple(tokens(text))
