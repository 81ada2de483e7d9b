"""Cohere's embedding models, through cohere's SDK (CO_API_KEY, CO_API_URL).

96 inputs a request; 128,000 tokens an input for v4, 512 for v3. `truncate="NONE"` makes an over-long text an error;
by default the API would cut it off. Tokens are estimated here, as Cohere's tokenizers do not come with the SDK.
"""

from collections.abc import Sequence
from typing import Any

from embedmill.shared.providers import cohere_client
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import hash_variable
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, counted
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.embeddings.remote import RemoteEmbedder
from embedmill.shared.providers.translation import unreadable

INPUT_TYPES = {"document": "search_document", "query": "search_query"}


class CohereEmbedder(RemoteEmbedder):
    """What the models share."""

    provider = "cohere"
    max_inputs = 96
    symmetric = False
    unit_length = False
    extra = package = "cohere"
    credentials = cohere_client.CREDENTIALS

    def make_client(self) -> Any:
        return cohere_client.make_client(seconds=self.seconds_per_request)

    @property
    def key_hash(self) -> str:
        return hash_variable(self.credentials)  # the client does not say what it has

    def close_client(self, client: Any) -> None:
        cohere_client.close_client(client)

    def request(self, texts: Sequence[str], *, input_type: InputType) -> EmbeddingAnswer:
        client = self.client
        sized = {"output_dimension": self.dimensions} if self.sizes else {}
        with cohere_client.translated():
            response = client.with_raw_response.embed(
                model=self.model,
                texts=list(texts),
                input_type=INPUT_TYPES[input_type],
                embedding_types=["float"],
                truncate="NONE",
                **sized,
            )
        return self._answer(response)

    def _answer(self, response: Any) -> EmbeddingAnswer:
        try:
            vectors = self.rows(response.data.embeddings.float_)
        except (AttributeError, TypeError, ValueError):
            raise unreadable(self.provider) from None
        tokens = read_count(response.data, "meta", "billed_units", "input_tokens")
        return EmbeddingAnswer(vectors, counted(tokens), response.data.id)


class EmbedV4(CohereEmbedder):
    """1,536 dimensions, or 256, 512 or 1,024."""

    name = "cohere/embed-v4.0"
    model = "embed-v4.0"
    dimensions = 1536
    sizes = frozenset({256, 512, 1024, 1536})
    max_tokens_per_input = 128_000


class EmbedEnglishV3(CohereEmbedder):
    """1,024 dimensions."""

    name = "cohere/embed-english-v3.0"
    model = "embed-english-v3.0"
    dimensions = 1024
    max_tokens_per_input = 512


class EmbedMultilingualV3(EmbedEnglishV3):
    """1,024 dimensions, a hundred languages."""

    name = "cohere/embed-multilingual-v3.0"
    model = "embed-multilingual-v3.0"
