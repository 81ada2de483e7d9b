"""Holds the workers of a command while they have documents in their hands, so that tests strike at a sure moment."""

from pathlib import Path

from tests.command import Command
from tests.waiting import wait_until

HELD = Path(__file__).parent / "held"


class Gate:
    """Where workers wait that are about to split a document which holds a text; it is closed to begin with."""

    def __init__(self, command: Command, text: str) -> None:
        self._folder = command.folder / "gate"
        self._folder.mkdir()
        self.command = command.altered_when_loaded_by(HELD, HOLD_AT=str(self._folder), HOLD_MARKER=text)
        self.close()

    def close(self) -> None:
        """Whoever comes from now on is held."""
        (self._folder / "held").unlink(missing_ok=True)
        (self._folder / "closed").touch()

    def wait(self, *, seconds: float = 60.0) -> int:
        """The process id of a worker, as soon as one is held."""
        held = self._folder / "held"
        wait_until(held.exists, "a worker holds the document", seconds=seconds)
        return int(held.read_text())

    def open(self) -> None:
        """Let everybody go on."""
        (self._folder / "closed").unlink()
