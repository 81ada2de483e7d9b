"""Cohere's embedding models, through cohere's SDK (CO_API_KEY, CO_API_URL).

96 inputs a request; 128,000 tokens an input for v4, 512 for v3. `truncate="NONE"` makes an over-long text an error;
by default the API would cut it off. Tokens are estimated here, as Cohere's tokenizers do not come with the SDK.
"""

import os
from collections.abc import Sequence
from typing import Any

from embedmill.shared.errors import KeyRefused, ProviderUnavailable
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import hash_variable, require_sendable
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, counted
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.embeddings.remote import RemoteEmbedder
from embedmill.shared.providers.translation import error_of, unreadable

INPUT_TYPES = {"document": "search_document", "query": "search_query"}


class CohereEmbedder(RemoteEmbedder):
    """What the models share."""

    provider = "cohere"
    max_inputs = 96
    symmetric = False
    unit_length = False
    extra = package = "cohere"
    credentials = "CO_API_KEY"

    def make_client(self) -> Any:
        import cohere

        if not os.environ.get(self.credentials):
            raise KeyRefused(f"cohere has no key: {self.credentials} is not set")
        require_sendable(self.provider, self.credentials)
        # The SDK reads CO_API_URL when it is imported, which may be before it is set.
        return cohere.ClientV2(
            base_url=os.environ.get("CO_API_URL"),
            timeout=self.seconds_per_request,
            max_retries=0,
            log_warning_experimental_features=False,
        )

    @property
    def key_hash(self) -> str:
        return hash_variable(self.credentials)  # the client does not say what it has

    def close_client(self, client: Any) -> None:
        with client:  # it has no close(); leaving it closes its connections
            pass

    def request(self, texts: Sequence[str], *, input_type: InputType) -> EmbeddingAnswer:
        import httpx
        from cohere.core.api_error import ApiError
        from cohere.core.parse_error import ParsingError

        client = self.client
        sized = {"output_dimension": self.dimensions} if self.sizes else {}
        try:
            response = client.with_raw_response.embed(
                model=self.model,
                texts=list(texts),
                input_type=INPUT_TYPES[input_type],
                embedding_types=["float"],
                truncate="NONE",
                **sized,
            )
        except ApiError as error:
            raise error_of(
                error.status_code or 0,
                provider=self.provider,
                credentials=self.credentials,
                message=str(error.body),
                headers=error.headers,
            ) from None
        except ParsingError:
            raise unreadable(self.provider) from None
        except httpx.TransportError as error:
            never_made = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise ProviderUnavailable("cohere could not be reached", may_be_billed=not never_made) from None
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
