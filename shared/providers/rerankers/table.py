"""The table of rerankers: the names that settings may use, and the class behind each, imported when it is opened."""

import importlib.util
from fnmatch import fnmatchcase
from pkgutil import resolve_name

from embedmill.shared.errors import MissingExtra, SettingsError
from embedmill.shared.providers.names import ModelName
from embedmill.shared.providers.rerankers.base import Reranker

_COHERE = "embedmill.shared.providers.rerankers.cohere:CohereReranker"
_PINECONE = "embedmill.shared.providers.rerankers.pinecone:PineconeReranker"
_BEDROCK = "embedmill.shared.providers.rerankers.bedrock:BedrockReranker"
RERANKERS = {
    "cohere/rerank-*": _COHERE,
    "pinecone/bge-reranker-*": _PINECONE,
    "pinecone/cohere-rerank-*": _PINECONE,
    "bedrock/amazon.rerank-*": _BEDROCK,
    "bedrock/cohere.rerank-*": _BEDROCK,
}
"""By name, of which * is the version: which ones there are is the provider's to say."""


def is_reranker(name: str) -> bool:
    """Whether a name is a reranker's."""
    return _find(name) is not None


def _find(name: str) -> str | None:
    return next((found for pattern, found in RERANKERS.items() if fnmatchcase(name, pattern)), None)


def open_reranker(name: str) -> Reranker:
    """The reranker called `name`; raises SettingsError for a name that is none, MissingExtra without its packages."""
    where = _find(name)
    if where is None:
        raise SettingsError(f"no reranker {name!r}; there are: {', '.join(RERANKERS)}")
    try:
        found: type[Reranker] = resolve_name(where)
    except ModuleNotFoundError as error:
        hint = f"pip install 'embedmill[{ModelName.parse(name).provider}]'"
        raise MissingExtra(f"{name} needs the package {error.name}: {hint}", hint=hint) from None
    if importlib.util.find_spec(found.package) is None:
        raise MissingExtra(f"{name} needs the extra: pip install 'embedmill[{found.extra}]'")
    return found(name, ModelName.parse(name).model)
