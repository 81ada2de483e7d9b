"""A parser process may crash, hang or swell; the worker goes on and says what happened."""

import io
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
import xlsxwriter

from embedmill.shared.errors import NoText, ParserCrashed, ParserLimitExceeded, UnreadableDocument
from embedmill.workers.parsing import frames, sandbox
from embedmill.workers.parsing.document import Block, BlockKind, ParsedDocument
from embedmill.workers.parsing.sandbox import Parser
from tests.workers.parsing.making import LIMITS, pdf, read, texts, word, word_paragraph

PAGE = b"<title>t</title><h1>t</h1><p>hello</p>"


@pytest.fixture
def parser() -> Iterator[Parser]:
    with Parser(LIMITS) as made:
        yield made


def child_of(parser: Parser) -> int:
    parser.parse(PAGE, name="a.html")
    assert parser.pid is not None
    return parser.pid


def hang(parser: Parser) -> int:
    """Stop its child, which from now on has little time; however long its start and its first page took."""
    pid = child_of(parser)
    os.kill(pid, signal.SIGSTOP)
    await_stopped(pid)
    assert parser._child is not None
    parser._child._limits = replace(LIMITS, seconds=0.2)
    return pid


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def await_stopped(pid: int) -> None:
    """SIGSTOP takes effect a moment after `kill` returns."""
    os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)


def test_the_child_answers_what_parsing_here_would(parser: Parser) -> None:
    for data, name in [(PAGE, "a.html"), (pdf([["one"], ["two"]]), "a.pdf"), (word(word_paragraph("ü")), "a.docx")]:
        assert parser.parse(data, name=name) == read(data, name)


def test_plain_text_starts_no_child(parser: Parser) -> None:
    assert texts(parser.parse("grün".encode(), name="a.txt")) == ["grün"]
    assert parser.pid is None


def test_text_in_another_encoding_is_left_to_the_child(parser: Parser) -> None:
    assert texts(parser.parse("ab".encode("utf-16"), name="a.txt")) == ["ab"]
    assert parser.pid is not None


def test_one_child_serves_many_documents_and_survives_bad_ones(parser: Parser) -> None:
    pid = child_of(parser)
    for data, error in [(b"%PDF-1.4", UnreadableDocument), (pdf([[]]), NoText)]:
        with pytest.raises(error):
            parser.parse(data, name="a.pdf")
    parser.parse(PAGE, name="a.html")
    assert parser.pid == pid


def test_a_name_of_any_bytes_is_carried(parser: Parser) -> None:
    name = os.fsdecode(b"\xff\n weird.html")
    assert texts(parser.parse(PAGE, name=name)) == ["t", "hello"]


def test_a_child_killed_between_documents_is_replaced_unseen(parser: Parser) -> None:
    pid = child_of(parser)
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert child_of(parser) != pid


def die_of(number: signal.Signals, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next document finds its child dying: the signal arrives after the parser has checked that it lives."""
    ask = sandbox._Child.ask

    def die_and_ask(child: sandbox._Child, request: bytes) -> frames.ParserAnswer:
        monkeypatch.undo()
        os.kill(child.pid, number)
        # Where SIGCHLD is ignored it is waited for all the same, and then nobody's child.
        with suppress(ChildProcessError):
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        return ask(child, request)

    monkeypatch.setattr(sandbox._Child, "ask", die_and_ask)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGBUS])
def test_a_child_that_dies_with_a_document_is_a_crash_that_names_the_signal(
    parser: Parser, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = child_of(parser)
    die_of(number, monkeypatch)
    with pytest.raises(ParserCrashed, match=number.name):
        parser.parse(PAGE, name="a.html")
    assert child_of(parser) != pid


def test_a_child_that_dies_where_sigchld_is_ignored_is_a_crash(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    child_of(parser)
    die_of(signal.SIGKILL, monkeypatch)
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        with pytest.raises(ParserCrashed, match="ignores SIGCHLD"):
            parser.parse(PAGE, name="a.html")
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_child_that_is_stopped_for_its_processor_time_is_over_a_limit(
    parser: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    child_of(parser)
    die_of(signal.SIGXCPU, monkeypatch)
    with pytest.raises(ParserLimitExceeded, match="processor time"):
        parser.parse(PAGE, name="a.html")


def test_a_death_in_a_large_process_is_not_taken_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child has its parent's peak of memory for its own until it needs more."""
    held = b"x" * (200 << 20)
    with Parser(replace(LIMITS, memory_mb=256)) as parser:
        child_of(parser)
        die_of(signal.SIGKILL, monkeypatch)
        with pytest.raises(ParserCrashed, match="SIGKILL"):
            parser.parse(PAGE, name="a.html")
    del held


def test_a_library_that_aborts_for_want_of_memory_is_over_a_limit() -> None:
    """Cells on a diagonal, near enough to each other to be no far ones, make calamine ask for a million places."""
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream)
    sheet = book.add_worksheet()
    for place in range(0, 1_000, 20):
        sheet.write(place, place, "filled")
    book.close()
    with Parser(replace(LIMITS, memory_mb=24)) as parser:
        with pytest.raises(ParserLimitExceeded, match="not enough"):
            parser.parse(stream.getvalue(), name="a.xlsx")
        assert texts(parser.parse(PAGE, name="a.html")) == ["t", "hello"]


