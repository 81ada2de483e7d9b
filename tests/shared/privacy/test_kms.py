"""A root key in KMS: it wraps and opens there, in no state but an enabled one, whatever the service lets through."""

from collections.abc import Iterator
from typing import Any

import pytest

from embedmill.shared.errors import KeyUnavailable
from embedmill.shared.privacy.roots import open_root


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    from moto import mock_aws

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client("kms")


def make(kms: Any) -> str:
    return str(kms.create_key()["KeyMetadata"]["KeyId"])


def test_what_it_wraps_it_opens_for_the_same_purpose_only(kms: Any) -> None:
    root = open_root(f"kms://{make(kms)}")
    wrapped = root.wrap(b"k" * 32, b"purpose")
    assert b"k" * 32 not in wrapped
    assert root.unwrap(wrapped, b"purpose") == b"k" * 32
    with pytest.raises(KeyUnavailable, match="InvalidCiphertext"):
        root.unwrap(wrapped, b"another")


def test_an_alias_names_the_key_that_it_stands_for(kms: Any) -> None:
    key = make(kms)
    kms.create_alias(AliasName="alias/mill", TargetKeyId=key)
    assert open_root("kms://alias/mill").id == open_root(f"kms://{key}").id


@pytest.mark.parametrize("end", ["disable", "delete"])
def test_a_key_that_is_not_enabled_opens_nothing(kms: Any, end: str) -> None:
    key = make(kms)
    wrapped = open_root(f"kms://{key}").wrap(b"k" * 32, b"purpose")
    if end == "disable":
        kms.disable_key(KeyId=key)
    else:
        kms.schedule_key_deletion(KeyId=key)
    with pytest.raises(KeyUnavailable, match="its state is"):
        open_root(f"kms://{key}").unwrap(wrapped, b"purpose")


def test_a_key_that_is_not_there_is_refused_in_one_line(kms: Any) -> None:
    del kms
    with pytest.raises(KeyUnavailable, match="NotFound"):
        _ = open_root("kms://11111111-2222-3333-4444-555555555555").id
