"""The most tokens that a call of a model may take, as far as that can be told without the provider's tokenizer."""

from collections.abc import Iterable

from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.models.base import Model, Prompt
from embedmill.shared.tokenizer import count_tokens

BYTES_PER_TOKEN, COUNT_MARGIN = 2.5, 1.5
"""An estimate that errs upwards: by the bytes for prose, of which a million tokens of Claude since Opus 4.7 hold some
2.5 million characters, and by our own count for what is denser, as digits, tables and most scripts are. A reservation
may be too large, and is settled to the truth; what is never settled must not be short.
"""


def most_tokens(model: Model, prompt: Prompt, *, batch: bool = False) -> Tokens:
    """The most that a call may take: the longest answer, and all that is to be cached, in a batch for an hour."""
    sent = _at_most(block.text for block in (*prompt.system, *prompt.user))
    kept = sent if model.keeps_every_prompt else min(_kept(prompt), sent)
    return Tokens(into=sent - kept, out=prompt.max_tokens, cache_write=kept, cache_write_1h=kept if batch else 0)


def _kept(prompt: Prompt) -> int:
    """What the provider is asked to keep for the next call: everything up to the last cached block."""
    blocks = (*prompt.system, *prompt.user)
    last = max((place for place, block in enumerate(blocks) if block.cached), default=-1)
    return _at_most(block.text for block in blocks[: last + 1]) if last >= 0 else 0


def _at_most(texts: Iterable[str]) -> int:
    joined = "".join(texts)
    return (
        max(int(len(joined.encode("utf-8", "replace")) / BYTES_PER_TOKEN), int(COUNT_MARGIN * count_tokens(joined))) + 1
    )
