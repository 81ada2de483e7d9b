"""Owns the judging of hits: by what it can be said how near they are to the query, and how good the answer is."""

from collections.abc import Iterable
from dataclasses import dataclass

from embedmill.retrieval.measured import BY_WORDS, MeasuredModel, measured
from embedmill.retrieval.order import RankedPlace
from embedmill.retrieval.question import SearchQuestion
from embedmill.retrieval.relevance import GOOD, WEAK, Calibration, Relevance, relevance
from embedmill.shared.words.scripts import script_of

JUDGE = "judge"
BOTH, MEANING, WORDS = "meaning and words", "meaning", "words"
USUAL = (WEAK + GOOD) / 2
"""The most that holding usual words alone says of a hit."""


@dataclass(frozen=True, slots=True)
class RelevanceJudge:
    """Says how near a hit is, by what there is to say it by; `by` names that, and is empty where there is nothing.

    `most_of_words` is what a hit with all of the words would score; 0 where words are not looked at. `by_meaning` is
    what cosines alone say, where something is known of them. With `are_usual` most rows hold the words, which then make
    no hit a good one. `why` says what could not be used: then hits with none of the words may still be what was meant,
    and no answer is called none.
    """

    calibration: Calibration | None
    by: str
    most_of_words: float
    question: SearchQuestion
    by_meaning: Calibration | None = None
    are_usual: bool = False
    why: str = ""

    def similarity(self, place: RankedPlace) -> float | None:
        """How near a hit is, from 0 to 1; None where nothing was measured.

        It is what the stages said of it. What holds the query as it is written is good all the same: a number that
        stands once in a long text is far from it by cosine and by weight, and what was looked for. Words that say
        nothing in a text's language say nothing of it here.
        """
        if self.calibration is None:
            return None
        if not (self.most_of_words and self.question.tells_in(place.row)):
            return self.calibration.similarity(cosine=_score(place, "dense"), words=0.0)
        # Added names may bring a row with all of the words above all that these weigh.
        share = min(_score(place, "lexical") / self.most_of_words, 1.0)
        near = self.calibration.similarity(cosine=_score(place, "dense"), words=share)
        if near < GOOD and "lexical" in place.ranking.by_stage and self.question.as_written(place.row):
            near = GOOD
        return min(near, max(USUAL, self._by_meaning(place))) if self.are_usual else near

    def _by_meaning(self, place: RankedPlace) -> float:
        return self.by_meaning.similarity(cosine=_score(place, "dense"), words=0.0) if self.by_meaning else 0.0

    def judge(self, similarities: Iterable[float | None]) -> Relevance | None:
        """How good an answer with these first hits is; None where they cannot be told."""
        known = [similarity for similarity in similarities if similarity is not None]
        if self.calibration is None:
            return None
        found = relevance(known)
        return Relevance.WEAK if self.why and known and found is Relevance.NONE else found


def find_judge(
    embedding: str | None, question: SearchQuestion, *, most_of_words: float, are_usual: bool = False
) -> RelevanceJudge:
    """The judge for a query that was embedded by a model, or by none."""
    known = measured(embedding or "")
    is_read = _is_read(question.words.plain, known)
    by_meaning = known.cosine if is_read else None
    of_this = "" if is_read else " of such a script"
    why = f"nothing is known of what a cosine of {embedding} says{of_this}" if embedding else ""
    if not most_of_words:
        by = MEANING if by_meaning else ""
        return RelevanceJudge(by_meaning, by, 0.0, question, why="" if by_meaning else why)
    if question.has_numbers_alone:
        return RelevanceJudge(BY_WORDS, WORDS, most_of_words, question, None, are_usual)
    if known.nearness and is_read:
        return RelevanceJudge(known.nearness, BOTH, most_of_words, question, by_meaning, are_usual)
    return RelevanceJudge(BY_WORDS, WORDS, most_of_words, question, by_meaning, are_usual, why)


def _is_read(text: str, known: MeasuredModel) -> bool:
    """Whether most letters of a text are of a script that the model was measured with."""
    if not known.scripts or (text.isascii() and "latin" in known.scripts):
        return True
    letters = [script_of(sign) in known.scripts for sign in text if sign.isalpha()]
    return 2 * sum(letters) >= len(letters)


def _score(place: RankedPlace, name: str) -> float:
    return place.ranking.score_of(name, place.row.id)
