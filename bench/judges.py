"""Owns models that a benchmark scripts: each judges the passages of a prompt by a rule, and costs nothing."""

import json
import re
from collections.abc import Callable, Sequence

from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, Stop

SHOWN = re.compile(r'<passage-\w+ id="(?P<id>[^"]+)"[^>]*>\n(?P<text>.*?)\n</passage-', re.DOTALL)

Verdict = tuple[int, str]
"""Score and quote."""
Rule = Callable[[int, str], Verdict]
"""What is thought of a passage, by its place in the call and its text."""


class RulingModel(Model):
    """Judges by a rule; `shown` counts the passages that it was asked to grade."""

    provider = "anthropic"

    def __init__(self, rule: Rule) -> None:
        super().__init__("anthropic/scripted", "scripted")
        self._rule = rule
        self.shown = 0

    def ask(self, prompt: Prompt) -> ModelAnswer:
        shown = [(found["id"], found["text"]) for found in SHOWN.finditer(prompt.user[0].text)]
        verdicts = [(id, *self._rule(place, text)) for place, (id, text) in enumerate(shown)]
        return ModelAnswer(self._say(prompt.schema_name, verdicts), Stop.END, Tokens(into=1, out=1), "")

    def _say(self, asked: str, verdicts: Sequence[tuple[str, int, str]]) -> str:
        if asked == "scores":
            return json.dumps({asked: [{"id": id, "score": score} for id, score, _ in verdicts]})
        self.shown += len(verdicts)
        return json.dumps({asked: [{"id": id, "quote": quote, "score": score} for id, score, quote in verdicts]})

    def check(self) -> str:
        return "scripted"
