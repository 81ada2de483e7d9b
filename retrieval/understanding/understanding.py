"""Owns what a search does to understand a question before it looks; every step may fail, and the question stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from embedmill.retrieval.question import Question
from embedmill.retrieval.steps import Steps
from embedmill.retrieval.understanding.compound import why_whole
from embedmill.retrieval.understanding.dividing import DECOMPOSE, Divider, divide, instructions
from embedmill.retrieval.understanding.expansion import EXPAND, expand
from embedmill.retrieval.understanding.parts import part_of
from embedmill.retrieval.understanding.thesaurus import Thesaurus
from embedmill.retrieval.understanding.units import wanted
from embedmill.shared.errors import EmbedmillError

STEPS = (EXPAND, DECOMPOSE)
NOT_WANTED = "it was not asked for"
ONLY_MEANING = "only meaning is asked for"
NOTHING_KNOWN = "no other name is known of what it names"


@dataclass(frozen=True, slots=True)
class Understanding:
    """What there is to understand questions by; what is None is left out."""

    open_thesaurus: Callable[[], Thesaurus] | None = None
    open_divider: Callable[[], Divider] | None = None
    divided_by: str = ""
    """The model that divides."""
    why_undivided: str = NOT_WANTED
    """Why none does, where there is no divider."""

    @property
    def stands_for(self) -> tuple[object, ...]:
        """On what else an order depends."""
        return self.open_thesaurus is not None, self.divided_by

    def expand(self, question: Question, steps: Steps) -> Question:
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

    def divide(self, question: Question, steps: Steps) -> list[Question]:
        """The questions in a question; none where it is looked for as a whole."""
        why = self.why_undivided if self.open_divider is None else why_whole(question.text)
        if self.open_divider is None or why:
            steps.skip(DECOMPOSE, why)
            return []
        with steps.step(DECOMPOSE, given=1) as step:
            step.model, step.prompt = self.divided_by, instructions().hash
            try:
                plan = divide(wanted(question.text), self.open_divider())
            except EmbedmillError as error:
                step.fail(str(error))
                return []
            step.out, step.why = len(plan.subqueries), plan.why
        return [part_of(question, subquery) for subquery in plan.subqueries]


AS_IT_STANDS = Understanding()
