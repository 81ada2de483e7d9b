"""Owns the parser process: it lowers its own limits, then answers one request after another until its parent goes."""

import gc
import os
import resource
import signal
import sys
from dataclasses import replace
from time import monotonic
from typing import BinaryIO

import orjson

from embedmill.shared.death_signal import send_at_parents_end
from embedmill.shared.errors import DocumentError, ParserLimitExceeded
from embedmill.workers.parsing.document import ParsedDocument
from embedmill.workers.parsing.frames import LENGTH, READY, pack_answer, pack_frame, unpack_request
from embedmill.workers.parsing.limits import ParserLimits
from embedmill.workers.parsing.parse import parse

CPU_GRACE_SECONDS = 10
OPEN_FILES = 256
COLLECTED = (50_000, 20, 50)
"""Objects that are new before the youngest are looked through, and how many such rounds before older ones are."""


def main() -> None:
    """Arguments: the parent's process id, and `ParserLimits` as a JSON object."""
    parent, limits = int(sys.argv[1]), ParserLimits(**orjson.loads(sys.argv[2]))
    die_with(parent)
    requests, answers = take_over_stdio()
    lower_limits(limits)
    collect_seldom()
    answers.write(pack_frame(READY))
    while (payload := read_frame(requests)) is not None:
        is_last = answer_request(payload, answers, limits)
        del payload
        if is_last:
            return


def die_with(parent: int) -> None:
    """The kernel kills this process with its parent; the terminal's Ctrl-C is for the parent to act on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    send_at_parents_end(signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


def take_over_stdio() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes on descriptors of their own; what a library prints or reads goes nowhere."""
    requests, answers = os.dup(0), os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    return open(requests, "rb"), open(answers, "wb", buffering=0)


def lower_limits(limits: ParserLimits) -> None:
    """Memory counts from what this process already holds, so that the setting means the document's share."""
    memory = _address_space_bytes() + limits.memory_mb * 1024 * 1024
    _set_soft_limit(resource.RLIMIT_AS, memory)
    _set_soft_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def collect_seldom() -> None:
    """Documents are trees that go by themselves: looking for cycles as often as usual costs a PDF a twentieth."""
    gc.freeze()
    gc.set_threshold(*COLLECTED)


def answer_request(payload: bytes, answers: BinaryIO, limits: ParserLimits) -> bool:
    """Whether this answer is the last: after an exhausted heap, or half an import, the process is not worth keeping."""
    _allow_cpu(limits)
    data, name = unpack_request(payload)
    try:
        limits = replace(limits, deadline=monotonic() + limits.seconds)
        outcome: ParsedDocument | DocumentError = parse(data, name=name, limits=limits)
        is_last, answer = False, pack_answer(outcome, is_last=False)
    except DocumentError as error:
        is_last = isinstance(error.__cause__, (MemoryError, ImportError))
        answer = pack_answer(error, is_last=is_last)
    except MemoryError:
        is_last, answer = True, pack_answer(_out_of_memory(limits), is_last=True)
    _write_all(answers, pack_frame(answer))
    return is_last


def read_frame(stream: BinaryIO) -> bytes | None:
    """The next payload, or None when the parent closed the pipe or went away in the middle."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    payload = stream.read(length)
    return payload if len(payload) == length else None


def _out_of_memory(limits: ParserLimits) -> ParserLimitExceeded:
    return ParserLimitExceeded(
        f"parsing needed more than {limits.memory_mb} MB of memory", setting="EMBEDMILL_PARSER_MEMORY_MB"
    )


def _write_all(stream: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[stream.write(view) :]


def _allow_cpu(limits: ParserLimits) -> None:
    """A guard for when the parent cannot act: processor time is counted per process, so it moves with each document."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime + limits.seconds + CPU_GRACE_SECONDS
    _set_soft_limit(resource.RLIMIT_CPU, int(seconds) + 1)


def _set_soft_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _address_space_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 512 * 1024 * 1024


if __name__ == "__main__":
    main()
