"""Tells which counts of a provider can be true: no negative ones, none of nothing, and none that no request can reach.

Tokenizers differ, so a little more than was reserved is believed, and the ledger is never short of the bill. But a
token has at least a byte, and ours makes one of some four bytes of prose: nobody's counts more than four times as many.
Nor has a text less than a token, and nobody's makes one of sixteen of ours but of a script that it does not know.
"""

from embedmill.shared.ledger import Tokens

MOST_TIMES = 4
FEWEST_PART = 16
EXTRA_TOKENS = 64
"""What a provider may add to each input, as markers and a system prompt of its own."""


def is_credible(reported: Tokens, *, reserved: Tokens, inputs: int, answered: int) -> bool:
    """Whether a call for which `reserved` was the most, of so many inputs, can have taken these tokens.

    `answered` are the inputs that they are about, which of a batch may be some.
    """
    amounts = reported.into, reported.out, reported.cache_read, reported.cache_write, reported.cache_write_1h
    if min(amounts) < 0 or reported.cache_write_1h > reported.cache_write:
        return False
    if reported.prompt < _fewest(reserved.prompt, inputs, answered):
        return False
    most = MOST_TIMES * reserved.prompt + EXTRA_TOKENS * max(inputs, 1)
    return reported.prompt <= most and reported.out <= reserved.out + EXTRA_TOKENS


def _fewest(reserved: int, inputs: int, answered: int) -> int:
    """The tokens that so many inputs have at least; none where none was reserved for, as of what is billed by units."""
    part = reserved // FEWEST_PART if answered >= inputs else 0
    return min(max(answered, part, 1), reserved)
