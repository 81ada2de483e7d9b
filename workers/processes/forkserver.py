"""The fork server: a process that has loaded the code of workers and does nothing but fork them (decision 0037).

It is forked itself, from a command that has neither threads nor anything open yet, or is an interpreter that such a
command starts later. It never runs a stage: whatever kills a worker leaves it whole. It ends with its command, however
that ends; its workers see that and finish what they hold.
"""

import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from embedmill.shared.configuration import load_settings
from embedmill.shared.death_signal import send_at_parents_end
from embedmill.shared.errors import EmbedmillError
from embedmill.shared.stages import STAGES
from embedmill.shared.starting import absent, note_started

# What a worker loads before it has a message, and what every stage is made of.
WARM = (
    "embedmill.workers.processes.entry",
    "embedmill.workers.processes.worker",
    "embedmill.workers.brokers.embedded_transport",
    "embedmill.workers.consuming.consumer",
    "embedmill.workers.parsing.sandbox",
    "embedmill.shared.caches.file",
    "embedmill.shared.caches.former",
    "embedmill.shared.db.cache",
    "embedmill.shared.privacy.vault",
    "embedmill.shared.providers.blobs.folder",
    "embedmill.shared.providers.vectorstores.embedded.store",
    # What Celery loads when its worker is made.
    "celery.app.amqp",
    "celery.app.events",
    "celery.app.log",
    "celery.app.trace",
    "celery.apps.worker",
    "celery.backends.base",
    "celery.concurrency.solo",
    "celery.concurrency.thread",
    "celery.events.receiver",
    "celery.loaders.app",
    "celery.worker.autoscale",
    "celery.worker.consumer",
    "celery.worker.strategy",
    # What cuts texts of every kind.
    "sentencex",
    *(stage.function.partition(":")[0] for stage in STAGES),
)
# A terminal and a service manager signal every process of a group: the command sees to that.
UNHEARD = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})
FIRST_OWN = 3
MOST_DESCRIPTORS = 1 << 20
ORDER_BYTES = 1 << 16
LOADED = json.dumps({"loaded": True}).encode()
"""What a server says first: from now on a fork takes milliseconds."""
UNKNOWN_STATUS = -int(signal.SIGKILL)
"""What a worker's end is taken for when nobody can know its status."""


def fork(run: Callable[[], int]) -> int:
    """The id of a child that runs `run` and ends with the status that it returns; it hears no signal yet."""
    _flush()
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, UNHEARD)
    try:
        pid = os.fork()
        if not pid:
            _end_after(run)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
    return pid


def _end_after(run: Callable[[], int]) -> NoReturn:
    """The child's life; nothing of what its parent has still to do is done here."""
    status = 1
    try:
        status = run()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException:  # noqa: BLE001 - whatever it is, this is where the process ends
        traceback.print_exc()
    finally:
        try:
            _flush()
        finally:
            os._exit(status)


def reap(pid: int) -> int:
    """The status of a child that has ended; unknown of one that is not ours, and of any where SIGCHLD is ignored."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return UNKNOWN_STATUS
    return os.waitstatus_to_exitcode(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def serve(channel: socket.socket, *, parent: int) -> NoReturn:
    """Fork workers as ordered over the channel, and tell of their ends, until the command is gone."""
    _die_with(parent)
    _keep_only(channel)
    load()
    # What is here stays, and is shared with the workers as long as nobody touches it.
    note_started()
    channel.send(LOADED)
    Server(channel, command=parent).run()


def load() -> None:
    """Load what workers need, the tables of words and the usual embedder's model included; starts no thread."""
    from embedmill.shared.tokenizer import load_vocabulary

    # First, as the modules fill the memory that reading it has taken.
    load_vocabulary()
    # Messages are JSON.
    with absent("yaml"):
        importlib.import_module("kombu.serialization")
    for module in WARM:
        importlib.import_module(module)
    from embedmill.shared.providers.embeddings.table import embedder_class
    from embedmill.shared.words import counting

    counting.load()
    # Wrong settings and missing extras are for a worker to tell.
    with suppress(EmbedmillError, ImportError):
        embedder_class(load_settings().embedding).load()


class Server:
    """Follows the orders of one command; a worker is known by the descriptor of its process."""

    def __init__(self, channel: socket.socket, *, command: int) -> None:
        self._channel = channel
        self._command = command
        self._workers: dict[int, int] = {}
        self._poll = select.poll()
        self._poll.register(channel, select.POLLIN)

    def run(self) -> NoReturn:
        """Until there is nobody left to give orders."""
        while True:
            for ready, _ in self._poll.poll():
                if ready in self._workers:
                    self._tell_end(ready)
                elif order := self._channel.recv(ORDER_BYTES):
                    self._start(json.loads(order))
                else:
                    os._exit(0)

    def _start(self, arguments: Sequence[str]) -> None:
        reader, writer = os.pipe()
        try:
            pid = fork(lambda: _become_worker([*arguments, "--command", str(self._command)], stdout=writer))
            process = os.pidfd_open(pid)
        except OSError as error:
            self._channel.send(json.dumps({"failed": str(error)}).encode())
        else:
            socket.send_fds(self._channel, [json.dumps({"pid": pid}).encode()], [process, reader])
            self._workers[process] = pid
            self._poll.register(process, select.POLLIN)
        finally:
            os.close(reader)
            os.close(writer)

    def _tell_end(self, process: int) -> None:
        pid = self._workers.pop(process)
        self._poll.unregister(process)
        os.close(process)
        self._channel.send(json.dumps({"pid": pid, "status": reap(pid)}).encode())


def _become_worker(arguments: Sequence[str], *, stdout: int) -> int:
    """What an `exec` does, of which a fork does nothing: descriptors are closed, handlers of signals are gone."""
    from embedmill.workers.processes.entry import work

    os.dup2(stdout, 1)
    os.closerange(FIRST_OWN, MOST_DESCRIPTORS)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    # Ctrl-C is the supervisor's to act upon.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, UNHEARD - {signal.SIGINT})
    return work([*arguments, "--parent", str(os.getppid())])


def _die_with(parent: int) -> None:
    send_at_parents_end(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _keep_only(channel: socket.socket) -> None:
    """Whoever reads what the command writes, or holds what it has locked, waits for the command alone."""
    sys.unraisablehook = sys.__unraisablehook__
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(nowhere, descriptor)
    os.closerange(FIRST_OWN, channel.fileno())
    os.closerange(channel.fileno() + 1, MOST_DESCRIPTORS)
    # As an interpreter finds them, whatever the command has put in their place.
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
