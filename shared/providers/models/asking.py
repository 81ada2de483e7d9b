"""What is asked of models: a prompt for every request, and the most that it may take."""

from abc import abstractmethod

from embedmill.shared.asking.question import FoundT, ItemT, LiveQuestion, Request
from embedmill.shared.ledger import MESSAGE, Usage
from embedmill.shared.providers.models.base import Model, ModelAnswer, Prompt
from embedmill.shared.providers.models.counting import most_tokens

"""What a call of a generating model is called in the price file."""


class ModelQuestion(LiveQuestion[ItemT, FoundT, ModelAnswer]):
    """A question to a model."""

    purpose: str = ""
    """What the ledger calls its calls, where they are told apart from others."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = model.name

    @abstractmethod
    def word(self, request: Request[ItemT]) -> Prompt:
        """The prompt of a request."""

    @abstractmethod
    def documents(self, request: Request[ItemT]) -> tuple[str, ...]:
        """The documents that a request is about."""

    def send(self, request: Request[ItemT]) -> ModelAnswer:
        return self.model.ask(self.word(request))

    def usage(self, request: Request[ItemT]) -> Usage:
        model = self.model
        return Usage(
            model.provider,
            model.model,
            MESSAGE,
            most_tokens(model, self.word(request)),
            inputs=len(request.items),
            documents=self.documents(request),
            key=model.key_hash,
            endpoint=model.endpoint,
            purpose=self.purpose,
        )
