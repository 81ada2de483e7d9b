"""Secrets: keys that vendors give a form of their own, private keys, and values that a name before them gives away."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from embedmill.shared.redaction.edges import opens_at
from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.folding import fold_words
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.late import late


@dataclass(frozen=True, slots=True)
class VendorKey:
    """A vendor's keys: none is without `sign`, and the pattern's first group, or all of it, is the secret."""

    sign: str
    pattern: re.Pattern[str]


def _key(sign: str, rest: str, before: str = r"(?<![A-Za-z0-9])") -> VendorKey:
    return VendorKey(
        sign, late(f"{re.escape(sign)}(?<={before}{re.escape(sign)}){rest}" if before else re.escape(sign) + rest)
    )


_WORD = "[A-Za-z0-9]"
_URLSAFE = "[A-Za-z0-9_-]"
_ROUTED = r"(?:\.[0-9a-z]{2}\.[0-9a-z]{6,12})?"
_LONGER = late(f"{_WORD}{{1,255}}")
"""What a key goes on with that is longer than its vendor's were: it is no less of the key."""

KEYS = (
    _key("AKIA", "[A-Z0-9]{16}(?![A-Za-z0-9])"),
    _key("ASIA", "[A-Z0-9]{16}(?![A-Za-z0-9])"),
    *(_key(f"gh{kind}_", f"{_WORD}{{30,255}}") for kind in "pousr"),
    _key("github_pat_", "[A-Za-z0-9_]{30,255}"),
    _key("glpat-", f"{_URLSAFE}{{16,300}}{_ROUTED}"),
    _key("glsa_", "[A-Za-z0-9_]{32,64}"),
    _key("xox", r"[abeoprs]-[A-Za-z0-9-]{10,250}"),
    _key("xapp-", "[A-Za-z0-9-]{10,250}"),
    *(_key(f"{kind}k_{mode}_", f"{_WORD}{{16,255}}") for kind in "spr" for mode in ("live", "test")),
    _key("whsec_", "[A-Za-z0-9+/=]{24,64}"),
    _key("sk-", f"{_URLSAFE}{{20,255}}"),
    _key("AIza", f"{_URLSAFE}{{35}}"),
    _key("GOCSPX-", f"{_URLSAFE}{{28}}"),
    _key("ya29.", f"{_URLSAFE}{{20,500}}"),
    _key("pypi-", f"{_URLSAFE}{{50,255}}"),
    _key("npm_", f"{_WORD}{{36}}"),
    _key("SG.", rf"{_URLSAFE}{{16,32}}\.{_URLSAFE}{{32,64}}"),
    _key("hf_", f"{_WORD}{{30,40}}"),
    _key("pcsk_", "[A-Za-z0-9_]{30,100}"),
    _key("dop_v1_", "[a-f0-9]{64}"),
    _key("shp", "(?:at|ca|pa|ss)_[a-fA-F0-9]{32}"),
    _key("hvs.", f"{_URLSAFE}{{24,255}}"),
    _key("dapi", "[a-f0-9]{32}"),
    _key("lin_api_", f"{_WORD}{{40}}"),
    _key("ATATT3", "[A-Za-z0-9_=-]{50,255}"),
    _key("NRAK-", "[A-Z0-9]{27}"),
    _key("sq0", f"(?:atp|csp)-{_URLSAFE}{{22,43}}"),
    _key("EAAC", f"{_WORD}{{40,255}}"),
    _key("r8_", f"{_WORD}{{37}}"),
    _key("tfp_", f"{_WORD}{{40,64}}"),
    _key("sbp_", "[a-f0-9]{40}"),
    _key("gsk_", f"{_WORD}{{40,64}}"),
    _key("xai-", f"{_WORD}{{60,100}}"),
    _key("rnd_", f"{_WORD}{{28,40}}"),
    _key("AGE-SECRET-KEY-1", "[A-Z0-9]{58}"),
    _key("SK", "[a-f0-9]{32}(?![A-Za-z0-9])"),
    _key("key-", "[a-f0-9]{32}(?![A-Za-z0-9])"),
    _key("eyJ", rf"{_URLSAFE}{{10,2000}}\.eyJ{_URLSAFE}{{5,5000}}\.{_URLSAFE}{{0,2000}}"),
    _key("pplx-", f"{_WORD}{{40,64}}"),
    _key("ntn_", f"{_WORD}{{40,64}}"),
    _key("secret_", f"{_WORD}{{43}}(?![A-Za-z0-9_])"),
    _key("figd_", f"{_URLSAFE}{{36,64}}"),
    _key("dckr_pat_", f"{_URLSAFE}{{26,40}}"),
    *(_key(f"do{kind}_v1_", "[a-f0-9]{64}") for kind in "or"),
    _key("PMAK-", "[a-f0-9]{24}-[a-f0-9]{34}"),
    *(_key(f"sntry{kind}_", "[A-Za-z0-9_+/=-]{40,400}") for kind in "su"),
    _key("nvapi-", f"{_URLSAFE}{{40,80}}"),
    _key("rubygems_", "[a-f0-9]{48}"),
    _key("pul-", "[a-f0-9]{40}"),
    *(_key(f"dp.{kind}.", f"{_WORD}{{40,44}}") for kind in ("pt", "ct", "scim", "audit", "sa")),
    _key("dp.st.", rf"(?:[a-z0-9_-]{{2,35}}\.)?{_WORD}{{40,44}}"),
    _key("tskey-", f"[a-z]{{3,10}}-{_WORD}{{8,24}}-{_WORD}{{20,40}}"),
    *(_key(f"lsv2_{kind}_", "[a-f0-9]{32}_[a-f0-9]{10}") for kind in ("pt", "sk")),
    _key("re_", f"{_WORD}{{8}}_{_WORD}{{24}}(?![A-Za-z0-9_])"),
    *(
        _key(f"gl{kind}-", f"{_URLSAFE}{{20,300}}{_ROUTED}")
        for kind in ("rt", "dt", "ptt", "cbt", "ft", "soat", "agent")
    ),
    *(_key(f"nf{kind}_", f"{_WORD}{{36}}") for kind in "pcb"),
    _key("hvb.", f"{_URLSAFE}{{24,300}}"),
    _key("LTAI", f"{_WORD}{{16,22}}(?![A-Za-z0-9])"),
    _key("sb_secret_", f"{_URLSAFE}{{30,64}}"),
    _key("jina_", f"{_URLSAFE}{{50,80}}"),
    _key("dt0c01.", r"[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _key("CFPAT-", f"{_URLSAFE}{{43,64}}"),
    _key("fo1_", f"{_URLSAFE}{{40,64}}"),
    *(_key(f"ph{kind}_", f"{_WORD}{{40,64}}") for kind in "cx"),
    _key("tvly-", f"{_URLSAFE}{{28,64}}"),
    _key("pa-", f"{_URLSAFE}{{43}}(?![A-Za-z0-9_-])"),
    _key("fw_", f"{_WORD}{{22,40}}(?![A-Za-z0-9_])"),
    _key("ddp_", f"{_WORD}{{36}}"),
    _key("v1.0-", "[a-f0-9]{24}-[a-f0-9]{146}"),
    _key("pat", rf"{_WORD}{{14}}\.[a-f0-9]{{64}}"),
    _key("ops_eyJ", f"{_URLSAFE}{{200,2000}}"),
    _key("ATBB", f"{_WORD}{{28,40}}(?![A-Za-z0-9])"),
    _key("sl.", f"{_URLSAFE}{{130,1200}}"),
    _key("CLOJARS_", "[a-f0-9]{60}"),
    *(_key(f"EZ{kind}K", f"{_WORD}{{54}}") for kind in "AT"),
    *(_key(f"pscale_{kind}_", f"{_URLSAFE}{{32,64}}") for kind in ("tkn", "pw", "oauth")),
    _key("rdme_", "[a-z0-9]{70}"),
    _key("oy2", "[a-z0-9]{43}(?![A-Za-z0-9])"),
    _key("xkeysib-", f"[a-f0-9]{{64}}-{_WORD}{{16}}"),
    _key("bkua_", "[a-f0-9]{40}"),
    _key("zpka_", "[A-Za-z0-9_]{32,64}"),
    _key("AKID", f"{_WORD}{{32}}(?![A-Za-z0-9])"),
    _key("cio", f"{_WORD}{{32}}(?![A-Za-z0-9])"),
    *(
        _key(f"_{mode}_", f"(?=[A-Za-z]{{0,20}}[0-9]){_WORD}{{24,255}}(?![A-Za-z0-9_])", before="[a-z]")
        for mode in ("live", "test", "prod")
    ),
    _key("hooks.slack.com/services/", "([A-Z0-9]{8,12}/[A-Z0-9]{8,12}/[A-Za-z0-9]{20,30})", before=""),
    _key("discord.com/api/webhooks/", f"([0-9]{{16,20}}/{_URLSAFE}{{60,80}})", before=""),
    _key("AccountKey=", "([A-Za-z0-9+/]{40,100}={0,2})", before=""),
    _key("SharedAccessKey=", "([A-Za-z0-9+/]{40,100}={0,2})", before=""),
    _key("sig=", "([A-Za-z0-9%_-]{32,120})(?=[&\\s\"']|\\Z)", before=""),
    _key("ignature=", "([A-Za-z0-9%_-]{32,512})(?=[&\\s\"']|\\Z)", before=""),
)

_WORDED = late("[a-z]{0,16}(?:[-_][a-z]{1,16})+|[A-Z]{0,16}(?:[-_][A-Z]{1,16})+")
"""Behind a vendor's sign, words that stand for a key: `xoxb-your-token`."""
_PRIVATE_KEY = late(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,20000}(?:-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----)?"
)
_PUTTY = late(r"Private-Lines: [0-9]{1,3}\r?\n((?:[A-Za-z0-9+/=]{1,80}\r?\n?){1,60})")
_URL_PASSWORD = late(r"://(?:[^\s/:@\[\]<>\"']{0,128}):([^\s/@\[\]<>\"']{1,256})@")
_BEARER = late(r"(?:bearer|basic|token|apikey)[ \t]{1,2}([a-z0-9._~+/=-]{16,4000})")
FEWEST_OF_CODE = 4
FEWEST_RANDOM = 6
_SIGNS = frozenset("!@#$%^&*+/=~?")
MOST_COOKIES = 4096
"""Characters of a line of cookies that are looked at."""
_BEARERS = frozenset({"bearer ", "basic ", "token ", "apikey "})
_BOT = late(rf":AA{_URLSAFE}{{33}}(?![A-Za-z0-9_-])")
_BOT_ID = late(r"(?<![A-Za-z0-9])[0-9]{8,10}\Z")
_ATLAS = late(rf"{_WORD}{{14}}\.atlasv1\.{_URLSAFE}{{60,70}}")
_THIN = late(r"jdbc:oracle:thin:[^\s/@]{1,64}/([^\s@]{1,128})@")
_BLOCKS = (
    (_PRIVATE_KEY, "-----BEGIN "),
    (_PUTTY, "Private-Lines: "),
    (_URL_PASSWORD, "://"),
    (_THIN, "jdbc:oracle:thin:"),
)
_ABROAD = tuple(
    map(
        fold_words,
        "пароль senha wachtwoord hasło salasana lösenord adgangskode parola şifre heslo jelszó 密码 密碼 パスワード 비밀번호".split(),
    )
)
_NAMES = (
    "pass",
    "sess",
    *_ABROAD,
    "kennwort",
    "contrasena",
    "pwd",
    "pw",
    "secret",
    "token",
    "key",
    "credential",
    "mot de passe",
    "parola d'ordine",
    "psk",
)
_NAME = (
    rf"(?:passw(?:or)?d|passwort|passphrase|(?<![a-z])pass(?![a-z])|sess(?:ion)?[_-]?id|{'|'.join(_ABROAD)}|"
    r"kennwort|contrasena|pwd|(?<![a-z])pw(?![a-z])|secret|token|key|credentials?|mot de passe|parola d'ordine|psk)[a-z0-9_.-]{0,24}"
)
_ASSIGNED = late(
    rf"{_NAME}[\"'`]?(?:[ \t]{{0,4}}(?::=|=>|==?|:|\|)(?:\*\*)?[ \t]{{0,4}}|[ \t]{{1,2}}(?:is|ist|lautet|est|es)(?::|[ \t])[ \t]{{0,2}}|[ \t]{{0,2}}\">)"
    r"(?:[burf]{0,2}(\"[^\"\n]{4,512}\"|'[^'\n]{4,512}'|`[^`\n]{4,512}`)|([^\s\"'`,;<>\[\](){}$][^\s\"'`,;<>\[\](){}]{5,512}))"
)
_OPTION = late(
    rf"{_NAME}[ \t]{{1,2}}(?:(\"[^\"\n]{{4,512}}\"|'[^'\n]{{4,512}}')|([^\s\"'`,;<>\[\](){{}}$][^\s\"'`]{{5,512}}))"
)
_BEFORE_OPTION = late(r"(?<![\w-])--[a-z0-9-]{0,24}\Z")
_ELEMENT = late(rf"{_NAME}>\s{{0,2}}(\Z\A)?([^\s<>]{{6,512}})\s{{0,2}}</")
_LOGIN = late(r"(?:-u|--user)[ =]?[\"']?[^\s:\"'/]{1,64}:([^\s\"'/:]{6,256})")
_LOGINS = frozenset({" -u", " --user"})
_COOKIES = "cookie:"
_COOKIE = late(r"=([^\s;,=\"']{8,4000}={0,2})")
_KEY_OF = late(
    r"(?:api|access|private|secret|auth|encryption|account|signing|master|shared|license|app|service|storage)[ ._-]{0,2}\Z"
)
_HARMLESS = late(
    r"(?:none|null|true|false|undefined|changeme|change[_-]me|password|secret|token|example|redacted|your[_-].*|my[_-].*|some[_-].*|x{3,}|\*{3,}|\.{3,}|…+|%[sd(].*|.*\{.*|.*\$.*|.*<.*|.*\bself\b.*|.*\bos\.environ.*|[a-z_.]+)\Z"
)


