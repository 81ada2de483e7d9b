"""Addresses of people and machines: mail, IP and MAC; each is looked for around the sign that it cannot do without."""

import re
from collections.abc import Iterator
from socket import AF_INET6, inet_pton

from embedmill.shared.redaction.edges import is_word, opens_at
from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.hints import MACHINE, SECTION, VERSION, Before
from embedmill.shared.redaction.late import late

SHORTEST = 7
"""Characters of four numbers of one digit, which sections and versions have, and addresses of people do not."""
MOST_SECTIONS = 30
"""Sections of a chapter, or releases of a program, that are counted."""
LOCAL_MOST = 64
"""Characters before the sign (RFC 5321)."""

MOST_OCTET, LOOPBACK = 255, 127
_OWN = (bytes(16), bytes(15) + b"\1")
"""`::` and `::1`."""

_LOCAL = late(r"""(?:"[^"\n]{1,62}"|[\w.+%'#&*~!$^-]{1,64})\Z""")
_POINT = r"(?:\.|%2e|=2e|&period;|&#46;)"
_POINTS = late(_POINT, re.IGNORECASE)
_LABEL = r"[\w-]{1,63}(?:(?:(?<=-)|=)\r?\n[\w-]{1,63})?"
"""Of a domain; it may be parted by a hyphen at the end of a line, or by the sign of one that goes on."""
_NAMED_DOMAIN = rf"(?:{_LABEL}{_POINT}){{1,10}}(?:xn--[a-z0-9-]{{2,59}}|[^\W\d_]{{2,63}})(?!\w)"
_LITERAL_DOMAIN = r"\[(?:[0-9]{1,3}\.){3}[0-9]{1,3}\]|\[ipv6:[0-9a-f:.]{2,45}\]"
_DOMAIN = late(f"{_NAMED_DOMAIN}|{_LITERAL_DOMAIN}", re.IGNORECASE)
_AT = late(r"[@%=&\\](?:(?<=@)|(?<=[%=])40|(?<=&)(?:#64|#x40|commat);|(?<=\\)u0040)")
_QUOTED_LOCAL = late(r"(?:[\w.+%'~-]|=[0-9A-F]{2}){1,64}\Z")
"""Before the sign in quoted-printable."""
_SPOKEN_AT, _SPOKEN_DOT = "(?:at|aet|arroba|chez|@)", r"(?:dot|punkt|point|punto|ponto|\.)"
"""As they are written in brackets."""
_SPOKEN = late(
    rf"(?:[ \t]{{0,2}}[\[({{<][ \t]?{_SPOKEN_AT}[ \t]?[\])}}>][ \t]{{0,2}}|[ \t]{{1,2}}at[ \t]{{1,2}}|@)"
    rf"((?:[\w-]{{1,63}}(?:[ \t]{{0,2}}[\[({{<][ \t]?{_SPOKEN_DOT}[ \t]?[\])}}>][ \t]{{0,2}}"
    r"|[ \t]{1,2}dot[ \t]{1,2}|\.)){1,6}[a-z]{2,24})(?!\w)",
    re.IGNORECASE,
)
_FURTHER = "aet arroba chez punkt point punto ponto".split()
_DISGUISES = (
    *("[at", "(at", "{at", "<at", "[ at", "( at", "(@", "[@", " dot ", "[dot", "(dot", "{dot", "[.]", "(.)"),
    *(f"{bracket}{word}" for bracket in "[({" for word in _FURTHER),
)
_ANY_DISGUISE = frozenset(_DISGUISES)
_POINTING = late(
    r"\s{1,2}at\s{1,2}(?:th(?:is|at|ese|ose|e|eir)|an?|any|some|each|every|its|my|our|your|his|her)\s", re.IGNORECASE
)
"""Prose, as "look at this dot com"."""
_PLAIN_LOCAL = late(r"[\w.+-]{1,64}\Z")
_NO_MAIL = frozenset(
    "service timer socket target mount setter getter png jpg jpeg gif svg webp bmp ico tif tiff avif css js mjs ts tsx "
    "jsx html htm json xml yaml yml txt log pdf csv".split()
)
"""What is behind the last dot of a unit, an attribute or a file, and is no domain."""
_LOOSE_TAIL = frozenset(
    "com net org edu gov mil int info biz io ai app dev co eu uk de fr es it nl be ch at pt pl se no dk fi ie cz hu ro "
    "bg gr tr ru ua jp cn kr tw in au nz br mx ar cl za ca us example".split()
)
"""Ends of domains that are believed where blanks stand beside the sign: `x @ w.weight` is a product of matrices."""
_WITHIN_NAME = late(
    rf"(?:[a-z0-9-]{{1,63}}\.){{0,9}}(?=[0-9-]{{0,62}}[a-z])[a-z0-9-]{{1,63}}\.(?:{'|'.join(_LOOSE_TAIL)})(?=[._-])",
    re.IGNORECASE,
)
"""A domain at whose end the name of a file goes on, as in `jane@example.com_old.pdf`."""
_LOOSE_LOCAL = late(r"[\w.+-]{0,63}[\w](?=([ \t]?\n|[ \t]{1,2})\Z)")
_APART = frozenset(" \t\n")
_SOFTWARE = frozenset({"git", "hg", "svn"})


