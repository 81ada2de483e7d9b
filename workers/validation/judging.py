"""Asks a model about chunks: one call, one second chance for what was unusable, and the rules for what is left."""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import structlog

from embedmill.shared.errors import (
    EmbedmillError,
    FlowControl,
    InputRefused,
    ProviderRefused,
    ProviderUnavailable,
    StorageFailed,
    UserError,
)
from embedmill.shared.providers.models.base import Answer, Model, Stop, Usage
from embedmill.shared.providers.models.metering import About, Meter, ask
from embedmill.workers.validation.calls import Call, pack_calls, word_call
from embedmill.workers.validation.subject import Subject
from embedmill.workers.validation.verdict import Reading, Verdict, read_answer, verdict_by_rules

log = structlog.get_logger()

OPERATION = "validate"
REFUSED = "the model refused"
INPUT_REFUSED = "the provider refused the chunk"
FAILED_CALLS = 5
"""So many failures of the provider without an answer in between, and the rest is left for a later attempt."""
LEFT_SECONDS = 5.0
"""When that is, unless a circuit knows better."""
REFUSED_CHUNKS = 8
"""So many chunks refused one by one, and no call answered: then it is not the chunks."""

Store = Callable[[Mapping[str, Verdict]], None]


@dataclass(slots=True)
class Judged:
    """What came of asking: errors by address for subjects without a verdict, and what was used up."""

    errors: dict[str, EmbedmillError] = field(default_factory=dict)
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def count(self, usage: Usage) -> None:
        """Add one call."""
        self.calls += 1
        self.tokens_in += usage.tokens_in + usage.cache_read + usage.cache_write
        self.tokens_out += usage.tokens_out


def judge(subjects: Sequence[Subject], store: Store, *, model: Model, meter: Meter, concurrency: int) -> Judged:
    """Judge every subject; `store` is given verdicts by address as soon as they are known, in the thread that asked.

    They are stored before their call is settled. The first call goes alone: a provider's prompt cache can be read only
    once its first answer has begun. What concerns the provider or the account as a whole keeps back the calls that were
    not made yet.
    """
    session = _Session(store, model, meter)
    calls = pack_calls(subjects)
    for call in calls[:1]:
        session.run(call)
    if concurrency == 1:
        for call in calls[1:]:
            session.run(call)
    else:
        with ThreadPoolExecutor(concurrency, thread_name_prefix="validate") as pool:
            list(pool.map(session.run, calls[1:]))
    return session.judged


