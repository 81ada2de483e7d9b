"""The embedding interface: two methods, and facts about the model as attributes."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import numpy as np
import orjson
from numpy.typing import NDArray

from embedmill.shared.asking.packing import ItemSize, Plan, Room, pack
from embedmill.shared.asking.question import Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import BadVector, EmbedmillError, InputTooLong, SettingsError
from embedmill.shared.ledger import EMBED, Tokens, Usage
from embedmill.shared.metering import FreeMeter, Meter
from embedmill.shared.providers.embeddings.address import content_address
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer, EmbedResult, Keep
from embedmill.shared.providers.embeddings.asking import VectorQuestion

InputType = Literal["document", "query"]

INEXACT_MARGIN = 1.5
"""What is reserved over our count where the provider's tokenizer is not ours; it is given back with the answer."""

TOKENS_PER_CHARACTER, TOKENS_PER_TEXT = 4, 8
"""No tokenizer makes more of a text: a token has at least a byte, and a few markers are added."""


_FACTS = (
    "provider",
    "name",
    "model",
    "dimensions",
    "symmetric",
    "max_tokens_per_input",
    "max_characters_per_input",
    "counts_exactly",
)


class Embedder(ABC):
    """Turns texts into unit vectors.

    `name` is the address that settings use (`local`, `openai/text-embedding-3-large@1024`); `model` with `dimensions`
    and the input type is part of every vector's content address, so a change of weights must change `model`.
    """

    provider: str
    """Who serves it, as budgets, limits and the price file call them."""
    name: str
    model: str
    dimensions: int
    max_inputs: int = 2048
    max_tokens_per_input: int = 1_000_000
    max_tokens_per_request: int = 10_000_000
    max_bytes_per_request: int | None = None
    max_characters_per_input: int | None = None
    counts_exactly: bool = False
    """Whether `count_tokens` is the provider's own count, so that a text is known to be too long before it is sent."""
    takes_empty: bool = True
    """Whether an empty text may be sent; otherwise its vector is zeros, unasked."""
    counts_before_sending: bool = False
    """Whether tokens are counted though the texts fit one request, because a meter wants to know."""
    concurrency: int = 1
    """Requests in flight at once."""
    sends_apart: bool = False
    """Whether each request has a thread of its own, so that an answer that drips in can be given up."""
    seconds_per_request: float = 120.0
    endpoint: str = ""
    """Who answers, where that is neither the vendor itself nor this machine (shared.providers.endpoints)."""
    is_instant: bool = False
    """Whether a vector is made as quickly as a cache stores it and reads it back, and for nothing: none is kept."""
    symmetric: bool = True
    """Whether queries and documents are embedded alike."""
    sizes: ClassVar[Collection[int]] = ()
    """The dimensions that may be chosen by `name@dimensions`; none when the model has but one size."""

    @classmethod
    def open(cls, *, cache_dir: Path, dimensions: int | None = None) -> Self:
        """An embedder from settings alone; `cache_dir` is for files that are derived once and kept."""
        del cache_dir
        opened = cls()
        if dimensions is not None:
            opened.dimensions = cls.chosen_size(dimensions)
            opened.name = f"{cls.name}@{dimensions}"
        return opened

    @classmethod  # noqa: B027 - most have nothing to load
    def load(cls) -> None:
        """Load now what all its instances share, which the first text does otherwise; starts no thread."""

    @classmethod
    def chosen_size(cls, dimensions: int) -> int:
        """The dimensions if the model can be had with so many; raises SettingsError otherwise."""
        if dimensions in cls.sizes:
            return dimensions
        if isinstance(cls.sizes, range):
            choice = f"{cls.sizes.start} to {cls.sizes.stop - 1}"
        else:
            choice = ", ".join(map(str, sorted(cls.sizes))) or f"{cls.dimensions} only"
        raise SettingsError(f"{cls.name} has no {dimensions} dimensions; there are {choice}")

    def stand_for(self, other: "Embedder") -> None:
        """Have the name, the shape and the limits of another, which is asked in the end."""
        for fact in _FACTS:
            setattr(self, fact, getattr(other, fact))

    @property
    def kept_dimensions(self) -> int:
        """The dimensions of what a cache keeps of a text: none of an instant model's."""
        return 0 if self.is_instant else self.dimensions

    @property
    def key_hash(self) -> str:
        """Tells apart the credentials that requests use, whose limits are counted apart; empty without any."""
        return ""

    def address(self, text: str, *, input_type: InputType = "document") -> bytes:
        """Where the vector of a text is kept."""
        return content_address(self.model, self.dimensions, input_type, text, endpoint=self.endpoint)

    @abstractmethod
    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        """Return float32 of shape (len(texts), dimensions), each row of length 1 (or 0 for text without tokens)."""

    @abstractmethod
    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Tokens that the provider would count for each text."""

    def send(self, texts: Sequence[str], *, input_type: InputType = "document") -> EmbeddingAnswer:
        """Carry out one request, or raise an error of `embedmill.shared.errors` about it as a whole.

        Raises InputRefused when the provider will not take one of the texts and does not say which.
        """
        vectors = self.embed_batch(texts, input_type=input_type)
        if vectors.shape != (len(texts), self.dimensions):
            raise BadVector(f"expected vectors of shape {(len(texts), self.dimensions)}, got {vectors.shape}")
        return EmbeddingAnswer(vectors)

    def embed_many(
        self,
        texts: Sequence[str],
        *,
        input_type: InputType = "document",
        meter: Meter | None = None,
        documents: Sequence[Collection[str]] = (),
        keep: Keep | None = None,
        seconds: float | None = None,
    ) -> EmbedResult:
        """Embed any number of texts, in requests within the model's limits; every text has a vector or an error.

        `documents` are those that each text is embedded for, for the meter. `keep` stores the vectors of each answer as
        it comes, so that a process that dies later has not paid in vain. `seconds` may be less than an answer is waited
        for otherwise.
        What raises is a fault of the meter, of `keep` or of this machine, never of a text or of the provider.
        """
        tokens = self._tokens_at_most(texts)
        too_long = self.find_too_long(texts, tokens)
        sent = [place for place, text in enumerate(texts) if place not in too_long and (text or self.takes_empty)]
        plan = [[sent[place] for place in request] for request in self._plan(texts, tokens, sent)]
        question = VectorQuestion(
            self.provider,
            np.zeros((len(texts), self.dimensions), dtype=np.float32),
            lambda positions: self._usage(positions, tokens, documents),
            lambda positions: self.send([texts[position] for position in positions], input_type=input_type),
            keep or _drop,
        )
        longest = min(self.seconds_per_request, seconds or self.seconds_per_request)
        pace = Pacing(self.concurrency, self.sends_apart, longest)
        requests = [Request(tuple(positions)) for positions in plan]
        errors = too_long | ask_all(question, requests, meter=meter or FreeMeter(), pace=pace)
        blank = set(range(len(texts))) - too_long.keys() - set(sent)
        if blank and keep is not None:
            keep({place: question.vectors[place] for place in blank})
        return EmbedResult(question.vectors, errors, question.answers)

    def embed_all(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        """Embed any number of texts; float32 of shape (len(texts), dimensions), in order.

        Raises the first text's error, and with it loses what its neighbours cost: for texts that stand or fall
        together. Others take `embed_many`.
        """
        result = self.embed_many(texts, input_type=input_type)
        if result.errors:
            raise result.errors[min(result.errors)]
        return result.vectors

    def find_sendable(self, texts: Sequence[str]) -> dict[int, int]:
        """Tokens by position of those texts that a request can be made for; the rest is decided without one."""
        tokens = self.count_tokens(texts)
        too_long = self.find_too_long(texts, tokens)
        return {p: n for p, n in enumerate(tokens) if p not in too_long and (texts[p] or self.takes_empty)}

    def prepare(self) -> None:  # noqa: B027 - most embedders need none
        """Do now what the first request does otherwise; raises what that raises."""

    def close(self) -> None:  # noqa: B027 - most embedders hold none
        """Give back connections; what is sent afterwards opens new ones."""

    def _usage(self, positions: Sequence[int], tokens: Sequence[int], documents: Sequence[Collection[str]]) -> Usage:
        """The most that a request with some of the texts may take."""
        about = {document for position in positions for document in (documents[position] if documents else ())}
        return self.usage_of(len(positions), sum(tokens[position] for position in positions), about)

    def usage_of(self, inputs: int, tokens: int, documents: Collection[str]) -> Usage:
        """The most that a request may take which has so many tokens by our count."""
        most = Tokens(into=tokens if self.counts_exactly else int(INEXACT_MARGIN * tokens))
        about = tuple(sorted(documents))
        key, endpoint = self.key_hash, self.endpoint
        return Usage(self.provider, self.model, EMBED, most, inputs=inputs, documents=about, key=key, endpoint=endpoint)

    def _plan(self, texts: Sequence[str], tokens: Sequence[int], sent: Sequence[int]) -> Plan:
        return pack([self.size_of(texts[place], tokens[place]) for place in sent], self.room)

    @property
    def room(self) -> Room:
        """What one request takes."""
        return Room(self.max_inputs, self.max_tokens_per_request, self.max_bytes_per_request)

    def size_of(self, text: str, tokens: int) -> ItemSize:
        """What a text takes of that."""
        return ItemSize(tokens, encoded_length(text) if self.max_bytes_per_request is not None else 0)

    def find_too_long(self, texts: Sequence[str], tokens: Sequence[int]) -> dict[int, EmbedmillError]:
        """Errors for texts that the model would not take; a provider's own count decides where ours is an estimate."""
        errors: dict[int, EmbedmillError] = {}
        for place, text in enumerate(texts):
            if self.counts_exactly and tokens[place] > self.max_tokens_per_input:
                errors[place] = InputTooLong(f"{tokens[place]} tokens; {self.name} takes {self.max_tokens_per_input}")
            elif self.max_characters_per_input is not None and len(text) > self.max_characters_per_input:
                limit = self.max_characters_per_input
                errors[place] = InputTooLong(f"{len(text)} characters; {self.name} takes {limit}")
        return errors

    def _tokens_at_most(self, texts: Sequence[str]) -> list[int]:
        """Token counts, or mere bounds where those already fit one request, as counting is not free."""
        if self.counts_before_sending:
            return self.count_tokens(texts)
        bounds = [TOKENS_PER_CHARACTER * len(text) + TOKENS_PER_TEXT for text in texts]
        return bounds if sum(bounds) <= self.max_tokens_per_request else self.count_tokens(texts)


def encodable(text: str) -> str:
    """`text` with lone surrogates replaced, which have no form in JSON and which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode()


def _drop(vectors: Mapping[int, NDArray[np.float32]]) -> None:
    """Keep nothing: whoever called has the result."""


def encoded_length(text: str) -> int:
    """Bytes of `text` in a JSON body, its quotes, escapes and comma included."""
    return len(orjson.dumps(encodable(text))) + 1


def unit_rows(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each row scaled to length 1; a row of zeros stays."""
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    lengths[lengths == 0] = 1
    scaled: NDArray[np.float32] = vectors / lengths[:, None]
    return scaled
