"""Owns the answering of a query: embed it, look at the shards until nothing moves meanwhile, and show the best."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial

from pydantic import TypeAdapter

from embedmill.retrieval import explaining
from embedmill.retrieval import look as looking
from embedmill.retrieval.candidates import ActiveEditions, FindSeen, Visibility
from embedmill.retrieval.embedding import EMBED, Vector, embed
from embedmill.retrieval.explaining import Explanation
from embedmill.retrieval.fusion import UNMEASURED_MODEL, Fusion
from embedmill.retrieval.grading.grader import STEPS as GRADING
from embedmill.retrieval.grading.grader import Grader, Judges
from embedmill.retrieval.hits import SearchResult, Understood
from embedmill.retrieval.judging import JUDGE, RelevanceJudge, find_judge
from embedmill.retrieval.keeping import ResultKind, Shelf, as_kept, kept_or_made
from embedmill.retrieval.look import Look, Looking
from embedmill.retrieval.measured import measured
from embedmill.retrieval.order import FOLD, Order
from embedmill.retrieval.page import NO_PAGE, Page, make_page
from embedmill.retrieval.paging import Cursor, begin_of, require_order, stands_for, write_cursor
from embedmill.retrieval.question import Mode, SearchQuestion, ask, texts_of
from embedmill.retrieval.relevance import Relevance
from embedmill.retrieval.shards import Shards
from embedmill.retrieval.stage_settings import StageSettings
from embedmill.retrieval.steps import Steps
from embedmill.retrieval.understanding.dividing import DECOMPOSE
from embedmill.retrieval.understanding.parts import SUBQUERIES, DividedLook, QuestionPart, embed_parts
from embedmill.retrieval.understanding.rewording import NORMALISE
from embedmill.retrieval.understanding.understanding import AS_IT_STANDS
from embedmill.retrieval.understanding.understanding import STEPS as UNDERSTANDING
from embedmill.retrieval.view import FIRST_PAGE, View, check_top_k
from embedmill.shared.editions import Edition
from embedmill.shared.errors import SettingsError
from embedmill.shared.filtering.conditions import All, Condition
from embedmill.shared.metering import Tally
from embedmill.shared.providers.embeddings.base import Embedder
from embedmill.shared.providers.vectorstores.base import VectorStore
from embedmill.shared.sharding import ReadingOrder

LOOKS = 3
"""A query that met a document in the middle of its switch looks again, so that the document is not missing."""
SECONDS = 10.0
VERSIONS = "versions"
STEPS = (
    *UNDERSTANDING,
    EMBED,
    looking.DENSE,
    looking.LEXICAL,
    looking.SPELLING,
    VERSIONS,
    looking.PHRASES,
    looking.FUSE,
    looking.FEEDBACK,
    SUBQUERIES,
    looking.FETCH,
    FOLD,
    JUDGE,
    *GRADING,
    looking.CONTEXT,
)
AS_BEFORE = "the page before was made without it"
JUDGED_OTHERWISE = "documents have changed since, or the models that rank it judged otherwise"
ENDS_EARLY = "no more is ranked; a narrower query or a filter finds what is not here"
PHRASES_SHOWN = 200
"""Characters of a query's phrases, or of its excluded words, that a note repeats."""
NO_PHRASE = "nothing that was found holds {phrases} as it is quoted; without the quotation marks these are words"
NO_PHRASE_BESIDE = "nothing that was found holds {phrases} as it is quoted and nothing of what is excluded"
EXCLUDED = "what has {words} is left out, as the minus before it asks; {quoted} in quotation marks is looked for"
NOTHING_ASKED = "nothing is asked: a query needs a word that is not excluded"


FindLost = Callable[[Sequence[str]], Mapping[str, str]]
"""Of some shards, those that hold nothing though they should, each with the reason."""


def _as_it_is(text: str) -> str:
    return text


def _lose_none(_: Sequence[str]) -> Mapping[str, str]:
    return {}


