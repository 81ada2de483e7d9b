"""Phrases: what stands in plain words between spaces is found without being cut, and is what cutting finds."""

import random

import pytest

from embedmill.shared.words.naming import read_name
from embedmill.shared.words.phrases import Phrase

EDGES = ("", "", "", ".", ",", '"', "'", "(", ")", "[", ":", "-", "_", "/", "\u0301", "s", " ", "\u200b")
WORDS = ("valve", "Valve", "VALVE", "valves", "open", "openValve", "re-open", "42", "x1", "Öl")


def test_plain_words_are_found_as_cutting_finds_them(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(7)
    asked: list[tuple[str, str]] = []
    for _ in range(400):
        text = " ".join(
            chance.choice(EDGES) + chance.choice(WORDS) + chance.choice(EDGES) for _ in range(chance.randrange(1, 9))
        )
        asked.append((" ".join(chance.choices(WORDS[:5], k=chance.randrange(1, 3))), text))
    found = [Phrase(phrase).held_by(text) for phrase, text in asked]
    named = [Phrase(phrase).may_be_named(f"file:///{text}.txt?v=1#{text}") for phrase, text in asked]
    monkeypatch.setattr(Phrase, "_between_spaces", None)
    assert found == [Phrase(phrase).held_by(text) for phrase, text in asked]
    read = [Phrase(phrase).held_by(read_name(f"file:///{text}.txt?v=1#{text}").text) for phrase, text in asked]
    assert [may for may, held in zip(named, read, strict=True) if held] == [True] * sum(read)
    assert 50 < sum(read) <= sum(named) < 350
    assert 50 < sum(found) < 350
