"""The cheap test: which questions are worth asking a model about."""

import pytest

from embedmill.retrieval.understanding.compound import ASKS_ONE, NAMES_ONE, PASTED, why_whole


@pytest.mark.parametrize(
    "query",
    [
        "compare Postgres and SQLite",
        "Postgres vs SQLite",
        "What is a lease and how long does it live?",
        "How long does a claim live? Who renews it?",
        "how do I install and configure the broker",
        "difference between a lease and a claim",
        "compare ERR-2041 of the pump with ERR-2042 of the valve",
        "Wie lange lebt ein Lease und wer verlängert ihn?",
        "Quelle est la différence entre un bail et une réclamation",
        "¿Cómo se instala el broker y cuánto cuesta?",
        "retention of audit logs in the European region for customers with an agreement before they moved",
        "リースの期限は？更新は誰が？",
    ],
)
def test_what_may_ask_several_things_is_worth_a_call(query: str) -> None:
    assert why_whole(query) == ""


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("lease", NAMES_ONE),
        ("ERR-2041", NAMES_ONE),
        ("ERR-2041 and ERR-2042", NAMES_ONE),
        ("compare 3.11 and 3.12", NAMES_ONE),
        ("parse_retry_after vs parse_wait_before", NAMES_ONE),
        ('"red pump" and "blue pump"', NAMES_ONE),
        ('"what is it and how does it work and why?"', NAMES_ONE),
        ("/usr/bin and /usr/lib and /etc/ssl", NAMES_ONE),
        ("lease -claim", NAMES_ONE),
        ("how does it work?", NAMES_ONE),
        ("", NAMES_ONE),
        ("???", NAMES_ONE),
        ("salt and pepper", ASKS_ONE),
        ("How long does a claim live?", ASKS_ONE),
        ("come funziona il motore", ASKS_ONE),
        ("lease renewal -and -compare -versus -what -how", ASKS_ONE),
        ("what is a lease and how long does it live? " * 60, PASTED),
    ],
)
def test_what_asks_one_thing_costs_no_call(query: str, why: str) -> None:
    assert why_whole(query) == why
