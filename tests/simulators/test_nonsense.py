"""Nonsense that fits: every answer follows the schema, and says something else for another prompt."""

import json
from typing import Any

import pytest

from embedmill.simulators.nonsense import write_nonsense

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "grades": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"id": {"type": "string"}, "score": {"type": "integer", "enum": [1, 2, 3]}},
                "required": ["id", "score"],
            },
        },
        "sure": {"anyOf": [{"type": "boolean"}, {"type": "null"}]},
        "share": {"type": "number"},
    },
}
PROMPT = 'Give one for <passage id="c1-ab"> and <passage id="c2-ab">, number {}'


@pytest.mark.parametrize("number", range(20))
def test_an_answer_fits_the_schema(number: int) -> None:
    found = json.loads(write_nonsense(SCHEMA, PROMPT.format(number)))
    assert found.keys() == {"grades", "sure", "share"}
    assert isinstance(found["sure"], bool) and isinstance(found["share"], int | float)
    assert all(grade.keys() == {"id", "score"} and grade["score"] in (1, 2, 3) for grade in found["grades"])


def test_it_follows_from_the_prompt_and_ids_are_now_and_then_those_of_the_prompt() -> None:
    answers = [write_nonsense(SCHEMA, PROMPT.format(number)) for number in range(50)]
    assert answers == [write_nonsense(SCHEMA, PROMPT.format(number)) for number in range(50)]
    assert len(set(answers)) > 40
    ids = {grade["id"] for answer in answers for grade in json.loads(answer)["grades"]}
    assert {"c1-ab", "c2-ab"} < ids


def test_without_a_schema_it_is_words() -> None:
    assert write_nonsense(None, "some words").strip() in ("some", "words", "some words", "some words")
