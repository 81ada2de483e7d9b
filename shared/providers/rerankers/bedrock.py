"""Rerankers on Amazon Bedrock, by InvokeModel through boto3 (AWS_* variables, profiles and roles as usual).

Billed by the query of up to 100 texts; the answer does not say of how many.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.shared.providers.bedrock_runtime import invoke, make_client
from embedmill.shared.providers.credentials import hash_credentials
from embedmill.shared.providers.rerankers.base import Reranked, Reranker, read_relevance
from embedmill.shared.providers.translation import unreadable

CONNECTIONS = 4
COHERE_VERSION = 2
"""Of Cohere's own API, which its models on Bedrock ask for; Amazon's refuse to be told."""


class BedrockReranker(Reranker):
    """Amazon's model and Cohere's, which take the same request but for a version."""

    provider = "bedrock"
    extra, package = "bedrock", "boto3"

    def __init__(self, name: str, model: str) -> None:
        super().__init__(name, model)
        self._made: Any = None
        self._making = threading.Lock()

    @property
    def key_hash(self) -> str:
        return hash_credentials(self._client)

    def rerank(self, query: str, texts: Sequence[str]) -> Reranked:
        received, metadata = invoke(self._client(), self.model, self._body(query, texts))
        try:
            results = json.loads(received)["results"]  # takes NaN, which is checked
            pairs = [(one["index"], one["relevance_score"]) for one in results]
        except (ValueError, KeyError, TypeError):
            raise unreadable(self.provider) from None
        return Reranked(*read_relevance(pairs, len(texts)), None, str(metadata.get("RequestId") or ""))

    def _body(self, query: str, texts: Sequence[str]) -> Mapping[str, Any]:
        asked = {"query": query, "documents": list(texts), "top_n": len(texts)}
        return asked | ({"api_version": COHERE_VERSION} if self.model.startswith("cohere.") else {})

    def _client(self) -> Any:
        with self._making:
            self._made = self._made or make_client(seconds=self.seconds_per_request, connections=CONNECTIONS)
            return self._made

    def close(self) -> None:
        with self._making:
            made, self._made = self._made, None
        if made is not None:
            made.close()
