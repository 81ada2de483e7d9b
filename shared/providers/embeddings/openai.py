"""OpenAI's embedding models, through openai's SDK (OPENAI_API_KEY, OPENAI_BASE_URL).

Limits: 2,048 inputs and 300,000 tokens a request, 8,191 tokens an input (the SDK's own documentation says 8,192, older
tables 8,191). Vectors travel as base64 and are decoded here into one array, which is a tenth of the work of the SDK's
lists of floats.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from embedmill.shared.errors import EmbedmillError, KeyRefused, ProviderRefused
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import require_sendable
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, counted
from embedmill.shared.providers.embeddings.base import InputType, encodable
from embedmill.shared.providers.embeddings.remote import RemoteEmbedder, Row
from embedmill.shared.providers.translation import read_json, unreadable

SETTINGS = frozenset({"model", "dimensions", "encoding_format", "user"})
"""Parameters whose refusal is nobody's text's fault."""
LIMIT_HEADERS = "x-ratelimit-"


class OpenAIEmbedder(RemoteEmbedder):
    """What the two models share."""

    provider = "openai"
    max_inputs = 2048
    max_tokens_per_input = 8191
    max_tokens_per_request = 300_000
    counts_exactly = True
    extra = package = "openai"
    credentials = "OPENAI_API_KEY"

    def make_client(self) -> Any:
        import openai

        from embedmill.shared.providers.openai_client import make_client

        require_sendable(self.provider, self.credentials)
        try:
            return make_client(self.seconds_per_request)
        except openai.OpenAIError:
            raise KeyRefused("openai has no key: OPENAI_API_KEY is not set") from None

    def request(self, texts: Sequence[str], *, input_type: InputType) -> EmbeddingAnswer:
        import openai

        client = self.client
        try:
            raw = client.embeddings.with_raw_response.create(**self.parameters(texts))
        except openai.APIError as error:
            raise self._translated(error) from None
        return self._answer(raw.http_response, count=len(texts))

    def parameters(self, texts: Sequence[str]) -> dict[str, Any]:
        """What a request consists of, sent at once or in a batch."""
        fixed = {"model": self.model, "dimensions": self.dimensions, "encoding_format": "base64"}
        return {**fixed, "input": [encodable(text) for text in texts]}

    def read_batch(self, body: Any, *, count: int = 1) -> EmbeddingAnswer:
        """The answer to a request of a batch; raises ProviderUnavailable for one that makes no sense."""
        answer = self._read(body, count=count)
        return replace(answer, vectors=self._checked(answer.vectors))

    def _answer(self, response: Any, *, count: int) -> EmbeddingAnswer:
        try:
            body = read_json(response.content)
        except ValueError:
            raise unreadable(self.provider) from None
        limits = {name: value for name, value in response.headers.items() if name.startswith(LIMIT_HEADERS)}
        return replace(self._read(body, count=count), request_id=response.headers.get("x-request-id"), limits=limits)

    def _read(self, body: Any, *, count: int) -> EmbeddingAnswer:
        try:
            rows = _in_order(body["data"], count)
        except (ValueError, KeyError, TypeError):
            raise unreadable(self.provider) from None
        return EmbeddingAnswer(self.rows(rows), counted(read_count(body, "usage", "prompt_tokens")))

    def _translated(self, error: Any) -> EmbedmillError:
        from embedmill.shared.providers.openai_errors import translate

        if getattr(error, "status_code", None) == 400 and error.param in SETTINGS:
            return ProviderRefused(f"openai does not take the setting {error.param!r} for {self.name}")
        return translate(error)


class Embedding3Large(OpenAIEmbedder):
    """3,072 dimensions, or any smaller number."""

    name = "openai/text-embedding-3-large"
    model = "text-embedding-3-large"
    dimensions = 3072
    sizes = range(1, 3073)


class Embedding3Small(OpenAIEmbedder):
    """1,536 dimensions, or any smaller number."""

    name = "openai/text-embedding-3-small"
    model = "text-embedding-3-small"
    dimensions = 1536
    sizes = range(1, 1537)


def _in_order(data: Any, count: int) -> list[Row]:
    """The vectors, each in its text's place; raises ValueError unless every place is named exactly once."""
    rows = {item["index"]: _decoded(item["embedding"]) for item in data}
    places = range(count)
    if len(data) != count or rows.keys() != set(places) or not all(type(place) is int for place in rows):
        raise ValueError
    return [rows[place] for place in places]


def _decoded(embedding: Any) -> Row:
    """A vector of the answer: base64 of little-endian floats, or, from servers that know no other, a plain list."""
    if not isinstance(embedding, str):
        return embedding if isinstance(embedding, list) else None
    try:
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    except (binascii.Error, ValueError):
        return None
