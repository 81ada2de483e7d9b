"""Owns the question that decomposition asks of a model: which things a compound question asks."""

import json

from embedmill.retrieval.grading.questions import TEXT, AskedQuestion, closed
from embedmill.retrieval.understanding.asking import CUT_OFF, AboutQuestion, Adviser, ask_about
from embedmill.retrieval.understanding.plans import SUBQUERIES, Plan, check_plan, read_subqueries
from embedmill.shared.providers.models.base import ModelAnswer, Stop

DECOMPOSE = "decompose"
DIVIDE = "divide"
NO_LIST = "the answer was no list of sub-queries"


class Dividing(AboutQuestion[Plan]):
    """Asks for the sub-queries of a question."""

    purpose = DECOMPOSE
    prompt_name = DIVIDE
    schema_name = SUBQUERIES
    schema = closed({SUBQUERIES: {"type": "array", "items": TEXT}})
    last_words = "Give the sub-queries of this question, or an empty list."

    def understand(self, answer: ModelAnswer) -> Plan:
        listed = read_subqueries(answer.text)
        if listed is None:
            raise ValueError(NO_LIST)
        said, is_whole = listed
        plan = self._check(said, is_whole=is_whole and answer.stop is Stop.END)
        if not (plan.is_whole or plan.subqueries):
            raise ValueError(CUT_OFF)
        return plan

    def dump(self, found: Plan) -> str | None:
        return json.dumps(found.subqueries) if found.is_whole else None

    def load(self, kept: str) -> Plan | None:
        subqueries = json.loads(kept)
        return self._check(subqueries, is_whole=True) if isinstance(subqueries, list) else None

    def _check(self, said: list[object], *, is_whole: bool) -> Plan:
        """What may be searched for of what was said."""
        return check_plan(self.asked.question, said, prompt=self.prompt.text, is_whole=is_whole)


def divide(question: str, adviser: Adviser) -> Plan:
    """The sub-queries of a question; raises EmbedmillError where no usable answer is to be had."""
    return ask_about(Dividing(adviser.model, AskedQuestion(question, adviser.domain)), adviser)
