"""The command line as people meet it: help, misuse, interruption, and what is not shown to others."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.command import Command, finish
from tests.corpus import write_corpus

IMPORT = "import embedmill.console.cli.app as cli\n"
STRIKE = """
import os, signal, sys, time
import embedmill.console.__main__ as entry

def strike(*_):
    os.kill(os.getpid(), signal.SIGINT)

class Dying:
    __del__ = strike

"""


@pytest.mark.parametrize("arguments", [("-h",), ("jobs", "-h"), ("ingest", "-h"), ("dlq", "replay", "--help")])
def test_help_fits_eighty_columns(cli: Command, arguments: tuple[str, ...]) -> None:
    ran = cli.run(*arguments)
    assert ran.status == 0
    assert max(map(len, ran.stdout.splitlines())) <= 80


def test_the_version_is_an_option_too(cli: Command) -> None:
    assert cli.run("--version").stdout == cli.run("version").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("jobs",),
        ("jobs", "shwo"),
        ("jobs", "show", "x"),
        ("search",),
        ("search", "x", "-k", "0"),
        ("ingest",),
        ("ingest", "x", "--lane", "fast"),
        ("ingest", "x", "--field", "body"),
        ("spend", "--since", "yesterday"),
    ],
)
def test_misuse_ends_with_two(cli: Command, arguments: tuple[str, ...]) -> None:
    ran = cli.run(*arguments)
    assert ran.status == 2, ran
    assert "Traceback" not in ran.stderr
    assert "Value error" not in ran.stderr
    assert "Input should" not in ran.stderr


def test_completion_is_offered_for_shells(cli: Command) -> None:
    asked = cli.with_environment(_EMBEDMILL_COMPLETE="complete_bash", COMP_WORDS="embedmill jo", COMP_CWORD="1")
    assert "jobs" in asked.run().stdout
    assert "--install-completion" in cli.run("-h").stdout


def test_a_collection_is_not_deleted_when_the_answer_is_no(cli: Command) -> None:
    cli.json("collections", "create", "kept")
    ran = cli.run("collections", "delete", "kept", stdin="n\n")
    assert (ran.status, ran.stdout.strip()) == (1, "nothing was deleted")
    assert "interrupted" not in ran.stderr
    assert [row["name"] for row in cli.json("collections", "list")["collections"]] == ["kept"]


@pytest.mark.parametrize("moment", ["before", "while", "swallowed", "after"])
def test_an_interruption_prints_no_traceback_whenever_it_comes(tmp_path: Path, moment: str) -> None:
    program = {
        "before": "sys.meta_path.insert(0, type('Finder', (), {'find_spec': staticmethod(strike)}))\n",
        "while": f"{IMPORT}cli._run = lambda *_, **__: cli._interrupted(as_json=strike())\n",
        "swallowed": f"{IMPORT}cli._run = lambda *_, **__: (Dying() and 0, time.sleep(60))\n",
        "after": "import atexit\natexit.register(strike)\n",
    }[moment]
    code = f"{STRIKE}{program}sys.argv[1:] = ['version']\nentry.enter()"
    environment = {**os.environ, "EMBEDMILL_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    assert (done.returncode, "interrupted" in done.stderr) == (1, True)


def test_a_command_ends_with_its_status_and_with_what_was_left_for_its_end() -> None:
    code = (
        "import atexit, sys, threading, time, embedmill.console.__main__ as entry\n"
        "atexit.register(print, 'at the end')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('a thread'))).start()\n"
        "sys.argv[1:] = ['jobs', 'shwo']\nentry.enter()"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "a thread\nat the end\n")


def test_a_home_and_what_is_in_it_are_for_their_owner_only(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a document that is nobody else's business")
    new = cli.with_settings(home=str(tmp_path / "new"))
    new.json("ingest", tmp_path / "a.txt")
    found = [new.home, *new.home.rglob("*")]
    assert len(found) > 10
    assert [path for path in found if path.stat().st_mode & 0o077] == []


def test_a_home_that_was_open_to_others_is_closed(cli: Command) -> None:
    cli.home.mkdir(parents=True, exist_ok=True)
    cli.home.chmod(0o755)
    cli.json("jobs", "list")
    assert stat.S_IMODE(cli.home.stat().st_mode) == 0o700


def test_a_search_of_a_new_home_says_how_to_fill_it(cli: Command) -> None:
    ran = cli.run("search", "anything")
    assert (ran.status, "embedmill ingest FOLDER" in ran.stderr) == (1, True), ran


@pytest.mark.parametrize(
    "inherit",
    [
        pytest.param(lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN), id="SIGCHLD is ignored"),
        pytest.param(lambda: os.closerange(0, 3), id="no stream is open"),
    ],
)
def test_an_ingest_works_whatever_it_inherits(cli: Command, tmp_path: Path, inherit: Callable[[], object]) -> None:
    ran = finish(cli.launch("ingest", write_corpus(tmp_path / "corpus", 2), preexec_fn=inherit))
    assert (ran.status, ran.stderr) == (0, "")
    assert len(cli.export()) >= 2
