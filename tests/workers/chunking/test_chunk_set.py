"""The stored chunk set: what it gives back, and what it refuses."""

import orjson
import pytest

from embedmill.shared.errors import BlobMissing
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, decode_chunk_set, encode_chunk_set
from tests.workers.chunking.documents import document, heading, paragraph, prose


def made(title: str = "Manual", settings: ChunkSettings | None = None) -> ChunkSet:
    whole = document(heading("One"), paragraph(prose(90)))
    return build_chunk_set(whole, settings or ChunkSettings(), title=title, media_type="text/plain")


def test_a_later_stage_gets_bodies_and_embedded_texts() -> None:
    kept = decode_chunk_set(encode_chunk_set(made()))
    assert len(kept.ids) == len(kept.chunks) > 1
    assert kept.shown()[0].startswith("One\n\nThe station")
    assert kept.embedded_texts() == [one.prefix + text for one, text in zip(kept.chunks, kept.shown(), strict=True)]
    assert kept.embedded_texts()[0].startswith("Manual\nOne\n\n")


def test_ids_follow_the_content_the_title_and_the_settings() -> None:
    assert made().ids == made().ids
    assert all(len(id_) == 24 and int(id_, 16) >= 0 for id_ in made().ids)
    others = made(title="Other"), made(settings=ChunkSettings(overlap=31))
    assert all(not set(made().ids) & set(other.ids) for other in others)


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"null",
        encode_chunk_set(made())[:-9],
        encode_chunk_set(made()).replace(b'{"v":2', b'{"v":3'),
        encode_chunk_set(made()).replace(b'"chunks":[', b'"chunks":[7,'),
    ],
)
def test_damage_is_found(damaged: bytes) -> None:
    with pytest.raises(BlobMissing):
        decode_chunk_set(damaged)


def test_a_chunk_set_of_version_1_is_read_as_it_is() -> None:
    stored = {
        "v": 1, "text": "One\n\nText.", "title": "T", "media_type": "text/plain", "fingerprint": "chunker-1/…",
        "chunks": [[0, 0, 3, 1, "One", 4, "T\n\n"], [1, 5, 10, 2, "One", None, "T\n\n"]], "ids": ["a", "b"],
    }  # fmt: skip
    kept = decode_chunk_set(orjson.dumps(stored))
    assert [(one.pages, one.page, one.head) for one in kept.chunks] == [((4, 4), 4, None), (None, None, None)]
    assert kept.embedded_texts() == ["T\n\nOne", "T\n\nText."]
    assert kept.tables == ()
    assert decode_chunk_set(encode_chunk_set(kept)) == kept
