"""Who calls, through the real command: by a token and as the home's owner; and what is on record of it."""

import sqlite3
from pathlib import Path

from tests.command import Command


def test_a_token_decides_what_is_found_and_the_audit_knows_who_looked(cli: Command, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        '{"id": "open", "text": "A pump of tin.", "access": "public"}\n'
        '{"id": "closed", "text": "A pump of gold.", "access": "secret"}\n'
    )
    cli.json("ingest", rows, "--collection", "north", "--json")
    made = cli.json("tokens", "create", "page", "--collection", "north", "--level", "public", "--json")
    page = cli.with_settings(token=made["token"])
    assert [hit["uri"] for hit in page.json("search", "pump", "--collection", "north", "--json")["hits"]] == ["open"]
    refused = page.run("audit", "verify")
    assert (refused.status, made["token"] in refused.stderr) == (1, False)
    cli.json("tokens", "revoke", made["id"], "--json")
    assert page.run("search", "pump", "--collection", "north").status == 1

    listed = cli.json("audit", "list", "--action", "search", "--json")["records"]
    assert [(each["principal"], each["outcome"]) for each in listed] == [
        ("nobody", "refused: TokenRefused"),
        ("page", "done"),
    ]
    verified = cli.json("audit", "verify", "--json")
    assert (verified["ok"], verified["faults"]) == (True, [])
    with sqlite3.connect(cli.home / "tracking.db") as connection:
        connection.execute("DROP TRIGGER audit_record_update")
        connection.execute("UPDATE audit_record SET body = replace(body, 'page', 'pope') WHERE chain = 'north'")
    connection.close()
    tampered = cli.run("audit", "verify", "--json")
    assert tampered.status == 1
    assert not tampered.json["ok"]
    assert {(each["collection"], each["fault"]) for each in tampered.json["faults"]} == {("north", "changed")}
