"""Phrases: what stands in plain words between spaces is found without being cut, and is what cutting finds."""

import random

import pytest

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
    monkeypatch.setattr(Phrase, "_is_plainly_in", lambda *_: False)
    assert found == [Phrase(phrase).held_by(text) for phrase, text in asked]
    assert 50 < sum(found) < 350