class _Session:
    def __init__(self, store: Store, model: Model, meter: Meter) -> None:
        self._store_verdicts = store
        self._model = model
        self._meter = meter
        self._lock = threading.Lock()
        self._stored: set[str] = set()
        self._stopped: EmbedmillError | None = None
        self._refused = 0
        self._failed = 0
        self.judged = Judged()

    def run(self, call: Call) -> None:
        """Make a call with all that follows from its answer, unless the calls before say that none should be made."""
        try:
            if self._stopped is not None:
                raise self._stopped
            self._judge(call)
        except StorageFailed:
            raise
        except ProviderUnavailable as error:
            self._try_apart(call, error)
        except EmbedmillError as error:
            self._give_up(call, error)

    def _try_apart(self, call: Call, error: ProviderUnavailable) -> None:
        """The provider's fault: the chunks once more, apart from each other, unless it fails for everybody.

        Level by level, so that the half that is answered soon shows that the provider is well.
        """
        waiting = deque(self._parts_to_try(call, error))
        while waiting:
            part = waiting.popleft()
            try:
                if self._stopped is None:
                    self._judge(part)
                else:
                    self._give_up(part, error)
            except ProviderUnavailable as again:
                if len(part.subjects) == 1:
                    self._give_up(part, again)
                else:
                    waiting.extend(self._parts_to_try(part, again))
            except StorageFailed:
                raise
            except EmbedmillError as other:
                self._give_up(part, other)

    def _parts_to_try(self, call: Call, error: ProviderUnavailable) -> list[Call]:
        """The halves of a call that failed, or one chunk again; none when that helps nobody or may be paid twice."""
        left = call.only([s for s in call.subjects if s.address not in self._stored])
        with self._lock:
            self._failed += 1
            if self._failed >= FAILED_CALLS:
                told = f"not asked: {error}"
                self._stopped = FlowControl(told, reason="circuit", retry_after_seconds=LEFT_SECONDS)
        if error.may_be_billed or self._stopped is not None:
            self._give_up(left, error)
            return []
        middle = len(left.subjects) // 2
        return [left.only(some) for some in (left.subjects[:middle], left.subjects[middle:]) if some]

    def _give_up(self, call: Call, error: EmbedmillError) -> None:
        with self._lock:
            self.judged.errors |= {s.address: error for s in call.subjects if s.address not in self._stored}
            if isinstance(error, FlowControl | UserError):
                self._stopped = error

    def _judge(self, call: Call) -> None:
        """Have verdicts on all subjects of a call stored; what is refused as a whole is halved until it is alone."""
        try:
            reading, stop, left = self._ask(call, complaint="")
        except InputRefused:
            self._divide(call, INPUT_REFUSED)
            return
        except FlowControl as error:
            if error.reason != "budget" or len(call.subjects) == 1:
                raise
            # What is left of the money may do for a part.
            self._divide(call, "")
            return
        if stop is Stop.REFUSAL:
            self._divide(call, REFUSED)
            return
        if left:
            self._ask_again(call.only(left), reading.problem)

    def _ask_again(self, call: Call, complaint: str) -> None:
        """The one second chance; what is unusable then is judged by the rules, and recorded so."""
        log.info("validation.asked_again", chunks=len(call.subjects), problem=complaint)
        try:
            reading, stop, left = self._ask(call, complaint=complaint)
        except InputRefused:
            reading, stop, left = Reading({}, INPUT_REFUSED), Stop.OTHER, list(call.subjects)
        self._fall_back(left, REFUSED if stop is Stop.REFUSAL else reading.problem or "no verdict was given")

    def _divide(self, call: Call, reason: str) -> None:
        if len(call.subjects) == 1:
            self._count_refused(reason)
            self._fall_back(call.subjects, reason)
            return
        middle = len(call.subjects) // 2
        self._judge(call.only(call.subjects[:middle]))
        self._judge(call.only(call.subjects[middle:]))

    def _count_refused(self, reason: str) -> None:
        with self._lock:
            self._refused += 1
            in_vain = self._refused >= REFUSED_CHUNKS and not self.judged.calls
        if in_vain:
            raise ProviderRefused(f"{self._model.name} refuses every chunk: {reason}")

    def _fall_back(self, subjects: Sequence[Subject], reason: str) -> None:
        self._keep({subject.address: verdict_by_rules(subject.body, fallback=reason) for subject in subjects})

    def _store(self, call: Call, reading: Reading) -> list[Subject]:
        """Keep what was read; returns the subjects without a verdict."""
        subjects = call.by_id
        self._keep({subjects[id_].address: verdict for id_, verdict in reading.verdicts.items()})
        return [subject for id_, subject in subjects.items() if id_ not in reading.verdicts]

    def _keep(self, verdicts: Mapping[str, Verdict]) -> None:
        if verdicts:
            self._store_verdicts(verdicts)
            with self._lock:
                self._stored |= verdicts.keys()

    def _ask(self, call: Call, *, complaint: str) -> tuple[Reading, Stop, list[Subject]]:
        """What was read and stored of an answer, how it ended, and the subjects without a verdict."""
        kept: list[tuple[Reading, list[Subject]]] = []

        def keep(answer: Answer) -> None:
            reading = self._read(call, answer, repaired=bool(complaint))
            kept.append((reading, self._store(call, reading)))

        documents = tuple(sorted({subject.document for subject in call.subjects}))
        about = About(OPERATION, len(call.subjects), documents)
        answer = ask(self._model, word_call(call, complaint=complaint), about, meter=self._meter, keep=keep)
        ((reading, left),) = kept
        return reading, answer.stop, left

    def _read(self, call: Call, answer: Answer, *, repaired: bool) -> Reading:
        with self._lock:
            self._failed = 0
            self.judged.count(answer.usage)
        if answer.stop is Stop.REFUSAL:
            return Reading({}, REFUSED)
        bodies = {id_: subject.body for id_, subject in call.by_id.items()}
        return read_answer(answer.text, bodies, repaired=repaired)
