"""The entry of a fork server that takes the place of one that was retired: an interpreter with its channel as stdin."""

import os
import socket
import sys

from embedmill.shared.roomy import with_room
from embedmill.shared.starting import keep_little_free, start_lightly


def main() -> None:
    """Load what workers need, and fork them as ordered."""
    start_lightly()
    keep_little_free()
    # Where streams are is no place for the channel.
    channel = socket.socket(fileno=os.dup(0))
    from embedmill.workers.processes.forkserver import serve

    serve(channel, parent=int(sys.argv[1]))


if __name__ == "__main__":
    with_room(main)
