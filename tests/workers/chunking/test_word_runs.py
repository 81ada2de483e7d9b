"""The words that cutting a document finds are those of each of its chunks, for whoever asks for them afterwards."""

from bisect import bisect_left

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedmill.shared import lexicon, packed_words
from embedmill.shared.lexicon import Lexicon, Recalled, bare, recalled
from embedmill.shared.packed_words import PackedWords
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.providers.embeddings.local import LocalEmbedder
from embedmill.shared.tokenizer import CountedText
from embedmill.shared.words.counting import WORTH_IT, count_each
from embedmill.shared.words.cutting import Words, count_few
from embedmill.workers.chunking import ChunkSet, ChunkSettings, build_chunk_set, find_runs, normalise
from embedmill.workers.chunking.sentences import WORD
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument
from tests.shared.words.test_counting import VOTING
from tests.shared.words.test_languages import SENTENCES
from tests.workers.chunking.documents import prose

ODD = st.sampled_from(
    "5 kg No. 7 Nr. 8 n° 7 № 9 § 5 24 °C 40 ℃ 3 % 1.5 V n\u0303 \u0301 ΑΣ ΟΔΟΣ. İ µm می خواهم 日本語 👍 \u200b "
    "user's e-mail -24 $1.5 PX-1098-C https://example.org/a/long/address?of=more&than=forty signs(x). a.b.c "
    "m² 2² ▁x <s> (</s>) wait…what".split(" ")
)
SPACED = st.lists(
    st.tuples(st.one_of(ODD, VOTING), st.sampled_from([*" " * 6, "\n", "\n\n", " \n"])), max_size=120
).map(lambda words: "".join(map("".join, words)))
TEXT = st.one_of(SPACED, st.sampled_from(list(SENTENCES.values())))
EMBEDDERS = HashEmbedder(), LocalEmbedder()
SIZES = ChunkSettings(target=16, minimum=4, maximum=32, overlap=6)


def cut(text: str, title: str) -> ChunkSet:
    blocks = Block(BlockKind.HEADING, "A heading", 1), Block(BlockKind.PARAGRAPH, text)
    return build_chunk_set(normalise(ParsedDocument("text/plain", blocks)), SIZES, title=title, media_type="text/plain")


def require_same(chunk_set: ChunkSet) -> int:
    """Counts and vectors are those of texts that nobody cut before; returns how many texts were recalled."""
    rows = [Words(chunk_set.title, "/a.txt", one.section, one.shown(chunk_set.text)) for one in chunk_set.chunks]
    texts = chunk_set.embedded_texts()
    vectors = [embedder.embed_batch(texts) for embedder in EMBEDDERS] if texts else []
    recalled.note(find_runs(chunk_set))
    try:
        for counted, alone in zip(count_each(rows * WORTH_IT).each(), count_few(rows) * WORTH_IT, strict=True):
            assert (counted.length, counted.terms.tolist()) == (alone.length, alone.terms.tolist())
            assert counted.counts.tolist() == alone.counts.tolist()
        for embedder, before in zip(EMBEDDERS, vectors, strict=False):
            assert embedder.embed_batch(texts).tobytes() == before.tobytes()
        return sum(run is not None for run in recalled.find(texts))
    finally:
        recalled.forget()


@settings(max_examples=60)
@given(TEXT, st.sampled_from(["", "A title of five kg"]))
def test_chunks_of_every_kind_have_the_words_and_vectors_that_they_have_alone(text: str, title: str) -> None:
    require_same(cut(text, title))


def test_the_words_of_ordinary_text_are_recalled() -> None:
    whole = cut(prose(20), "A title")
    assert require_same(whole) == len(whole.chunks) > 1


def test_a_run_holds_the_words_of_its_chunk() -> None:
    whole = cut("Some words at https://example.org/an/address/of/more/than/forty/signs again.\n\nAnd more.", "")
    for text, run in find_runs(whole).items():
        others = iter(run.others)
        words = [bare(run.lexicon.words[n] if n >= 0 else next(others)) for n in run.numbers.tolist()]
        assert list(filter(None, words)) == text.split()


def test_another_lexicon_begins_where_one_is_full_with_the_words_that_are_met_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lexicon, "MOST", 200)
    monkeypatch.setattr(lexicon, "latest", lexicon.Latest())
    first = lexicon.current()
    few = cut("some words that were met, and enough of them to be cut into words", "")
    kept = Recalled()
    kept.note(find_runs(few))
    assert kept.find(few.embedded_texts()) != [None] * len(few.chunks)
    for start in range(0, 600, 60):
        words = " ".join(f"common w{number} the" for number in range(start, start + 60))
        require_same(cut(f"now {words}", "A title of its own"))
    assert lexicon.current() is not first
    common, the, once = lexicon.current().find(["common", "the", "w0"]).tolist()
    assert common != lexicon.NEW != the, "what is met again is kept"
    assert once == lexicon.NEW
    assert kept.find(few.embedded_texts()) == [None] * len(few.chunks)


def test_what_is_long_or_not_seen_gets_no_number() -> None:
    met = Lexicon(is_first=True)
    assert met.meet(["a" * lexicon.LONGEST, "a" * (lexicon.LONGEST + 1), "\u200b", "\ud800", "b"]).tolist() == [
        0, lexicon.NEW, lexicon.NEW, lexicon.NEW, 1
    ]  # fmt: skip


WORD_TEXT = st.text(st.sampled_from("abé日\n"), min_size=1, max_size=18)


@given(st.lists(st.one_of(WORD_TEXT, ODD), min_size=1, max_size=60), st.data())
def test_words_are_told_by_their_bytes_as_by_themselves(words: list[str], data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:  # so few slots that words get into each other's way
        patched.setattr(packed_words, "SLOT_BITS", data.draw(st.sampled_from([1, 3, packed_words.SLOT_BITS])))
        met = Lexicon(is_first=True)
        met.meet(data.draw(st.lists(st.sampled_from(words))))
        for some in (words, words[::-1], words):
            packed = PackedWords(" ".join(some))
            assert packed.words(np.arange(len(packed))) == some
            assert met.find_packed(packed).tolist() == met.find(some).tolist()


@pytest.mark.parametrize("spaces", [" ", "\n", "\n\n", " \n", "\n\n\n", "  ", "\n ", " \n ", "   "])
def test_only_a_text_without_two_blanks_and_blanks_behind_line_feeds_is_cut_into_words(spaces: str) -> None:
    words = "so many words that they are cut, each by itself"
    for text in (spaces + words, words + spaces, words + spaces + words):
        assert (CountedText(text).words is None) == ("  " in text or "\n " in text)


@given(st.lists(st.sampled_from(["a", "Wort", "unbelievably", "Xyzzy", "x1.y2", "(", "é"]), min_size=12), st.data())
def test_the_last_words_that_fit_are_found_as_among_all_of_them(words: list[str], data: st.DataObject) -> None:
    text = "".join(word + data.draw(st.sampled_from([" ", " ", "\n"])) for word in words).strip()
    counted = CountedText(text + " and some more of them, so that it is cut into words")
    tail = data.draw(st.integers(1, len(text) - 1))
    most = data.draw(st.integers(0, 20))
    starts = [cut for cut in WORD(text, tail, len(text)) if cut < len(text)]
    place = bisect_left(starts, -most, key=lambda start: -counted.count(start, len(text)))
    expected = starts[place] if place < len(starts) else None
    assert counted.find_start(tail, len(text), most) == expected
