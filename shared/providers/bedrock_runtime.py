"""Amazon Bedrock's InvokeModel through boto3, for all who call it: a client without retries, errors translated."""

from collections.abc import Mapping
from typing import Any

import orjson

from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused, ProviderUnavailable
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.credentials import AWS_KEYS, require_sendable
from embedmill.shared.providers.translation import BUDGET_SECONDS, error_of

PROVIDER = "bedrock"
CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role, and the access to the model"
CONNECT_SECONDS = 5.0
JSON = "application/json"


def make_client(*, seconds: float, connections: int) -> Any:
    """A client; raises KeyRefused where there is no region or no credentials."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, NoRegionError

    require_sendable(PROVIDER, *AWS_KEYS)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=seconds,
        max_pool_connections=connections,
        retries={"total_max_attempts": 1},
    )
    try:
        return boto3.session.Session().client("bedrock-runtime", config=config)
    except NoRegionError:
        raise KeyRefused("bedrock cannot be used: no AWS region is set: set AWS_DEFAULT_REGION") from None
    except BotoCoreError as error:
        raise _without_key(error) from None


def invoke(client: Any, model: str, body: Mapping[str, Any]) -> tuple[bytes, Mapping[str, Any]]:
    """What a model answers, and what AWS says of the answer."""
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

    try:
        response = client.invoke_model(modelId=model, body=orjson.dumps(body), contentType=JSON, accept=JSON)
        answer = response["body"].read(answer_bounds.MOST_BYTES + 1)
        if len(answer) > answer_bounds.MOST_BYTES:
            response["body"].close()
            raise answer_bounds.too_large(PROVIDER)
        return answer, response["ResponseMetadata"]
    except ClientError as error:
        raise _translated(error.response) from None
    except (
        NoCredentialsError,
        PartialCredentialsError,
        CredentialRetrievalError,
        TokenRetrievalError,
        SSOError,
    ) as error:
        raise _without_key(error) from None
    except (EndpointConnectionError, ConnectTimeoutError):
        raise ProviderUnavailable("bedrock could not be reached", may_be_billed=False) from None
    except BotoCoreError as error:
        raise ProviderUnavailable(f"bedrock: {type(error).__name__}") from None


def _without_key(error: Exception) -> KeyRefused:
    return KeyRefused(f"bedrock has no AWS credentials ({type(error).__name__}): set {CREDENTIALS}")


def _translated(response: Mapping[str, Any]) -> EmbedmillError:
    code, metadata = response["Error"].get("Code", ""), response["ResponseMetadata"]
    if code == "ServiceQuotaExceededException":
        return FlowControl(
            "bedrock: the account's quota is used up", reason="budget", retry_after_seconds=BUDGET_SECONDS
        )
    return error_of(
        metadata["HTTPStatusCode"],
        provider=PROVIDER,
        credentials=CREDENTIALS,
        code=code,
        message=response["Error"].get("Message", ""),
        headers=metadata.get("HTTPHeaders"),
    )
