"""The meters of embedders, models and vector stores: they ask the spender before each request and tell it after."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from embedmill.shared.errors import EmbedmillError, FlowControl, ProviderUnavailable
from embedmill.shared.ledger import FREE_PROVIDERS, Subject, Tokens
from embedmill.shared.providers.embeddings.base import Embedder, InputType
from embedmill.shared.providers.embeddings.calls import Billed, Request
from embedmill.shared.providers.embeddings.calls import Call as Answered
from embedmill.shared.providers.models.base import Usage
from embedmill.shared.providers.models.metering import Billed as ModelBilled
from embedmill.shared.providers.models.metering import ModelCall, ModelRequest
from embedmill.shared.providers.vectorstores.metering import Made, Requests
from embedmill.shared.spend.spender import Call, Planned, Reservation, Spender

INEXACT_MARGIN = 1.5
"""What is reserved over our count where the provider's tokenizer is not ours; it is given back with the answer."""


class EmbeddingMeter:
    """The books of one `embed_many`; `subject_of` says what the texts at some positions are embedded for."""

    def __init__(self, spender: Spender, embedder: Embedder, subject_of: Callable[[Sequence[int]], Subject]) -> None:
        self._spender = spender
        self._embedder = embedder
        self._subject_of = subject_of
        self._rest: FlowControl | None = None

    def on_request(self, request: Request) -> Call:
        """Reserve; raises FlowControl, UnknownPrice."""
        margin = 1.0 if self._embedder.counts_exactly else INEXACT_MARGIN
        return self._spender.begin(
            Planned(
                request.provider,
                request.model,
                request.operation,
                Tokens(into=int(request.tokens * margin)),
                inputs=len(request.inputs),
                subject=self._subject_of(request.inputs),
                key=self._embedder.key_hash,
            )
        )

    def on_response(self, reservation: Call, call: Answered) -> None:
        """Settle; a provider that does not say what it counted is taken to have counted what was reserved."""
        tokens = None if call.tokens_in is None else Tokens(into=call.tokens_in)
        reservation.settle(tokens, request_id=call.request_id, headers=call.limits)

    def on_failure(self, reservation: Call, error: EmbedmillError, *, billed: Billed) -> None:
        """Release or keep the reservation; a failure that opens the circuit makes the others of this run wait too."""
        told = reservation.fail(error)
        if isinstance(told, FlowControl) and told is not error:
            self._rest = told

    def told(self, error: EmbedmillError) -> EmbedmillError:
        """What an error of this run means: with the circuit open, an outage is a time to wait and not a failure."""
        return self._rest if self._rest and isinstance(error, ProviderUnavailable) else error


MESSAGE = "message"
"""What a call to a generating model is called in the price file."""


def tokens_of(usage: Usage) -> Tokens | None:
    """What a model's call took; None when the provider did not say."""
    used = Tokens(usage.tokens_in, usage.tokens_out, usage.cache_read, usage.cache_write, usage.cache_write_1h)
    return used if usage.told else None


class ModelMeter:
    """The books of calls to models; `subject` says for which job and collection they are made."""

    def __init__(self, spender: Spender, subject: Subject) -> None:
        self._spender = spender
        self._subject = subject

    def on_request(self, request: ModelRequest) -> Call:
        """Reserve for the longest answer and a cache that has to be written; raises FlowControl, UnknownPrice."""
        subject = Subject(self._subject.job_id, self._subject.collection_id, request.documents)
        kept = min(request.tokens_cached, request.tokens_in)
        tokens = Tokens(into=request.tokens_in - kept, out=request.tokens_out, cache_write=kept)
        return self._spender.begin(
            Planned(
                request.provider,
                request.model,
                MESSAGE,
                tokens,
                inputs=request.inputs,
                subject=subject,
                key=request.key,
            )
        )

    def on_response(self, reservation: Call, call: ModelCall) -> None:
        """Settle what was really used; a provider that does not say is taken to have used what was reserved."""
        reservation.settle(tokens_of(call.usage), request_id=call.request_id, headers=call.limits)

    def on_failure(self, reservation: Call, error: EmbedmillError, *, billed: ModelBilled) -> EmbedmillError:
        """Release or keep the reservation; with the circuit open, an outage is a time to wait and not a failure."""
        told = reservation.fail(error)
        return told if isinstance(told, EmbedmillError) else error

    def record_known(self, provider: str, model: str, *, inputs: int, tokens: int) -> None:
        """Write down what did not have to be asked; `tokens` are those of the texts alone."""
        if inputs:
            planned = Planned(provider, model, MESSAGE, Tokens(), inputs=0, subject=self._subject)
            self._spender.record_free(planned, cached=inputs, cached_tokens=tokens)


class StoreMeter:
    """The books of a vector store; `subject` says for which job and collection its requests are made.

    They are in the ledger and held against budgets, and nothing more: each shard has a lane and a circuit of its own.
    """

    def __init__(self, spender: Spender, subject: Subject) -> None:
        self._spender = spender
        self._subject = subject

    def on_requests(self, requests: Requests) -> Reservation:
        """Reserve for all of them; raises FlowControl, UnknownPrice."""
        return self._spender.reserve(
            Planned(
                requests.provider,
                requests.model,
                requests.operation,
                inputs=requests.number,
                milliunits=requests.milliunits,
                subject=Subject(self._subject.job_id, self._subject.collection_id, requests.documents),
            )
        )

    def on_end(self, reservation: Reservation, made: Made) -> None:
        """Settle what they did cost; where that is not known of all, the entry stays open, at the most it can be."""
        if made.doubtful_milliunits:
            reservation.leave_at(made.milliunits + made.doubtful_milliunits, inputs=made.number)
        elif made.milliunits:
            reservation.settle(milliunits=made.milliunits, inputs=made.number)
        else:
            reservation.release()


def is_free(embedder: Embedder) -> bool:
    """Whether the model computes on this machine."""
    return embedder.name.split("/")[0] in FREE_PROVIDERS


def adapt(embedder: Embedder, spender: Spender) -> None:
    """Fit an embedder's requests to what its provider takes at this time: how many at once, and how large."""
    provider = embedder.name.split("/")[0]
    embedder.concurrency = spender.concurrency(provider, embedder.model).allowed
    most = spender.most_tokens(provider, embedder.model)
    if most is not None:
        embedder.max_tokens_per_request = min(type(embedder).max_tokens_per_request, most)


class MeteredEmbedder(Embedder):
    """An embedder whose every request is in the books; for those who embed without a stage, as queries are."""

    def __init__(self, embedder: Embedder, spender: Spender, subject: Subject) -> None:
        self._embedder = embedder
        self._meter = EmbeddingMeter(spender, embedder, lambda _: subject)
        self.name, self.model, self.dimensions = embedder.name, embedder.model, embedder.dimensions
        self.symmetric = embedder.symmetric

    def embed_batch(self, texts: Sequence[str], *, input_type: InputType = "document") -> NDArray[np.float32]:
        result = self._embedder.embed_many(texts, input_type=input_type, meter=self._meter)
        if result.errors:
            raise self._meter.told(result.errors[min(result.errors)])
        return result.vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)


def metered(embedder: Embedder, spender: Spender, subject: Subject) -> Embedder:
    """The embedder, with books where it costs money."""
    return embedder if is_free(embedder) else MeteredEmbedder(embedder, spender, subject)
