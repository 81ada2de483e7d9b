"""Cohere's rerankers, through cohere's SDK (CO_API_KEY, CO_API_URL); a search unit is a query with up to 100 texts."""

import threading
from collections.abc import Sequence
from typing import Any

from embedmill.shared.providers.cohere_client import CREDENTIALS, close_client, make_client, translated
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import hash_variable
from embedmill.shared.providers.rerankers.base import Reranked, Reranker, credible, read_relevance
from embedmill.shared.providers.translation import unreadable


class CohereReranker(Reranker):
    """Every model of Cohere's."""

    provider = "cohere"
    extra = package = "cohere"

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._made: Any = None
        self._making = threading.Lock()

    @property
    def key_hash(self) -> str:
        return hash_variable(CREDENTIALS)

    def rerank(self, query: str, texts: Sequence[str]) -> Reranked:
        client = self._client()
        with translated():
            response = client.with_raw_response.rerank(model=self.model, query=query, documents=list(texts))
        try:
            pairs = [(one.index, one.relevance_score) for one in response.data.results]
        except (AttributeError, TypeError):
            raise unreadable(self.provider) from None
        units = credible(read_count(response.data, "meta", "billed_units", "search_units"))
        return Reranked(*read_relevance(pairs, len(texts)), units, response.data.id or "")

    def _client(self) -> Any:
        with self._making:
            self._made = self._made or make_client(seconds=self.seconds_per_request)
            return self._made

    def close(self) -> None:
        with self._making:
            made, self._made = self._made, None
        if made is not None:
            close_client(made)
