"""Owns the following of a streamed answer: what was said is passed on at once, and kept whatever comes after it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from embedmill.shared.errors import EmbedmillError
from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.models.base import ModelAnswer, Stop

EVENT_STREAM = "text/event-stream"
Tell = Callable[[str], None]
"""Is given each piece of an answer's text as it comes."""


@dataclass(frozen=True, slots=True)
class StreamPiece:
    """What one event says: some text, why the answer ended, or what it took so far."""

    text: str = ""
    stop: Stop | None = None
    tokens: Tokens | None = None


def is_streamed(headers: Mapping[str, str]) -> bool:
    """Whether an answer comes in events; a server that cannot stream answers all the same."""
    return headers.get("content-type", EVENT_STREAM).startswith(EVENT_STREAM)


def follow(
    pieces: Iterable[StreamPiece], tell: Tell, *, broken: Callable[[Exception], EmbedmillError], most_out: int
) -> ModelAnswer:
    """The answer that the pieces make up, told as they come.

    One that breaks off after some text is an answer that was cut, and took what was told so far, with the longest text
    that it might have had; tokens are None where nothing was told. Raises `broken` where no text came at all.
    """
    said: list[str] = []
    stop: Stop | None = None
    tokens: Tokens | None = None
    try:
        for piece in pieces:
            stop, tokens = piece.stop or stop, piece.tokens or tokens
            if piece.text:
                said.append(piece.text)
                tell(piece.text)
    # Whatever breaks a stream, be it the vendor, its library or the line: what was said is there.
    except Exception as error:  # noqa: BLE001
        if not said:
            raise broken(error) from None
        stop = None
    if stop is None and not said:
        raise broken(ValueError("no event"))
    if stop is None and tokens is not None:
        tokens = replace(tokens, out=most_out)
    return ModelAnswer("".join(said), stop or Stop.CUT, tokens, "")
