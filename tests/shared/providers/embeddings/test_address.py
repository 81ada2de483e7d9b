"""The content address of an embedding."""

from embedmill.shared.providers.embeddings.address import content_address


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
