"""`rules`, the offline validator: it rejects chunks that hold no language, by counting characters, and judges nothing else.

These are heuristics, not a model's opinion: a chunk that passes may still be incoherent.
"""

import unicodedata
from itertools import islice

# Counting a sample keeps a long chunk cheap and judges it as well.
SAMPLE = 2000
# Below this, a chunk is judged by nothing but whether it has any letter or digit.
SHORT = 40
FEWEST_WORD_CHARACTERS = 0.15
MOST_DAMAGED = 0.2
# Letters that encoding errors leave behind: the replacement character and private use.
DAMAGED = frozenset({"Co", "Cn", "Cs"})


def judge(text: str) -> str | None:
    """Why a chunk should not be indexed, or None to keep it."""
    sample = [character for character in islice(text, SAMPLE) if not character.isspace()]
    words = sum(character.isalnum() for character in sample)
    if not words:
        return "it holds no letter and no digit"
    if len(sample) < SHORT:
        return None
    damaged = sum(character == "\ufffd" or unicodedata.category(character) in DAMAGED for character in sample)
    if damaged > MOST_DAMAGED * len(sample):
        return "more than a fifth of its characters are damaged by a wrong encoding"
    marks = sum(unicodedata.category(character).startswith("M") for character in sample)
    if words + marks < FEWEST_WORD_CHARACTERS * len(sample):
        return "fewer than 15 in 100 of its characters are letters or digits"
    return None
