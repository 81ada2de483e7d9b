"""Measures what records of queries cost a search: `python -m bench records`.

The same queries are asked with and without records, in turns of fifty, in one process: hybrid searches of made-up texts
with the model `hash`, one after the other as `search --queries` does. Compared is time of the processor, that of the
writing thread included, and each turn waits for its last record, which a search does not.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from random import Random
from statistics import median
from tempfile import TemporaryDirectory

import embedmill
from embedmill.console.services.opening import open_runtime
from embedmill.console.services.searching import Query, answer_each
from embedmill.shared.configuration import load_settings
from embedmill.shared.runtime import Runtime
from embedmill.shared.settings import Settings

TURN = 50
WORDS = [f"word{number}" for number in range(3000)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print milliseconds of a query, and the share that records add."""
    options = _parser().parse_args(arguments)
    draw = Random(11)
    with TemporaryDirectory() as folder:
        settings = load_settings(home=Path(folder), embedding="hash")
        with embedmill.open(settings=settings) as mill:
            mill.ingest(documents=_documents(draw, options.documents))
        queries = [Query(number, _text(draw, 4)) for number in range(options.queries)]
        without, with_ = _measure(settings, queries)
    ratios = [one / other for one, other in zip(with_, without, strict=True)]
    print(f"{1000 * sum(without) / len(queries):.1f} ms a query; records add {sum(with_) / sum(without) - 1:+.1%}")
    print(f"by turns of {TURN}: median {median(ratios) - 1:+.1%}, {min(ratios) - 1:+.1%} to {max(ratios) - 1:+.1%}")
    return 0


def _measure(settings: Settings, queries: Sequence[Query]) -> tuple[list[float], list[float]]:
    """Seconds of each turn without records and with them; which comes first alternates."""
    turns = [queries[at : at + TURN] for at in range(0, len(queries), TURN)]
    with ExitStack() as opened:
        runtimes = [
            opened.enter_context(open_runtime(settings.model_copy(update={"record_queries": records})))
            for records in (False, True)
        ]
        for runtime in runtimes:
            _ask(runtime, turns[0])
        spent: tuple[list[float], list[float]] = ([], [])
        for number, turn in enumerate(turns):
            for which in (0, 1) if number % 2 else (1, 0):
                spent[which].append(_ask(runtimes[which], turn))
    return spent


def _ask(runtime: Runtime, queries: Sequence[Query]) -> float:
    begin = time.process_time()
    for _ in answer_each(runtime, iter(queries), collection="default", top_k=10, mode="hybrid"):
        pass
    runtime.query_log.flush()
    return time.process_time() - begin


def _documents(draw: Random, count: int) -> Iterator[dict[str, object]]:
    return ({"id": str(number), "text": _text(draw, 60)} for number in range(count))


def _text(draw: Random, words: int) -> str:
    return " ".join(draw.choices(WORDS, k=words))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench records", description=__doc__)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--queries", type=int, default=500)
    return parser
