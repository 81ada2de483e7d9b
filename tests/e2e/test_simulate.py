"""`embedmill simulate`, and an ingest that pays it."""

import json
import signal
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.command import Command


@contextmanager
def simulated(cli: Command, name: str, *options: str) -> Iterator[dict[str, Any]]:
    process = cli.launch("simulate", name, "--json", *options)
    assert process.stdout is not None
    yield json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0


def bill(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_sim/bill") as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def test_a_simulator_says_where_it_is_and_ends_when_told(cli: Command) -> None:
    with simulated(cli, "anthropic") as told:
        assert told["simulator"] == "anthropic"
        assert told["url"].startswith("http://127.0.0.1:")
        assert any(value.startswith(told["url"]) for value in told["environment"].values())
        assert bill(told["url"]) == {"lines": [], "totals": {}}


def test_an_unknown_provider_is_a_usage_error(cli: Command) -> None:
    ran = cli.run("simulate", "nope")
    assert ran.status == 2
    assert "openai" in ran.stderr


def test_documents_are_embedded_and_searched_through_a_simulated_provider(cli: Command, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(6):
        (folder / f"{number}.txt").write_text(f"The harbour of town {number} was quiet in the morning.\n" * 20)
    with simulated(cli, "openai", "--latency-ms", "20") as told:
        paying = cli.with_environment(**told["environment"], EMBEDMILL_EMBEDDING="openai/text-embedding-3-small@256")
        report = paying.json("ingest", str(folder))
        assert report["state"] == "completed"
        assert report["documents"]["completed"] == 6
        before = bill(told["url"])["totals"]
        assert before["inputs"] == report["chunks"]["indexed"]
        assert paying.json("ingest", str(folder))["documents"]["unchanged"] == 6
        assert bill(told["url"])["totals"] == before, "a text is paid for once"
        hits = paying.json("search", "the harbour of town 3", "--mode", "dense")["hits"]
        assert hits
