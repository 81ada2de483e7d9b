"""The table of embedders: the names that settings may use, and the class behind each, imported when it is opened."""

import importlib
from pathlib import Path

from shared.errors import SettingsError
from shared.providers.embeddings.base import Embedder

EMBEDDERS = {
    "hash": "shared.providers.embeddings.hash:HashEmbedder",
    "local": "shared.providers.embeddings.local:LocalEmbedder",
    "local/minilm": "shared.providers.embeddings.minilm:MiniLMEmbedder",
}


def open_embedder(name: str, *, cache_dir: Path) -> Embedder:
    """The embedder called `name`; raises SettingsError for an unknown name, MissingExtra for packages not installed.

    `cache_dir` keeps files that an embedder derives once, and is created when that happens.
    """
    if name not in EMBEDDERS:
        raise SettingsError(f"no embedding model {name!r}; there are: {', '.join(EMBEDDERS)}")
    module, class_name = EMBEDDERS[name].split(":")
    embedder: type[Embedder] = getattr(importlib.import_module(module), class_name)
    return embedder.open(cache_dir=cache_dir)
