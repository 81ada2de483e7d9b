"""Embedding models on Amazon Bedrock, by InvokeModel through boto3 (AWS_* variables, profiles and roles as usual).

Titan takes one text a request and is throttled by requests a minute, so many are in flight; Cohere's models take 96
texts. A request's body has at most 25,000,000 bytes (botocore's service model), of which a little is not texts.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused, ProviderUnavailable
from embedmill.shared.flow.headers import as_header_count
from embedmill.shared.providers.counts import read_count
from embedmill.shared.providers.credentials import AWS_KEYS, require_sendable
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, counted
from embedmill.shared.providers.embeddings.base import InputType
from embedmill.shared.providers.embeddings.cohere import INPUT_TYPES
from embedmill.shared.providers.embeddings.remote import RemoteEmbedder, Row
from embedmill.shared.providers.translation import BUDGET_SECONDS, error_of, unreadable

CONNECT_SECONDS = 5.0
TOKENS_HEADER = "x-amzn-bedrock-input-token-count"
JSON = "application/json"


class BedrockEmbedder(RemoteEmbedder):
    """What the models share."""

    provider = "bedrock"
    max_bytes_per_request = 24_990_000
    extra = "bedrock"
    package = "boto3"
    credentials = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role, and the access to the model"

    def make_client(self) -> Any:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, NoRegionError

        require_sendable(self.provider, *AWS_KEYS)
        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=self.seconds_per_request,
            max_pool_connections=self.concurrency,
            retries={"total_max_attempts": 1},
        )
        try:
            return boto3.session.Session().client("bedrock-runtime", config=config)
        except NoRegionError:
            raise KeyRefused("bedrock cannot be used: no AWS region is set: set AWS_DEFAULT_REGION") from None
        except BotoCoreError as error:
            raise self._without_key(error) from None

    @abstractmethod
    def body(self, texts: Sequence[str], *, input_type: InputType) -> Mapping[str, Any]:
        """The model's own request."""

    @abstractmethod
    def read(self, body: Mapping[str, Any]) -> tuple[Sequence[Row], int | None]:
        """The vectors and the tokens of the model's own answer; raises KeyError or TypeError when it is another."""

    def request(self, texts: Sequence[str], *, input_type: InputType) -> EmbeddingAnswer:
        from botocore.exceptions import (
            BotoCoreError,
            ClientError,
            ConnectTimeoutError,
            CredentialRetrievalError,
            EndpointConnectionError,
            NoCredentialsError,
            PartialCredentialsError,
            SSOError,
            TokenRetrievalError,
        )

        client = self.client
        sent = orjson.dumps(self.body(texts, input_type=input_type))
        try:
            response = client.invoke_model(modelId=self.model, body=sent, contentType=JSON, accept=JSON)
            received = response["body"].read()
        except ClientError as error:
            raise self._translated(error.response) from None
        except (
            NoCredentialsError,
            PartialCredentialsError,
            CredentialRetrievalError,
            TokenRetrievalError,
            SSOError,
        ) as error:
            raise self._without_key(error) from None
        except (EndpointConnectionError, ConnectTimeoutError):
            raise ProviderUnavailable("bedrock could not be reached", may_be_billed=False) from None
        except BotoCoreError as error:
            raise ProviderUnavailable(f"bedrock: {type(error).__name__}") from None
        return self._answer(received, response["ResponseMetadata"])

    def _without_key(self, error: Exception) -> KeyRefused:
        return KeyRefused(f"bedrock has no AWS credentials ({type(error).__name__}): set {self.credentials}")

    def _answer(self, received: bytes, metadata: Mapping[str, Any]) -> EmbeddingAnswer:
        headers = metadata["HTTPHeaders"]
        try:
            rows, tokens = self.read(json.loads(received))  # takes NaN, which is checked later
            tokens = as_header_count(headers.get(TOKENS_HEADER)) if tokens is None else tokens
            return EmbeddingAnswer(self.rows(rows), counted(tokens), metadata.get("RequestId"))
        except (ValueError, KeyError, TypeError):
            raise unreadable(self.provider) from None

    def _translated(self, response: Mapping[str, Any]) -> EmbedmillError:
        code, metadata = response["Error"].get("Code", ""), response["ResponseMetadata"]
        if code == "ServiceQuotaExceededException":
            return FlowControl(
                "bedrock: the account's quota is used up", reason="budget", retry_after_seconds=BUDGET_SECONDS
            )
        return error_of(
            metadata["HTTPStatusCode"],
            provider=self.provider,
            credentials=self.credentials,
            code=code,
            message=response["Error"].get("Message", ""),
            headers=metadata.get("HTTPHeaders"),
        )


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
