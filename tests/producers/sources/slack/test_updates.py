"""What one export of a workspace after another does to what is known of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.slack.export import Export
from tests.producers.sources.slack.exports import (
    ADA,
    BOB,
    GENERAL,
    LISTS,
    Index,
    by_day,
    opened,
    said,
    stamp,
    write_export,
)

ROOT = stamp(5, 3)
MAY = [
    said("begin", stamp(5, 1)),
    said("root", ROOT, thread_ts=ROOT, reply_count=1),
    said("reply", stamp(5, 4), thread_ts=ROOT),
    said("chat", stamp(5, 5)),
    said("end", stamp(5, 20)),
]
LATE = said("june", stamp(6, 20))


def general(*messages: Any) -> dict[str, Any]:
    return {**LISTS, **by_day("general", messages)}


def test_an_unchanged_export_is_known_without_reading_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Index().ingest(write_export(tmp_path / "e.zip", general(*MAY)))
    titles = sorted(index.titles.values())
    monkeypatch.setattr(Export, "entries", lambda *_: pytest.fail("a message was read"))
    index.ingest(tmp_path / "e.zip")
    assert sorted(index.kept) == sorted(index.texts)
    assert sorted(index.titles.values()) == titles
    assert not index.read
    assert not index.departed


def test_the_source_is_the_workspace_whichever_file_it_is_read_from(tmp_path: Path) -> None:
    one = opened(write_export(tmp_path / "may.zip", general(*MAY)))
    other = opened(write_export(tmp_path / "june.zip", general(*MAY, LATE)))
    assert one.identity == other.identity
    assert one.spec != other.spec
    nameless = {name: content for name, content in general(*MAY).items() if name != "users.json"}
    by_path = [opened(write_export(tmp_path / name, nameless)).identity for name in ("a.zip", "b.zip")]
    assert by_path[0] != by_path[1]
    told = {"users.json": [], **by_day("general", [{**MAY[0], "team": "T1"}])}
    assert opened(write_export(tmp_path / "c.zip", told)).identity == one.identity


def test_a_newer_export_adds_updates_and_lets_go_what_was_deleted(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY)))
    edited = said("chat, edited", stamp(5, 5), edited={"user": "U1", "ts": stamp(6, 1)})
    index.ingest(write_export(tmp_path / "june.zip", general(MAY[0], edited, MAY[4], LATE)))
    assert index.find("edited") == ["#general, 5 May 2026"]
    assert index.find("june") == ["#general, 20 June 2026"]
    assert not index.find("root")
    assert len(index.departed) == 1
    after = dict(index.texts)
    for name in ("june.zip", "may.zip", "june.zip", "may.zip"):
        index.ingest(tmp_path / name)
        assert index.texts == after


def test_a_departure_that_was_held_back_is_told_again(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY)))
    before = dict(index.texts), dict(index.titles)
    june = write_export(tmp_path / "june.zip", general(MAY[0], LATE))
    departed = index.ingest(june).departed
    assert len(departed) == 3
    index.texts, index.titles = before[0] | index.texts, before[1] | index.titles
    assert sorted(index.ingest(june).departed) == sorted(departed)


def test_an_older_export_that_is_read_later_changes_nothing_and_brings_nothing_back(tmp_path: Path) -> None:
    may, june = general(*MAY), general(MAY[0], said("chat, edited", stamp(5, 5)), MAY[4], LATE)
    index = Index().ingest(write_export(tmp_path / "june.zip", june))
    before = dict(index.texts)
    index.ingest(write_export(tmp_path / "may.zip", may))
    assert index.texts == before
    assert any("older" in remark and "left out: 1" in remark for remark in index.remarks)
    index.ingest(tmp_path / "june.zip")
    assert index.texts == before


def test_an_older_export_adds_what_the_newer_one_could_not_have(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "june.zip", general(said("first", stamp(5, 15)), LATE)))
    index.ingest(write_export(tmp_path / "may.zip", general(*MAY[:4])))
    assert index.find("chat")
    assert index.find("root")
    assert not index.departed


def test_what_lies_before_a_narrower_export_stays(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY)))
    before = set(index.texts)
    index.ingest(write_export(tmp_path / "june.zip", general(said("new", stamp(6, 1)), LATE)))
    assert not index.departed
    assert before < set(index.texts)


def test_a_thread_that_goes_on_in_a_narrower_export_keeps_its_start(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY)))
    first = general(said("new", stamp(6, 1)), said("in june", stamp(6, 2), thread_ts=ROOT), LATE)
    second = general(said("newer", stamp(7, 1)), said("in july", stamp(7, 2), thread_ts=ROOT))
    for name, files in (("june.zip", first), ("july.zip", second), ("july.zip", second)):
        index.ingest(write_export(tmp_path / name, files))
        assert not index.departed
    assert all(index.find(words) for words in ("root", "reply", "in june", "in july"))
    everything = [*MAY, said("in june", stamp(6, 2), thread_ts=ROOT), said("in july", stamp(7, 2), thread_ts=ROOT)]
    index.ingest(write_export(tmp_path / "all.zip", general(*everything, said("newest", stamp(7, 3)))))
    assert index.find("root") == index.find("in june") == index.find("in july") == ["#general, 3 May – 2 July 2026"]


def test_the_day_at_which_an_export_begins_loses_nothing(tmp_path: Path) -> None:
    morning, evening = said("morning", stamp(5, 3, 8)), said("evening", stamp(5, 3, 20))
    index = Index().ingest(write_export(tmp_path / "may.zip", general(MAY[0], morning)))
    index.ingest(write_export(tmp_path / "june.zip", general(evening, LATE)))
    assert index.find("morning") == index.find("evening") == ["#general, 3 May 2026"]


def test_a_channel_that_an_export_does_not_have_stays(tmp_path: Path) -> None:
    board = {"groups.json": [{"id": "G0000001", "name": "board"}], **by_day("board", [said("secret", stamp(5, 5))])}
    index = Index().ingest(write_export(tmp_path / "may.zip", {**general(*MAY), **board}))
    index.ingest(write_export(tmp_path / "public.zip", general(*MAY, LATE)))
    assert index.find("secret") == ["#board, 5 May 2026"]
    assert not index.departed


def test_a_channel_in_which_nothing_was_said_since_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists = {**LISTS, "channels.json": [GENERAL, {"id": "C00000002", "name": "quiet"}]}
    quiet = by_day("quiet", [said("whisper", stamp(5, 5)), said("hush", stamp(5, 6))])
    index = Index().ingest(write_export(tmp_path / "may.zip", {**lists, **quiet, **by_day("general", MAY)}))
    index.ingest(write_export(tmp_path / "june.zip", {**lists, **quiet, **by_day("general", [*MAY, LATE])}))
    assert not index.departed
    assert index.find("whisper") == ["#quiet, 5 May 2026"]
    gone = by_day("quiet", [said("hush", stamp(5, 6))])
    index.ingest(write_export(tmp_path / "narrow.zip", {**lists, **gone, **by_day("general", [LATE])}))
    assert index.find("whisper")
    index.ingest(write_export(tmp_path / "july.zip", {**lists, **gone, **by_day("general", [*MAY, LATE])}))
    assert not index.find("whisper")


def test_a_renamed_channel_and_renamed_people_change_titles_and_texts_and_no_identity(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY)))
    before = set(index.texts)
    lists = {
        "users.json": [{**ADA, "profile": {"display_name": "Ada Lovelace"}}, BOB],
        "channels.json": [{**GENERAL, "name": "town-square"}],
    }
    index.ingest(write_export(tmp_path / "june.zip", {**lists, **by_day("town-square", [*MAY, LATE])}))
    assert before < set(index.texts)
    assert index.find("Ada Lovelace, 09:00: chat") == ["#town-square, 5 May 2026"]
    july = {"users.json": lists["users.json"], **by_day("town-square", [*MAY, LATE, said("july", stamp(7, 1))])}
    index.ingest(write_export(tmp_path / "july.zip", july))
    assert not index.departed
    assert index.find("july") == ["#town-square, 1 July 2026"]
    assert all("C00000001" in uri for uri in index.texts)


def test_a_tombstone_of_the_only_message_is_a_departure(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY)))
    gone = said("This message was deleted.", stamp(5, 5), subtype="tombstone")
    index.ingest(write_export(tmp_path / "june.zip", general(*MAY[:3], gone, MAY[4], LATE)))
    assert len(index.departed) == 1
    assert not index.find("chat")


def test_a_day_that_cannot_be_read_takes_nothing_from_its_channel(tmp_path: Path) -> None:
    thread = [said(f"reply {day}", stamp(5, day), thread_ts=ROOT) for day in (6, 7)]
    index = Index().ingest(write_export(tmp_path / "may.zip", general(*MAY, *thread)))
    before = dict(index.texts)
    files = general(*MAY, *thread, LATE)
    files["general/2026-05-07.json"] = json.dumps(files["general/2026-05-07.json"])[:-20]
    del files["general/2026-05-05.json"]
    index.ingest(write_export(tmp_path / "june.zip", files))
    assert [problem.uri.rpartition("!/")[2] for problem in index.problems] == ["general/2026-05-07.json"]
    assert not index.departed
    assert before.items() <= index.texts.items()
    assert index.find("june")


def test_a_damaged_archive_is_a_problem_and_nothing_leaves(tmp_path: Path) -> None:
    source = opened(write_export(tmp_path / "e.zip", general(*MAY)))
    (tmp_path / "e.zip").write_bytes(b"PK\x03\x04 and then nothing")
    (problem, *rest) = source.scan()
    assert "damaged" in str(problem)
    assert not rest


def test_what_was_deleted_from_the_index_by_hand_is_read_again(tmp_path: Path) -> None:
    index = Index().ingest(write_export(tmp_path / "e.zip", general(*MAY)))
    (gone,) = (uri for uri, text in index.texts.items() if "chat" in text)
    del index.texts[gone]
    index.ingest(tmp_path / "e.zip")
    assert "chat" in index.texts[gone]
    assert not index.departed