def find_mail(glance: Glance) -> Iterator[Finding]:
    """E-mail addresses, as they are written and as they are disguised."""
    text = glance.text
    if "@" in text or "40" in text or "&commat;" in text or "&#64;" in text:
        for sign in _AT.finditer(text):
            if found := _mail(text, sign):
                yield found
    for start, end in glance.words.around(_ANY_DISGUISE, before=130, after=130):
        yield from _disguised_mail(text, start, end)


def _mail(text: str, sign: re.Match[str]) -> Finding | None:
    window = max(0, sign.start() - LOCAL_MOST - 2), sign.start()
    pattern = _QUOTED_LOCAL if sign[0] == "=40" else _LOCAL
    local = pattern.search(text, _begin_of_word(text, sign.start()), sign.start())
    loose = local is None and sign[0] == "@" and text[sign.start() - 1 : sign.start()] in _APART
    if loose:
        local = _LOOSE_LOCAL.search(text, *window)
    if local is None:
        return None
    end = sign.end()
    if text[end : end + 1] == "\n":
        end += 1
    elif text[end : end + 1] == " " and sign[0] == "@":
        loose, end = True, end + 1
    domain = _DOMAIN.match(text, end)
    if domain is None or domain[0].rpartition(".")[2].lower() in _NO_MAIL:
        domain = _WITHIN_NAME.match(text, end)
    if domain is None or _is_no_mail(text, local):
        return None
    if (loose or sign[0] == "=40") and not _is_believed(text, local, domain):
        return None
    start = _without_sign(text, local)
    return Finding("EMAIL_ADDRESS", start, domain.end(), Certainty.CHECKED) if start < sign.start() else None


def _begin_of_word(text: str, end: int) -> int:
    """Where the local part before a sign may begin at the earliest; one in quotation marks may have blanks."""
    first = max(0, end - LOCAL_MOST)
    return first if text[end - 1 : end] == '"' else max(first, text.rfind(" ", first, end) + 1)


def _without_sign(text: str, local: re.Match[str]) -> int:
    """Where the address begins: not with a sign that only stands before it, nor with what an escape is written with."""
    start = local.start()
    while start < local.end() and text[start] in ".'-*!#&$^~%":
        start += 3 if text[start] == "%" and local.end() - start > 3 else 1
    return start


def _is_no_mail(text: str, local: re.Match[str]) -> bool:
    if local[0].lower() in _SOFTWARE:
        return True
    return text[local.start() - 1 : local.start()] == ":" and "//" in _word_before(text, local.start())


def _is_believed(text: str, local: re.Match[str], domain: re.Match[str]) -> bool:
    """Whether it is an address though blanks are beside its sign: its end is a known one, and no call or item follows.

    With a blank on one side only, or over two lines, its name has to have a sign or digit, too.
    """
    if _POINTS.split(domain[0])[-1].lower() not in _LOOSE_TAIL or text[domain.end() : domain.end() + 1] in {"(", "["}:
        return False
    around = text[local.end() : domain.start()]
    return around[:1] == around[-1:] == " " or "=" in around or not local[0].isalpha()


def _word_before(text: str, place: int) -> str:
    """What stands before a place without white space, as a scheme and a name do before a password."""
    return text[max(0, place - LOCAL_MOST) : place].rsplit(maxsplit=1)[-1]


