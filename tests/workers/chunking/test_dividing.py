"""Chunks that are too long for a model are cut; what is beside them stays what it is."""

from dataclasses import replace

from embedmill.shared.tokenizer import count_tokens
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, can_divide, divide, normalise
from embedmill.workers.stages.chunk import parse_row
from tests.corpus import text_of


def made(text: str) -> ChunkSet:
    settings = ChunkSettings.from_target(128, overlap=16)
    return build_chunk_set(normalise(parse_row(text)), settings, title="A title", media_type="text/plain")


def test_the_parts_of_a_chunk_cover_it_and_are_about_half_as_long() -> None:
    whole = made(text_of(1))
    chunk = whole.chunks[2]
    divided = divide(whole, {2})
    parts = divided.chunks[2 : 2 + len(divided.chunks) - len(whole.chunks) + 1]
    assert len(parts) > 1
    assert (parts[0].start, parts[-1].end) == (chunk.start, chunk.end)
    assert "".join(part.body(whole.text) for part in parts).split() != []
    assert " ".join(part.body(whole.text) for part in parts).split() == chunk.body(whole.text).split()
    assert all(part.tokens == count_tokens(part.body(whole.text)) <= 0.7 * chunk.tokens for part in parts)
    assert {(part.section, part.prefix) for part in parts} == {(chunk.section, chunk.prefix)}


def test_the_others_keep_their_ids_and_move_up() -> None:
    whole = made(text_of(2))
    divided = divide(whole, {1})
    assert divided.ids[0] == whole.ids[0]
    assert divided.ids[-len(whole.ids) + 2 :] == whole.ids[2:]
    assert whole.ids[1] not in divided.ids
    assert [chunk.ordinal for chunk in divided.chunks] == list(range(len(divided.chunks)))
    assert len(set(divided.ids)) == len(divided.ids)
    kept = {(chunk.start, chunk.end) for chunk in divided.chunks}
    assert {(c.start, c.end) for c in whole.chunks if c.ordinal != 1} <= kept


def test_the_same_chunk_is_always_cut_in_the_same_way_and_can_be_cut_again() -> None:
    whole = made(text_of(3))
    once = divide(whole, {0, 3})
    assert once == divide(made(text_of(3)), {0, 3})
    twice = divide(once, {0})
    assert len(twice.chunks) > len(once.chunks)
    assert twice.ids[-1] == whole.ids[-1]


def test_a_chunk_is_cut_until_it_is_as_small_as_a_chunk_may_be() -> None:
    rounds, chunk_set = 0, made("word " * 120)
    while can_divide(chunk_set, 0):
        chunk_set = divide(chunk_set, {0})
        rounds += 1
    assert 3 <= rounds <= 6
    assert chunk_set.chunks[0].tokens <= 8


def test_a_single_long_character_sequence_without_any_boundary_is_cut_too() -> None:
    whole = made("ab" * 200)
    assert can_divide(whole, 0)
    divided = divide(whole, {0})
    assert "".join(chunk.body(divided.text) for chunk in divided.chunks) == whole.text


def test_what_has_no_parts_cannot_be_divided() -> None:
    whole = made("x")
    assert not can_divide(whole, 0)
    long = replace(whole, chunks=(whole.chunks[0]._replace(tokens=100),))
    assert not can_divide(long, 0)
