"""What a page of hits shows: how near they are, copies folded, neighbours, documents apart, one order over pages."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from embedmill.retrieval import order
from embedmill.retrieval.hits import Hit, SearchResult
from embedmill.retrieval.question import Mode
from embedmill.retrieval.relevance import WEAK, Relevance
from embedmill.retrieval.search import Searcher
from embedmill.retrieval.view import View
from embedmill.shared.editions import Edition
from embedmill.shared.errors import NotFound, ProviderUnavailable, UsageError
from embedmill.shared.filtering.conditions import Compare
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.providers.embeddings.hash import HashEmbedder
from embedmill.shared.providers.embeddings.local import LocalEmbedder
from embedmill.shared.providers.vectorstores.embedded.store import EmbeddedVectorStore
from embedmill.shared.providers.vectorstores.rows import VectorRow, edition_of
from tests.contracts.rows import make_row

NOTICE = "The annual boiler inspection is due on the first of May. The caretaker keeps the key to the boiler room."
OTHER = "Boiler inspection: the chimney sweep needs the attic key as well, and brings his own ladder."


class Awayable(HashEmbedder):
    """An embedder that can be taken away."""

    away = False

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        if self.away:
            raise ProviderUnavailable("the embedder is away")
        return super().embed_batch(texts, input_type=input_type)


class Unmeasured(HashEmbedder):
    """A model that nobody has measured."""

    name = "openai/text-embedding-3-small@256"


class Held:
    """Documents in a store, as readers see them."""

    def __init__(self, store: EmbeddedVectorStore, embedder: Embedder) -> None:
        self.store = store
        self.embedder = embedder
        self.active: dict[str, Edition] = {}
        self._waiting: dict[str, list[VectorRow]] = {}

    def add(self, document: str, *texts: str, shard: str = "s0", **fields: Any) -> None:
        """A document of these chunks, one after the other."""
        rows, start = [], 0
        for ordinal, text in enumerate(texts):
            [vector] = self.embedder.embed_batch([text])
            made = make_row(document, ordinal, text=text, vector=vector, start=start, end=start + len(text))
            rows.append(replace(made, **fields))
            start += len(text)
        self._waiting.setdefault(shard, []).extend(rows)
        self.active[document] = edition_of(rows[0])

    def search(self, query: str, *, embedder: Embedder | None = None, **options: Any) -> SearchResult:
        for shard in list(self._waiting):
            self.store.upsert(shard, self._waiting.pop(shard))
        top_k, mode, where = options.pop("top_k", 10), options.pop("mode", "hybrid"), options.pop("where", None)
        searcher = Searcher(self.store, ["s0", "s1"], embedder or self.embedder, self._active)
        return searcher.search(query, top_k=top_k, mode=mode, where=where, view=View(**options))

    def _active(self, documents: Collection[str]) -> Mapping[str, Edition]:
        return {document: self.active[document] for document in documents if document in self.active}


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Held]:
    store = EmbeddedVectorStore(tmp_path, dimensions=HashEmbedder.dimensions)
    yield Held(store, Awayable())
    store.close()


def away(held: Held) -> Awayable:
    assert isinstance(held.embedder, Awayable)
    return held.embedder


def documents(hits: Sequence[Hit]) -> list[str]:
    return [hit.document for hit in hits]


def record(number: int) -> str:
    return f"Spare part {number} is a seal of rubber for the inlet of the pump."


def topics(held: Held, count: int = 60) -> None:
    """Documents that have little in common but one word."""
    for n in range(count):
        held.add(f"d{n:03}", f"pump {' '.join(f'word{n}x{i}' for i in range(5 + n % 7))}", shard=f"s{n % 2}")


# Nothing relevant is a state


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_what_is_there_and_what_is_not_are_told_apart(held: Held, mode: Mode) -> None:
    topics(held)
    held.add("notice", NOTICE)
    good = held.search("when is the annual boiler inspection due", mode=mode)
    assert good.relevance is Relevance.GOOD
    assert good.hits[0].document == "notice"
    none = held.search("recipe for lasagne with aubergines", mode=mode)
    assert none.relevance is not Relevance.GOOD
    assert all(hit.similarity is not None for hit in (*good.hits, *none.hits))


NOTES = (
    "The pump in hall 2 is serviced every 500 hours. Ada has the key.",
    "The boiler is inspected in March and in September.",
    "Visitors sign the book at the gate, and are shown where the emergency exits are.",
    "The fire drill is on the first Monday of the quarter. Everybody leaves the building and waits in the yard.",
    "Spare fuses are in the grey cabinet beside the lift.",
    "The canteen closes at three on Fridays. There is no warm meal after two.",
)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("when is the boiler inspected?", "good"),
        ("fire drill", "good"),
        ("who has the key of the pump", "good"),
        ("when does the canteen close on Fridays?", "good"),
        ("zxqv blorp", "none"),
        ("recipe for lasagne with aubergines", "none"),
        ("symptoms of vitamin D deficiency in children", "none"),
        ("Napoleon's exile on Elba", "none"),
    ],
)
def test_the_model_that_is_the_default_tells_what_is_there(tmp_path: Path, query: str, expected: str) -> None:
    with closing(EmbeddedVectorStore(tmp_path, dimensions=LocalEmbedder.dimensions)) as store:
        held = Held(store, LocalEmbedder())
        for number, note in enumerate(NOTES):
            held.add(f"n{number}", note)
        assert held.search(query).relevance == expected


IN_EVERY_TEXT = (
    "the", "the the the", "The", "THE", "of the", "is it", "a", "7", "2 2", "x", "und und", "的", "のの"
)  # fmt: skip
IN_SOME = (
    "The caretaker has the key of the pump, and what is it worth? Is it a 7 or an x? 2 2, it says, in all of them.",
    "Und wer hat den Schlüssel? Das weiß der Hausmeister und nicht die Mieterin, und auch nicht ihr Sohn.",
    "我們的貼紙。日本の天気の話",
    "To be or not to be, that is what he asks himself.",
    "IT says who may have which computer.",
    "Plain C was enough for it.",
    "Use a car to get there.",
)


@pytest.mark.parametrize("mode", ["hybrid", "lexical"])
def test_words_that_every_text_of_a_language_has_say_nothing(tmp_path: Path, mode: Mode) -> None:
    with closing(EmbeddedVectorStore(tmp_path, dimensions=LocalEmbedder.dimensions)) as store:
        held = Held(store, LocalEmbedder())
        for number, note in enumerate((*IN_SOME, *NOTES)):
            held.add(f"n{number}", note)
        told = {query: held.search(query, mode=mode).relevance for query in IN_EVERY_TEXT}
        assert [query for query, said in told.items() if said is Relevance.GOOD] == []
        for query in ("to be or not to be", "IT", "C", "car"):
            assert (query, held.search(query, mode=mode).relevance) == (query, "good")


def test_a_word_that_most_rows_hold_makes_no_hit_a_good_one(held: Held) -> None:
    for number in range(120):
        held.add(f"n{number}", f"Boiler {number} stands in house {number * 7}, and is looked at in {2000 + number}.")
    held.add("rare", "The chimney of a boiler was swept.")
    assert {query: held.search(query, mode="lexical").relevance for query in ("boiler", "boiler chimney")} == {
        "boiler": Relevance.WEAK,
        "boiler chimney": Relevance.GOOD,
    }


PARTS = " ".join(f"Step {n}: take the lid off, look whether it is worn, and put it back." for n in range(12))
MANUAL = f"{PARTS} ERR-2041 is shown when the inlet is blocked. Firmware 2.11.3 is needed; see RFC 7231. {PARTS}"


@pytest.mark.parametrize("query", ["ERR-2041", "2.11.3", "rfc 7231", "boiler-manual.txt", "firmware 2.11.3 -pump"])
def test_what_holds_the_query_as_it_is_written_is_good(tmp_path: Path, query: str) -> None:
    with closing(EmbeddedVectorStore(tmp_path, dimensions=LocalEmbedder.dimensions)) as store:
        held = Held(store, LocalEmbedder())
        held.add("manual", MANUAL, uri="file:///in/boiler-manual.txt")
        for number, note in enumerate(NOTES):
            held.add(f"n{number}", note)
        assert (held.search(query).relevance, held.search(query).hits[0].document) == ("good", "manual")
        assert held.search("ERR-2042").relevance != "good"
        assert held.search("7231 rfc").relevance != "good"


@pytest.mark.parametrize("query", ["मौसम कैसा रहेगा", "किराया", "погода завтра"])
def test_texts_in_a_script_that_the_model_does_not_read_are_judged_by_their_words(tmp_path: Path, query: str) -> None:
    with closing(EmbeddedVectorStore(tmp_path, dimensions=LocalEmbedder.dimensions)) as store:
        held = Held(store, LocalEmbedder())
        held.add("soup", "दाल बनाने के लिए प्याज और टमाटर भूनें, फिर दाल और पानी डालकर बीस मिनट पकाएँ।")
        held.add("flats", "Квартиры на третьем этаже будут отремонтированы в июне.")
        for number, note in enumerate(NOTES):
            held.add(f"n{number}", note)
        found = held.search(query)
        assert (found.relevance, found.judged_by) == ("weak", "words")
        assert all((hit.similarity or 0) < WEAK for hit in found.hits)
        assert held.search("пон третий этаж").relevance == held.search("प्याज").relevance == "good"
        by_meaning = held.search(query, mode="dense")
        assert (by_meaning.judged_by, by_meaning.relevance, by_meaning.hits[0].similarity) == ("", None, None)
        assert any("of such a script" in step.why for step in by_meaning.steps)


def test_numbers_alone_are_judged_by_words_since_texts_of_numbers_are_near_to_any(tmp_path: Path) -> None:
    with closing(EmbeddedVectorStore(tmp_path, dimensions=LocalEmbedder.dimensions)) as store:
        held = Held(store, LocalEmbedder())
        held.add("table", "0.76492172, 0.68080986, 1.4142135, 2.7182818, 3.1415926, 1.7320508, 0.5772156")
        for query in ("9780306406157", "-987654", "30 41"):
            found = held.search(query)
            assert (found.relevance, found.judged_by, len(found.hits)) == ("none", "words", 1)
        assert held.search("1.4142135").relevance == "good"


@pytest.mark.parametrize(
    ("query", "named", "decoy"),
    [
        ("-25 volts", "The battery fails at -25 volts.", "25 volts is safe; use 25 volts, 25 volts always."),
        (
            "meeting 2023-08-14",
            "Meeting on 2023-08-14 about the roof.",
            "Meeting room 14, meeting 08, meeting 2023: meetings, meeting.",
        ),
    ],
)
def test_what_is_named_to_the_letter_comes_before_texts_that_are_nearer_by_its_parts(
    tmp_path: Path, query: str, named: str, decoy: str
) -> None:
    with closing(EmbeddedVectorStore(tmp_path, dimensions=LocalEmbedder.dimensions)) as store:
        held = Held(store, LocalEmbedder())
        for number, note in enumerate((decoy, named, *NOTES)):
            held.add(f"n{number}", note)
        assert [hit.text for hit in held.search(query).hits[:2]] == [named, decoy]


def test_a_model_whose_cosines_tell_nothing_judges_nothing_by_them(held: Held) -> None:
    held.add("notice", NOTICE)
    found = held.search("boiler inspection", mode="dense")
    assert (found.judged_by, found.relevance, found.hits[0].similarity) == ("", None, None)


def test_nothing_is_hidden_by_being_far_away(held: Held) -> None:
    topics(held)
    found = held.search("zxqv blorp")
    assert found.relevance is Relevance.NONE
    assert len(found.hits) == 10


def test_a_query_of_punctuation_is_no_query(held: Held) -> None:
    topics(held)
    for query in ("???", "%", "{}", " "):
        found = held.search(query)
        assert (found.hits, found.relevance, found.next) == ([], Relevance.NONE, None)


def test_how_near_a_hit_is_means_the_same_in_every_answer(held: Held) -> None:
    topics(held)
    held.add("notice", NOTICE)
    first = held.search("boiler inspection").hits[0]
    assert first == held.search("boiler inspection", top_k=1).hits[0]
    assert (first.similarity or 0) > max(hit.similarity or 0 for hit in held.search("boiler lasagne").hits)


def test_a_page_says_of_all_the_answer_how_good_it_is(held: Held) -> None:
    topics(held)
    held.add("notice", NOTICE)
    assert held.search("boiler inspection", offset=30).relevance is held.search("boiler inspection").relevance


def test_without_a_vector_words_alone_say_how_near_a_hit_is(held: Held) -> None:
    held.add("notice", NOTICE)
    assert held.search("boiler inspection").judged_by == "meaning and words"
    away(held).away = True
    found = held.search("boiler inspection")
    assert (found.judged_by, found.relevance) == ("words", held.search("boiler inspection", mode="lexical").relevance)


def test_a_model_that_was_not_measured_is_judged_by_words_and_says_so(held: Held) -> None:
    topics(held)
    held.add("notice", NOTICE)
    found = held.search("boiler inspection", embedder=Unmeasured())
    assert found.judged_by == "words"
    assert any("nothing is known of what a cosine of openai" in step.why for step in found.steps)
    assert held.search("zxqv blorp", embedder=Unmeasured()).relevance is Relevance.WEAK
    by_meaning = held.search("boiler inspection", embedder=Unmeasured(), mode="dense")
    assert (by_meaning.judged_by, by_meaning.relevance, by_meaning.hits[0].similarity) == ("", None, None)


# Near-copies are folded


def test_copies_are_one_hit_that_names_the_others(held: Held) -> None:
    for n in range(25):
        held.add(f"copy{n:02}", NOTICE, shard=f"s{n % 2}")
    held.add("other", OTHER)
    first, second = held.search("boiler inspection").hits
    assert (first.document, first.copy_count, len(first.copies)) == ("copy00", 24, 24)
    assert (first.copies[0].document, first.copies[0].uri, first.copies[0].chunk) == ("copy01", "file:///copy01", "c0")
    assert (second.document, second.copies) == ("other", [])
    assert held.search("boiler inspection", fold=False, top_k=30).hits[-1].copies == []
    assert len(held.search("boiler inspection", fold=False, top_k=30).hits) == 26


def test_however_many_copies_there_are_the_others_are_on_the_page(held: Held) -> None:
    for n in range(230):
        held.add(f"copy{n:03}", NOTICE)
    for n in range(9):
        held.add(
            f"d{n}", f"The inspection of the lift number {n} has found what {' '.join(f'w{n}x{i}' for i in range(9))}"
        )
    hits = held.search("boiler inspection").hits
    assert documents(hits)[0] == "copy000"
    assert sorted(documents(hits)[1:]) == [f"d{n}" for n in range(9)]
    assert hits[0].copy_count == 229


def test_of_records_the_one_that_is_asked_for_is_first_and_alone(held: Held) -> None:
    for n in range(1000, 1100):
        held.add(f"r{n}", record(n))
    named, others = held.search("seal for part 1042").hits
    assert (named.document, named.copy_count) == ("r1042", 0)
    assert others.copy_count == 98
    [only] = held.search("a seal for the pump").hits
    assert only.copy_count == 99


def test_what_a_reader_may_not_see_is_no_copy(held: Held) -> None:
    for n in range(6):
        held.add(f"copy{n}", NOTICE, metadata={"team": n % 2})
    del held.active["copy0"]
    [hit] = held.search("boiler inspection", where=Compare("team", "=", 0)).hits
    assert [hit.document, *(copy.document for copy in hit.copies)] == ["copy2", "copy4"]


def test_the_first_hits_and_their_copies_do_not_depend_on_how_many_are_wanted(held: Held) -> None:
    topics(held, 40)
    for n in range(130):
        held.add(f"copy{n:03}", f"pump {NOTICE} {' '.join(['May'] * (n % 3))}")
    wanted = held.search("pump inspection", top_k=1000).hits
    for top_k in (1, 5, 19, 20, 30):
        assert held.search("pump inspection", top_k=top_k).hits == wanted[:top_k]


# Neighbours


def chapters(held: Held) -> None:
    held.add(
        "long", *(f"Chapter {n} tells of {word}. " for n, word in enumerate(("eggs", "milk", "pumps", "tar", "oil")))
    )


def test_neighbours_of_a_hit_come_with_it(held: Held) -> None:
    chapters(held)
    hit = held.search("pumps", context=1, top_k=1).hits[0]
    assert hit.context is not None
    assert [part.text for part in hit.context.before] == ["Chapter 1 tells of milk. "]
    assert [part.text for part in hit.context.after] == ["Chapter 3 tells of tar. "]
    assert hit.context.before[0].end == hit.start
    assert held.search("pumps", top_k=1).hits[0].context is None


def test_neighbours_are_of_the_edition_that_readers_see(held: Held) -> None:
    chapters(held)
    old = replace(
        make_row("long", 1, generation=7), text="A chapter that is being written.", vector=np.ones(256, np.float32)
    )
    held.store.upsert("s0", [old])
    hit = held.search("pumps", context=2, top_k=1).hits[0]
    assert hit.context is not None
    assert [part.text[:9] for part in hit.context.before] == ["Chapter 0", "Chapter 1"]


def test_what_is_excluded_is_no_neighbour_either(held: Held) -> None:
    chapters(held)
    hit = held.search("pumps -tar", context=1, top_k=1).hits[0]
    assert hit.context is not None
    assert [part.text for part in hit.context.after] == []
    assert len(hit.context.before) == 1


# Documents apart


def chunks(held: Held) -> None:
    for name in ("a", "b"):
        held.add(name, *(f"pump {' '.join(f'{name}{n}x{i}' for i in range(4 + n))}" for n in range(8)))


def test_at_most_so_many_hits_of_a_document(held: Held) -> None:
    chunks(held)
    hits = held.search("pump", per_document=1).hits
    assert sorted(documents(hits)) == ["a", "b"]
    assert [len(hit.more_of_document or []) for hit in hits] == [7, 7]
    assert len(held.search("pump", per_document=2).hits) == 4


def test_without_a_limit_chunks_are_ordered_by_their_scores_alone(held: Held) -> None:
    chunks(held)
    scores = [hit.score for hit in held.search("pump", per_document=0, top_k=16).hits]
    assert len(scores) == 16
    assert scores == sorted(scores, reverse=True)


def test_a_documents_fourth_chunk_comes_behind_those_of_others(held: Held) -> None:
    chunks(held)
    hits = held.search("pump", top_k=16).hits
    assert sorted(documents(hits[:6])) == ["a"] * 3 + ["b"] * 3
    assert len(hits) == 16
    assert hits[0].more_of_document is None


# Pages


@pytest.mark.parametrize("options", [{}, {"per_document": 1}, {"fold": False}, {"mode": "lexical"}])
def test_pages_continue_one_order(held: Held, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "DEPTHS", (10, 20, 1000))
    topics(held, 20)
    chunks(held)
    for n in range(20):
        held.add(f"copy{n:02}", f"pump {NOTICE}")
    whole = held.search("pump", top_k=1000, **options).hits
    by_cursor: list[Hit] = []
    after: str | None = None
    while not by_cursor or after:
        page = held.search("pump", top_k=7, after=after, **options)
        by_cursor += page.hits
        after = page.next
    by_offset = [hit for n in range(0, len(whole), 7) for hit in held.search("pump", top_k=7, offset=n, **options).hits]
    expected = [(hit.rank, hit.document, hit.chunk, hit.score) for hit in whole]
    assert [(hit.rank, hit.document, hit.chunk, hit.score) for hit in by_cursor] == expected
    assert [(hit.rank, hit.document, hit.chunk, hit.score) for hit in by_offset] == expected


def test_behind_the_last_hit_there_is_no_page(held: Held) -> None:
    topics(held, 12)
    assert held.search("pump", top_k=12).next is None
    assert held.search("pump", top_k=5, offset=50).hits == []
    last = held.search("pump", top_k=5, offset=10)
    assert ([hit.rank for hit in last.hits], last.next) == ([11, 12], None)


def test_a_page_of_another_order_is_refused(held: Held) -> None:
    topics(held)
    first = held.search("pump", top_k=5)
    held.search("pump", top_k=5, after=first.next)
    for query, options in (("pumps", {}), ("pump", {"per_document": 1}), ("pump", {"mode": "dense"})):
        with pytest.raises(UsageError, match="another query"):
            held.search(query, top_k=5, after=first.next, **options)
    del held.active[first.hits[2].document]
    with pytest.raises(NotFound, match="documents have changed"):
        held.search("pump", top_k=5, after=first.next)


def test_what_is_added_behind_a_page_keeps_its_cursor(held: Held) -> None:
    topics(held)
    first = held.search("pump", top_k=5)
    held.add("late", f"something quite different with a pump {' '.join(f'l{n}' for n in range(40))}")
    assert not set(documents(held.search("pump", top_k=5, after=first.next).hits)) & set(documents(first.hits))


def test_the_page_after_one_that_words_alone_made_is_made_by_words_too(held: Held) -> None:
    topics(held)
    away(held).away = True
    first = held.search("pump word3x1 word9x2", top_k=5)
    away(held).away = False
    second = held.search("pump word3x1 word9x2", top_k=5, after=first.next)
    away(held).away = True
    assert documents((*first.hits, *second.hits)) == documents(held.search("pump word3x1 word9x2", top_k=10).hits)
    assert second.degraded


def test_a_page_that_cannot_continue_says_why(held: Held) -> None:
    topics(held)
    query = "pump word3x1 word9x2"
    first = held.search(query, top_k=5)
    away(held).away = True
    with pytest.raises(NotFound, match="the embedder is away"):
        held.search(query, top_k=5, after=first.next)


@pytest.mark.parametrize(
    "options", [{"offset": -1}, {"offset": True}, {"per_document": -1}, {"context": 99}, {"offset": 3, "after": "x"}]
)
def test_a_view_that_makes_no_sense_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        View(**options)


def test_a_hit_and_its_neighbours_tell_rows_apart_from_the_head_that_they_carry(held: Held) -> None:
    rows = ["k | name\n1 | pumps", "2 | oil", "3 | tar"]
    held.add("table", *rows)
    held.search("tar")
    for ordinal, start in ((1, 19), (2, 27)):
        row = next(row for row in held.store.list_rows("s0", with_vectors=True) if row.ordinal == ordinal)
        text = f"k | name\n{rows[ordinal]}"
        moved = replace(row, text=text, start=start, end=start + len(rows[ordinal]), head=(0, 8), page=1, last_page=2)
        held.store.upsert("s0", [moved])
    [hit] = held.search("oil", context=1, top_k=1).hits
    assert (hit.text, hit.start, hit.end, hit.head, hit.pages) == ("k | name\n2 | oil", 19, 26, (0, 8), (1, 2))
    assert hit.context is not None
    assert [(part.text, part.start) for part in hit.context.after] == [("3 | tar", 27)]
