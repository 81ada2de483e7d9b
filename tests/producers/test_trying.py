"""The memory of a reading that is only tried is as any other, however much is put into it, and changes nothing."""

import random

import pytest

from embedmill.producers import trying
from embedmill.producers.sources.memory import Memory, Value
from embedmill.producers.trying import TrialMemory


class Backwards(Memory):
    """A memory with an order of its own."""

    def _place(self, key: str) -> str:
        return "".join(chr(0x7F - ord(letter)) for letter in key)


@pytest.mark.parametrize("most", [1, 3, 1000])
@pytest.mark.parametrize("kind", [Memory, Backwards])
def test_what_is_put_and_forgotten_is_seen_over_what_is_under_it(
    monkeypatch: pytest.MonkeyPatch, most: int, kind: type[Memory]
) -> None:
    monkeypatch.setattr(trying, "MOST_IN_MEMORY", most)
    drawn, under = random.Random(1), kind()
    expected: dict[str, Value] = {f"k{number}": {"n": number} for number in range(20)}
    under.put_many(expected)
    tried, before = TrialMemory(under), dict(expected)
    for step in range(200):
        key = f"k{drawn.randrange(40)}"
        if drawn.random() < 0.4:
            tried.forget([key])
            expected.pop(key, None)
        else:
            tried.put_many({key: {"n": step}})
            expected[key] = {"n": step}
        keys = [f"k{drawn.randrange(40)}" for _ in range(5)]
        assert tried.get_many(keys) == {name: expected[name] for name in keys if name in expected}
    in_order = sorted(expected, key=under._place)
    assert list(tried.walk()) == [(name, expected[name]) for name in in_order]
    middle = in_order[len(in_order) // 2]
    assert [name for name, _ in tried.walk(middle)] == in_order[in_order.index(middle) + 1 :]
    assert dict(under.walk()) == before
    assert not tried.take()
