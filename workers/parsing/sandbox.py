"""Owns one parser process per worker: what a hostile document does to it, it does to nobody else."""

import os
import resource
import select
import signal
import subprocess
import sys
from dataclasses import asdict
from time import monotonic, sleep
from types import TracebackType
from typing import Self

import orjson

from embedmill.shared.errors import DocumentError, ParserCrashed, ParserLimitExceeded
from embedmill.shared.starting import unheard
from embedmill.workers.parsing.detect import PLAIN, is_plain_utf8
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.parsing.frames import LENGTH, READY, ParserAnswer, pack_frame, pack_request, unpack_answer
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse

ANSWER_BYTES_PER_CHAR = 12
ANSWER_OVERHEAD_BYTES = 128 << 20
COPIES = 3
DOCUMENTS_PER_PROCESS = 500
END_POLL_SECONDS = 0.005
END_SECONDS = 5.0
KIB = 1024
MIB = 1024 * KIB
MEMORY_BLAME_SHARE = 0.7
PLAIN_BYTES = 4 * 1024 * 1024
READ_BYTES = 1 << 20
START_SECONDS = 60.0
UNCOUNTED_BYTES = 8 * MIB
"""By how much two readings of the same memory may differ: each processor counts some of its own."""

# A process that reads hostile bytes gets no credentials, which the environment of a worker holds.
_PASSED_ON = (
    "PATH",
    "PYTHONPATH",
    "LD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "VIRTUAL_ENV",
    "TESSDATA_PREFIX",
)


class Parser:
    """Parses documents one at a time; a context manager. Not for use from two threads.

    Plain text in UTF-8, which cannot hurt, is parsed here. All else goes to a child process that is started when
    first needed, killed when it takes too long, replaced when it dies, and renewed after `DOCUMENTS_PER_PROCESS`.
    """

    def __init__(self, limits: ParserLimits | None = None) -> None:
        self._limits = limits or ParserLimits()
        self._child: _Child | None = None

    @property
    def pid(self) -> int | None:
        """The child's process id; None while there is none."""
        return self._child.pid if self._child else None

    def parse(self, data: bytes, *, name: str) -> ParsedDocument:
        """The structure of `data`.

        Raises UnreadableDocument, EncryptedDocument, NoText, UnsupportedDocument, ParserLimitExceeded, or
        ParserCrashed when the child died.
        """
        if len(data) <= PLAIN_BYTES and is_plain_utf8(data, name=name):
            return parse(data, name=name, limits=self._limits, media_type=PLAIN)
        self._require_room(len(data))
        answer = self._ask(pack_request(data, name))
        if isinstance(answer.outcome, DocumentError):
            raise answer.outcome
        return answer.outcome

    def close(self) -> None:
        if self._child:
            self._child.end()
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_room(self, size_bytes: int) -> None:
        """The child holds a document more than once; one that cannot fit would kill it without a word."""
        if size_bytes * COPIES > self._limits.memory_mb * MIB:
            raise ParserLimitExceeded(
                f"it is {size_bytes:,} bytes, too large for {self._limits.memory_mb} MB of memory",
                setting="EMBEDMILL_PARSER_MEMORY_MB",
            )

    def _ask(self, request: bytes) -> ParserAnswer:
        child = self._ready_child()
        try:
            answer = child.ask(request)
        except BaseException:
            # Also when a signal handler raises: an answer that nobody read must not become the next document's.
            self.close()
            raise
        if answer.is_last or child.asked >= DOCUMENTS_PER_PROCESS:
            self.close()
        return answer

    def _ready_child(self) -> "_Child":
        if self._child and not self._child.is_usable():
            self.close()
        if self._child is None:
            self._child = _Child(self._limits)
            try:
                self._child.await_ready()
            except BaseException:
                self.close()
                raise
        return self._child


