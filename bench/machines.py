"""Invented machines to search: their documents and the questions about them, in homes beside a simulated Anthropic."""

import argparse
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import embedmill
from embedmill.shared.configuration import load_settings
from embedmill.shared.settings import Settings
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.serving import SimulatorServer, running

STAGE_SECONDS = 2.0
"""What each model may take for a question, in the parts in which it may not answer."""
MACHINES = 200
"""Those that are asked about; there are at least so many."""
WORDS = [f"part{number}" for number in range(3000)]
COLOURS = ("green", "red", "grey", "blue")


def documents(count: int, words: int) -> list[dict[str, str]]:
    """Texts about machines, alike and not the same, with so many words of filling."""
    draw = Random(5)
    return [{"id": f"m{number}", "text": _machine(draw, number, words)} for number in range(count)]


def _machine(draw: Random, number: int, words: int) -> str:
    hall, bar, days = draw.randint(1, 40), draw.randint(2, 99), draw.randint(3, 300)
    colour, maker = draw.choice(COLOURS), draw.choice(("Okland", "Stenzel", "Holt", "Pell"))
    filling = " ".join(draw.choices(WORDS, k=words))
    return (
        f"Machine M-{number} stands in hall {hall} and is {colour}. It runs at {bar} bar and is oiled every {days} "
        f"days. {maker} made it. Its parts are {filling}."
    )


def queries(count: int) -> list[str]:
    """Questions about these machines, each another."""
    draw = Random(6)
    asked = (
        "at what pressure does machine M-{} run",
        "how often is machine M-{} oiled",
        "where does machine M-{} stand",
    )
    worded = (draw.choice(asked).format(draw.randrange(MACHINES)) for _ in range(count))
    return [f"{words}, and is it {COLOURS[number % 4]}? ({number})" for number, words in enumerate(worded)]


@contextmanager
def home(options: argparse.Namespace, **changed: Any) -> Iterator[Settings]:
    """A home with so many of them, of so many words, under other settings."""
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        settings = load_settings(home=Path(folder), embedding="hash", record_queries=False, **changed)
        with embedmill.open(settings=settings) as mill:
            mill.ingest(documents=documents(options.documents, options.words))
        yield settings


@contextmanager
def simulated(options: argparse.Namespace) -> Iterator[tuple[Settings, AnthropicSimulator]]:
    """A home, and models that answer on this machine."""
    changed = {"fast_model": "anthropic/claude-haiku-5-5", "rank_seconds": STAGE_SECONDS}
    with running(AnthropicSimulator()) as found, _pointed(found), home(options, **changed) as settings:
        yield settings, found.simulator


@contextmanager
def _pointed(found: SimulatorServer[AnthropicSimulator]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in found.environment}
    os.environ.update(found.environment)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