def _disguised_mail(text: str, first: int, last: int) -> Iterator[Finding]:
    for sign in _SPOKEN.finditer(text, first, last):
        local = _PLAIN_LOCAL.search(text, max(0, sign.start() - LOCAL_MOST), sign.start())
        if local is not None and _is_disguised(sign[0]) and not _POINTING.match(sign[0]):
            yield Finding("EMAIL_ADDRESS", local.start(), sign.end(), Certainty.FORMED)


def _is_disguised(written: str) -> bool:
    """Some sign is in brackets, or both are words: "at example.com" alone is prose."""
    return bool(
        re.search(
            rf"[\[({{<][ \t]?{_SPOKEN_AT}|[ \t\])}}>]dot[ \t\[({{<]|[\[({{<][ \t]?{_SPOKEN_DOT}", written, re.IGNORECASE
        )
    )


_V4 = late(r"\.(?<=[0-9]\.)[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")
_DOT = r"(?:\[\.\]|\(\.\)|\[dot\])"
_TITLE = late(r"[ \t]{1,4}[A-Z][a-z]{2,}(?:[ \t][A-Za-z]|\n|\Z)")
_V4_DEFANGED = late(rf"[0-9]{{1,3}}(?:{_DOT}|\.)[0-9]{{1,3}}{_DOT}[0-9]{{1,3}}(?:{_DOT}|\.)[0-9]{{1,3}}(?![0-9])")
_DOTS = late(_DOT)
_DISGUISED_DOTS, _LONGEST_DEFANGED = frozenset({"[.]", "(.)", "[dot"}), 27
"""One of these is in each such address, and so many characters are the most."""
_V4_DASHED = late(r"ip-([0-9]{1,3}(?:-[0-9]{1,3}){3})(?![\w-])")
"""As clouds name their machines."""
_COLONS = late(":(?<![^0-9A-Fa-f:]:)[0-9A-Fa-f]{0,4}:|::")
_COLON_TOKEN = late("[0-9A-Fa-f:]{2,39}(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3})?")
_HEX_OR_COLON = frozenset("0123456789abcdefABCDEF:")
_MAC_DASHED = late("-(?<=[0-9A-Fa-f]{2}-)[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){4}(?!-|[^\\W_])")
_MAC_DOTTED = late(r"\.(?<=[0-9A-Fa-f]{4}\.)[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}(?![^\W_]|\.[0-9A-Fa-f]{4})")
_MAC_NAMED = late(
    r"mac(?:[ _-]?addr(?:ess)?)?[\s:=\"']{1,4}([0-9a-f]{12}|[0-9a-f]{2}(?: [0-9a-f]{2}){5})(?! ?[0-9a-f]{2}\b|[0-9a-f])"
)
_MAC = late("[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}(?:(?::[0-9A-Fa-f]{2}){2})?\\Z")


def find_machines(glance: Glance) -> Iterator[Finding]:
    """IP and MAC addresses; those of this machine itself and of no machine tell nobody."""
    text, lowered = glance.text, glance.lowered
    for match in _V4.finditer(text):
        if found := _v4(text, lowered, match):
            yield found
    for span in glance.words.around(_DISGUISED_DOTS, before=_LONGEST_DEFANGED, after=_LONGEST_DEFANGED):
        for match in _V4_DEFANGED.finditer(text, *span):
            if _is_told(_DOTS.sub(".", match[0])):
                yield Finding("IP_ADDRESS", *match.span(), Certainty.FORMED)
    for place in glance.words.at("ip-"):
        named = _V4_DASHED.match(lowered, place)
        if named and opens_at(text, place) and _is_told(named[1].replace("-", ".")):
            yield Finding("IP_ADDRESS", *named.span(1), Certainty.FORMED)
    yield from _with_colons(text)
    yield from _mac(glance)


def _v4(text: str, lowered: str, match: re.Match[str]) -> Finding | None:
    start = match.start()
    while start and match.start() - start < 4 and "0" <= text[start - 1] <= "9":
        start -= 1
    end = match.end()
    if match.start() - start > 3 or not _stands_alone(text, start, end):
        return None
    written = text[start:end]
    before = Before(lowered, start)
    if not _is_told(written) or VERSION.precedes(before):
        return None
    if _is_small(written) and not MACHINE.precedes(before) and _is_counted(text, start, end, before):
        return None
    return Finding("IP_ADDRESS", start, end, Certainty.FORMED)