class Searcher:
    """Answers queries over one collection's shards.

    Shards are asked in the order given. A function in their place is called for every query, because documents can be
    moved to other shards at any time. An embedder that cannot be had, where a function opens it, is one that failed.

    `active_editions` maps document ids to their active edition and leaves out documents that have none; it is asked
    during every query, so that a superseded or deleted document is gone from the next answer on. `find_lost` is asked
    about shards that put up nothing. `seconds` is how long a pass over the shards may take, `tally` what paid calls
    come to.
    """

    def __init__(
        self,
        store: VectorStore,
        shards: Sequence[str] | Callable[[], ReadingOrder],
        embedder: Embedder | Callable[[], Embedder],
        active_editions: ActiveEditions,
        *,
        seconds: float = SECONDS,
        find_lost: FindLost = _lose_none,
        tally: Tally | None = None,
        judges: Judges | None = None,
    ) -> None:
        self._store = store
        self._find_shards = shards if callable(shards) else partial(ReadingOrder, tuple(shards))
        self._open_embedder: Callable[[], Embedder] = (lambda: embedder) if isinstance(embedder, Embedder) else embedder
        self._active_editions = active_editions
        self._seconds = seconds
        self._find_lost = find_lost
        self.tally = tally or Tally()
        """What paid calls come to."""
        self.judges = judges
        """The models that grade the first candidates of every query, which come in their order."""
        self.understanding = AS_IT_STANDS
        """What is done to every question before the shards are looked at."""
        self.fusion: Fusion | None = None
        """What counts beside meaning, where it is not to be what was measured of the embedder."""
        self.word_weight: float | None = None
        """What words count in it, where somebody said so."""
        self.stages = StageSettings()
        """What all of these were made of, under whose digest answers can be kept."""
        self.hide: Callable[[str], str] = _as_it_is
        """What a question becomes before anything is made of it: without values, where the collection has none."""
        self.shelf: Shelf | None = None
        """Where results are kept, if they are."""
        self.reach: Condition | None = None
        """Which rows there are for whoever asks; None for all of them."""
        self.find_seen: FindSeen = set
        """Which rows were found to be seen before; a set of its own for each query where nobody remembers."""

    def search(
        self,
        text: str,
        *,
        top_k: int = 10,
        mode: Mode = "hybrid",
        where: Condition | None = None,
        view: View = FIRST_PAGE,
    ) -> SearchResult:
        """The best chunks for a query, as the view wants them; no hits for a query without words.

        What fails is said in the result, as long as something answers. Raises UsageError; NotFound for a page that does
        not follow any more; StorageFailed when no shard answers; SettingsError in mode `lexical` for a store that keeps
        no words; and what the embedder raises in mode `dense`.
        """
        text = self.hide(text)
        question = ask(text, mode=mode, where=self._within_reach(where))
        check_top_k(top_k)
        self.tally.begin(self.stages.max_usd)
        judges, understood = self.judges and self.judges.stands_for, self.understanding.stands_for
        asked = stands_for(
            [text, mode, question.where, view.per_document, view.fold, view.to_the_word, judges, understood]
        )
        begin = begin_of(view, asked)
        shelf = self.shelf if question.asks else None
        key = () if shelf is None else (asked, top_k, view.unexplained, self.stages.digest)
        # What is kept is kept with its explanation, so that whoever wants that later does not pay again.
        made = view if shelf is None else replace(view, explain=True)
        found = kept_or_made(shelf, RESULT, key, text, lambda: self._search(question, top_k, made, asked, begin))
        return found if view.explain or found.explanation is None else replace(found, explanation=None)

    def _within_reach(self, where: Condition | None) -> Condition | None:
        if self.reach is None or where is None:
            return self.reach or where
        return All((self.reach, where))

    def _search(self, question: SearchQuestion, top_k: int, view: View, asked: str, begin: Cursor) -> SearchResult:
        steps, failed = Steps(*STEPS, tally=self.tally), dict.fromkeys(begin.without, AS_BEFORE)
        if not view.context:
            steps.skip(looking.CONTEXT, "no neighbours are asked for")
        if not question.asks:
            steps.skip_all("nothing is asked")
            return _result(NO_PAGE, question, steps, failed, None, NOTHING_ASKED)
        question = self.understanding.expand(question, steps)
        worded = self.understanding.normalise(question, steps)
        divided = self.understanding.divide(question, steps)
        vector = self._embed(question, steps, begin)
        with_vectors = question.mode != looking.LEXICAL and not steps.why_failed(EMBED)
        parts = embed_parts([*worded, *divided], self._open_embedder, steps, with_vectors=with_vectors)
        fusion = UNMEASURED_MODEL if vector is None else self.choose_fusion()
        unsettled = None
        page, grader = NO_PAGE, Grader(question.words.plain, self.judges, steps)
        for _ in range(LOOKS):
            reading = self._find_shards()
            shards = Shards(self._store, reading.shards, seconds=self._seconds, failed=failed, within=self.reach)
            _check_words(question, shards)
            visibility = Visibility(_timed(self._active_editions, steps), _noted(self.find_seen, steps))
            look = Look(question, vector, shards, visibility, steps, fusion=fusion)
            judge = self._find_judge(question, vector, look, steps)
            merged: Looking = look
            if parts:
                look_for = partial(_look_for, parts, shards, visibility, fusion)
                merged = DividedLook(look, look_for, steps)
            order = Order(merged, view, steps, grader.by(judge.similarity, judge.judge))
            page = make_page(order, judge, begin=begin.offset, top_k=top_k)
            if not (visibility.moved or look.vanished or shards.broke) and self._find_shards() == reading:
                break
        else:
            unsettled = True
        if (counts := visibility.counts) != (0, 0):
            with steps.step(VERSIONS, given=counts[0]) as step:
                step.out = counts[1]
        shards.leave_out(self._find_lost(shards.silent) if shards.silent else {})
        if shards.former:
            steps.remark(looking.LEXICAL, looking.FORMER_INDEX)
        why = _why_another(steps) or "; ".join(failed.values()) or (JUDGED_OTHERWISE if grader.trail else "")
        require_order(begin, page.before, why=why)
        following = page.next(asked, without=list(failed), by_words=bool(steps.why_failed(EMBED)))
        notes, asked_for = _notes(page, question, begin), _asked(question, worded, parts)
        found = _result(page, question, steps, failed, following, *notes, asked_for=asked_for)
        told = _explain(found, page, order, grader, begin) if view.explain else None
        unsettled = unsettled or bool(shards.former) or None
        if not (told or unsettled or grader.counts):
            return found
        return replace(found, faults=grader.faults, unsettled=unsettled, explanation=told)

    def _embed(self, question: SearchQuestion, steps: Steps, begin: Cursor) -> Vector | None:
        """The query's vector; none where the page before was made without."""
        if not begin.by_words:
            return embed(question, self._open_embedder, steps)
        with steps.step(EMBED) as step:
            step.fail(AS_BEFORE)
        return None

    def choose_fusion(self) -> Fusion:
        """What counts beside meaning with this embedder."""
        fusion = self.fusion or measured(self._open_embedder().name).fusion
        return fusion if self.word_weight is None else replace(fusion, words=self.word_weight)

    def _find_judge(self, question: SearchQuestion, vector: Vector | None, look: Look, steps: Steps) -> RelevanceJudge:
        embedding = None if vector is None else self._open_embedder().name
        judge = find_judge(embedding, question, most_of_words=look.most_of_words, are_usual=look.are_usual)
        with steps.step(JUDGE) as step:
            step.ran, step.why = bool(judge.by), judge.why
        return judge


