"""What the simulated models make of a prompt: an answer that fits the schema, scripted or by default, and the cache.

By default every chunk that the prompt names gets a benign verdict; `POST /_sim/verdicts` says otherwise:

    [{"match": "text in the chunk", "verdict": {"score": 1}}, {"match": "…", "raw": "no JSON at all"}]

A prompt with a question is answered by the words that texts share with it (`judging`); one without texts is divided, or
worded by the terms that stand beside it. A
script may answer it whole; it does not know the ids of the texts, and names each by some of its words:

    [{"match": "the question", "verdict": {"claims": [{"text": "…", "quotes": [{"match": "…", "quote": "…"}]}]}}]
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from embedmill.simulators.base import Call, Handler, SimulatedReply
from embedmill.simulators.judging import best, divide, opinion, question_of, reword, terms_of

ID_FIELDS = ("id", "chunk_id", "chunk", "passage_id", "passage", "document_id")
TAGGED_ID = re.compile(r"<[\w-]+[^<>]*?\bid=[\"']?([^\"'\s>]+)")
NAMED_ID = re.compile(r"\b(?:chunk_|passage_)?id[\"']?\s*[:=]\s*[\"']?([\w.:#/-]*\w)")
BENIGN_WORDS = ("coherent", "keep", "pass", "valid", "relevant", "supported", "accept", "yes", "none", "low")
TRUE_FIELDS = ("coherent", "complete", "keep", "ok", "pass", "relevant", "supported", "valid")
GRADES = ("score", "grade", "rating", "relevance", "confidence")
REASONS = ("reason", "reasoning", "rationale", "explanation")
SOUND_REASON = "It can be understood on its own."
NO_SCHEMA_ANSWER = "This is what a simulated model answers when it is asked for no particular form."
LOOK_BACK_BLOCKS = 20
MANY_PREFIXES = 10_000
"""From so many on, those that have expired are forgotten."""

Schema = Mapping[str, Any]


class ScriptedVerdict(BaseModel):
    """What the model thinks of the chunks, or of the prompts, that hold a text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match: str = ""
    model: str = Field("", description="Only for models whose name holds this.")
    verdict: dict[str, Any] = Field({}, description="Fields of the answer with their values; the others stay benign.")
    raw: str | None = Field(None, description="The whole answer, in place of JSON that fits the schema.")
    times: int | None = Field(None, ge=1, description="How often; null means for ever.")


VERDICTS = TypeAdapter(list[ScriptedVerdict])


class AnswerWriter:
    """Writes answers. The verdict that was scripted last wins."""

    def __init__(self) -> None:
        self._script: list[tuple[ScriptedVerdict, list[int]]] = []
        self._lock = threading.Lock()

    def add(self, *verdicts: ScriptedVerdict) -> None:
        """Script verdicts."""
        with self._lock:
            self._script[:0] = [(verdict, [0]) for verdict in reversed(verdicts)]

    def clear(self) -> None:
        """Back to benign answers."""
        with self._lock:
            self._script.clear()

    def controls(self) -> Sequence[tuple[str, str, Handler]]:
        """The routes by which it is told."""
        return (("POST", "/_sim/verdicts", self._add), ("DELETE", "/_sim/verdicts", self._clear))

    def write(self, schema: Schema | None, *, model: str, prompt: str) -> str:
        """The model's answer: JSON that fits the schema, or plain text when there is none."""
        raw = self._find(model, prompt, raw=True)
        if raw is not None:
            return str(raw.raw)
        if schema is None:
            return NO_SCHEMA_ANSWER
        return json.dumps(self._value(schema, _Context(schema, model, prompt)), ensure_ascii=False)

    def _add(self, call: Call) -> SimulatedReply:
        try:
            verdicts = VERDICTS.validate_python(call.body)
        except ValidationError as error:
            return SimulatedReply({"error": error.errors(include_url=False, include_context=False)}, 422)
        self.add(*verdicts)
        return SimulatedReply({"added": len(verdicts)})

    def _clear(self, _: Call) -> SimulatedReply:
        self.clear()
        return SimulatedReply({"done": True})

    def _find(self, model: str, text: str, *, raw: bool) -> ScriptedVerdict | None:
        with self._lock:
            for verdict, used in self._script:
                left = verdict.times is None or used[0] < verdict.times
                if left and (verdict.raw is not None) == raw and verdict.match in text and verdict.model in model:
                    used[0] += 1
                    return verdict
        return None

    def _value(self, schema: Schema, context: "_Context", name: str = "") -> Any:
        schema = context.resolved(schema)
        if (items := _chunked(schema, context)) is not None:
            return [self._object(items, context.about(chunk)) for chunk in context.chunks]
        if "properties" in schema:
            return self._object(schema, context)
        if (cited := _cited(schema, context)) is not None:
            return cited
        if (asked := _parts_of_question(schema, context)) is not None:
            return asked
        if (worded := _worded(schema, context)) is not None:
            return worded
        if schema.get("type") == "array":
            return [self._value(schema["items"], context, name)] if schema.get("minItems") else []
        return _scalar(schema, name)

    def _object(self, schema: Schema, context: "_Context") -> dict[str, Any]:
        made = {name: self._value(part, context, name) for name, part in schema.get("properties", {}).items()}
        if context.chunk is not None:
            made |= _opinion(made, context) | _identity(schema, context)
        holds_chunks = any(_chunked(context.resolved(p), context) for p in schema.get("properties", {}).values())
        scripted = None if holds_chunks else self._find(context.model, context.text, raw=False)
        said = scripted.verdict if scripted else {}
        return made | {name: context.named(value) for name, value in said.items() if name in made}


