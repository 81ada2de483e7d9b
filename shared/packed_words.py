"""Owns the words of a text as columns: where each begins and ends in its bytes, and what it is recognised by."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.intp]
    Keys = NDArray[np.uint64]

WHOLE = 15
"""Bytes of the longest word that its key holds whole: a key has sixteen, the last of which is the word's length."""
SLOT_BITS = 17
SLOTS = 1 << SLOT_BITS
_WIDTH = 8
_MIXED, _STIRRED = 0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F
"""Odd numbers without a pattern, by which a product spreads the bits of a key."""
_SPACE = 0x20


class PackedWords:
    """What stands between the spaces of a text. `first` and `second` are the keys, `slots` a short hash of each.

    Two words of which `is_whole` says that their keys hold them have the same key if they are the same, as none has a
    zero byte behind its first. A longer word has no whole word's key.
    """

    def __init__(self, text: str) -> None:
        import numpy as np

        self._data = text.encode("utf-8", "surrogatepass")
        padded = self._data + b" " * (2 * _WIDTH + 1)
        end = len(self._data) + 1
        self._ends = (np.frombuffer(padded, np.uint8, end) == _SPACE).nonzero()[0]
        self._starts = np.empty_like(self._ends)
        self._starts[0] = 0
        np.add(self._ends[:-1], 1, out=self._starts[1:])
        sizes = np.minimum(self._ends - self._starts, WHOLE + 1)
        begins = np.ndarray((len(padded) - _WIDTH + 1,), np.dtype("<u8"), padded, strides=(1,))
        own_first, own_second, size_last = _masks()
        self.first: Keys = begins[self._starts] & own_first.take(sizes)
        self.second: Keys = begins[self._starts + _WIDTH] & own_second.take(sizes) | size_last.take(sizes)
        mixed = (self.first * _MIXED ^ self.second * _STIRRED) * _MIXED >> 64 - SLOT_BITS
        self.slots: Places = mixed.view(np.int64)
        self.is_whole: NDArray[np.bool_] = sizes <= WHOLE

    @property
    def are_apart(self) -> bool:
        """Whether each word but the first and the last is more than nothing, or than one zero byte."""
        return bool(self.first[1:-1].all())

    def __len__(self) -> int:
        return len(self._ends)

    def words(self, places: "Places") -> list[str]:
        """The words that stand at these places, counted from 0."""
        spans = zip(self._starts[places].tolist(), self._ends[places].tolist(), strict=True)
        return [self._data[start:end].decode("utf-8", "surrogatepass") for start, end in spans]


@cache
def _masks() -> "NDArray[np.uint64]":
    """By a word's bytes: which of the first eight and of the next are its own, and its length in the last one."""
    import numpy as np

    sizes = range(WHOLE + 2)
    own = [[(1 << 8 * max(0, min(size - before, _WIDTH))) - 1 for size in sizes] for before in (0, _WIDTH)]
    return np.array([own[0], [*own[1][:-1], 0], [size << 56 for size in sizes]], np.uint64)
