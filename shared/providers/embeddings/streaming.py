"""Embedding by several threads whose texts share requests; every text has a vector that was kept, or an error."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from embedmill.shared.asking.question import LiveQuestion, ReadAnswer, Request
from embedmill.shared.asking.sending import Pacing
from embedmill.shared.asking.stream import Stream, Surroundings
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import Usage
from embedmill.shared.metering import Headroom, Meter
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer
from embedmill.shared.providers.embeddings.asking import Vector, read_vectors
from embedmill.shared.providers.embeddings.base import Embedder


@dataclass(frozen=True, slots=True)
class StreamedText:
    """A text to embed, which its address tells from others; `documents` are those that it is embedded for."""

    address: bytes
    text: str = field(compare=False)
    tokens: int = field(compare=False)
    documents: Collection[str] = field(compare=False)


@dataclass(slots=True)
class StreamedVectors(LiveQuestion[StreamedText, Vector, EmbeddingAnswer]):
    """The texts of one stream; what is found is kept by whoever leads it."""

    embedder: Embedder

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.embedder.provider

    def send(self, request: Request[StreamedText]) -> EmbeddingAnswer:
        return self.embedder.send([item.text for item in request.items])

    def usage(self, request: Request[StreamedText]) -> Usage:
        about = {document for item in request.items for document in item.documents}
        return self.embedder.usage_of(len(request.items), sum(item.tokens for item in request.items), about)

    def read(self, request: Request[StreamedText], answer: EmbeddingAnswer) -> ReadAnswer[StreamedText, Vector]:
        return read_vectors(self.name, request, answer)

    def keep(self, found: Mapping[StreamedText, Vector]) -> None:
        """Each thread has a cache of its own."""


class TextStream:
    """The texts of all threads that embed with one model for one account of the books.

    A request has no more than one of so many `parts` of what the provider takes.
    """

    def __init__(
        self,
        embedder: Embedder,
        meter: Meter,
        *,
        concurrency: Callable[[], int],
        headroom: Callable[[Usage], Headroom],
        expects_more: Callable[[], bool],
        hold_seconds: float,
        parts: int = 1,
        tries_first: bool = False,
    ) -> None:
        self._embedder = embedder
        question = StreamedVectors(embedder)
        usage = embedder.usage_of(1, 1, ())
        around = Surroundings(concurrency, lambda: headroom(usage), expects_more, hold_seconds, tries_first)
        pace = Pacing(1, embedder.sends_apart, embedder.seconds_per_request)
        self._stream = Stream(question, meter, pace, room=embedder.room.part(parts), surroundings=around)

    @property
    def is_idle(self) -> bool:
        """Whether nobody embeds anything."""
        return self._stream.is_idle

    def embed(
        self,
        texts: Mapping[bytes, str],
        documents: Mapping[bytes, Collection[str]],
        keep: Callable[[Mapping[bytes, Vector]], None],
        *,
        arrived: Callable[[], None],
    ) -> dict[bytes, EmbedmillError]:
        """Have texts embedded and kept, by their addresses; returns the errors. `keep` is for this thread only.

        `arrived` is called when they are among those of the others.
        What raises is a fault of the meter, of `keep` or of this machine, never of a text or of the provider.
        """
        embedder, addresses, given = self._embedder, list(texts), list(texts.values())
        tokens = embedder.count_tokens(given)
        errors = {addresses[n]: error for n, error in embedder.find_too_long(given, tokens).items()}
        asked = [
            StreamedText(address, texts[address], count, documents[address])
            for address, count in zip(addresses, tokens, strict=True)
            if address not in errors and (texts[address] or embedder.takes_empty)
        ]
        blank = texts.keys() - errors.keys() - {item.address for item in asked}
        if blank:
            keep(dict.fromkeys(blank, np.zeros(embedder.dimensions, dtype=np.float32)))

        def keep_found(found: Mapping[StreamedText, Vector]) -> None:
            keep({item.address: vector for item, vector in found.items()})

        sizes = {item: embedder.size_of(item.text, item.tokens) for item in asked}
        failed = self._stream.obtain(sizes, keep_found, joined=arrived) if sizes else {}
        return errors | {item.address: error for item, error in failed.items()}