def _is_small(written: str) -> bool:
    """As the numbers of sections and releases are."""
    return all(int(part) <= MOST_SECTIONS for part in written.split("."))


def _is_counted(text: str, start: int, end: int, before: Before) -> bool:
    """Whether it may be the number of a section or release."""
    return (
        end - start == SHORTEST
        or SECTION.precedes(before)
        or _is_heading(text, start, end)
        or _is_joined(text, start, end)
    )


def _is_joined(text: str, start: int, end: int) -> bool:
    """It is a part of a file's name, as a version is."""
    return "_" in {text[start - 1 : start], text[end : end + 1]}


def _is_heading(text: str, start: int, end: int) -> bool:
    """It begins a line, and a title follows."""
    before = text[max(0, start - 2) : start]
    return (before[-1:] in {"", "\n"} or before == "# ") and _TITLE.match(text, end) is not None


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Whether no word or number goes on with it; a dash parts two addresses, and a large one from what is counted."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    dashed = _is_large(text[start:end])
    if before and (
        is_word(before[-1])
        or (len(before) > 1 and is_word(before[0]) and (before[-1] == "." or (before[-1] == "-" and not dashed)))
    ):
        return False
    if not after:
        return True
    if (
        len(after) > 1
        and is_word(after[1])
        and ((after[0] == "-" and not dashed) or (after[0] == "." and after[1].isdigit()))
    ):
        return False
    return not is_word(after[0])


def _is_large(written: str) -> bool:
    """As the numbers of no release are."""
    return sum(int(part) > MOST_SECTIONS for part in written.split(".")) > 1


def _is_told(written: str) -> bool:
    """Whether it is an address, and none of this machine's own, of no machine, or a mask."""
    if ":" in written:
        try:
            return inet_pton(AF_INET6, written) not in _OWN
        except OSError:
            return False
    parts = [int(part) for part in written.split(".")]
    return max(parts) <= MOST_OCTET and parts[0] != LOOPBACK and any(parts) and parts[:3] != [MOST_OCTET] * 3


def _with_colons(text: str) -> Iterator[Finding]:
    place = 0
    while match := _COLONS.search(text, place):
        start = match.start()
        earliest = max(place, start - 40)
        while start > earliest and text[start - 1] in _HEX_OR_COLON:
            start -= 1
        token = _COLON_TOKEN.match(text, start)
        place = match.end()
        if token is not None:
            place = max(place, token.end())
            if found := _colon_address(text, start, token.end()):
                yield found


def _colon_address(text: str, start: int, end: int) -> Finding | None:
    while end > start and text[end - 1] == ":" and text[end - 2 : end] != "::":
        end -= 1
    if text[start : start + 1] == ":" and text[start : start + 2] != "::":
        start += 1
    if not _colons_stand_alone(text, start, end):
        return None
    written = text[start:end]
    if _MAC.match(written):
        return None if len(set(written)) <= 2 else Finding("MAC_ADDRESS", start, end, Certainty.CHECKED)
    if not _is_told(written) or not _is_no_code(written):
        return None
    return Finding("IP_ADDRESS", start, end, Certainty.CHECKED)


def _colons_stand_alone(text: str, start: int, end: int) -> bool:
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    return not (before and (is_word(before) or before == ":")) and not (after and (is_word(after) or after == ":"))


def _is_no_code(written: str) -> bool:
    """`a::b` of a program has no digit, and a slice such as `1::2` has few."""
    groups = [group for group in written.split(":") if group]
    return len(groups) > 2 or (len(groups) == 2 and any(map(str.isdigit, written)) and max(map(len, groups)) > 2)


def _mac(glance: Glance) -> Iterator[Finding]:
    text = glance.text
    for pattern, size in ((_MAC_DASHED, 2), (_MAC_DOTTED, 4)):
        for match in pattern.finditer(text):
            start = match.start() - size
            before = text[start - 1 : start] if start else ""
            if not (before and (is_word(before) or before in "-.")) and any(map(str.isdigit, match[0])):
                yield Finding("MAC_ADDRESS", start, match.end(), Certainty.CHECKED)
    for place in glance.words.at("mac"):
        if named := _MAC_NAMED.match(glance.lowered, place):
            yield Finding("MAC_ADDRESS", *named.span(1), Certainty.HINTED)


WORDS = ("mac", "ip-", *_DISGUISES)
"""What disguised addresses have, and what stands before those without signs."""
