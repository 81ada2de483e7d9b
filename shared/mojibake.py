"""Owns text decoded twice: UTF-8 that somebody read as windows-1252, Latin-1 or windows-1251 and wrote again."""
# ruff: noqa: RUF001 - these are the very signs that such an accident leaves

import re

# A lead byte of UTF-8 and the bytes that follow it, as windows-1252 shows them; C1 is what Latin-1 makes of them.
_FOLLOWING = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_PAIR = re.compile(f"[\xc2-\xdf][{_FOLLOWING}]|[\xe0-\xef][{_FOLLOWING}]{{2}}|[\xf0-\xf4][{_FOLLOWING}]{{3}}")
_MAYBE_PAIR = re.compile(f"[\xc2-\xf4][{_FOLLOWING}]")
"""What every pair begins with, which is found faster than a pair."""
_BYTES = {bytes((byte,)).decode("cp1252", "ignore") or chr(byte): byte for byte in range(128, 256)}
_BYTES |= {chr(byte): byte for byte in range(256)}
_CYRILLIC_FOLLOWING = bytes(byte for byte in range(128, 192) if byte != 0x98).decode("cp1251") + "\x98"
_CYRILLIC_PAIRS = re.compile(f"(?:[РС][{_CYRILLIC_FOLLOWING}]){{2}}")
"""Two letters of Cyrillic, one behind the other, as windows-1251 shows their bytes: no word is spelled so."""
_CYRILLIC_BYTES = {character: byte for byte in range(256) for character in bytes((byte,)).decode("cp1251", "ignore")}
_CYRILLIC_BYTES["\x98"] = 0x98
TIMES = 3
_LEAD = b"\xc3"
"""In UTF-8 every lead byte of a pair begins so, which is found faster than a pair."""


def repair(text: str) -> str:
    """The text as it was written, when all of it was decoded twice (or up to `TIMES` times more), and else as it is.

    A good text is not UTF-8 when it is written in windows-1252: one letter such as `é` before a blank is a proof.
    """
    for _ in range(TIMES):
        if not holds_pairs(text) or (mended := _decode_once(text)) is None:
            break
        text = mended
    return text


def holds_pairs(text: str) -> bool:
    """Whether a pair that such an accident leaves stands anywhere in the text."""
    if text.isascii():
        return False
    if _LEAD in text.encode("utf-8", "surrogatepass") and (found := _MAYBE_PAIR.search(text)):
        return _PAIR.search(text, found.start()) is not None or _holds_cyrillic_pairs(text)
    return _holds_cyrillic_pairs(text)


def _holds_cyrillic_pairs(text: str) -> bool:
    return _CYRILLIC_PAIRS.search(text) is not None


def share_of_pairs(text: str) -> float:
    """Which part of the characters are in pairs that such an accident leaves, between 0 and 1."""
    return sum(len(pair) for pair in _PAIR.findall(text)) / max(len(text), 1)


def _decode_once(text: str) -> str | None:
    read_as = _CYRILLIC_BYTES if _holds_cyrillic_pairs(text) else _BYTES
    if not all(character in read_as for character in set(text)):
        return None
    try:
        return bytes(map(read_as.__getitem__, text)).decode("utf-8")
    except UnicodeDecodeError:
        return None
