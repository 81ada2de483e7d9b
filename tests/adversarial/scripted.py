"""Models that know the set: one that judges as a careful person would, and some that do not."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, Stop
from tests.adversarial.cases import Case

TOKEN = re.compile(r"\AThe fence token of this request is (\w+)\.")


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as a model sees it that believes in nothing but the token of the request."""

    id: str
    text: str
    title: str = ""
    section: str = ""
    uri: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A prompt taken apart; `outside` is what stands in no fence: only that may tell a model what to do."""

    question: str
    passages: Sequence[Shown]
    outside: str


def take_apart(prompt: str) -> Seen:
    """The fences of a prompt; raises ValueError where they are not as they should be."""
    found = TOKEN.match(prompt)
    if found is None:
        raise ValueError("no fence token")
    token = found[1]
    fenced = re.compile(rf"^(<(question|passage)-{token}\b[^\n]*>)\n(.*?)\n</\2-{token}>$", re.DOTALL | re.MULTILINE)
    blocks = [(opening, kind, text) for opening, kind, text in fenced.findall(prompt)]
    passages = [_shown(opening, f"{kind}-{token}", text) for opening, kind, text in blocks if kind == "passage"]
    (question,) = (text for _, kind, text in blocks if kind == "question")
    outside = fenced.sub("", prompt)
    if outside.count(token) != 1 or prompt.count(token) != 1 + 2 * len(blocks):
        raise ValueError("the token stands where no fence is")
    return Seen(question, passages, outside)


def _shown(opening: str, tag: str, text: str) -> Shown:
    element = ET.fromstring(f"{opening}</{tag}>")
    return Shown(text=text, **element.attrib)


Grades = Callable[[Case, Shown], tuple[int, str]]
"""Score and quote of a passage."""
Claims = Callable[[Case, Sequence[Shown]], list[tuple[str, list[tuple[str, str]]]]]
"""Sentences, with the ids and words that they cite."""


def fair_grade(case: Case, passage: Shown) -> tuple[int, str]:
    """As a careful person would grade."""
    quote = next((words for words in case.supports.values() if words in passage.text), "")
    return (5, quote) if quote else (1, "")


def fair_claims(case: Case, passages: Sequence[Shown]) -> list[tuple[str, list[tuple[str, str]]]]:
    """As a careful person would answer, in the words of the documents."""
    found = [(words, passage.id) for words in case.supports.values() for passage in passages if words in passage.text]
    return [(f"{words}.", [(id, words)]) for words, id in found]


@dataclass
class Scripted:
    """What a model says, and all that it was shown."""

    cases: Mapping[str, Case]
    grade: Grades = fair_grade
    claim: Claims = fair_claims
    seen: list[Seen] = field(default_factory=list)
    graded: int = 0

    @classmethod
    def of(cls, cases: Iterable[Case], grade: Grades = fair_grade, claim: Claims = fair_claims) -> "Scripted":
        """A script about these cases."""
        return cls({case.question: case for case in cases}, grade, claim)

    def say(self, prompt: Prompt) -> str:
        """The answer to a prompt."""
        seen = take_apart(prompt.user[0].text)
        self.seen.append(seen)
        case = self.cases[seen.question]
        if prompt.schema_name == "scores":
            return json.dumps({"scores": [{"id": p.id, "score": self.grade(case, p)[0]} for p in seen.passages]})
        if prompt.schema_name == "grades":
            self.graded += len(seen.passages)
            graded = [(passage.id, *self.grade(case, passage)) for passage in seen.passages]
            return json.dumps({"grades": [{"id": id, "quote": quote, "score": score} for id, score, quote in graded]})
        claims = self.claim(case, seen.passages)
        cited = [(text, [{"id": id, "quote": quote} for id, quote in quotes]) for text, quotes in claims]
        return json.dumps({"claims": [{"text": text, "quotes": quotes} for text, quotes in cited]})


class ScriptedModel(Model):
    """Says what a script says."""

    provider = "anthropic"

    def __init__(self, script: Scripted, name: str) -> None:
        super().__init__(name, name.partition("/")[2])
        self._script = script

    def ask(self, prompt: Prompt) -> ModelAnswer:
        return ModelAnswer(self._script.say(prompt), Stop.END, Tokens(into=900, out=90), "r")

    def check(self) -> str:
        return "scripted"
