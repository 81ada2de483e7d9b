"""What is asked of models: a prompt for every request, and what the meter has to know of it."""

from abc import abstractmethod

from embedmill.shared.asking.question import FoundT, ItemT, LiveQuestion, Request
from embedmill.shared.providers.models.base import Answer, Model, Prompt
from embedmill.shared.providers.models.metering import ModelCall, ModelRequest, estimate, estimate_kept


class ModelQuestion(LiveQuestion[ItemT, FoundT, Answer]):
    """A question to a model; `operation` names it in logs."""

    operation: str

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.name

    @abstractmethod
    def word(self, request: Request[ItemT]) -> Prompt:
        """The prompt of a request."""

    @abstractmethod
    def documents(self, request: Request[ItemT]) -> tuple[str, ...]:
        """The documents that a request is about."""

    def send(self, request: Request[ItemT]) -> Answer:
        return self.model.ask(self.word(request))

    def announce(self, request: Request[ItemT]) -> ModelRequest:
        prompt = self.word(request)
        return ModelRequest(
            self.model.provider,
            self.model.model,
            self.operation,
            estimate(prompt),
            prompt.max_tokens,
            len(request.items),
            self.documents(request),
            estimate_kept(self.model, prompt),
            self.model.key_hash,
        )

    def account(self, request: Request[ItemT], answer: Answer, seconds: float) -> ModelCall:
        model = self.model
        return ModelCall(
            model.provider, model.model, self.operation, answer.usage, answer.request_id, seconds, answer.limits
        )
