"""The content address of an embedding."""

from pathlib import Path

import pytest

from embedmill.shared.providers.embeddings.address import content_address
from embedmill.shared.providers.embeddings.table import EMBEDDERS, open_embedder
from embedmill.shared.providers.names import ModelName

# Of release 0.1.0: what is kept under these was paid for.
KNOWN = {
    "hash": "f25813617940c03a8a690918681272dd9852d02cb9e0dff4b1e0500a41ddf392",
    "local": "6ce663f8a7c11346175b67bd1848b4ce848b6c4cd63bb66b1c0c1abb6664dcb1",
    "openai/text-embedding-3-large": "a780dfb0306a02e024a691e733c0131ff7b5a454ae14fedb5f528baa506be1ac",
    "openai/text-embedding-3-small": "6f90490a119db098c4bd8813a449e447f7985c427cbf788350f92ef6776eb9c2",
    "cohere/embed-v4.0": "0c5e357a632f60bbc58b46a6ca7160a94c32a419023f044321260b5dfcb47501",
    "cohere/embed-english-v3.0": "4834757443ecde4543b4df4da3d1119e6eb3b9c36daf813f4502fdbf516fac66",
    "cohere/embed-multilingual-v3.0": "c84d094329ba38af1a21dd7c521ba1a35760557a1cbf7c4b2bbf61df4aa35bb0",
    "bedrock/amazon.titan-embed-text-v2:0": "a856faf4531b7be2540e9fdf1dca6ebfdcc9e52a63e51a338e1582e41321bd52",
    "bedrock/cohere.embed-v4:0": "caf9a36590bb0ebf55ef47d4be21c29b9f18d94a765ba0b6f2d49e32d42c3cc4",
    "bedrock/cohere.embed-english-v3": "b6d345d67b6efbbed08bfe4a9479fcc84d52c322a97d08e55c782ac6b0916f67",
    "bedrock/cohere.embed-multilingual-v3": "84e7543305e3c935f4c583601a9ad15dfac86e2f7fe35aac2a3efed1828369b2",
    "openai/text-embedding-3-large@1024": "d5cc3fd19910a329b88507aa91ccd04316cc00194dd29d047eff3aded388650c",
}


def test_the_address_is_the_same_on_every_machine() -> None:
    address = content_address("hash-crc32-256-v1", 256, "document", "naïve 漢字")
    assert len(address) == 32
    assert address.hex() == "f25813617940c03a8a690918681272dd9852d02cb9e0dff4b1e0500a41ddf392"


def test_every_part_counts_and_parts_do_not_run_together() -> None:
    parts = [("m", 25, "document", "6text"), ("m", 256, "document", "text"), ("m", 256, "query", "text")]
    parts += [("mm", 256, "document", "text"), ("m", 256, "documentt", "ext"), ("m", 256, "document", "text ")]
    assert len({content_address(*part) for part in parts}) == len(parts)


def test_what_a_release_kept_that_did_not_tell_endpoints_apart_is_the_vendors() -> None:
    kept = "f25813617940c03a8a690918681272dd9852d02cb9e0dff4b1e0500a41ddf392"
    assert content_address("hash-crc32-256-v1", 256, "document", "naïve 漢字", endpoint="").hex() == kept
    assert content_address("hash-crc32-256-v1", 256, "document", "naïve 漢字", endpoint="http://x").hex() != kept


def test_a_lone_surrogate_has_an_address() -> None:
    assert content_address("m", 1, "document", "\ud800") != content_address("m", 1, "document", "?")


@pytest.mark.parametrize("name", KNOWN)
def test_every_model_finds_again_what_was_paid_for(name: str, tmp_path: Path) -> None:
    embedder = open_embedder(name, cache_dir=tmp_path)
    assert embedder.address("naïve 漢字").hex() == KNOWN[name]
    assert embedder.provider == ModelName.parse(name).provider


def test_no_model_is_left_out() -> None:
    assert EMBEDDERS.keys() - KNOWN.keys() == {"local/minilm"}, "which is made on the machine, and has no fixed version"
