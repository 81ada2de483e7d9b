"""Owns normalisation: a question worded once more as its collection would, by a model of which little is believed."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from unicodedata import normalize

from embedmill.retrieval.grading.questions import TEXT, AskedQuestion, closed
from embedmill.retrieval.quotes import NEGATION
from embedmill.retrieval.understanding.asking import CUT_OFF, AboutQuestion, Adviser, ask_about
from embedmill.retrieval.understanding.holding import borrows, codes, quoted, words_of
from embedmill.retrieval.understanding.vocabulary import Vocabulary
from embedmill.shared.providers.models.base import Model, ModelAnswer, Stop
from embedmill.shared.providers.models.lists import read_object
from embedmill.shared.words.queries import parse_text

NORMALISE = "normalise"
QUESTION = "question"
LONGEST = 300
"""Characters of a wording."""
SAME = "the documents call it the same"
NO_TEXT = "the answer was no text"


@dataclass(frozen=True, slots=True)
class Reworded:
    """A question as its collection would word it, empty where it stands as it is; `why` says why it does."""

    text: str = ""
    why: str = ""


class Rewording(AboutQuestion[Reworded]):
    """Asks for a question in the collection's own words."""

    purpose = NORMALISE
    prompt_name = NORMALISE
    schema_name = QUESTION
    schema = closed({QUESTION: TEXT})
    last_words = "Word this question as the documents would, or give an empty text."

    def __init__(self, model: Model, asked: AskedQuestion, vocabulary: Vocabulary) -> None:
        super().__init__(model, asked)
        self._vocabulary = vocabulary
        self._shown = vocabulary.show(asked.question)

    @property
    def context(self) -> Mapping[str, str]:
        return {"terms": self._shown}

    def understand(self, answer: ModelAnswer) -> Reworded:
        if answer.stop is not Stop.END:
            raise ValueError(CUT_OFF)
        match read_object(answer.text):
            case {"question": str(said)}:
                return self._check(said)
        raise ValueError(NO_TEXT)

    def dump(self, found: Reworded) -> str | None:
        return json.dumps(found.text)

    def load(self, kept: str) -> Reworded | None:
        said = json.loads(kept)
        return self._check(said) if isinstance(said, str) else None

    def _check(self, said: str) -> Reworded:
        return check_wording(self.asked.question, said, self._vocabulary, prompt=self.prompt.text)


def normalise(question: str, adviser: Adviser, vocabulary: Vocabulary) -> Reworded:
    """The question in the collection's words; raises EmbedmillError where no usable answer is to be had."""
    return ask_about(Rewording(adviser.model, AskedQuestion(question, adviser.domain), vocabulary), adviser)


def check_wording(question: str, said: str, vocabulary: Vocabulary, *, prompt: str) -> Reworded:
    """A wording, where nothing of it comes from elsewhere and nothing is lost that stays to the letter."""
    text = " ".join(said.split())
    if not text or words_of(text) == words_of(question):
        return Reworded(why=SAME)
    why = next(_faults(question, text, vocabulary, prompt), "")
    return Reworded(why=why) if why else Reworded(text)


def _faults(question: str, text: str, vocabulary: Vocabulary, prompt: str) -> Iterator[str]:
    own = words_of(question)
    if len(text) > LONGEST:
        yield f"the wording was longer than {LONGEST} characters"
    if not own & words_of(text):
        yield "the wording has no word of the question"
    if codes(text) != codes(question):
        yield "the wording has other codes or numbers than the question"
    if not all(phrase in _plain(text) for phrase in quoted(question)) or not quoted(text) <= quoted(question):
        yield "the wording changed what is quoted"
    if _negations(text) != _negations(question):
        yield "the wording says not where the question does not, or the other way round"
    if borrows(text, own, prompt):
        yield "the wording has words of the prompt's examples"
    for word in parse_text(text).words:
        if not (word.functional or word.text in own or vocabulary.knows(word) or word.part_of):
            yield f"neither the question nor the documents say {word.text!r}"


def _negations(text: str) -> Counter[str]:
    return Counter(NEGATION.findall(normalize("NFKC", text).casefold().replace("\u2019", "'")))


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
