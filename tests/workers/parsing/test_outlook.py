"""Outlook's own formats: packed rich text, and what is damaged. What is in whole files is among the truth."""

from contextlib import suppress

import pytest

from embedmill.shared.errors import DocumentError
from embedmill.workers.parsing.compressed_rtf import unpacked
from tests.workers.parsing.making import read
from tests.workers.parsing.outlook_files import outlook_message, packed_rtf, winmail

# [MS-OXRTFCP] 3.1.1 and 3.1.2: a text that refers to the dictionary, and one that refers to what it is just writing.
HELLO = "2d0000002b0000004c5a4675f1c5c7a703000a007263706731323542320af32068656c09002062770 5b06c647d0a800fa0".replace(
    " ", ""
)
WXYZ = "1a0000001c0000004c5a4675e2d44b51410004205758595a0d6e7d010eb0"


@pytest.mark.parametrize(
    ("packed", "rich"),
    [
        (bytes.fromhex(HELLO), rb"{\rtf1\ansi\ansicpg1252\pard hello world}" + b"\r\n"),
        (bytes.fromhex(WXYZ), rb"{\rtf1 WXYZWXYZWXYZWXYZWXYZ}"),
        (packed_rtf(b"{a}"), b"{a}"),
        (b"\x10\0\0\0\x03\0\0\0MELA\0\0\0\0{a}", b"{a}"),
    ],
)
def test_rich_text_is_unpacked(packed: bytes, rich: bytes) -> None:
    assert unpacked(packed, most=1000) == rich


def test_packed_text_ends_where_its_bound_is() -> None:
    assert len(unpacked(bytes.fromhex(WXYZ), most=5)) == 5


@pytest.mark.parametrize("name", ["a.msg", "winmail.dat"])
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_a_message_of_outlook_that_is_cut_short_is_read_or_refused_and_nothing_else(name: str, cut: float) -> None:
    whole = outlook_message() if name == "a.msg" else winmail([("a.txt", b"A walrus." * 90)])
    with suppress(DocumentError):
        assert read(whole[: int(len(whole) * cut)], name).blocks
