"""Owns what a search does to understand a question before it looks; every step may fail, and the question stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from embedmill.retrieval.expansion.expansion import EXPAND, expand
from embedmill.retrieval.expansion.thesaurus import Thesaurus
from embedmill.retrieval.expansion.units import wanted
from embedmill.retrieval.question import SearchQuestion
from embedmill.retrieval.steps import Running, Steps
from embedmill.retrieval.understanding.asking import Adviser, instructions
from embedmill.retrieval.understanding.compound import why_plain, why_whole
from embedmill.retrieval.understanding.dividing import DECOMPOSE, DIVIDE, divide
from embedmill.retrieval.understanding.parts import part_of
from embedmill.retrieval.understanding.rewording import NORMALISE, normalise
from embedmill.retrieval.understanding.vocabulary import Vocabulary
from embedmill.shared.errors import EmbedmillError

STEPS = (EXPAND, NORMALISE, DECOMPOSE)
NOT_WANTED = "it was not asked for"
ONLY_MEANING = "only meaning is asked for"
NOTHING_KNOWN = "no other name is known of what it names"
NO_WORDING = "nothing is known of how the documents word it: they have no terms, and the collection no domain"


@dataclass(frozen=True, slots=True)
class Advised:
    """A step that a model takes part in: who opens it, its name; and why there is none, where that is so."""

    open: Callable[[], Adviser] | None = None
    by: str = ""
    why: str = NOT_WANTED


NOBODY = Advised()


@dataclass(frozen=True, slots=True)
class Understanding:
    """What there is to understand questions by; what is None is left out."""

    open_thesaurus: Callable[[], Thesaurus] | None = None
    divider: Advised = NOBODY
    normaliser: Advised = NOBODY
    open_vocabulary: Callable[[], Vocabulary] = lambda: Vocabulary(())

    @property
    def stands_for(self) -> tuple[object, ...]:
        """On what else an order depends."""
        by = (self.divider.by, *filter(None, [self.normaliser.by]))
        return self.open_thesaurus is not None, *by

    def expand(self, question: SearchQuestion, steps: Steps) -> SearchQuestion:
        """The question with other names of what it names."""
        if self.open_thesaurus is None or question.mode == "dense":
            steps.skip(EXPAND, NOT_WANTED if self.open_thesaurus is None else ONLY_MEANING)
            return question
        with steps.step(EXPAND, given=len(question.words.words)) as step:
            try:
                added = expand(question.text, question.words, self.open_thesaurus())
            except EmbedmillError as error:
                step.fail(str(error))
                return question
            step.out = len(added)
            if not added:
                step.ran, step.why = False, NOTHING_KNOWN
        return replace(question, added=added)

    def normalise(self, question: SearchQuestion, steps: Steps) -> list[SearchQuestion]:
        """The question as its collection would word it; none where it is worded so already, or nobody can tell."""
        open_normaliser = self.normaliser.open
        why = self.normaliser.why if open_normaliser is None else why_plain(question.text)
        if open_normaliser is None or why:
            steps.skip(NORMALISE, why)
            return []
        with steps.step(NORMALISE, given=1) as step:
            try:
                vocabulary = self.open_vocabulary()
                if vocabulary.is_empty:
                    step.ran, step.why = False, NO_WORDING
                    return []
                _advise(step, self.normaliser, NORMALISE)
                wording = normalise(wanted(question.text), open_normaliser(), vocabulary)
            except EmbedmillError as error:
                step.fail(str(error))
                return []
            step.out, step.why = int(bool(wording.text)), wording.why
        return [part_of(question, wording.text)] if wording.text else []

    def divide(self, question: SearchQuestion, steps: Steps) -> list[SearchQuestion]:
        """The questions in a question; none where it is looked for as a whole."""
        open_divider = self.divider.open
        why = self.divider.why if open_divider is None else why_whole(question.text)
        if open_divider is None or why:
            steps.skip(DECOMPOSE, why)
            return []
        with steps.step(DECOMPOSE, given=1) as step:
            _advise(step, self.divider, DIVIDE)
            try:
                plan = divide(wanted(question.text), open_divider())
            except EmbedmillError as error:
                step.fail(str(error))
                return []
            step.out, step.why = len(plan.subqueries), plan.why
        return [part_of(question, subquery) for subquery in plan.subqueries]


def _advise(step: Running, advised: Advised, prompt: str) -> None:
    step.model, step.prompt = advised.by, instructions(prompt).hash


AS_IT_STANDS = Understanding()
