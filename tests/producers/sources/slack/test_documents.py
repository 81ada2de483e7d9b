"""What a Slack export's threads and days say as documents."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from embedmill.producers.sources.base import Problem, RowItem
from embedmill.producers.sources.slack.documents import HEADLESS, shown_range
from tests.producers.sources.slack.exports import (
    BOB,
    GENERAL,
    LISTS,
    Index,
    by_day,
    opened,
    read,
    said,
    stamp,
    write_export,
    write_folder,
)

ROOT = stamp(5, 3)
THREAD = [
    said("who takes the release?", ROOT, thread_ts=ROOT, reply_count=2),
    said("I do", stamp(5, 4), user="U2", thread_ts=ROOT),
    said("done, <@U2>", stamp(6, 12), thread_ts=ROOT, subtype="thread_broadcast"),
]


def one(tmp_path: Path, *messages: dict[str, Any]) -> RowItem:
    """The only document of an export with these messages."""
    path = write_export(tmp_path / "one.zip", {**LISTS, **by_day("general", messages)})
    (item,) = (item for item in opened(path).scan() if isinstance(item, RowItem))
    return item


def test_a_thread_over_days_with_a_broadcast_is_one_document_with_each_message_once(tmp_path: Path) -> None:
    item = one(tmp_path, *THREAD)
    assert item.title == "#general, 3 May – 12 June 2026"
    assert item.text == (
        "Ada, 3 May 2026, 09:00: who takes the release?\n\nBob B., 4 May 2026, 09:00: I do\n\n"
        "Ada, 12 June 2026, 09:00: done, @Bob B."
    )
    assert item.metadata["participants"] == ["Ada", "Bob B."]
    assert item.metadata["started"] == "2026-05-03T09:00:00+00:00"
    assert item.metadata["channel"] == "#general"
    assert item.uri.startswith(f"slack://T1/{GENERAL['id']}/")


def test_messages_in_no_thread_are_a_document_a_day_in_the_zone_of_the_source(tmp_path: Path) -> None:
    messages = [said("late", stamp(5, 3, 22, 30)), said("later", stamp(5, 3, 23, 30)), said("next", stamp(5, 4, 12))]
    path = write_export(tmp_path / "e.zip", {**LISTS, **by_day("general", messages)})
    assert read(path) == {
        "#general, 3 May 2026": "Ada, 22:30: late\n\nAda, 23:30: later",
        "#general, 4 May 2026": "Ada, 12:00: next",
    }
    assert read(path, zone="Europe/Berlin")["#general, 4 May 2026"] == (
        "Ada, 00:30: late\n\nAda, 01:30: later\n\nAda, 14:00: next"
    )


def test_replies_without_their_root_are_one_document_that_says_so(tmp_path: Path) -> None:
    item = one(tmp_path, *THREAD[1:])
    assert item.text.startswith(HEADLESS)
    assert item.title == "#general, 4 May – 12 June 2026"


def test_a_root_that_was_deleted_leaves_its_replies(tmp_path: Path) -> None:
    item = one(tmp_path, said("This message was deleted.", ROOT, thread_ts=ROOT, subtype="tombstone"), THREAD[1])
    assert item.text == "Bob B., 09:00: I do"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<@U2> and <@U404> and <@U405|eve>", "@Bob B. and @U404 and @eve"),
        ("<#C00000001|old-name> <#C404|other> <#C405>", "#general #other #C405"),
        ("<!here> <!channel> <!subteam^S1|@ops> <!subteam^S2>", "@here @channel @ops @S2"),
        ("<!date^1777798800^{date_num}|3 May> <!date^1777798800^{date_num}>", "3 May 3 May 2026 09:00"),
        ("<https://a.b/?x=1&amp;y=2|the page> <https://a.b/c>", "the page (https://a.b/?x=1&y=2) https://a.b/c"),
        ("<http://a.b|a.b> <mailto:x@a.b|x@a.b> <mailto:x@a.b>", "http://a.b x@a.b x@a.b"),
        ("a &lt;b&gt; &amp;amp; <no markup>", "a <b> &amp; <no markup>"),
        (":tada: :+1::skin-tone-3: :flag-de: :woman-shrugging: :our_own:", "🎉 👍 🇩🇪 🤷‍♀️ :our_own:"),
        ("at 10:30:45 `:tada:` ```x :tada: y```", "at 10:30:45 `:tada:` ```x :tada: y```"),
    ],
)
def test_markup_is_written_as_its_readers_saw_it(tmp_path: Path, text: str, shown: str) -> None:
    assert one(tmp_path, said(text, ROOT)).text == f"Ada, 09:00: {shown}"


ALERTMANAGER = {
    "text": "",
    "username": "Alertmanager",
    "attachments": [
        {
            "fallback": "[FIRING:1] DiskFull (db1)",
            "title": "[FIRING:1] DiskFull (db1)",
            "title_link": "https://alerts.example/1",
            "text": "*Summary:* the disk of db1 is full",
            "fields": [{"title": "severity", "value": "page", "short": True}],
        }
    ],
}
PAGERDUTY = {
    "text": "Triggered: the queue is long",
    "username": "PagerDuty",
    "blocks": [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*Triggered:* <https://pd.example/1|the queue is long>"},
        },
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "*Assigned:* <@U2>"}]},
        {"type": "actions", "elements": [{"type": "button", "text": {"type": "plain_text", "text": "Acknowledge"}}]},
    ],
}
GITHUB = {
    "text": "",
    "username": "GitHub",
    "attachments": [
        {
            "fallback": "a fallback that nobody reads",
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": "Pull request opened by ada"}},
                {"type": "context", "elements": [{"type": "mrkdwn", "text": "acme/mill"}]},
            ],
        }
    ],
}


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (
            ALERTMANAGER,
            (
                "Alertmanager, 09:00: [FIRING:1] DiskFull (db1) (https://alerts.example/1)\n"
                "*Summary:* the disk of db1 is full\nseverity: page"
            ),
        ),
        (
            PAGERDUTY,
            (
                "PagerDuty, 09:00: *Triggered:* the queue is long (https://pd.example/1)\n"
                "*Assigned:* @Bob B.\n[Acknowledge]"
            ),
        ),
        (GITHUB, "GitHub, 09:00: Pull request opened by ada\nacme/mill"),
    ],
    ids=["Alertmanager", "PagerDuty", "GitHub"],
)
def test_what_bots_say_in_blocks_and_attachments_is_there_once(
    tmp_path: Path, message: dict[str, Any], shown: str
) -> None:
    bot = {"type": "message", "subtype": "bot_message", "bot_id": "B1", "ts": ROOT} | message
    assert one(tmp_path, bot).text == shown


def test_rich_text_that_repeats_the_text_is_not_written_twice_and_says_it_where_there_is_no_text(
    tmp_path: Path,
) -> None:
    elements = [
        {"type": "text", "text": "ask "},
        {"type": "user", "user_id": "U2"},
        {"type": "usergroup", "usergroup_id": "S1"},
        {"type": "emoji", "name": "tada", "unicode": "1f389"},
        {"type": "link", "url": "https://a.b", "text": "here"},
    ]
    section = {"type": "rich_text_section", "elements": elements}
    blocks = [
        {
            "type": "rich_text",
            "elements": [
                section,
                {"type": "rich_text_list", "style": "bullet", "elements": [{**section, "elements": elements[:2]}]},
                {"type": "rich_text_quote", "elements": [{"type": "text", "text": "so <he> said"}]},
            ],
        }
    ]
    text = "ask <@U2><!subteam^S1|@ops>:tada:<https://a.b|here>"
    assert one(tmp_path, said(text, ROOT, blocks=blocks)).text == "Ada, 09:00: ask @Bob B.@ops🎉here (https://a.b)"
    assert one(tmp_path, said("", ROOT, blocks=blocks)).text == (
        "Ada, 09:00: ask @Bob B.@S1🎉here (https://a.b)\n• ask @Bob B.\n> so <he> said"
    )


def test_a_links_preview_stands_apart_from_what_the_author_said(tmp_path: Path) -> None:
    preview = {"from_url": "https://a.b", "title": "A page", "title_link": "https://a.b", "text": "about mills"}
    assert one(tmp_path, said("<https://a.b>", ROOT, attachments=[preview])).text == (
        "Ada, 09:00: https://a.b\n> A page (https://a.b)\n> about mills"
    )


def test_files_are_named_and_no_token_of_the_export_is_written_anywhere(tmp_path: Path) -> None:
    token = "xoxe-2468013579-abcdefghijklmnop"
    file = {"name": "plan.pdf", "title": "Plan", "url_private": f"https://files.slack.com/T1-F1/plan.pdf?t={token}"}
    text = f"<https://files.slack.com/x?a=1&amp;t={token}|x> {token}"
    item = one(tmp_path, said(text, ROOT, files=[file, {"mode": "tombstone", "name": "gone"}]))
    assert item.text.endswith("File: Plan, plan.pdf (https://files.slack.com/T1-F1/plan.pdf)")
    assert "x (https://files.slack.com/x?a=1)" in item.text
    assert "2468013579" not in repr(item)


def test_people_whom_no_list_has_are_called_as_their_messages_say(tmp_path: Path) -> None:
    guest = said("hello", ROOT, user="U9", user_profile={"display_name": "Eve of Initech"})
    item = one(tmp_path, guest, said("hi <@U9>", stamp(5, 3, 10)), said("I see", stamp(5, 3, 11), user="USLACKBOT"))
    assert item.text == "Eve of Initech, 09:00: hello\n\nAda, 10:00: hi @Eve of Initech\n\nSlackbot, 11:00: I see"


def test_an_edit_is_there_once_and_what_was_deleted_or_says_nothing_is_not(tmp_path: Path) -> None:
    first, second = stamp(5, 3, 10), stamp(5, 3, 11)
    changed = said("hello", ROOT, edited={"user": "U1", "ts": second})
    item = one(
        tmp_path,
        said("helo", ROOT),
        {"type": "message", "subtype": "message_changed", "ts": second, "message": changed},
        said("oops", first),
        {"type": "message", "subtype": "message_deleted", "ts": second, "deleted_ts": first},
        said("<@U2> has joined", stamp(5, 3, 12), subtype="channel_join"),
    )
    assert item.text == "Ada, 09:00: hello"


@pytest.mark.parametrize("channels", [None, "null", "[{", "{}"], ids=["missing", "null", "cut short", "no list"])
def test_without_a_list_of_channels_every_folder_is_read(tmp_path: Path, channels: str | None) -> None:
    files = {"users.json": [BOB], **by_day("general", [said("hello", ROOT, user="U2")])}
    path = write_export(tmp_path / "e.zip", files | ({"channels.json": channels} if channels else {}))
    index = Index().ingest(path)
    assert index.find("hello") == ["#general, 3 May 2026"]
    assert [problem.uri.rpartition("/")[2] for problem in index.problems] == (
        ["channels.json"] if channels in ("[{", "{}") else []
    )


def test_private_channels_group_and_direct_messages_are_read_as_what_they_are(tmp_path: Path) -> None:
    lists: dict[str, Any] = {
        "org_users.json": [{**BOB, "enterprise_user": {"enterprise_id": "E1"}}],
        "groups.json": [{"id": "G0000001", "name": "board", "members": []}],
        "dms.json": [{"id": "D0000001", "members": ["U2", "U7"]}],
        "mpims.json": [{"id": "G0000002", "name": "mpdm-a--b--c-1", "members": ["U2", "U7", "U8"]}],
    }
    days = [by_day(folder, [said(folder, ROOT)]) for folder in ("board", "D0000001", "mpdm-a--b--c-1")]
    path = write_export(tmp_path / "e.zip", {**lists, **days[0], **days[1], **days[2]})
    assert set(read(path)) == {
        "#board, 3 May 2026",
        "Bob B. and U7, 3 May 2026",
        "Bob B., U7 and U8, 3 May 2026",
    }
    assert opened(path).team == "E1"


def test_a_folder_is_read_as_its_zip_and_so_is_a_zip_with_a_folder_around_it(tmp_path: Path) -> None:
    files = {**LISTS, **by_day("general", THREAD)}
    around = {f"acme export/{name}": content for name, content in files.items()}
    texts = read(write_export(tmp_path / "plain.zip", files))
    assert texts
    assert read(write_export(tmp_path / "around.zip", around)) == texts
    assert read(write_folder(tmp_path / "folder", files)) == texts
    assert read(write_folder(tmp_path / "outer", around)) == texts


def test_odd_names_are_one_conversation_each_and_nothing_is_written_elsewhere(tmp_path: Path) -> None:
    files = {
        "users.json": [BOB],
        "channels.json": [{"id": "C00000002", "name": "caf\u00e9"}],
        **by_day("caf\u00e9", [said("composed", ROOT)]),
        **by_day("cafe\u0301", [said("decomposed", stamp(5, 3, 10))]),
        **by_day("../../up", [said("outside", ROOT)]),
        "__MACOSX/general/2026-05-03.json": "junk",
    }
    texts = read(write_export(tmp_path / "e.zip", files))
    assert texts == {
        "#caf\u00e9, 3 May 2026": "U1, 09:00: composed\n\nU1, 10:00: decomposed",
        "#up, 3 May 2026": "U1, 09:00: outside",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["e.zip"]


def test_a_message_that_cannot_be_read_is_named_with_its_place_and_stops_nothing(tmp_path: Path) -> None:
    messages = [said("first", ROOT), {"type": "message", "text": "no ts"}, "no object", said("last", stamp(5, 3, 10))]
    path = write_export(tmp_path / "e.zip", {**LISTS, "general/2026-05-03.json": messages})
    items = list(opened(path).scan())
    places = [(item.uri.rpartition("!/")[2], item.line) for item in items if isinstance(item, Problem)]
    assert places == [("general/2026-05-03.json", 2), ("general/2026-05-03.json", 3)]
    assert read(path) == {"#general, 3 May 2026": "Ada, 09:00: first\n\nAda, 10:00: last"}


def test_halves_of_surrogate_pairs_and_numbers_of_any_size_harm_nothing(tmp_path: Path) -> None:
    message = f'"user": "U1", "ts": "1777798800.000100", "text": "a \\ud83d b", "big": {10**40}'
    path = write_export(tmp_path / "e.zip", {**LISTS, "general/2026-05-03.json": f"[{{{message}}}]"})
    assert read(path) == {"#general, 3 May 2026": "Ada, 09:00: a \ufffd b"}


def test_the_range_of_dates_names_months_and_years_once() -> None:
    assert shown_range(date(2026, 5, 3), date(2026, 5, 5)) == "3–5 May 2026"
    assert shown_range(date(2025, 12, 30), date(2026, 1, 2)) == "30 December 2025 – 2 January 2026"


def test_a_busy_day_goes_on_in_another_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("embedmill.producers.sources.slack.documents.MOST_CHARACTERS", 10)
    messages = [said(f"number {hour}", stamp(5, 3, hour)) for hour in (8, 9)]
    path = write_export(tmp_path / "e.zip", {**LISTS, **by_day("general", messages)})
    rows = [item for item in opened(path).scan() if isinstance(item, RowItem)]
    assert [row.text for row in rows] == ["Ada, 08:00: number 8", "Ada, 09:00: number 9"]
    assert len({row.uri for row in rows}) == 2