_CODE = late(
    r"(?:(?:pin|otp|m?tan|cv[vc]2?|(?:verification|security|one[- ]time|confirmation|passcode|auth(?:entication)?|2fa)[ -]code"
    r"|passcode|(?:bestatigungs|sicherheits|einmal)code)"
    r"(?:[ -]?(?:code|number|nummer|no\.?|nr\.?))?(?: is| ist| lautet|: ?|=| )[ \"']{0,2})([0-9]{3,8})(?![\w-]|\.[0-9])"
)
_PHRASE = late(
    r"(?:pass|seed |recovery |mnemonic )phrase[\"']? ?(?:[:=]|is) ?(?:\"([^\"\n]{8,300})\"|'([^'\n]{8,300})'|((?:[a-z]{3,8} ){11,23}[a-z]{3,8})(?![a-z]))"
)
_PROMPT = late(r"phrase|password|enter|your|must|match|please|invalid|wrong|[?{<]")
_CONNECTION = r"([^;\"'\n]{4,128})(?:[;\"'\n]|\Z)"
_PLACED = {
    ";password=": late(f";password={_CONNECTION}"),
    ";pwd=": late(f";pwd={_CONNECTION}"),
    "login ": late(r"login \S{1,64}\s{1,3}password\s(\S{4,128})"),
    "sshpass -p": late(r"sshpass -p ?[\"']?([^\s\"']{4,128})"),
}
"""Passwords that only their place gives away: in settings of a connection, for a machine, for a command."""


