"""Asks a model about passages, and falls back on the rules where no usable answer is to be had."""

from collections.abc import Callable, Mapping, Sequence

from embedmill.shared.asking.following import MODEL_REFUSED
from embedmill.shared.asking.question import ReadAnswer, Request
from embedmill.shared.asking.sending import Pacing, ask_all
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.logs import get_logger
from embedmill.shared.metering import Meter
from embedmill.shared.providers.models.asking import ModelQuestion
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt, Stop
from embedmill.workers.validation.passages import ChunkPassage
from embedmill.workers.validation.verdict import Verdict, verdict_by_rules
from embedmill.workers.validation.wording import pack_passages, word_request

log = get_logger()

Store = Callable[[Mapping[str, Verdict]], None]
"""Is given verdicts by address as soon as they are known."""


class VerdictQuestion(ModelQuestion[ChunkPassage, Verdict]):
    """Asks whether a reader who sees a chunk alone can understand it."""

    noun = "chunk"
    most_refused = 8

    def __init__(self, model: Model, store: Store) -> None:
        super().__init__(model)
        self._store = store

    def word(self, request: Request[ChunkPassage]) -> Prompt:
        return word_request(request)

    def documents(self, request: Request[ChunkPassage]) -> tuple[str, ...]:
        return tuple(sorted({passage.document for passage in request.items}))

    def send(self, request: Request[ChunkPassage]) -> ModelAnswer:
        if request.complaint:
            log.info("validation.asked_again", chunks=len(request.items), problem=request.complaint)
        return super().send(request)

    def read(self, request: Request[ChunkPassage], answer: ModelAnswer) -> ReadAnswer[ChunkPassage, Verdict]:
        if answer.stop is Stop.REFUSAL:
            return ReadAnswer({}, request.items, MODEL_REFUSED, is_refusal=True)
        # It brings pydantic, which a worker without a model has no use for.
        from embedmill.workers.validation.answers import read_answer

        passages = request.by_id
        bodies = {id_: passage.body for id_, passage in passages.items()}
        reading = read_answer(answer.text, bodies, repaired=bool(request.complaint))
        found = {passages[id_]: verdict for id_, verdict in reading.found.items()}
        return ReadAnswer(found, [passages[id_] for id_ in reading.left], reading.problem)

    def keep(self, found: Mapping[ChunkPassage, Verdict]) -> None:
        if found:
            self._store({passage.address: verdict for passage, verdict in found.items()})

    def fall_back(self, item: ChunkPassage, reason: str, error: EmbedmillError) -> Verdict:
        return verdict_by_rules(item.body, fallback=reason)


def judge(
    passages: Sequence[ChunkPassage], store: Store, *, model: Model, meter: Meter, concurrency: int
) -> dict[str, EmbedmillError]:
    """Have a verdict on every passage stored; returns, by address, why there is none.

    The first request goes alone: a provider's prompt cache can be read only once its first answer has begun.
    """
    pace = Pacing(concurrency, apart=concurrency > 1, first_alone=True)
    errors = ask_all(VerdictQuestion(model, store), pack_passages(passages), meter=meter, pace=pace)
    return {passage.address: error for passage, error in errors.items()}
