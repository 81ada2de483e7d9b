"""Values that are planted in documents, and looked for in everything that the product writes, by the real command.

`make planted PLANTED=FILE` does the same with every text of a file of lines `{"id", "text", "spans"}`.
"""

import json
import os
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from random import Random

import psutil
import pytest

from bench.invented import invent
from embedmill.shared.redaction.redactor import Redactor
from embedmill.simulators.openai import OpenAISimulator
from embedmill.simulators.serving import running
from tests.command import Command, Ran, finish
from tests.planted import Needles
from tests.services import postgres, redis, s3
from tests.services.needed import require

FILE = os.environ.get("PLANTED", "")
TEXTS = 20
CREATE = ("collections", "create", "default", "--redact", "patterns", "--encrypt", "--keep-queries")
IN_A_NAME = 12 if FILE else 6


@dataclass(slots=True)
class Planted:
    """Texts with values in them; the values, and those among them that nothing else has to give away."""

    texts: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """Values that a file can be called by."""
        fit = [value for value in self.told if not set(value) & set("/\n\0") and value.isprintable()]
        return fit[:: max(1, len(fit) // IN_A_NAME)][:IN_A_NAME]


def planted() -> Planted:
    """What the file has, or a part of what the bench invents."""
    found = Planted()
    redactor = Redactor("patterns")
    for text, values in _read() if FILE else _invent():
        hidden = redactor.redact(text).text
        found.texts.append(text)
        # How many values are found at all is measured elsewhere.
        found.values += [value for value in values if value not in hidden and _is_telling(value)]
    found.told = [value for value in found.values if value not in redactor.redact(f"About {value}").text]
    assert len(found.told) > TEXTS
    return found


def _read() -> Iterator[tuple[str, list[str]]]:
    for line in Path(FILE).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        yield row["text"], [span["text"] for span in row["spans"] if span["label"] != "PERSON"]


def _invent() -> Iterator[tuple[str, list[str]]]:
    cases = [case for case in invent(7) if case.label]
    Random(7).shuffle(cases)
    for at in range(0, 4 * TEXTS, 4):
        some = cases[at : at + 4]
        yield "\n\n".join(case.text for case in some), [case.text[case.start : case.end] for case in some]


def _is_telling(value: str) -> bool:
    """Whether it does not come up by chance in a megabyte of hashes and times."""
    return len(value) >= 12 or (len(value) >= 8 and not set(value) <= set("0123456789abcdefABCDEF."))


def write_sources(folder: Path, planted: Planted) -> list[Path]:
    """Rows, files, a mail and an archive; with values in texts, titles, metadata, names, and in what cannot be read."""
    rows = folder / "rows.jsonl"
    lines = []
    for number, text in enumerate(planted.texts):
        value = planted.told[number % len(planted.told)]
        row: dict[str, object] = {"id": f"{number} {value}", "title": f"About {value}", "text": text}
        row["metadata"] = {"about": value, value: number, "owner": value}
        lines.append(json.dumps(row, ensure_ascii=False))
    lines += [json.dumps({"id": value, "txet": value}) for value in planted.names]
    lines += [f'{{"id": "{value}", "text": ' for value in planted.names if '"' not in value]
    rows.write_text("\n".join(lines), encoding="utf-8")
    inside = folder / "in"
    for number, value in enumerate(planted.names):
        (inside / value).mkdir(parents=True, exist_ok=True)
        text = planted.texts[number]
        (inside / value / f"{value}.md").write_text(
            f"# On {value}\n\n{text}\n\n| a | b |\n|---|---|\n| {value} | 1 |\n"
        )
        (inside / value / f"joined_{value}_{number}.txt").write_text(f"{text}\n{value}\n")
        (inside / f"broken {value}.pdf").write_bytes(b"%PDF-1.7\n" + value.encode())
        (inside / f"odd {value}.docx").write_bytes(value.encode() * 9)
    first, second, *_ = planted.names
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Jane <jane@example.org>", "kim@example.org", f"Call {first}"
    mail.set_content(f"My number is {second}")
    mail.add_attachment(b"\0\1", maintype="application", subtype="x-odd", filename=f"{first}.odd")
    (inside / "mail.eml").write_bytes(bytes(mail))
    with zipfile.ZipFile(inside / "archive.zip", "w") as archive:
        archive.writestr(f"{first}/note.txt", planted.texts[0])
        archive.writestr(f"{second}.xyz", b"\0\1\2")
    return [rows, inside]


def fill(bucket: s3.Bucket, planted: Planted) -> str:
    """The same texts in a bucket, with keys that have values; returns its address."""
    for number, text in enumerate(planted.texts):
        value = planted.names[number % len(planted.names)]
        bucket.client.put_object(Bucket=bucket.name, Key=f"in/{value}/{number}.txt", Body=f"{text}\n{value}".encode())
    return f"s3://{bucket.name}/in/"


class Written:
    """All that commands printed and were called by, kept in files beside the dumps."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, name: str, ran: Ran) -> Ran:
        """What a command printed."""
        (self.folder / f"{name}.out").write_text(ran.stdout, encoding="utf-8")
        (self.folder / f"{name}.err").write_text(ran.stderr, encoding="utf-8")
        return ran

    def run(self, cli: Command, name: str, *arguments: object, status: int | None = 0) -> Ran:
        """Run a command to its end."""
        ran = self.add(name, cli.run(*arguments, "--debug"))
        assert status in (None, ran.status), f"{arguments}: {ran.status} {ran.stdout[-3000:]} {ran.stderr[-3000:]}"
        return ran

    def watch(self, cli: Command, name: str, *arguments: object) -> Ran:
        """Run a command in an interpreter of its own, and note how it and all that it starts are called."""
        process = cli.launch(*arguments, "--debug")
        seen: set[str] = set()

        def look() -> None:
            while process.poll() is None:
                seen.update(_called(process.pid))
                time.sleep(0.2)

        with ThreadPoolExecutor() as pool:
            looking = pool.submit(look)
            ran = finish(process)
            looking.result()
        (self.folder / f"{name}.arguments").write_text("\n".join(seen), encoding="utf-8")
        return self.add(name, ran)


def _called(pid: int) -> set[str]:
    try:
        head = psutil.Process(pid)
        return {" ".join(process.cmdline()) for process in (head, *head.children(recursive=True))}
    except psutil.Error:
        return set()


def leave_traces(
    cli: Command,
    written: Written,
    sources: list[Path],
    planted: Planted,
    reads: Mapping[str, tuple[str, ...]],
    places: Sequence[str] = (),
) -> None:
    """Do with the collection what can be done, by everything that a user types; `places` are no files."""
    about = written.run
    ingest = ("ingest", *sources, *places, "--name", "all of it", "--json")
    if reads:
        written.watch(cli, "ingest", *ingest)
    else:
        about(cli, "ingest", *ingest, status=None)
    queries = sources[0].with_name("queries.jsonl")
    asked = [{"id": str(n), "text": f"whose is {value}?"} for n, value in enumerate(planted.names)]
    queries.write_text("\n".join(map(json.dumps, asked)), encoding="utf-8")
    about(cli, "queries", "search", "--queries", queries, "--json")
    value = planted.names[0]
    about(cli, "search", "search", f"whose is {value}?", "--explain", "--json")
    # A store that cannot look into what is sealed refuses, and says so.
    about(cli, "where", "search", f"whose is {value}?", "--where", f'about = "{value}"', "--json", status=None)
    about(cli, "ask", "ask", f"who has {value}?", "--json")
    about(cli, "feedback", "feedback", "add", "last", "1", "--not-helpful", "--why", f"it is not {value}", status=None)
    for name, arguments in reads.items():
        about(cli, name, *arguments)
    listed = cli.json("dlq", "list")["dead_letters"]
    assert listed
    about(cli, "letter", "dlq", "show", listed[0]["id"], "--json")
    (document, *_) = cli.json("documents", "list")["documents"]
    about(cli, "document", "documents", "show", document["id"], "--json")
    about(cli, "replay", "dlq", "replay", "--work", "--all", "--json", status=None)
    about(cli, "rescan", "sources", "rescan", "1", "--json", status=None)
    about(cli, "erase", "erase", "--subject", value, "--yes", "--json")
    about(cli, "backup", "backup", written.folder.parent / "backup")


READS = {
    "documents": ("documents", "list", "--json"),
    "jobs": ("jobs", "list", "--json"),
    "job": ("jobs", "show", "1", "--json"),
    "sources": ("sources", "list", "--json"),
    "letters": ("dlq", "list"),
    "letters-export": ("dlq", "export"),
    "export": ("export", "--vectors"),
    "terms": ("collections", "terms", "default", "--json"),
    "fields": ("collections", "fields", "default", "--json"),
    "collection": ("collections", "show", "default", "--json"),
    "stats": ("stats", "--json"),
    "feedback-report": ("feedback", "report", "--json"),
    "feedback-export": ("feedback", "export"),
    "verify": ("verify", "--json"),
    "spend": ("spend", "--json"),
    "audit": ("audit", "export"),
    "audit-ocsf": ("audit", "export", "--format", "ocsf"),
    "audit-list": ("audit", "list"),
    "doctor": ("doctor", "--json"),
}


@pytest.fixture(scope="module")
def values() -> Planted:
    return planted()


@pytest.fixture
def keyed(cli: Command) -> Command:
    """The command with a root key of its own, and logs of all that it does."""
    key = {"ROOT_KEY": secrets.token_hex(32), "EMBEDMILL_KEY": "env://ROOT_KEY"}
    return cli.with_environment(**key).with_settings(log_level="debug")


def test_no_planted_value_is_in_a_home_nor_in_anything_that_commands_say(
    keyed: Command, tmp_path: Path, values: Planted
) -> None:
    sources = write_sources(make(tmp_path / "sources"), values)
    work = make(tmp_path / "work")
    written = Written(work / "written")
    with ExitStack() as stack:
        cli, places = keyed, []
        if s3.why_not() is None:
            bucket = stack.enter_context(s3.running_bucket())
            cli, places = keyed.with_environment(**bucket.environment), [fill(bucket, values)]
        cli.json(*CREATE)
        leave_traces(cli, written, sources, values, READS, places)
    listed = (written.folder / "documents.out").read_text(encoding="utf-8")
    assert all(place in listed for place in places), "the bucket was read"
    shutil.copytree(cli.home, work / "home")
    needles = Needles(values.values)
    assert len(needles.found_below(tmp_path / "sources")) > TEXTS, "it finds what is there"
    assert needles.found_below(work) == []


def test_no_planted_value_is_in_a_server_nor_sent_to_a_vendor(keyed: Command, tmp_path: Path, values: Planted) -> None:
    require(postgres.why_not(extension="vector"))
    require(redis.why_not())
    sources = write_sources(make(tmp_path / "sources"), values)
    work = make(tmp_path / "work")
    written = Written(work / "written")
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running_database(extension="vector"))
        broker = stack.enter_context(redis.running_server())
        vendor = stack.enter_context(running(OpenAISimulator()))
        servers = {"database_url": database.url, "vector_url": database.url, "broker_url": broker.url}
        cli = keyed.with_settings(**servers, cache_url=broker.url, embedding="openai/text-embedding-3-small@64")
        cli = cli.with_environment(**vendor.environment)
        cli.json(*CREATE)
        written.run(cli, "submit", "submit", *sources, "--json", status=None)
        dump_redis(broker, work / "queued.rdb")
        # Reading prints what a home prints.
        leave_traces(cli, written, sources, values, READS if FILE else {})
        dump_redis(broker, work / "after.rdb")
        (work / "dump.sql").write_bytes(database.dump())
        sent = work / "sent"
        sent.write_text("\n".join(map(repr, vendor.simulator.exchanges)))
    shutil.copytree(cli.home, work / "home")
    assert Needles(values.values).found_below(work) == []


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def dump_redis(server: redis.Server, file: Path) -> None:
    """What it would keep on a disk, not compressed."""
    with server.client as client:
        client.config_set("rdbcompression", "no")
        client.save()
        shutil.copy(Path(client.config_get("dir")["dir"]) / "dump.rdb", file)
