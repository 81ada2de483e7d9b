"""Owns what a search does to understand a question before it looks; every step may fail, and the question stands."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from embedmill.retrieval.question import Question
from embedmill.retrieval.steps import Steps
from embedmill.retrieval.understanding.expansion import EXPAND, expand
from embedmill.retrieval.understanding.thesaurus import Thesaurus
from embedmill.shared.errors import EmbedmillError

STEPS = (EXPAND,)
NOT_WANTED = "it was not asked for"
ONLY_MEANING = "only meaning is asked for"
NOTHING_KNOWN = "no other name is known of what it names"


@dataclass(frozen=True, slots=True)
class Understanding:
    """What there is to understand questions by; what is None is left out."""

    open_thesaurus: Callable[[], Thesaurus] | None = None

    @property
    def stands_for(self) -> tuple[object, ...]:
        """On what else an order depends."""
        return (self.open_thesaurus is not None,)

    def understand(self, question: Question, steps: Steps) -> Question:
        """The question with what was found out of it."""
        return self._expanded(question, steps)

    def _expanded(self, question: Question, steps: Steps) -> Question:
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


AS_IT_STANDS = Understanding()