def test_the_terminals_interrupt_is_for_the_parent_to_act_on(parser: Parser) -> None:
    pid = child_of(parser)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    assert child_of(parser) == pid


def test_a_document_larger_than_the_memory_is_refused_unsent() -> None:
    with Parser(replace(LIMITS, memory_mb=1)) as small, pytest.raises(ParserLimitExceeded, match="too large"):
        small.parse(PAGE * 10_000, name="a.html")


def test_a_child_that_hangs_is_killed_after_its_time() -> None:
    with Parser(LIMITS) as parser:
        pid = hang(parser)
        with pytest.raises(ParserLimitExceeded, match=r"longer than 0\.2 s"):
            parser.parse(PAGE, name="a.html")
        assert not alive(pid)
        assert texts(parser.parse(PAGE, name="a.html")) == ["t", "hello"]


def test_a_child_that_hangs_before_it_reads_a_large_document_is_killed_too() -> None:
    with Parser(LIMITS) as parser:
        hang(parser)
        with pytest.raises(ParserLimitExceeded, match=r"longer than 0\.2 s"):
            parser.parse(PAGE * 100_000, name="a.html")


def test_a_page_that_needs_too_much_memory_is_over_a_limit_and_not_called_damaged() -> None:
    with Parser(replace(LIMITS, memory_mb=64)) as parser, pytest.raises(ParserLimitExceeded, match="memory"):
        parser.parse(b"<html><body>" + b"<p>x" * 2_000_000, name="wide.html")


def test_a_document_that_needs_too_much_memory_is_refused_and_the_next_one_read() -> None:
    with Parser(replace(LIMITS, memory_mb=64)) as parser:
        pid = child_of(parser)
        with pytest.raises(ParserLimitExceeded, match="64 MB"):
            parser.parse(b"<p>x</p>" * 2_000_000, name="a.html")
        assert child_of(parser) != pid


def test_what_libraries_print_does_not_reach_the_protocol() -> None:
    """A child whose parser prints, run as a program of its own."""
    noisy = (
        "import sys, os, workers.parsing.child as child\n"
        "real = child.parse\n"
        "def loud(*a, **k):\n"
        "    print('noise'); os.write(1, b'more noise'); sys.stderr.write('still')\n"
        "    return real(*a, **k)\n"
        "child.parse = loud\n"
        "child.main()\n"
    )
    limits = '{"seconds": 5}'
    request = frames.pack_frame(frames.pack_request(PAGE, "a.html"))
    done = subprocess.run(
        [sys.executable, "-c", noisy, str(os.getpid()), limits],
        input=request,
        capture_output=True,
        timeout=30,
        check=True,
    )
    ready = frames.pack_frame(frames.READY)
    assert done.stdout.startswith(ready)
    answer = frames.unpack_answer(done.stdout[len(ready) + frames.LENGTH.size :])
    assert answer.outcome == read(PAGE, "a.html")
    assert done.stderr == b""


def test_a_child_is_renewed_after_its_share_of_documents(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "DOCUMENTS_PER_PROCESS", 2)
    pid = child_of(parser)
    parser.parse(PAGE, name="a.html")
    assert parser.pid is None
    assert child_of(parser) != pid


def test_the_child_ends_with_its_parser() -> None:
    with Parser(LIMITS) as parser:
        pid = child_of(parser)
    assert not alive(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_the_child_ends_with_a_parent_that_is_killed() -> None:
    program = (
        "import sys\nfrom embedmill.workers.parsing.sandbox import Parser\n"
        "p = Parser()\np.parse(b'<p>x', name='a.html')\nprint(p.pid, flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout
        descriptor = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([descriptor], [], [], 10.0)
    os.close(descriptor)
    assert ended


def test_the_child_gets_no_credentials(parser: Parser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
    pid = child_of(parser)
    with open(f"/proc/{pid}/environ", "rb") as environment:
        assert b"sk-secret" not in environment.read()


def test_a_working_directory_with_the_same_package_names_is_not_imported(
    parser: Parser, tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.makedirs(f"{tmp_path}/workers")
    with open(f"{tmp_path}/workers/__init__.py", "w") as file:
        file.write("raise SystemExit(9)")
    monkeypatch.chdir(str(tmp_path))
    assert texts(parser.parse(PAGE, name="a.html")) == ["t", "hello"]


def test_answers_survive_the_wire() -> None:
    blocks = (Block(BlockKind.HEADING, "é", 2, 7), Block(BlockKind.TABLE_ROW, "a | b", page=1, part=2, head=(1, 1)))
    document = ParsedDocument("text/html", blocks, "title", ("note",))
    answer = frames.unpack_answer(frames.pack_answer(document, is_last=True))
    assert (answer.outcome, answer.is_last) == (document, True)
    error = frames.unpack_answer(frames.pack_answer(NoText("none"), is_last=False)).outcome
    assert (type(error), str(error)) == (NoText, "none")
