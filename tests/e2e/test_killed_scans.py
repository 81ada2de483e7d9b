"""The real command is killed with signal 9 in the middle of a source of each kind; the end is as if nothing was."""

import json
import mailbox
import signal
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from email.message import EmailMessage
from hashlib import md5
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.command import Command, finish
from tests.corpus import text_of
from tests.producers.sources.slack.exports import LISTS, by_day, said, stamp, write_export
from tests.services import mariadb, postgres
from tests.services.needed import require
from tests.services.site import Asked, Reply, Site, running

SCANNED = Path(__file__).parent / "scanned"
BUCKET = "shelf"
EACH = 5
KINDS = ("folder", "s3", "https", "sqlite", "postgresql", "mysql", "slack", "maildir", "jsonl", "file")


def text(kind: str, number: int) -> str:
    """A text that begins with a word of its own."""
    return f"{word(kind, number)} {' '.join(text_of(number).split()[:40])}"


def word(kind: str, number: int) -> str:
    return f"{kind}marker{number}x"


def objects(asked: Asked) -> Reply:
    """What a bucket's store answers: its listing and its objects."""
    parts = urlsplit(asked.path)
    held = {f"{number}.md": text("s3", number).encode() for number in range(EACH)}
    if parts.path.startswith(f"/{BUCKET}/") and (data := held.get(parts.path.rpartition("/")[2])) is not None:
        return Reply(data, headers={"ETag": f'"{tag(data)}"'}, media_type="text/markdown")
    if "list-type" not in parse_qs(parts.query):
        return Reply(b"not here", 404)
    entries = "".join(
        f"<Contents><Key>{key}</Key><Size>{len(data)}</Size><ETag>&quot;{tag(data)}&quot;</ETag>"
        "<LastModified>2026-11-30T00:00:00.000Z</LastModified></Contents>"
        for key, data in held.items()
    )
    listing = f"<Name>{BUCKET}</Name><KeyCount>{EACH}</KeyCount><IsTruncated>false</IsTruncated>{entries}"
    return Reply(f"<ListBucketResult>{listing}</ListBucketResult>".encode(), media_type="application/xml")


def tag(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def fill_table(execute: Callable[[str], object], kind: str) -> None:
    execute("CREATE TABLE articles (id INTEGER PRIMARY KEY, body TEXT)")
    for number in range(EACH):
        execute(f"INSERT INTO articles VALUES ({number}, '{text(kind, number)}')")


@pytest.fixture
def site() -> Iterator[Site]:
    with running() as site:
        for number in range(EACH):
            link = f"<a href='/page{number + 1}'>more</a>" if number < EACH - 1 else ""
            site.at(f"/page{number}", f"<h1>Page {number}</h1><p>{text('https', number)}</p>{link}")
        site.fallback = objects
        yield site


@pytest.fixture
def sources(tmp_path: Path, site: Site) -> Iterator[list[str]]:
    """One of each kind, in this order."""
    require(postgres.why_not())
    require(mariadb.why_not())
    (tmp_path / "folder").mkdir()
    box, messages = mailbox.mbox(tmp_path / "some.mbox"), mailbox.Maildir(tmp_path / "messages")
    rows = []
    for number in range(EACH):
        (tmp_path / "folder" / f"{number}.txt").write_text(text("folder", number))
        box.add(mail("file", number))
        messages.add(mail("maildir", number))
        rows.append(json.dumps({"id": f"row{number}", "text": text("jsonl", number)}) + "\n")
    box.close()
    (tmp_path / "rows.jsonl").write_text("".join(rows))
    days = [said(text("slack", number), stamp(5, 1 + number)) for number in range(EACH)]
    export = write_export(tmp_path / "export.zip", {**LISTS, **by_day("general", days)})
    with closing(sqlite3.connect(tmp_path / "wiki.db")) as connection, connection:
        fill_table(connection.execute, "sqlite")
    with postgres.running_database() as first, mariadb.running_database() as second:
        fill_table(first.execute, "postgresql")
        fill_table(second.execute, "mysql")
        yield [
            *(str(tmp_path / "folder"), f"s3://{BUCKET}/", f"{site.url}/page0", f"sqlite:///{tmp_path / 'wiki.db'}"),
            *(first.url, second.url, f"slack:{export}", f"maildir:{tmp_path / 'messages'}"),
            *(str(tmp_path / "rows.jsonl"), str(tmp_path / "some.mbox")),
        ]


def mail(kind: str, number: int) -> EmailMessage:
    message = EmailMessage()
    message["Message-ID"], message["Subject"] = f"<{kind}{number}@example.org>", f"Letter {number}"
    message.set_content(text(kind, number))
    return message


@pytest.mark.parametrize("kinds", [("s3", "https", "sqlite"), pytest.param(KINDS, marks=pytest.mark.chaos)], ids=len)
def test_a_command_that_is_killed_in_each_source_ends_with_all_of_them_once(
    cli: Command, sources: list[str], site: Site, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    marks = tmp_path / "struck"
    spared = sorted({*KINDS} - {*kinds})
    marks.write_text("".join(f"{kind}\n" for kind in spared))
    here = {"AWS_ENDPOINT_URL": site.url, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    command = cli.with_settings(allow_private_addresses="1", web_delay_seconds="0").with_environment(
        **here, AWS_DEFAULT_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true"
    )
    asked = (*sources, "--crawl", "--table", "articles", "--text", "body")
    struck = command.altered_when_loaded_by(SCANNED, STRUCK_KINDS=str(marks))
    for count in range(len(spared) + 1, len(KINDS) + 1):
        ran = finish(struck.start("submit", *asked))
        assert ran.status == -signal.SIGKILL, ran
        assert len(marks.read_text().split()) == count
    assert set(marks.read_text().split()) == set(KINDS)
    done = command.json("ingest", *asked)
    assert done["documents"]["completed"] == done["documents"]["total"] == EACH * len(KINDS)
    expected = {word(kind, number) for kind in KINDS for number in range(EACH)}
    words = Counter(name for row in command.export().values() for name in row["text"].split() if name in expected)
    assert words == Counter(expected)
    again = command.json("ingest", *asked)["documents"]
    assert (again["unchanged"], again["completed"], again["deleted"]) == (EACH * len(KINDS), 0, 0)
