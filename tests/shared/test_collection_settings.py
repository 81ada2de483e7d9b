"""Collection settings: what they refuse, and which of them make a document that is indexed out of date."""

import pytest

from embedmill.shared.collections import CollectionSettings, read_collection_settings
from embedmill.shared.errors import SettingsError

MODEL = "anthropic/claude-opus-4-7"


def fingerprint(**chosen: object) -> str:
    return CollectionSettings(embedding="hash", **chosen).fingerprint(model="hash")  # type: ignore[arg-type]


def test_a_gate_makes_other_documents_than_the_rules_and_its_threshold_counts() -> None:
    shapes = [fingerprint(), fingerprint(validator="off"), fingerprint(validator=MODEL)]
    shapes += [fingerprint(validator=MODEL, reject_below=3), fingerprint(validator="openai/gpt-5-mini")]
    assert len(set(shapes)) == len(shapes)


def test_an_audit_changes_nothing_that_is_indexed() -> None:
    assert fingerprint(validator=MODEL, policy="audit") == fingerprint(validator="rules")
    assert fingerprint(validator=MODEL, policy="audit", reject_below=4) == fingerprint()


def test_the_policy_means_nothing_without_a_model() -> None:
    settings = CollectionSettings(embedding="hash", policy="audit")
    assert not settings.audits
    assert not settings.gates


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"validator": "claude"}, "unknown validator"),
        ({"validator": "anthropic/"}, "unknown validator"),
        ({"policy": "maybe"}, "unknown validation policy"),
        ({"reject_below": 0}, "from 1 to 5"),
        ({"reject_below": 6}, "from 1 to 5"),
    ],
)
def test_values_without_a_meaning_are_refused(chosen: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        CollectionSettings(embedding="hash", **chosen)  # type: ignore[arg-type]


def test_a_collection_of_an_earlier_release_has_the_usual_values() -> None:
    settings = read_collection_settings({"embedding": "hash", "validator": "rules"})
    assert (settings.policy, settings.reject_below) == ("gate", 2)


def test_who_answers_is_part_of_the_fingerprint_where_it_is_not_the_vendor() -> None:
    settings = CollectionSettings(embedding="openai/text-embedding-3-small", validator="openai/gpt-5-mini")
    vendor = settings.fingerprint(model="m")
    found = {
        settings.fingerprint(model="m", embedder_endpoint=embedder, validator_endpoint=validator)
        for embedder in ("", "http://a", "http://b")
        for validator in ("", "http://a")
    }
    assert vendor in found and len(found) == 6
    by_rules = CollectionSettings(embedding="openai/text-embedding-3-small")
    assert by_rules.fingerprint(model="m", validator_endpoint="http://a") == by_rules.fingerprint(model="m")
