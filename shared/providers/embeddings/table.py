"""The table of embedders: the names that settings may use, and the class behind each, imported when it is opened."""

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from embedmill.shared.errors import SettingsError
from embedmill.shared.near_names import did_you_mean

if TYPE_CHECKING:
    from embedmill.shared.providers.embeddings.base import Embedder

EMBEDDERS = {
    "hash": "embedmill.shared.providers.embeddings.hash:HashEmbedder",
    "local": "embedmill.shared.providers.embeddings.local:LocalEmbedder",
    "local/minilm": "embedmill.shared.providers.embeddings.minilm:MiniLMEmbedder",
    "openai/text-embedding-3-large": "embedmill.shared.providers.embeddings.openai:Embedding3Large",
    "openai/text-embedding-3-small": "embedmill.shared.providers.embeddings.openai:Embedding3Small",
    "cohere/embed-v4.0": "embedmill.shared.providers.embeddings.cohere:EmbedV4",
    "cohere/embed-english-v3.0": "embedmill.shared.providers.embeddings.cohere:EmbedEnglishV3",
    "cohere/embed-multilingual-v3.0": "embedmill.shared.providers.embeddings.cohere:EmbedMultilingualV3",
    "bedrock/amazon.titan-embed-text-v2:0": "embedmill.shared.providers.embeddings.bedrock:TitanTextV2",
    "bedrock/cohere.embed-v4:0": "embedmill.shared.providers.embeddings.bedrock:CohereV4",
    "bedrock/cohere.embed-english-v3": "embedmill.shared.providers.embeddings.bedrock:CohereEnglishV3",
    "bedrock/cohere.embed-multilingual-v3": "embedmill.shared.providers.embeddings.bedrock:CohereMultilingualV3",
}


def open_embedder(name: str, *, cache_dir: Path) -> "Embedder":
    """The embedder called `name`, or `name@dimensions`.

    Raises SettingsError for a name or a size that there is not, MissingExtra for packages that are not installed.
    `cache_dir` keeps files that an embedder derives once, and is created when that happens.
    """
    embedder = embedder_class(name)
    _, at, size = name.partition("@")
    if at and not (size.isascii() and size.isdigit()):
        raise SettingsError(f"{name!r}: write a number of dimensions behind the @")
    return embedder.open(cache_dir=cache_dir, dimensions=int(size) if at else None)


def embedder_class(name: str) -> "type[Embedder]":
    """The class behind a name, which knows the model's limits without being opened; raises SettingsError."""
    base = name.partition("@")[0]
    if base not in EMBEDDERS:
        if near := did_you_mean(base, EMBEDDERS):
            raise SettingsError(f"no embedding model {name!r}{near}", hint=f"There are: {', '.join(EMBEDDERS)}.")
        raise SettingsError(f"no embedding model {name!r}; there are: {', '.join(EMBEDDERS)}")
    found: type[Embedder] = resolve_name(EMBEDDERS[base])
    return found


PREFIX_TOKENS = 64
"""At most so many tokens of title and section are put before a chunk."""
COUNT_MARGIN = 1.25
"""How many tokens a model may see where the chunker counts one, for prose; what is denser is cut when it is refused."""


def most_chunk_tokens(name: str) -> int:
    """The largest chunk, by the chunker's count, that fits the model called `name` with what is put before it."""
    found = embedder_class(name)
    margin = 1.0 if found.counts_exactly else COUNT_MARGIN
    return int((found.max_tokens_per_input - PREFIX_TOKENS) / margin)