class _Child:
    """One parser process and the two pipes to it."""

    def __init__(self, limits: ParserLimits) -> None:
        self._limits = limits
        self._owner = os.getpid()
        self._process = _start(limits)
        # A process has its parent's peak, as it was when it was started, for its own until it needs more.
        self._inherited_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * KIB
        self.asked = 0
        assert self._process.stdin
        assert self._process.stdout
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_usable(self) -> bool:
        """Alive, and started by this process rather than inherited over a fork."""
        return self._owner == os.getpid() and self._process.poll() is None

    def await_ready(self) -> None:
        try:
            ready = self._read_frame(monotonic() + START_SECONDS)
        except TimeoutError:
            raise ParserCrashed(f"the parser process did not start within {START_SECONDS:g} s") from None
        if ready != READY:
            raise ParserCrashed("the parser process did not start")

    def ask(self, request: bytes) -> ParserAnswer:
        self.asked += 1
        deadline = monotonic() + self._limits.seconds
        try:
            self._write(pack_frame(request), deadline)
            return unpack_answer(self._read_frame(deadline))
        except TimeoutError:
            raise ParserLimitExceeded(
                f"parsing took longer than {self._limits.seconds:g} s", setting="EMBEDMILL_PARSER_SECONDS"
            ) from None

    def end(self) -> None:
        """Kills it: it owns nothing that an orderly end would save. One inherited over a fork is left to its owner."""
        if self._owner == os.getpid() and self._process.returncode is None:
            self._process.kill()
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()

    def _write(self, data: bytes, deadline: float) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._stdin, view) :]
            except BlockingIOError:
                self._await(self._stdin, select.POLLOUT, deadline)
            except BrokenPipeError:
                raise self._death() from None

    def _read_frame(self, deadline: float) -> bytes:
        received = bytearray()
        self._read_until(received, LENGTH.size, deadline)
        (length,) = LENGTH.unpack_from(received)
        if length > ANSWER_OVERHEAD_BYTES + ANSWER_BYTES_PER_CHAR * self._limits.output_chars:
            raise ParserCrashed("the parser process sent an answer of impossible size")
        self._read_until(received, LENGTH.size + length, deadline)
        return bytes(memoryview(received)[LENGTH.size :])

    def _read_until(self, received: bytearray, size: int, deadline: float) -> None:
        while len(received) < size:
            try:
                piece = os.read(self._stdout, READ_BYTES)
            except BlockingIOError:
                self._await(self._stdout, select.POLLIN, deadline)
                continue
            if not piece:
                raise self._death()
            received += piece

    def _await(self, descriptor: int, event: int, deadline: float) -> None:
        poller = select.poll()
        poller.register(descriptor, event)
        if not poller.poll(max(0.0, deadline - monotonic()) * 1000):
            raise TimeoutError

    def _death(self) -> ParserCrashed | ParserLimitExceeded:
        """Why the pipe broke: a native library that runs out of memory aborts instead of saying so."""
        try:
            code, peak_bytes = self._reap()
        except ChildProcessError:
            return ParserCrashed("the parser process ended; how is unknown, as this program ignores SIGCHLD")
        if code == -signal.SIGXCPU:
            return ParserLimitExceeded(
                f"parsing used more than {self._limits.seconds:g} s of processor time",
                setting="EMBEDMILL_PARSER_SECONDS",
            )
        blamed_bytes = max(MEMORY_BLAME_SHARE * self._limits.memory_mb * MIB, self._inherited_bytes + UNCOUNTED_BYTES)
        if code < 0 and peak_bytes > blamed_bytes:
            return ParserLimitExceeded(
                f"parsing needed more than {self._limits.memory_mb} MB of memory", setting="EMBEDMILL_PARSER_MEMORY_MB"
            )
        if code == -signal.SIGABRT:
            return ParserLimitExceeded(
                f"the parser gave up (SIGABRT), as its libraries do when {self._limits.memory_mb} MB are not enough",
                setting="EMBEDMILL_PARSER_MEMORY_MB",
            )
        if code < 0:
            return ParserCrashed(f"the parser process died of {_signal_name(-code)}")
        return ParserCrashed(f"the parser process ended with exit code {code}")

    def _reap(self) -> tuple[int, int]:
        """Exit code (minus the signal's number) and peak resident size in bytes."""
        deadline = monotonic() + END_SECONDS
        while self._process.returncode is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self._process.returncode = os.waitstatus_to_exitcode(status)
                return self._process.returncode, usage.ru_maxrss * KIB
            if monotonic() > deadline:
                self._process.kill()
            sleep(END_POLL_SECONDS)
        return self._process.returncode, 0


def _start(limits: ParserLimits) -> "subprocess.Popen[bytes]":
    """`-P`: a folder that happens to be the working directory must not shadow the product's packages."""
    arguments = [str(os.getpid()), _packed(limits)]
    with unheard(signal.SIGINT):
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "embedmill.workers.parsing.entry", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )


def _packed(limits: ParserLimits) -> str:
    """The limits as JSON; when the time is over is known first when a document comes."""
    values = asdict(limits)
    del values["deadline"]
    return orjson.dumps(values).decode()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