def _explain(found: SearchResult, page: Page, order: Order, grader: Grader, begin: Cursor) -> Explanation:
    """What became of the hits that are shown, and of as many at each stage before."""
    ids = page.ids[begin.offset :]
    shown = {id: (hit.rank, hit.document, hit.uri, hit.chunk) for id, hit in zip(ids, found.hits, strict=False)}
    ranks = order.ranking.ranks if order.ranking else {}
    found_by = {stage: sorted(places, key=places.__getitem__) for stage, places in ranks.items()}
    trail = {**found_by, FOLD: page.ids, **grader.trail}
    return explaining.explain(trail, found.steps, shown, depth=begin.offset + len(found.hits))


def _as_kept(found: SearchResult, milliseconds: float) -> SearchResult:
    """A result as it is when it is shown again."""
    steps = as_kept(found.steps)
    timings = dict.fromkeys(found.timings, 0.0) | {"total": milliseconds}
    explanation = explaining.as_kept(found.explanation, steps)
    return replace(found, steps=steps, timings=timings, notes=found.remarks, explanation=explanation, cached=True)


RESULT: ResultKind[SearchResult] = ResultKind(
    "result",
    cache(lambda: TypeAdapter(SearchResult)),
    steps_of=lambda found: found.steps,
    is_whole=lambda found: not found.degraded and not found.unsettled,
    as_kept=_as_kept,
)


