"""What a process may inherit and cannot work with is mended before anything else."""

import os
import signal
import socket
import sys

from embedmill.shared.inherited import begin_as_usual
from tests import forked

STREAMS = ("stdin", "stdout", "stderr")
CLOSED = [(0,), (1,), (2,), (0, 2), (0, 1, 2)]


def test_closed_streams_lead_nowhere_and_children_end_as_usual() -> None:
    forked.run_at_once(_begin, [()])


def _begin() -> None:
    for closed in CLOSED:
        for number in closed:
            os.close(number)
            # As an interpreter does that finds it closed.
            setattr(sys, STREAMS[number], None)
            setattr(sys, f"__{STREAMS[number]}__", None)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        begin_as_usual()
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
        for number in closed:
            assert os.path.samestat(os.fstat(number), os.stat(os.devnull))
            assert os.get_inheritable(number), "processes that are started have it too"
            stream = getattr(sys, STREAMS[number])
            assert stream.fileno() == number
            assert getattr(sys, f"__{STREAMS[number]}__") is stream, "libraries write to the original"
        with socket.socket() as opened:
            assert opened.fileno() > 2
        if 1 in closed:
            sys.stdout.write("\ud800 is written")
            sys.stdout.flush()
        if 0 in closed:
            assert sys.stdin.buffer.read() == b""
