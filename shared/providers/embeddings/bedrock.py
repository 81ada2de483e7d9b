"""Embedding models on Amazon Bedrock, by InvokeModel through boto3 (AWS_* variables, profiles and roles as usual).

Titan takes one text a request and is throttled by requests a minute, so many are in flight; Cohere's models take 96
texts. A request's body has at most 25,000,000 bytes (botocore's service model), of which a little is not texts.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from embedmill.shared.flow.headers import as_header_count
from embedmill.shared.providers.bedrock_runtime import CREDENTIALS, invoke, make_client
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, counted
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.embeddings.cohere import INPUT_TYPES
from embedmill.shared.providers.embeddings.remote import RemoteEmbedder, Row
from embedmill.shared.providers.translation import unreadable

TOKENS_HEADER = "x-amzn-bedrock-input-token-count"


class BedrockEmbedder(RemoteEmbedder):
    """What the models share."""

    provider = "bedrock"
    max_bytes_per_request = 24_990_000
    extra = "bedrock"
    package = "boto3"
    credentials = CREDENTIALS

    def make_client(self) -> Any:
        return make_client(seconds=self.seconds_per_request, connections=self.concurrency)

    @abstractmethod
    def body(self, texts: Sequence[str], *, input_type: InputType) -> Mapping[str, Any]:
        """The model's own request."""

    @abstractmethod
    def read(self, body: Mapping[str, Any]) -> tuple[Sequence[Row], int | None]:
        """The vectors and the tokens of the model's own answer; raises KeyError or TypeError when it is another."""

    def request(self, texts: Sequence[str], *, input_type: InputType) -> EmbeddingAnswer:
        return self._answer(*invoke(self.client, self.model, self.body(texts, input_type=input_type)))

    def _answer(self, received: bytes, metadata: Mapping[str, Any]) -> EmbeddingAnswer:
        headers = metadata["HTTPHeaders"]
        try:
            rows, tokens = self.read(json.loads(received))  # takes NaN, which is checked later
            tokens = as_header_count(headers.get(TOKENS_HEADER)) if tokens is None else tokens
            return EmbeddingAnswer(self.rows(rows), counted(tokens), metadata.get("RequestId"))
        except (ValueError, KeyError, TypeError):
            raise unreadable(self.provider) from None


class TitanTextV2(BedrockEmbedder):
    """Amazon Titan: 1,024 dimensions, or 256 or 512; at most 50,000 characters a text."""

    name = "bedrock/amazon.titan-embed-text-v2:0"
    model = "amazon.titan-embed-text-v2:0"
    dimensions = 1024
    sizes = frozenset({256, 512, 1024})
    max_inputs = 1
    max_tokens_per_input = 8192
    max_characters_per_input = 50_000
    concurrency = 16

    def body(self, texts: Sequence[str], *, input_type: InputType) -> Mapping[str, Any]:
        (text,) = texts
        return {"inputText": text, "dimensions": self.dimensions, "normalize": True}

    def read(self, body: Mapping[str, Any]) -> tuple[Sequence[Row], int | None]:
        return [body["embedding"]], read_count(body, "inputTextTokenCount")


class CohereOnBedrock(BedrockEmbedder):
    """What Cohere's models share; they do not say in the body how many tokens they read, a header does."""

    max_inputs = 96
    symmetric = False
    unit_length = False

    def body(self, texts: Sequence[str], *, input_type: InputType) -> Mapping[str, Any]:
        sized = {"output_dimension": self.dimensions} if self.sizes else {}
        fixed = {"input_type": INPUT_TYPES[input_type], "embedding_types": ["float"], "truncate": "NONE"}
        return {"texts": list(texts), **fixed, **sized}

    def read(self, body: Mapping[str, Any]) -> tuple[Sequence[Row], int | None]:
        rows: Sequence[Row] = body["embeddings"]["float"]
        return rows, None


class CohereV4(CohereOnBedrock):
    """1,536 dimensions, or 256, 512 or 1,024."""

    name = "bedrock/cohere.embed-v4:0"
    model = "cohere.embed-v4:0"
    dimensions = 1536
    sizes = frozenset({256, 512, 1024, 1536})
    max_tokens_per_input = 128_000


class CohereEnglishV3(CohereOnBedrock):
    """1,024 dimensions."""

    name = "bedrock/cohere.embed-english-v3"
    model = "cohere.embed-english-v3"
    dimensions = 1024
    max_tokens_per_input = 512


class CohereMultilingualV3(CohereEnglishV3):
    """1,024 dimensions, a hundred languages."""

    name = "bedrock/cohere.embed-multilingual-v3"
    model = "cohere.embed-multilingual-v3"