@dataclass(frozen=True, slots=True)
class _Chunk:
    id: str
    text: str


class _Context:
    """What an answer is about: the prompt, or one chunk of it."""

    def __init__(self, schema: Schema, model: str, prompt: str, chunk: _Chunk | None = None) -> None:
        self.model = model
        self.chunk = chunk
        self._root = schema
        self._prompt = prompt
        self.question = question_of(prompt)
        self.chunks = _chunks(prompt) if chunk is None else []

    @property
    def text(self) -> str:
        return self._prompt if self.chunk is None else self.chunk.text

    def about(self, chunk: _Chunk) -> "_Context":
        return _Context(self._root, self.model, self._prompt, chunk)

    def named(self, value: Any) -> Any:
        """A scripted value with the ids of the texts that it names by some of their words."""
        match value:
            case {"match": str(words), **fields}:
                return {"id": next((chunk.id for chunk in self.chunks if words in chunk.text), words), **fields}
            case {**fields}:
                return {name: self.named(field) for name, field in fields.items()}
            case [*items]:
                return [self.named(item) for item in items]
        return value

    def resolved(self, schema: Schema) -> Schema:
        """The schema behind a reference or a union; of a union the null, or else the first."""
        while True:
            if "$ref" in schema:
                target: Any = self._root
                for part in schema["$ref"].removeprefix("#/").split("/"):
                    target = target[part]
                schema = target
            elif options := schema.get("anyOf") or schema.get("allOf") or schema.get("oneOf"):
                schema = next((option for option in options if option.get("type") == "null"), options[0])
            else:
                return schema


def _chunks(prompt: str) -> list[_Chunk]:
    """The chunks that a prompt names, each with the text up to the next name."""
    marks = list(TAGGED_ID.finditer(prompt)) or list(NAMED_ID.finditer(prompt))
    bounds = [*(mark.start() for mark in marks), len(prompt)]
    chunks: dict[str, _Chunk] = {}
    for mark, (start, end) in zip(marks, pairwise(bounds), strict=True):
        chunks.setdefault(mark[1], _Chunk(mark[1], prompt[start:end]))
    return list(chunks.values())


def _chunked(schema: Schema, context: _Context) -> Schema | None:
    """The items' schema when this is a list with an entry for each chunk."""
    if schema.get("type") != "array" or context.chunk is not None:
        return None
    items = context.resolved(schema.get("items", {}))
    return items if any(name in items.get("properties", {}) for name in ID_FIELDS) else None


def _opinion(made: Mapping[str, Any], context: _Context) -> dict[str, Any]:
    """Grade and quote of a text, where a question is asked of it."""
    if context.question is None or context.chunk is None:
        return {}
    found = opinion(context.question, context.chunk.text)
    grades = {name: found.score for name, value in made.items() if _is_grade(name) and isinstance(value, int)}
    return grades | {name: found.quote for name in made if "quote" in name}


def _cited(schema: Schema, context: _Context) -> list[dict[str, Any]] | None:
    """A list of statements, each with quotes of the texts that a question is asked of; None for any other value."""
    if schema.get("type") != "array" or context.question is None or context.chunk is not None:
        return None
    properties = context.resolved(schema.get("items", {})).get("properties", {})
    quoting = next((name for name, part in properties.items() if _chunked(context.resolved(part), context)), None)
    if quoting is None:
        return None
    spoken = next((name for name, part in properties.items() if part.get("type") == "string"), "text")
    answers = best(context.question, [(chunk.id, chunk.text) for chunk in context.chunks])
    return [{spoken: sentence, quoting: [{"id": id, "quote": sentence}]} for id, sentence in answers]


def _parts_of_question(schema: Schema, context: _Context) -> list[str] | None:
    """A list of texts, where a question and nothing else is given: the questions in it; None for any other value."""
    if schema.get("type") != "array" or context.question is None or context.chunk is not None or context.chunks:
        return None
    items = context.resolved(schema.get("items", {}))
    return divide(context.question) if items.get("type") == "string" else None


def _worded(schema: Schema, context: _Context) -> str | None:
    """A text, where a question and terms are given: the question by these terms; None for any other value."""
    terms = terms_of(context.text)
    if schema.get("type") != "string" or context.question is None or terms is None or context.chunk is not None:
        return None
    return reword(context.question, terms)