def find_secrets(glance: Glance) -> Iterator[Finding]:
    """Keys by their form, private keys, passwords in URLs, bearer tokens, and what is assigned to a telling name."""
    text, signs = glance.text, glance.signs
    for key in (key for sign in signs for key in _BY_SIGN.get(sign, ())):
        for place in signs.at(key.sign):
            match = key.pattern.match(text, place)
            if match and not _WORDED.fullmatch(text, place + len(key.sign), match.end()):
                start, end = match.span(match.lastindex or 0)
                longer = _LONGER.match(text, end)
                yield _secret(start, longer.end() if longer else end)
    if signs:
        yield from _in_blocks(glance)
    if glance.words:
        yield from _named(glance)


def _in_blocks(glance: Glance) -> Iterator[Finding]:
    """Private keys, passwords in URLs, and keys that have letters before their sign."""
    text, signs = glance.text, glance.signs
    for pattern, sign in _BLOCKS:
        for place in signs.at(sign):
            if match := pattern.match(text, place):
                yield _secret(*match.span(match.lastindex or 0))
    for place in signs.at(".atlasv1."):
        if match := _ATLAS.match(text, place - 14) if place >= 14 else None:
            yield _secret(*match.span())
    for place in signs.at(":AA"):
        bot, number = _BOT.match(text, place), _BOT_ID.search(text, max(0, place - 11), place)
        if bot and number:
            yield _secret(number.start(), bot.end())


