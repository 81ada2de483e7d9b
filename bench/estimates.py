"""The estimates benchmark: `estimate`, the estimate kept with the job, and what simulated providers then bill.

`python -m bench estimates DATA [--policies off gate audit]` takes a folder with `documents/` and `cranfield/docs.jsonl`
and prints, for each corpus and policy, both estimates as ratios to the bill, in tokens and dollars, for embeddings and
for validation apart. Nothing leaves this machine and nothing is asserted.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedmill.simulators.anthropic import AnthropicSimulator
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running

EMBEDDING, VALIDATOR = "openai/text-embedding-3-large", "anthropic/claude-opus-4-7"
STAGES = {"embed": EMBEDDING, "validate": VALIDATOR}
COLUMNS = (
    "corpus",
    "policy",
    "stage",
    "billed tokens",
    "billed $",
    "estimate: tokens",
    "$",
    "job's: tokens",
    "$",
    "basis",
)


@dataclass(frozen=True, slots=True)
class HeldAgainst:
    """Tokens and dollars of one stage: estimated, kept with the job, billed."""

    estimate: tuple[float, float]
    kept: tuple[float, float]
    billed: tuple[float, float]

    def ratios(self) -> list[str]:
        """Both estimates as parts of the bill."""
        told = (*self.estimate, *self.kept)
        return [
            f"{amount / billed:.2f}" if billed else "-" for amount, billed in zip(told, 2 * self.billed, strict=True)
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Estimates against bills.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--policies", nargs="+", default=["off", "gate", "audit"])
    options = parser.parse_args(arguments)
    print(" | ".join(COLUMNS))
    with tempfile.TemporaryDirectory(prefix="embedmill-bench-") as folder:
        for name, corpus in make_corpora(options.data, Path(folder)):
            for policy in options.policies:
                for row in measure(corpus, Path(folder) / "home", policy=policy):
                    print(" | ".join([name, policy, *row]), flush=True)


def make_corpora(data: Path, folder: Path) -> Iterator[tuple[str, Path]]:
    """Pages of HTML, every fourth file of thirteen formats, and short rows."""
    files = sorted(path for path in (data / "documents").rglob("*") if path.is_file())
    pages = [path for path in files if path.suffix == ".html" and "postgresql" in path.parts]
    yield f"{len(pages)} pages of HTML", _copied(pages, folder / "html")
    yield f"{len(files[::4])} files of all formats", _copied(files[::4], folder / "mixed")
    yield "1,400 abstracts", data / "cranfield" / "docs.jsonl"


def _copied(files: Sequence[Path], folder: Path) -> Path:
    folder.mkdir()
    for number, path in enumerate(files):
        shutil.copyfile(path, folder / f"{number:03d}{path.suffix}")
    return folder


def measure(corpus: Path, home: Path, *, policy: str) -> Iterator[list[str]]:
    """A row for each paid stage of one run."""
    shutil.rmtree(home, ignore_errors=True)
    validation = {"EMBEDMILL_VALIDATOR": "off" if policy == "off" else VALIDATOR}
    if policy != "off":
        validation["EMBEDMILL_VALIDATION_POLICY"] = policy
    with providers() as environment:
        env = {**os.environ, **environment, **validation, "EMBEDMILL_HOME": str(home), "EMBEDMILL_EMBEDDING": EMBEDDING}
        estimate = _run(["estimate", str(corpus)], env)["stages"]
        job = _run(["ingest", str(corpus)], env)
        rows = {row["key"]: row for row in _run(["spend", "--by", "model"], env)["rows"]}
    kept = job["estimate"]
    for stage, model in STAGES.items():
        if model in rows:
            row = rows[model]
            billed = (row["tokens_in"] + row["tokens_out"], row["usd"])
            compared = HeldAgainst(_told(estimate[stage]), _told(kept["stages"][stage]), billed)
            basis = str(kept.get("basis"))
            yield [stage, f"{billed[0]}", f"{billed[1]:.4f}", *compared.ratios(), basis]


def _told(stage: Mapping[str, Any]) -> tuple[float, float]:
    usd = stage["lanes"]["live"]["usd"] if "lanes" in stage else stage["usd"]
    return stage.get("tokens_in", stage.get("tokens", 0)) + stage.get("tokens_out", 0), usd or 0.0


@contextmanager
def providers() -> Iterator[Mapping[str, str]]:
    """Simulated vendors, and what points the SDKs at them."""
    with running(OpenAISimulator()) as openai, running(AnthropicSimulator()) as anthropic:
        yield {**openai.environment, **anthropic.environment}


def _run(arguments: Sequence[str], environment: Mapping[str, str]) -> Any:
    command = [sys.executable, "-m", "embedmill.console", *arguments, "--json"]
    done = subprocess.run(
        command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False
    )
    return json.loads(done.stdout)
