"""Runs the real `embedmill` in processes of its own, as a user does."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.forked import WHEN_LOADED, Forked

# What every sitecustomize may import.
ALTERING = Path(__file__).parent / "altering"
EMBEDMILL = Path(sys.executable).with_name("embedmill")
SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        """JSONL on stdout."""
        return [json.loads(line) for line in self.stdout.splitlines()]


class Process(Protocol):
    """A command that was started: forked, or in an interpreter of its own."""

    @property
    def pid(self) -> int:
        """Its process id, and that of its process group."""

    @property
    def returncode(self) -> int | None:
        """The status it ended with, less than 0 for a signal, once somebody has looked."""

    def poll(self) -> int | None:
        """The same; None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The same, once it has ended."""

    def send_signal(self, number: int, /) -> None:
        """Signal it alone."""

    def communicate(self, *, timeout: float | None = None) -> tuple[str, str]:
        """What it has written, once it has ended."""


class Command:
    """`embedmill` with one environment; every process it starts is the head of its own process group."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.folder = folder
        self._started: list[Process] = []

    @property
    def home(self) -> Path:
        """The home folder of its processes."""
        return Path(self.environment["EMBEDMILL_HOME"])

    def with_settings(self, **changed: str) -> "Command":
        """The same command under other settings, named without their prefix."""
        settings = {f"EMBEDMILL_{name.upper()}": value for name, value in changed.items()}
        return self._with(settings)

    def with_environment(self, **changed: str) -> "Command":
        """The same command under other environment variables."""
        return self._with(changed)

    def altered_when_loaded_by(self, folder: Path, **variables: str) -> "Command":
        """The same, forked: the sitecustomize finds everything loaded, and replaces things where they are used."""
        return self.altered_by(folder, **{WHEN_LOADED: "yes"}, **variables)

    def altered_by(self, folder: Path, **variables: str) -> "Command":
        """The same command, whose interpreters all load the folder's sitecustomize before anything else."""
        path = os.pathsep.join(filter(None, (str(folder), str(ALTERING), self.environment.get("PYTHONPATH"))))
        return self._with({"PYTHONPATH": path, **variables})

    def _with(self, changed: Mapping[str, str]) -> "Command":
        """A command whose processes end with this one's."""
        command = Command(self.environment | dict(changed), self.folder)
        command._started = self._started
        return command

    def start(self, *arguments: object, stdin: str = "") -> Process:
        """Start a command and return at once."""
        # Only a new interpreter looks for what alters it from its first moment on.
        altered = self.environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH")
        if altered and WHEN_LOADED not in self.environment:
            return self.launch(*arguments)
        process = Forked([str(argument) for argument in arguments], self.environment, self.folder, stdin=stdin)
        self._started.append(process)
        return process

    def launch(self, *arguments: object, **options: Any) -> "subprocess.Popen[str]":
        """The same in a new interpreter, as a user does, with pipes for its streams."""
        process = subprocess.Popen(
            [EMBEDMILL, *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )
        self._started.append(process)
        return process

    def run(self, *arguments: object, stdin: str = "", seconds: float = SECONDS) -> Ran:
        """Run a command to its end."""
        return finish(self.start(*arguments, stdin=stdin), seconds=seconds)

    def json(self, *arguments: object, **options: Any) -> Any:
        """What a command prints with --json; it must end with status 0."""
        ran = self.run(*arguments, "--json", **options)
        assert ran.status == 0, f"{arguments}: {ran}"
        return ran.json

    def export(self, collection: str = "default") -> dict[str, dict[str, Any]]:
        """What the vector store holds, by id; an id that is there twice fails."""
        ran = self.run("export", "--collection", collection)
        assert ran.status == 0, ran
        rows = ran.lines
        by_id = {row["id"]: row for row in rows}
        assert len(by_id) == len(rows), "the store holds an id twice"
        return by_id

    def close(self) -> None:
        """End what a failing test left running."""
        for process in self._started:
            kill_group(process)
            if isinstance(process, subprocess.Popen):
                for stream in (process.stdout, process.stderr):
                    if stream is not None:
                        stream.close()


def finish(process: Process, *, seconds: float = SECONDS) -> Ran:
    """Wait for a started command."""
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        kill_group(process)
        stdout, stderr = process.communicate()
        told = f"{stdout[-2000:]} {stderr[-2000:]}"
        raise AssertionError(f"{process.pid} ran for more than {seconds:g} s: {told}") from None
    return Ran(process.wait(), stdout, stderr)


def kill_group(process: "Process | subprocess.Popen[Any]") -> None:
    """kill -9 of a command with everything it started, as a power cut would."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
