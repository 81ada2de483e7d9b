"""What the embedders of paid providers have in common: a client made on first use, and answers that are checked."""

import importlib.util
import threading
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import MissingExtra
from embedmill.shared.providers.credentials import hash_credentials
from embedmill.shared.providers.embeddings.answers import EmbeddingAnswer
from embedmill.shared.providers.embeddings.base import Embedder, InputType, encodable, unit_rows
from embedmill.shared.providers.endpoints import EMBEDDINGS, find_endpoint
from embedmill.shared.providers.translation import unreadable
from embedmill.shared.tokenizer import count_many

LENGTH_TOLERANCE = 0.01
"""How far from 1 a vector may be that the provider promises to be of length 1."""

Row = Sequence[float] | NDArray[np.float32] | None


class RemoteEmbedder(Embedder):
    """An embedder behind a vendor's SDK.

    The SDK's own retries are off: a retry is an attempt of the work, counted and paced with all others. Its client is
    made when the first request leaves, so that an estimate needs no key.
    """

    concurrency = 8
    sends_apart = True
    takes_empty = False
    counts_before_sending = True
    seconds_per_request = 60.0
    unit_length: ClassVar[bool] = True
    """Whether the provider promises vectors of length 1; others are scaled here."""
    extra: ClassVar[str]
    package: ClassVar[str]
    credentials: ClassVar[str]
    """The environment variables that the SDK takes its key from, for messages."""

    def __init__(self) -> None:
        self._made: Any = None
        self._making = threading.Lock()
        self.endpoint = find_endpoint(EMBEDDINGS, self.provider)

    @classmethod
    def open(cls, *, cache_dir: Path, dimensions: int | None = None) -> Self:
        """As for every embedder; raises MissingExtra when the vendor's SDK is not installed."""
        if importlib.util.find_spec(cls.package) is None:
            raise MissingExtra(f"{cls.name} needs the extra: pip install 'embedmill[{cls.extra}]'")
        return super().open(cache_dir=cache_dir, dimensions=dimensions)

    @abstractmethod
    def make_client(self) -> Any:
        """The vendor's client, from the environment variables that its SDK reads."""

    @abstractmethod
    def request(self, texts: Sequence[str], *, input_type: InputType) -> EmbeddingAnswer:
        """Carry out one request within the limits, with the vendor's errors translated."""

    @property
    def client(self) -> Any:
        """The client, made once whichever thread comes first."""
        with self._making:
            if self._made is None:
                self._made = self.make_client()
            return self._made

    @property
    def key_hash(self) -> str:
        return hash_credentials(lambda: self.client)

    def prepare(self) -> None:
        """Load the SDK and make its client."""
        self.client  # noqa: B018 - it is made when it is asked for

    def close(self) -> None:
        with self._making:
            made, self._made = self._made, None
        if made is not None:
            self.close_client(made)

    def close_client(self, client: Any) -> None:
        """Close what `make_client` made."""
        client.close()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return count_many(texts)

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        return self.embed_all(texts, input_type=input_type)

    def send(self, texts: Sequence[str], *, input_type: InputType = "document") -> EmbeddingAnswer:
        answer = self.request([encodable(text) for text in texts], input_type=input_type)
        if answer.vectors.shape != (len(texts), self.dimensions):
            raise unreadable(self.provider)
        return replace(answer, vectors=self._checked(answer.vectors))

    def rows(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        """The rows of an answer as one array; what is null, of the wrong size or no numbers becomes a row of NaN.

        A number too large for it becomes infinite, and the row is refused for that.
        """
        vectors = np.full((len(rows), self.dimensions), np.nan, dtype=np.float32)
        for place, row in enumerate(rows):
            if row is not None and len(row) == self.dimensions:
                try:
                    with np.errstate(over="ignore"):
                        vectors[place] = row
                except (TypeError, ValueError, OverflowError):
                    continue
        return vectors

    def _checked(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
        wrong = np.abs(lengths - 1) > LENGTH_TOLERANCE if self.unit_length else lengths == 0
        checked = vectors if self.unit_length else unit_rows(vectors)
        checked[wrong] = np.nan
        return checked
