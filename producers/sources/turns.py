"""Whose turn it is at a host: all who read sites from one home share a pause between two requests."""

from abc import ABC, abstractmethod


class Turns(ABC):
    """Asked before a host is, and told when it wants to be left alone for a while."""

    @abstractmethod
    def take(self, place: str, pause_seconds: float) -> float:
        """Take the next turn at a host; returns in how many seconds it comes. The one after it is a pause later."""

    @abstractmethod
    def rest(self, place: str, seconds: float) -> None:
        """Nobody asks a host for so many seconds from now."""


class OwnTurns(Turns):
    """Where nothing is shared, a crawl has every turn."""

    def take(self, place: str, pause_seconds: float) -> float:
        return 0.0

    def rest(self, place: str, seconds: float) -> None:
        pass
