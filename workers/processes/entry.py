"""The entry of a worker process: `python -m embedmill.workers.processes.entry [--queue STAGE]…`."""

import sys
from collections.abc import Sequence

from embedmill.shared.errors import EmbedmillError, HomeInUse, StorageFailed
from embedmill.shared.harmless import harmless
from embedmill.shared.inherited import begin_as_usual
from embedmill.shared.roomy import with_room
from embedmill.shared.starting import keep_little_free, note_started, start_lightly


def main() -> int:
    """Work until told to stop; returns the exit status."""
    begin_as_usual()
    start_lightly()
    keep_little_free()
    return work(sys.argv[1:])


def work(arguments: Sequence[str]) -> int:
    """The same in a process that started lightly; what it works with is loaded here."""
    from embedmill.workers.processes.exits import EXIT_STORAGE
    from embedmill.workers.processes.worker import run

    note_started()
    try:
        return run(arguments)
    except EmbedmillError as error:
        sys.stderr.write(harmless(f"worker: {error}") + "\n")
        return EXIT_STORAGE if isinstance(error, HomeInUse | StorageFailed) else 1


if __name__ == "__main__":
    sys.exit(with_room(main))
