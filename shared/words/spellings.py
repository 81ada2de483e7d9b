"""Owns how else one identifier is written: its letters and its number together or apart, with a sign between or not."""

import re

_TOGETHER = re.compile(
    r"([^\W\d_]+)(\d+)"  # A320
    r"|([^\W\d_]?[1-9]\d*)(x)(\d+)"  # 1920x1080, M3x10
    r"|(\d+)(?![ai]\Z)([^\W\d_]{1,3}\d?)"  # 24h, 20m2; not 1a
)
_QUANTITY = re.compile(r"(?P<number>[-+]?\d+(?:[.,]\d+)*)-?(?:(?P<degree>°?)(?P<scale>[cf])|(?P<unit>[^\W\d_]{1,4}))")
_SIGNED_NAME = re.compile(r"(?<=[^\W\d_])(\+\+)(?=\d)")
_INITIALS = re.compile(r"(?<![\w.])(?:[^\W\d_]\.){2,}(?!\w)")
_TIMES = re.compile(r"(?<=\d)\s?×\s?(?=\d)")
_TIMES_BETWEEN = re.compile(r"(?<=\d) x (?=\d)")


def name_and_number(token: str) -> tuple[str, ...]:
    """A and 320 for A320, 24 and h for 24h, 4, x and 3 for 4x3; nothing for what is made otherwise."""
    found = _TOGETHER.fullmatch(token)
    return tuple(filter(None, found.groups())) if found else ()


def other_wholes(whole: str) -> tuple[str, ...]:
    """How a folded quantity is written as one word too: 40°c for 40c, and 3.5-mm for 3.5mm."""
    found = _QUANTITY.fullmatch(whole)
    if not found:
        return ()
    number, unit = found["number"], found["scale"] or found["unit"]
    written = [f"{number}{unit}", f"{number}-{unit}", *([f"{number}°{unit}"] if found["scale"] else ())]
    return tuple(other for other in written if other != whole)


def in_one_form(text: str) -> str:
    """A query with its words as they are told apart: C++ 17 for C++17, 5 pm for 5 p.m., sizes with an x."""
    initials = _INITIALS.sub(lambda found: found[0].replace(".", ""), text)
    return _TIMES.sub(" x ", _SIGNED_NAME.sub(r"\1 ", initials))


def without_times(words: str) -> str:
    """A size without the x between, as texts have it that write a sign there."""
    return _TIMES_BETWEEN.sub(" ", words)