def _secret(start: int, end: int) -> Finding:
    return Finding("SECRET", start, end, Certainty.CHECKED)


def _named(glance: Glance) -> Iterator[Finding]:
    text, lowered = glance.text, glance.lowered
    for place in glance.words.of(_BEARERS):
        match = _BEARER.match(lowered, place)
        if match and opens_at(text, place) and _is_random(text[slice(*match.span(1))]):
            yield _secret(*match.span(1))
    for place in glance.words.of(_ANY_NAME):
        if not _is_telling(lowered, place):
            continue
        match = _ASSIGNED.match(lowered, place) or _given(lowered, place)
        if match and (found := _assigned(text, match)):
            yield found
    for place in glance.words.of(_LOGINS):
        match = _LOGIN.match(lowered, place + 1)
        if match and _is_random(text[slice(*match.span(1))]):
            yield _secret(*match.span(1))
    yield from _cookies(glance)
    yield from _told(glance)


def _cookies(glance: Glance) -> Iterator[Finding]:
    """What the cookies of a header hold."""
    for place in glance.words.at(_COOKIES):
        last = place + MOST_COOKIES
        end = glance.lowered.find("\n", place, last)
        for match in _COOKIE.finditer(glance.text, place, end if end > 0 else last):
            if _is_random(match[1]):
                yield _secret(*match.span(1))


