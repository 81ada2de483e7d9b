"""The rerankers that Pinecone serves, through its SDK (PINECONE_API_KEY, PINECONE_CONTROLLER_HOST)."""

import os
import threading
from collections.abc import Sequence

from pinecone import Pinecone, RetryConfig
from pinecone import errors as vendor

from embedmill.shared.errors import EmbedmillError, KeyRefused, ProviderUnavailable
from embedmill.shared.providers.answer_bounds import bound_transport
from embedmill.shared.providers.credentials import hash_variable, require_sendable
from embedmill.shared.providers.rerankers.base import Reranked, Reranker, credible, read_relevance
from embedmill.shared.providers.translation import error_of, unreadable, was_never_sent

CREDENTIALS = "PINECONE_API_KEY"


class PineconeReranker(Reranker):
    """Every model that Pinecone serves."""

    provider = "pinecone"
    extra = package = "pinecone"

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._made: Pinecone | None = None
        self._making = threading.Lock()

    @property
    def key_hash(self) -> str:
        return hash_variable(CREDENTIALS)

    def rerank(self, query: str, texts: Sequence[str]) -> Reranked:
        client = self._client()
        try:
            found = client.inference.rerank(self.model, query, list(texts), return_documents=False)
        except vendor.PineconeError as error:
            raise self._translated(error) from None
        pairs = [(one.index, one.score) for one in found.data]
        return Reranked(*read_relevance(pairs, len(texts)), credible(found.usage.rerank_units))

    def _client(self) -> Pinecone:
        if not os.environ.get(CREDENTIALS):
            raise KeyRefused(f"pinecone has no key: {CREDENTIALS} is not set")
        require_sendable(self.provider, CREDENTIALS)
        with self._making:
            if self._made is None:
                no_retries = RetryConfig(max_retries=0)
                self._made = Pinecone(timeout=self.seconds_per_request, retry_config=no_retries)
                bound_transport(self._made.inference._http._client._transport, provider=self.provider)  # noqa: SLF001
            return self._made

    def _translated(self, error: vendor.PineconeError) -> EmbedmillError:
        match error:
            case vendor.ApiError():
                return error_of(
                    error.status_code,
                    provider=self.provider,
                    credentials=CREDENTIALS,
                    message=str(error),
                    headers=error.headers,
                )
            case vendor.ResponseParsingError():
                return unreadable(self.provider)
        never_made = was_never_sent(error)
        return ProviderUnavailable("pinecone could not be reached", may_be_billed=not never_made)

    def close(self) -> None:
        with self._making:
            made, self._made = self._made, None
        if made is not None:
            made.close()