def _identity(schema: Schema, context: _Context) -> dict[str, Any]:
    assert context.chunk is not None
    name = next(name for name in ID_FIELDS if name in schema["properties"])
    number = context.resolved(schema["properties"][name]).get("type") == "integer"
    return {name: int(context.chunk.id) if number and context.chunk.id.isdigit() else context.chunk.id}


def _scalar(schema: Schema, name: str) -> Any:
    if "const" in schema:
        return schema["const"]
    if choices := schema.get("enum"):
        return next((choice for choice in choices if str(choice).lower() in BENIGN_WORDS), choices[0])
    match schema.get("type"):
        case "boolean":
            return any(word in name.lower() for word in TRUE_FIELDS)
        case "integer":
            return _bounded(4 if _is_grade(name) else 0, schema)
        case "number":
            return _bounded((4.0 if schema.get("maximum", 1) > 1 else 0.9) if _is_grade(name) else 0.0, schema)
        case "string":
            return SOUND_REASON if any(word in name.lower() for word in REASONS) else ""
        case "object":
            return {}
    return None


def _is_grade(name: str) -> bool:
    return any(word in name.lower() for word in GRADES)


def _bounded(value: float, schema: Schema) -> float:
    least, most = schema.get("minimum", value), schema.get("maximum", value)
    bounded: float = max(least, min(most, value))
    return bounded


@dataclass(frozen=True, slots=True)
class PromptPart:
    """A part of a prompt in the order in which it is cached; `keep_seconds` when a cache breakpoint is behind it."""

    content: str
    tokens: int
    keep_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cached:
    """Where a prompt's tokens came from; `written` are by the seconds for which they are kept."""

    total: int
    read: int
    written: Mapping[float, int]

    @property
    def fresh(self) -> int:
        """Tokens that were neither read from the cache nor written to it."""
        return self.total - self.read - sum(self.written.values())


class PromptCache:
    """Prefixes of prompts, kept for a while after each use."""

    def __init__(self) -> None:
        self._kept: dict[str, _KeptPrompt] = {}

    def use(
        self, scope: str, blocks: Sequence[PromptPart], *, least: int, now: float, readable_in: float = 0.0
    ) -> Cached:
        """Read the longest kept prefix that ends at a breakpoint or up to 20 blocks before one, and keep the others.

        A prefix of fewer than `least` tokens is not kept. What is written can be read from `readable_in` seconds on.
        """
        prefixes = _prefixes(scope, blocks)
        hit = self._longest(blocks, prefixes, now)
        if hit is not None:
            self._kept[prefixes[hit][0]].refresh(now)
        read = prefixes[hit][1] if hit is not None else 0
        end, written = read, dict[float, int]()
        for place, block in enumerate(blocks):
            key, tokens = prefixes[place]
            if block.keep_seconds is None or tokens < least or (hit is not None and place <= hit):
                continue
            self._kept[key] = _KeptPrompt(now + readable_in, now + block.keep_seconds, block.keep_seconds)
            written[block.keep_seconds] = written.get(block.keep_seconds, 0) + tokens - end
            end = tokens
        if len(self._kept) > MANY_PREFIXES:
            self._kept = {key: kept for key, kept in self._kept.items() if kept.expires_at > now}
        return Cached(prefixes[-1][1] if prefixes else 0, read, written)

    def readable(self, scope: str, blocks: Sequence[PromptPart], *, now: float) -> int:
        """Tokens that would be read from the cache at this moment."""
        prefixes = _prefixes(scope, blocks)
        hit = self._longest(blocks, prefixes, now)
        return 0 if hit is None else prefixes[hit][1]

    def _longest(self, blocks: Sequence[PromptPart], prefixes: Sequence[tuple[str, int]], now: float) -> int | None:
        breakpoints = [place for place, block in enumerate(blocks) if block.keep_seconds is not None]
        for breakpoint_ in reversed(breakpoints):
            for place in range(breakpoint_, max(breakpoint_ - LOOK_BACK_BLOCKS, -1), -1):
                kept = self._kept.get(prefixes[place][0])
                if kept is not None and kept.readable_at <= now < kept.expires_at:
                    return place
        return None


@dataclass(slots=True)
class _KeptPrompt:
    readable_at: float
    expires_at: float
    seconds: float

    def refresh(self, now: float) -> None:
        self.expires_at = now + self.seconds


def _prefixes(scope: str, blocks: Sequence[PromptPart]) -> list[tuple[str, int]]:
    """For each block, the hash and the tokens of everything up to its end."""
    hasher, total, prefixes = hashlib.sha256(scope.encode()), 0, []
    for block in blocks:
        hasher.update(b"\0" + block.content.encode("utf-8", "surrogatepass"))
        total += block.tokens
        prefixes.append((hasher.copy().hexdigest(), total))
    return prefixes
