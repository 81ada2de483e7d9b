"""A root key that never leaves AWS KMS: it wraps and opens other keys there.

The state of the key is asked before it is used, so that one which is disabled or waits for its deletion opens nothing,
wherever that is not refused by the service itself.
"""

from functools import cached_property
from typing import Any, NoReturn

from embedmill.shared.addresses import digest
from embedmill.shared.errors import KeyUnavailable, MissingExtra

USABLE = "Enabled"


class KmsRoot:
    """A symmetric key by its id, ARN or alias; region, credentials and endpoint are as for every client of AWS."""

    def __init__(self, key: str) -> None:
        self._key = key
        self.name = f"kms://{key}"

    @property
    def id(self) -> str:
        return digest("kms", self._arn, length=16)

    @cached_property
    def _arn(self) -> str:
        return str(self._describe()["Arn"])

    def wrap(self, material: bytes, purpose: bytes) -> bytes:
        return bytes(self._usable("encrypt", purpose, Plaintext=material)["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, purpose: bytes) -> bytes:
        return bytes(self._usable("decrypt", purpose, CiphertextBlob=wrapped)["Plaintext"])

    def _usable(self, operation: str, purpose: bytes, **values: bytes) -> dict[str, Any]:
        state = self._describe()["KeyState"]
        if state != USABLE:
            raise KeyUnavailable(f"{self.name} cannot be used: its state is {state}")
        return self._call(operation, KeyId=self._arn, EncryptionContext={"embedmill": purpose.hex()}, **values)

    def _describe(self) -> dict[str, Any]:
        found: dict[str, Any] = self._call("describe_key", KeyId=self._key)["KeyMetadata"]
        return found

    def _call(self, operation: str, **values: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**values)
        except (BotoCoreError, ClientError) as error:
            self._refuse(error)
        return answer

    def _refuse(self, error: Exception) -> NoReturn:
        told = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
        raise KeyUnavailable(f"{self.name} cannot be used: {told}") from None

    @cached_property
    def _client(self) -> Any:
        try:
            import boto3
        except ImportError:
            raise MissingExtra("keys in AWS KMS need the extra [kms]: pip install 'embedmill[kms]'") from None
        from botocore.config import Config

        return boto3.client("kms", config=Config(connect_timeout=10, read_timeout=20, retries={"max_attempts": 3}))
