"""What the parts of the Python API have of a mill."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from embedmill.console.listening import Listener
from embedmill.shared.runtime import Runtime


class Lender(ABC):
    """Lends runtimes."""

    @abstractmethod
    def _lend(self) -> AbstractContextManager[Runtime]: ...

    @abstractmethod
    def _work_alone(self) -> AbstractContextManager[Runtime]:
        """While no other work of the mill's goes on."""

    @abstractmethod
    def _listener(self) -> Listener: ...
