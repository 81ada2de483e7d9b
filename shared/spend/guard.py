"""A provider's key and circuit around a call, or around all that is asked of a vector store's shard at once."""

from contextlib import suppress
from typing import TypeVar

from embedmill.shared.errors import EmbedmillError, FlowControl, KeyRefused, ProviderUnavailable
from embedmill.shared.flow.circuit import Circuit
from embedmill.shared.spend.keys import KeyUse

Failure = TypeVar("Failure", bound=BaseException)


class Guard:
    """Is asked before, and told once how it ended."""

    def __init__(self, key: KeyUse, circuit: Circuit) -> None:
        self.key = key
        """For those who use it by themselves."""
        self._circuit = circuit

    def ask(self) -> None:
        """Raise KeyRefused or FlowControl while nothing may be asked."""
        self.key.ask()
        try:
            self._circuit.ask()
        except BaseException:
            self.key.give_back()
            raise

    def answered(self) -> None:
        """The provider answered, and be it that it wants to be left alone for a moment, or does not take a text."""
        with suppress(FlowControl):  # what was paid for must not be lost because the others cannot be told
            self.key.accepted()
            self._circuit.succeeded()

    def failed(self, error: Failure) -> Failure | FlowControl:
        """It ended in an error; returns what to raise, FlowControl when the provider is to be left alone now."""
        try:
            return self._judge(error)
        except FlowControl:
            return error  # the others cannot be told at this time

    def _judge(self, error: Failure) -> Failure | FlowControl:
        match error:
            case KeyRefused():
                self._circuit.give_back()
                self.key.refused(error)
            case FlowControl(reason="circuit") | ProviderUnavailable():
                self.key.give_back()
                return self._circuit.failed(error)
            case EmbedmillError():
                self.key.accepted()
                self._circuit.succeeded()
            case _:
                self.give_back()
        return error

    def give_back(self) -> None:
        """Nothing was asked: if this was to try whether the provider is back, another may."""
        self._circuit.give_back()
        self.key.give_back()
