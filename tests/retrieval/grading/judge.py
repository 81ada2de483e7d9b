"""A model that says what a test writes down, about the passages that a prompt shows it."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from embedmill.retrieval.grading.questions import AskedQuestion
from embedmill.retrieval.grading.staged import Judge, StagedOrder, rank_staged
from embedmill.retrieval.passages import Passage
from embedmill.retrieval.steps import Steps
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import Tokens
from embedmill.shared.metering import FreeMeter
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, Stop

SHOWN = re.compile(r'<passage-\w+ id="(?P<id>[^"]+)"[^>]*>\n(?P<text>.*?)\n</passage-', re.DOTALL)

Members = list[dict[str, object]]
Say = Callable[[Sequence[tuple[str, str]], Prompt], "str | ModelAnswer | EmbedmillError"]
"""(id, text) of the passages that are shown, in their order, to an answer."""


@dataclass
class Scripted:
    """What was asked, and what is answered."""

    say: Say
    asked: list[list[str]] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)


class ScriptedModel(Model):
    """Answers by a script; the texts of every request are remembered."""

    provider = "anthropic"

    def __init__(self, script: Scripted, model: str = "judge") -> None:
        super().__init__(f"anthropic/{model}", model)
        self._script = script

    def ask(self, prompt: Prompt) -> ModelAnswer:
        shown = [(found["id"], found["text"]) for found in SHOWN.finditer(prompt.user[0].text)]
        self._script.asked.append([text for _, text in shown])
        self._script.prompts.append(prompt)
        said = self._script.say(shown, prompt)
        if isinstance(said, EmbedmillError):
            raise said
        return answer(said) if isinstance(said, str) else said

    def check(self) -> str:
        return "scripted"


def answer(text: str, stop: Stop = Stop.END) -> ModelAnswer:
    return ModelAnswer(text, stop, Tokens(into=200, out=10), "r")


def grades(members: Members) -> str:
    return json.dumps({"grades": members})


def scores(members: Members) -> str:
    return json.dumps({"scores": members})


def by_text(wanted: Mapping[str, int]) -> Say:
    """Grades passages by what stands in a table, and quotes them whole."""

    def say(shown: Sequence[tuple[str, str]], prompt: Prompt) -> str:
        if prompt.schema_name == "scores":
            return scores([{"id": id, "score": wanted[text]} for id, text in shown])
        return grades([{"id": id, "quote": text, "score": wanted[text]} for id, text in shown])

    return say


def passages(count: int) -> list[Passage]:
    """Passages whose similarity falls from .9 on."""
    return [
        Passage(f"p{n}", f"d{n}", f"{n}.txt", "", "", f"passage number {n} says things", 0.9 - n / 100)
        for n in range(count)
    ]


def ranked(
    found: Sequence[Passage], *, rank: Say | None = None, sift: Say | None = None, steps: Steps | None = None
) -> StagedOrder:
    """The order of passages under scripted models."""
    judges = [None if say is None else Judge(ScriptedModel(Scripted(say)), FreeMeter()) for say in (sift, rank)]
    steps = steps or Steps("filter", "rank")
    return rank_staged(AskedQuestion("what do they say?"), found, sift=judges[0], rank=judges[1], steps=steps)
