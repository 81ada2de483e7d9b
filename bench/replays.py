"""What it costs to do again what was done: tokens that vendors bill for a first run and for every repetition.

`python -m bench replays [--documents 200]` ingests a corpus through the real command, judged by a simulated Anthropic
and embedded by a simulated OpenAI, and then does it again in three ways: the same job, the same documents into another
collection, the repair of a vector store that was lost. It prints JSON and ends with 1 when a repetition cost a token.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.ingest import SEED, WORDS
from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.base import Simulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running

TOKENS = ("tokens_in", "tokens_out", "cache_read", "cache_write_5m")


def main(arguments: Sequence[str]) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="python -m bench replays", description=__doc__)
    parser.add_argument("--documents", type=int, default=200)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        report = measure(Path(folder), options.documents)
    print(json.dumps(report, indent=2))
    sys.exit(any(tokens for name, tokens in report["billed_tokens"].items() if name != "first run"))


def measure(folder: Path, documents: int) -> dict[str, Any]:
    """Tokens billed by step, and what the caches say that they saved."""
    corpus = write_corpus(folder / "corpus", documents)
    with running(OpenAISimulator()) as openai, running(AnthropicSimulator()) as anthropic:
        environment = {
            **os.environ,
            **openai.environment,
            **anthropic.environment,
            "EMBEDMILL_HOME": str(folder / "home"),
            "EMBEDMILL_EMBEDDING": "openai/text-embedding-3-small",
            "EMBEDMILL_VALIDATOR": "anthropic/claude-opus-4-7",
            "EMBEDMILL_TERMS_SAMPLE": "0",
        }
        vendors: list[Simulator] = [openai.simulator, anthropic.simulator]
        steps: dict[str, list[Any]] = {
            "first run": ["ingest", corpus],
            "same job": ["ingest", corpus],
            "other collection": ["ingest", corpus, "--collection", "other"],
            "lost store": ["verify", "--repair"],
        }
        billed: dict[str, int] = {}
        for name, command in steps.items():
            if name == "lost store":
                shutil.rmtree(folder / "home" / "vectors")
            before = total(vendors)
            run(command, environment)
            billed[name] = total(vendors) - before
        return {"documents": documents, "billed_tokens": billed, "caches": run(["cache", "show"], environment)["kinds"]}


def run(arguments: Sequence[Any], environment: dict[str, str]) -> Any:
    """What a command prints."""
    command = [sys.executable, "-m", "embedmill.console", *map(str, arguments), "--json"]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def total(vendors: Sequence[Simulator]) -> int:
    """Tokens of every kind on the bills."""
    return sum(vendor.bill.total(kind) for vendor in vendors for kind in TOKENS)


def write_corpus(folder: Path, documents: int) -> Path:
    """Text files of one to a few chunks, drawn from a seed."""
    draw = random.Random(SEED)
    folder.mkdir()
    for number in range(documents):
        sentences = (" ".join(draw.choices(WORDS, k=12)) + "." for _ in range(draw.randrange(10, 120)))
        (folder / f"{number:05}.txt").write_text(f"Document {number}. " + " ".join(sentences))
    return folder
