"""What holds for every document and every setting."""

import itertools
import os
import statistics
import subprocess
import sys

import pytest
from hypothesis import given

from embedmill.shared.tokenizer import count_tokens
from embedmill.workers.chunking import (
    Chunk,
    ChunkSettings,
    NormalisedDocument,
    build_chunk_set,
    can_divide,
    chunk,
    decode_chunk_set,
    divide,
    encode_chunk_set,
    normalise,
)
from embedmill.workers.parsing.document import ParsedDocument
from tests.workers.chunking.documents import HOSTILE, cut, documents, paragraph, prose, settings

MOST_DIVIDED = 20
"""Chunks of a document: whether one can be divided is asked by cutting it."""


def check(text: str, chunks: list[Chunk], limits: ChunkSettings) -> None:
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    starts = [one.start for one in chunks]
    assert all(left < right for left, right in itertools.pairwise(starts))
    assert [one.end for one in chunks] == sorted(one.end for one in chunks)
    assert all(one.body(text).strip() for one in chunks)
    counts = [count_tokens(one.shown(text)) for one in chunks]
    assert counts == [one.tokens for one in chunks]
    assert max(counts, default=0) <= limits.maximum
    assert not uncovered(text, chunks).strip()


def check_structure(whole: NormalisedDocument, chunks: list[Chunk], limits: ChunkSettings) -> None:
    """Parts are apart, pages are those of the blocks, and rows have their head with them where that may be carried."""
    for one in chunks:
        held = [block for block in whole.blocks if block.start < one.end and one.start < block.end]
        assert len({block.part for block in held}) == 1
        pages = [block.page for block in held if block.page]
        assert one.pages == ((min(pages), max(pages)) if pages else None)
        heads = {block.head for block in held if block.head and not block.in_head and block.head[0] < one.start}
        short = {head for head in heads if count_tokens(whole.text[slice(*head)] + "\n") <= limits.most_head}
        assert one.head is None or any(head[0] <= one.head[0] < one.head[1] == head[1] for head in heads)
        assert not short or {one.head} == short


def uncovered(text: str, chunks: list[Chunk]) -> str:
    ends = [0, *(one.end for one in chunks)]
    starts = [*(one.start for one in chunks), len(text)]
    return "".join(text[end:start] for end, start in zip(ends, starts, strict=True))


@given(documents, settings())
def test_offsets_coverage_bounds_and_order_hold(parsed: ParsedDocument, limits: ChunkSettings) -> None:
    normalised = normalise(parsed)
    chunks = chunk(normalised, limits, title="A title")
    check(normalised.text, chunks, limits)
    check_structure(normalised, chunks, limits)


@given(documents, settings())
def test_dividing_keeps_every_character_and_shortens(parsed: ParsedDocument, limits: ChunkSettings) -> None:
    whole = build_chunk_set(normalise(parsed), limits, title="T", media_type="text/plain")
    some = [one.ordinal for one in whole.chunks[:MOST_DIVIDED] if can_divide(whole, one.ordinal)]
    divided = divide(whole, some)
    assert [one.ordinal for one in divided.chunks] == list(range(len(divided.chunks)))
    assert all(one.tokens == count_tokens(one.shown(divided.text)) for one in divided.chunks)
    assert not uncovered(divided.text, list(divided.chunks)).strip()
    assert len(set(divided.ids)) == len(divided.ids)
    assert not some or divided.chunks != whole.chunks


@given(documents, settings())
def test_a_prefix_is_bounded_and_ends_with_an_empty_line(parsed: ParsedDocument, limits: ChunkSettings) -> None:
    for one in chunk(normalise(parsed), limits, title="A rather long title of a document " * 9):
        assert count_tokens(one.prefix) <= min(64, limits.target // 4)
        assert not one.prefix or one.prefix.endswith("\n\n")


@given(documents)
def test_block_spans_are_exact_and_in_order(parsed: ParsedDocument) -> None:
    normalised = normalise(parsed)
    end = 0
    for block in normalised.blocks:
        assert not normalised.text[end : block.start].strip()
        assert normalised.text[block.start : block.end].strip()
        end = block.end
    assert end == len(normalised.text)


@given(documents, settings())
def test_a_chunk_set_survives_its_bytes(parsed: ParsedDocument, limits: ChunkSettings) -> None:
    kept = build_chunk_set(normalise(parsed), limits, title="T\ud800itle", media_type="text/plain")
    data = encode_chunk_set(kept)
    assert decode_chunk_set(data) == kept
    assert encode_chunk_set(decode_chunk_set(data)) == data
    assert len(set(kept.ids)) == len(kept.chunks)


# Hundreds of thousands of characters: whatever takes their square in time does not end before pytest calls it hung.
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(("target", "most"), [(16, 25_000), (384, None)], ids=["16", "384"])
def test_hostile_text_is_cut_within_the_maximum(name: str, target: int, most: int | None) -> None:
    limits = ChunkSettings.from_target(target)
    text, chunks = cut(limits, paragraph(HOSTILE[name][:most]))
    check(text, chunks, limits)


def test_ids_are_the_same_in_every_process() -> None:
    script = (
        "from tests.workers.chunking.documents import *; from embedmill.workers.chunking import *;"
        "whole = document(heading('One'), paragraph(prose(99)));"
        "made = build_chunk_set(whole, ChunkSettings(), title='T', media_type='x');"
        "print(list(made.ids))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1", "LC_ALL": "C"}
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert run.stdout.strip() == str(EXPECTED_IDS)


def test_chunks_reach_the_minimum_and_pass_the_target_only_for_a_whole_paragraph() -> None:
    text, chunks = cut(ChunkSettings(), *(paragraph(prose(5 + i % 30)) for i in range(60)))
    assert all(256 <= one.tokens <= 256 + 384 for one in chunks)
    assert statistics.mean(one.tokens for one in chunks) <= 400
    check(text, chunks, ChunkSettings())


EXPECTED_IDS = ["006a8b01421baeb1dbf803be", "703049e35ebfc7d4760880b1", "1cd55ba8a433cb3255074a4c"]
