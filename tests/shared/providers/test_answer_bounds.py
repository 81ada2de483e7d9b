"""How much is read of an answer: of its whole or of a line, as it is unpacked, by clients of both libraries."""

import gzip
from collections.abc import Callable, Iterator
from types import ModuleType

import httpx
import httpx2
import pytest

from embedmill.shared.errors import ProviderUnavailable
from embedmill.shared.providers import answer_bounds
from embedmill.shared.providers.answer_bounds import bound_answers, bound_lines

PIECE = b"x" * 100
LINE = b"y" * 99 + b"\n"
PACKED = {"content-encoding": "gzip"}


@pytest.mark.parametrize("library", [httpx, httpx2])
@pytest.mark.parametrize(
    ("bound", "pieces", "headers", "most_read"),
    [
        pytest.param(bound_answers, [PIECE] * 9, {}, 900, id="small"),
        pytest.param(bound_answers, [PIECE] * 99, {}, None, id="endless"),
        pytest.param(bound_answers, [LINE] * 99, {}, None, id="lines"),
        pytest.param(bound_answers, [gzip.compress(PIECE)], PACKED, 100, id="packed"),
        pytest.param(bound_answers, [gzip.compress(PIECE * 99)], PACKED, None, id="bomb"),
        pytest.param(bound_lines, [LINE] * 99, {}, 9900, id="many lines"),
        pytest.param(bound_lines, [LINE] * 9 + [PIECE] * 99, {}, None, id="endless line"),
    ],
)
def test_an_answer_is_read_as_far_as_it_may_be(
    library: ModuleType,
    bound: Callable[..., None],
    pieces: list[bytes],
    headers: dict[str, str],
    most_read: int | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(answer_bounds, "MOST_BYTES", 1000)
    taken = []

    def send() -> Iterator[bytes]:
        for piece in pieces:
            taken.append(piece)
            yield piece

    transport = library.MockTransport(lambda _: library.Response(200, headers=headers, content=send()))
    with library.Client(transport=transport) as client:
        bound(client, provider="somebody")
        if most_read is not None:
            assert len(client.get("http://here").content) == most_read
            return
        with pytest.raises(ProviderUnavailable, match="somebody sent more than"):
            client.get("http://here")
    assert len(taken) <= 20