def _check_words(question: SearchQuestion, shards: Shards) -> None:
    if question.mode == looking.LEXICAL and (why := shards.lacks_words):
        raise SettingsError(why, hint="Use --mode hybrid: it orders what is near in meaning by its words too.")


def _timed(look_up: ActiveEditions, steps: Steps) -> ActiveEditions:
    def timed(documents: Collection[str]) -> Mapping[str, Edition]:
        with steps.step(VERSIONS):
            return look_up(documents)

    return timed


def _noted(find_seen: FindSeen, steps: Steps) -> FindSeen:
    def noted() -> set[str]:
        with steps.step(VERSIONS):
            return find_seen()

    return noted


def _notes(page: Page, question: SearchQuestion, begin: Cursor) -> Iterator[str]:
    if page.ends_early:
        yield ENDS_EARLY
    phrases = " and ".join(f'"{phrase.text}"' for phrase in question.words.phrases)
    if phrases and not page.hits and not begin.offset:
        note = NO_PHRASE_BESIDE if question.words.excluded or question.words.excluded_phrases else NO_PHRASE
        yield note.format(phrases=_shortened(phrases))
        return
    excluded = dict.fromkeys(texts_of(question.words.excluded))
    if excluded and page.relevance in (Relevance.WEAK, Relevance.NONE) and not begin.offset:
        words, quoted = " or ".join(excluded), " or ".join(f'"-{word}"' for word in excluded)
        yield EXCLUDED.format(words=_shortened(words), quoted=_shortened(quoted))


def _shortened(shown: str) -> str:
    return shown if len(shown) <= PHRASES_SHOWN else f"{shown[:PHRASES_SHOWN]}…"


def _look_for(
    parts: Sequence[QuestionPart], shards: Shards, visibility: Visibility, fusion: Fusion, steps: Steps
) -> Sequence[Look]:
    return [Look(part.question, part.vector, shards, visibility, steps, fusion=fusion) for part in parts]


def _why_another(steps: Steps) -> str:
    """What failed of that on which an order depends."""
    return next(filter(None, map(steps.why_failed, (EMBED, NORMALISE, DECOMPOSE, SUBQUERIES, *GRADING))), "")


def _asked(
    question: SearchQuestion, worded: Sequence[SearchQuestion] = (), parts: Sequence[QuestionPart] = ()
) -> Understood:
    """A question as it was understood, as far as its parts were looked for."""
    words, added = question.words, [name.text for name in question.added]
    wording = next((part.question.text for part in parts if part.question in worded), words.plain)
    subqueries = [part.question.text for part in parts if part.question not in worded]
    return Understood(question.text, wording, texts_of(words.words), subqueries, added)


def _result(
    page: Page,
    question: SearchQuestion,
    steps: Steps,
    failed: Mapping[str, str],
    following: Cursor | None,
    *notes: str,
    asked_for: Understood | None = None,
) -> SearchResult:
    words = question.words
    return SearchResult(
        hits=page.hits,
        timings=steps.timings(),
        query=asked_for or _asked(question),
        steps=steps.told(),
        partial=list(failed),
        failures=failed,
        degraded=steps.degraded or bool(failed),
        notes=[*notes, *words.notes],
        relevance=page.relevance,
        judged_by=page.judged_by,
        next=None if following is None else write_cursor(following),
    )
