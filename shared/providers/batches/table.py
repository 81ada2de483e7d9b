"""The table of batch APIs: who takes batches for the models of a provider."""

from pkgutil import resolve_name

from embedmill.shared.errors import MissingExtra
from embedmill.shared.providers.batches.base import BatchApi

BATCHES = {
    "openai": "embedmill.shared.providers.batches.openai:OpenAIBatches",
    "anthropic": "embedmill.shared.providers.batches.anthropic:AnthropicBatches",
}
ENDPOINTS = {"embed": "/v1/embeddings", "message": "/v1/chat/completions"}
"""Of OpenAI, by operation; a batch there is for one endpoint."""


def has_batches(provider: str) -> bool:
    """Whether a provider has a batch API. Claude on Bedrock has none (docs/facts.md)."""
    return provider in BATCHES


def open_batches(provider: str, operation: str) -> BatchApi:
    """The batch API for an operation of a provider; raises MissingExtra without its packages."""
    try:
        found: type[BatchApi] = resolve_name(BATCHES[provider])
    except ModuleNotFoundError as error:
        hint = f"pip install 'embedmill[{provider}]'"
        raise MissingExtra(f"batches of {provider} need the package {error.name}: {hint}", hint=hint) from None
    return found(ENDPOINTS[operation])  # type: ignore[call-arg]