def _given(lowered: str, place: int) -> re.Match[str] | None:
    """A value of an option of a command, or within an element."""
    return _ELEMENT.match(lowered, place) or (
        _OPTION.match(lowered, place) if _BEFORE_OPTION.search(lowered, max(0, place - 26), place) else None
    )


def _is_telling(lowered: str, place: int) -> bool:
    """Whether a name is one of a secret; a key opens something only if it says what."""
    return (
        lowered[place] != "k"
        or lowered[place : place + 3] != "key"
        or _KEY_OF.search(lowered, max(0, place - 14), place) is not None
    )


def _assigned(text: str, match: re.Match[str]) -> Finding | None:
    quoted = match[1] is not None
    start, end = match.span(1) if quoted else match.span(2)
    if quoted:
        start, end = start + 1, end - 1
    while not quoted and end > start and text[end - 1] == ".":
        end -= 1
    value = text[start:end]
    if len(value) < 6 or (_HARMLESS.match(value.lower()) and not (quoted and _is_random(value))):
        return None
    if not _is_random(value) and not (quoted and " " not in value and not value.isalpha()):
        return None
    return _secret(start, end)


def _is_random(value: str) -> bool:
    """It mixes letters with digits or signs, as no word of a sentence does."""
    if len(value) < FEWEST_RANDOM or " " in value or "://" in value or value.startswith(("/", "./", "~")):
        return False
    return any(map(str.isalpha, value)) and (not _SIGNS.isdisjoint(value) or any(map(str.isdigit, value)))


def _told(glance: Glance) -> Iterator[Finding]:
    """Codes and phrases that only a word before them gives away, and passwords that only their place does."""
    text, lowered, words = glance.text, glance.lowered, glance.words
    for place in words.of(_CODES):
        match = _CODE.match(lowered, place)
        if match and opens_at(text, place) and _is_code(text, match):
            yield _secret(*match.span(1))
    for place in words.of(_PHRASES):
        match = _PHRASE.match(lowered, place)
        if match and match.lastindex and not _PROMPT.search(match[match.lastindex]):
            yield _secret(*match.span(match.lastindex))
    for sign, pattern in _PLACED.items():
        for place in words.at(sign):
            if match := pattern.match(lowered, place):
                yield _secret(*match.span(1))


def _is_code(text: str, match: re.Match[str]) -> bool:
    """Whether digits behind a word are a code; a word that means other things, too, has to be in capitals."""
    before = text[match.start() : match.start(1)]
    if before.lower() in {"pin ", "tan "} and not before.isupper():
        return False
    return len(match[1]) >= FEWEST_OF_CODE or before[:2].lower() == "cv"


_BY_SIGN = {sign: [key for key in KEYS if key.sign == sign] for sign in {key.sign for key in KEYS}}
SIGNS = (":AA", ".atlasv1.", *(sign for _, sign in _BLOCKS), *(key.sign for key in KEYS))
_ANY_NAME = frozenset(_NAMES)
_CODES = frozenset(
    {
        "pin",
        "otp",
        "tan",
        "mtan",
        "cvv",
        "cvc",
        "verification code",
        "security code",
        "one-time code",
        "one time code",
        "confirmation code",
        "auth code",
        "authentication code",
        "2fa code",
        "passcode",
        "bestatigungscode",
        "sicherheitscode",
        "einmalcode",
    }
)
_PHRASES = frozenset({"passphrase", "seed phrase", "recovery phrase", "mnemonic phrase"})
WORDS = (*_BEARERS, *_NAMES, *_LOGINS, _COOKIES, *_CODES, *_PHRASES, *_PLACED)
"""What no secret is without: in its form, or before it."""
