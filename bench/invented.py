"""Texts with values in formats that nobody's patterns were written for, and with what only looks like one.

Telephone numbers are the examples of every country in the library phonenumbers, in the formats that it writes; ids are
drawn until their check digits are right; the rest is drawn from what standards allow.
"""

import ipaddress
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from importlib import import_module
from random import Random
from uuid import UUID

from embedmill.shared.redaction.checks import IBAN_LENGTHS, passes_luhn

FULL_WIDTH = str.maketrans(string.digits, "".join(chr(0xFF10 + digit) for digit in range(10)))
ARABIC = str.maketrans(string.digits, "".join(chr(0x660 + digit) for digit in range(10)))
FILLERS = (
    "The quick brown fox jumps over the dog.",
    "Please see section 4.2 for the 3 reasons.",
    "Wir haben 12 Angebote erhalten.",
    "Le rapport contient 14 pages.",
    "In 2019 we sold 1,204 units for $3,400.50.",
)
AROUND = (
    "{}", "see {} please", "({})", "value: {}", '"{}"', "id={}", "{}, and more", "- {}", "<{}>", "It was {}.", "{};", "| {} |",
)  # fmt: skip
CONTEXTS = {
    "PHONE": ("Tel: {}", "phone {}", "call me at {}", "Mobile: {}", "Fax {}", "Tél. : {}", "teléfono {}", "my phone number is {}"),
    "IBAN": ("IBAN {}", "my iban is {}"),
    "SSN": ("SSN {}", "social security number is {}"),
    "NINO": ("NINO: {}", "national insurance number {}"),
    "NHS": ("NHS number: {}", "NHS no. {}"),
    "VAT": ("P.IVA {}", "partita IVA: {}"),
    "FISCAL": ("codice fiscale {}", "C.F. {}"),
    "DNI": ("DNI: {}",),
    "BIRTH": ("born on {}", "DOB: {}", "Date of birth - {}", "geboren am {}", "née le {}", "fecha de nacimiento: {}", "nato il {}"),
}  # fmt: skip
NAMES = ("jane.doe", "o'brien", "müller", "jörg-maria", "x_y.z+tag", "a", "иван", "名前", "J.R.R")
DOMAINS = (
    "example.com",
    "mail.example.co.uk",
    "bücher.example",
    "xn--bcher-kva.example",
    "corp.internal",
    "EXAMPLE.ORG",
)
ABROAD = (
    ("br.cnpj", "2.3.3/4-2", "CNPJ {}"),
    ("br.cpf", "3.3.3-2", "CPF: {}"),
    ("ar.cuit", "2-8-1", "CUIT {}"),
    ("jp.in_", "4 4 4", "マイナンバー: {}"),
    ("bg.egn", "5 5", "ЕГН {}"),
    ("ru.inn", "4 4 4", "ИНН: {}"),
    ("cz.rc", "6/4", "rodné číslo {}"),
    ("hr.oib", "5 6", "OIB: {}"),
    ("imei", "2-6-6-1", "IMEI {}"),
    ("kr.rrn", "6-7", "주민등록번호: {}"),
    ("pt.nif", "3 3 3", "NIF: {}"),
    ("il.idnr", "9", "תעודת זהות {}"),
)
"""Modules of python-stdnum, groups of digits, and what stands around."""
DATES = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%d-%b-%Y", "%d.%m.%y", "%Y/%m/%d")


@dataclass(frozen=True, slots=True)
class Specimen:
    """A text with one span; `label` is a value's type, and empty for what only looks like a value."""

    text: str
    start: int
    end: int
    label: str
    kind: str


def invent(seed: int) -> list[Specimen]:
    """Every format once or more, each in a text; the same for the same seed."""
    draw = Random(seed)
    made = [*_values(draw), *_looks(draw)]
    return [_case(draw, label, kind, text, around) for label, kind, text, around in made]


def _case(draw: Random, label: str, kind: str, value: str, around: str) -> Specimen:
    template = around or draw.choice(AROUND)
    before = draw.choice(FILLERS) + draw.choice((" ", "\n", "\n\n")) + template[: template.index("{}")]
    after = template[template.index("{}") + 2 :] + draw.choice((" ", "\n", "\n\n")) + draw.choice(FILLERS)
    return Specimen(before + value + after, len(before), len(before) + len(value), label, kind)


Made = tuple[str, str, str, str]
"""Label, kind, what is written, and the text around it; empty for any."""


def _values(draw: Random) -> Iterator[Made]:
    for make in (_phones, _slashed, _cards, _accounts, _machines, _mails, _ids, _abroad, _births, _secrets):
        yield from make(draw)


def _phones(draw: Random) -> Iterator[Made]:
    from phonenumbers import (
        SUPPORTED_REGIONS,
        PhoneNumberFormat,
        PhoneNumberType,
        example_number_for_type,
        format_number,
    )

    for region in sorted(SUPPORTED_REGIONS):
        for type_ in (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE):
            if (number := example_number_for_type(region, type_)) is None:
                continue
            written = format_number(number, PhoneNumberFormat.INTERNATIONAL)
            forms = [written, written.replace(" ", "-"), written.replace(" ", "."), written.replace(" ", "\u00a0")]
            forms += [written.replace("+", "00"), format_number(number, PhoneNumberFormat.E164), _broken(written)]
            yield from (("PHONE", region, form, "") for form in forms)
            home = format_number(number, PhoneNumberFormat.NATIONAL)
            if sum(map(str.isdigit, home)) >= 7:
                yield "PHONE", region, home, draw.choice(CONTEXTS["PHONE"])


def _slashed(draw: Random) -> Iterator[Made]:
    """With a zero in brackets and a slash behind the area, and behind a word with its country's code alone."""
    for code, area, count in (("49", "171", 7), ("43", "664", 7), ("41", "44", 7), ("44", "7700", 6), ("32", "475", 6)):
        rest = _digits(draw, count)
        for form in (
            f"+{code} (0) {area} / {rest}",
            f"+{code} {area} / {rest[:3]} {rest[3:]}",
            f"+{code} {area}/{rest}",
        ):
            yield "PHONE", "slash", form, ""
        yield "PHONE", "code", f"{code} {area} {rest[:3]} {rest[3:]}", "Tel {}"
    for around in ("هاتف: {}", "جوال {}", "טלפון: {}", "τηλ. {}"):
        yield "PHONE", "word", f"050{_digits(draw, 7)}".translate(ARABIC), around


def _broken(written: str) -> str:
    """Over two lines."""
    head, _, tail = written.rpartition(" ")
    return f"{head}\n{tail}" if head else written


def _cards(draw: Random) -> Iterator[Made]:
    for first, size in (
        ("4", 16),
        ("51", 16),
        ("2221", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("3528", 16),
        ("36", 14),
    ):
        digits = _drawn(draw, partial(_card, first, size), passes_luhn)
        fours = [digits[at : at + 4] for at in range(0, size, 4)]
        forms = [
            digits,
            *(sign.join(fours) for sign in (" ", "-", ".", "\u2009", "\u2011", "\u200b")),
            " ".join(digits),
        ]
        forms += [digits.translate(FULL_WIDTH), f"{fours[0]} {fours[1]}\n{fours[2]} {''.join(fours[3:])}"]
        yield from (("CARD", first, form, "") for form in forms)


def _card(first: str, size: int, draw: Random) -> str:
    return first + _digits(draw, size - len(first))


def _accounts(draw: Random) -> Iterator[Made]:
    for country, size in IBAN_LENGTHS.items():
        body = _digits(draw, size - 4)
        check = 98 - int(body + "".join(str(int(letter, 36)) for letter in country) + "00") % 97
        code = f"{country}{check:02d}{body}"
        fours = " ".join(code[at : at + 4] for at in range(0, size, 4))
        for form in (code, fours, fours.replace(" ", "-"), fours.replace(" ", "\u202f"), _broken(fours)):
            yield "IBAN", country, form, ""
        yield "IBAN", country, code.lower(), ""
        yield "IBAN", country, fours.lower(), draw.choice(CONTEXTS["IBAN"])


def _machines(draw: Random) -> Iterator[Made]:
    for _ in range(12):
        four = ipaddress.IPv4Address(draw.randrange(1 << 24, 100 << 24))
        six = ipaddress.IPv6Address((0x2000 << 112) | (draw.getrandbits(40) << 60) | draw.getrandbits(30))
        for form in (str(four), six.compressed, six.exploded, six.compressed.upper(), f"::ffff:{four}"):
            yield "IP", "ip", form, ""
        pairs = [f"{draw.getrandbits(8):02x}" for _ in range(6)]
        fours = ".".join("".join(pairs[at : at + 2]) for at in (0, 2, 4))
        for form in (":".join(pairs), "-".join(pairs), ":".join(pairs).upper(), fours):
            yield "MAC", "mac", form, ""


def _mails(draw: Random) -> Iterator[Made]:
    del draw
    yield from (("EMAIL", "plain", f"{name}@{domain}", "") for name in NAMES for domain in DOMAINS)
    for at in (" at ", "(at)", " (at) ", "[at]", " [at] "):
        yield from (
            ("EMAIL", "disguised", f"jane.doe{at}example{dot}com", "") for dot in (" dot ", "(dot)", " [dot] ", "[.]")
        )
    for sign in (" @ ", "@ ", "\n@", "@\n", "=40", "%40", "&commat;", "&#64;"):
        yield from (("EMAIL", "sign", f"{name}{sign}example.com", "") for name in ("jane.doe", "j_doe", "jane2"))
    yield from (("EMAIL", "sign", f"jane%40example%2E{end}", "") for end in ("com", "org"))
    yield from (("EMAIL", "hyphen", f"jane.doe@exa-\nmple.{end}", "") for end in ("com", "org"))


def _ids(draw: Random) -> Iterator[Made]:
    for _ in range(8):
        ssn = f"{draw.randrange(1, 666):03d}", f"{draw.randrange(1, 100):02d}", f"{draw.randrange(1, 10_000):04d}"
        yield from (("SSN", "ssn", sign.join(ssn), "") for sign in ("-", " ", "\u2013"))
        yield "SSN", "ssn", "".join(ssn), draw.choice(CONTEXTS["SSN"])
        nino = draw.choice("ACEHJLMPRS") + draw.choice("ACEHJLMPRS") + _digits(draw, 6) + draw.choice("ABCD")
        spaced = f"{nino[:2]} {nino[2:4]} {nino[4:6]} {nino[6:8]} {nino[8]}"
        yield from (("NINO", "nino", form, "") for form in (nino, spaced, spaced.replace(" ", "-")))
        yield "NINO", "nino", nino.lower(), draw.choice(CONTEXTS["NINO"])
        yield from _checked_ids(draw)


def _checked_ids(draw: Random) -> Iterator[Made]:
    nhs = _drawn(draw, partial(_digits, count=10), _check("gb.nhs"))
    for form in (nhs, f"{nhs[:3]} {nhs[3:6]} {nhs[6:]}"):
        yield "NHS", "nhs", form, draw.choice(CONTEXTS["NHS"])
    tax = _drawn(draw, _tax_id, _check("de.idnr"))
    yield from (("TAX_ID", "idnr", form, "") for form in (tax, f"{tax[:2]} {tax[2:5]} {tax[5:8]} {tax[8:]}"))
    nir = f"{draw.choice('12')}{_digits(draw, 2)}{draw.randrange(1, 13):02d}{draw.randrange(1, 96):02d}{draw.randrange(1, 900):03d}"
    nir += f"{draw.randrange(1, 900):03d}"
    nir += f"{97 - int(nir) % 97:02d}"
    parts = [nir[:1], nir[1:3], nir[3:5], nir[5:7], nir[7:10], nir[10:13], nir[13:]]
    yield from (("NIR", "nir", form, "") for form in (nir, " ".join(parts), ".".join(parts), f"{nir[:13]} {nir[13:]}"))
    digits = _digits(draw, 8)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23]
    for form in (digits + letter, f"{digits}-{letter}", f"{digits[:2]}.{digits[2:5]}.{digits[5:]}-{letter}"):
        yield "DNI", "dni", form, ""
    yield "DNI", "dni", (digits + letter).lower(), CONTEXTS["DNI"][0]
    nie = _drawn(
        draw, lambda d: d.choice("XYZ") + _digits(d, 7) + d.choice("TRWAGMYFPDXBNJZSQVHLCKE"), _check("es.nie")
    )
    yield from (("NIE", "nie", form, "") for form in (nie, f"{nie[0]}-{nie[1:8]}-{nie[8]}"))
    fiscal = _drawn(draw, _fiscal_code, _check("it.codicefiscale"))
    yield from (
        ("FISCAL", "cf", form, "") for form in (fiscal, f"{fiscal[:3]} {fiscal[3:6]} {fiscal[6:11]} {fiscal[11:]}")
    )
    yield "FISCAL", "cf", fiscal.lower(), draw.choice(CONTEXTS["FISCAL"])
    yield "VAT", "iva", _drawn(draw, partial(_digits, count=11), _check("it.iva")), draw.choice(CONTEXTS["VAT"])


def _abroad(draw: Random) -> Iterator[Made]:
    """Ids of other countries, by how many digits they have and how these are written."""
    for module, shape, around in ABROAD:
        count = sum(map(int, shape.replace("-", "").replace("/", "").replace(".", "").replace(" ", "")))
        number = _drawn(draw, partial(_digits, count=count), _check(module))
        yield "ABROAD", module, number, around
        yield "ABROAD", module, _grouped(number, shape), around
    for around in ("身份证号: {}", "ID card {}", ""):
        yield "ABROAD", "cn.ric", _drawn(draw, _chinese, _check("cn.ric")), around
    date_ = date(1930, 1, 1) + timedelta(days=draw.randrange(25_000))
    born = date_.strftime("%d%m%y") + "-"
    signs = string.digits + "ABCDEFHJKLMNPRSTUVWXY"
    yield "ABROAD", "fi.hetu", _drawn(draw, lambda d: f"{born}{_digits(d, 3)}{d.choice(signs)}", _check("fi.hetu")), ""
    curp = "BOXW" + date_.strftime("%y%m%d") + "HNERXN0"
    yield "ABROAD", "mx.curp", _drawn(draw, lambda d: curp + _digits(d, 1), _check("mx.curp")), ""


def _chinese(draw: Random) -> str:
    day = date(1930, 1, 1) + timedelta(days=draw.randrange(25_000))
    return f"110105{day:%Y%m%d}{_digits(draw, 3)}X"


def _grouped(number: str, shape: str) -> str:
    """Digits in groups: `3-2` is three, a dash, and two."""
    parts, place = [], 0
    for sign in shape:
        size = int(sign) if sign.isdigit() else 0
        parts.append(number[place : place + size] if size else sign)
        place += size
    return "".join(parts)


def _tax_id(draw: Random) -> str:
    digits = draw.sample(string.digits, 10)
    digits[9] = digits[0]
    return "".join(digits) + draw.choice(string.digits)


def _fiscal_code(draw: Random) -> str:
    letters = "".join(draw.choices("BCDFGLMNPRSTV", k=6))
    day = f"{draw.randrange(1, 29):02d}"
    return f"{letters}{_digits(draw, 2)}{draw.choice('ABCDEHLMPRST')}{day}H501{draw.choice(string.ascii_uppercase)}"


def _births(draw: Random) -> Iterator[Made]:
    for form in DATES:
        for around in CONTEXTS["BIRTH"]:
            day = date(1930, 1, 1) + timedelta(days=draw.randrange(30_000))
            yield "BIRTH", form, day.strftime(form), around
    for around in ("dateOfBirth={}", "syntynyt {}", "doğum tarihi {}", "Date of birth:\n\n{}", "født {}", "narozen {}"):
        yield "BIRTH", "word", f"{draw.randrange(1, 29)}.{draw.randrange(1, 13)}.{draw.randrange(1930, 2005)}", around
    yield "BIRTH", "place", f"{draw.randrange(1, 29)} mars 1985", "née à Paris le {}"
    yield (
        "BIRTH",
        "after",
        f"{draw.randrange(1930, 2005)}年{draw.randrange(1, 13)}月{draw.randrange(1, 29)}日",
        "{}生まれ",
    )


def _secrets(draw: Random) -> Iterator[Made]:
    word = partial(_word, draw)
    whole = (
        "AKIA" + word(16, string.ascii_uppercase), "ghp_" + word(36), "glpat-" + word(20), "sk_live_" + word(24), "AIza" + word(35),
        "sk-proj-" + word(48), "npm_" + word(36), "hf_" + word(34), f"SG.{word(22)}.{word(43)}", "pypi-AgEIcHlwaS5vcmc" + word(90),
        f"eyJ{word(20)}.eyJ{word(40)}.{word(43)}", "xoxb-" + _digits(draw, 12) + "-" + word(24),
        f"-----BEGIN RSA PRIVATE KEY-----\n{word(64)}\n{word(64)}\n-----END RSA PRIVATE KEY-----",
    )  # fmt: skip
    yield from (("SECRET", "key", value, "") for value in whole)
    for around in (
        'password = "{}"', "PASSWORD={}", "aws_secret_access_key = {}", "Authorization: Bearer {}", "api_key: {}", "pwd={};",
        "postgresql://user:{}@db.internal:5432/x", '"client_secret": "{}"', "export GITHUB_TOKEN={}", "Passwort: {}",
        "export DB_PASS='{}'", "pass={}", "mysql --password {} x", "<password>{}</password>", "| password | {} |", "пароль: {}",
        "Cookie: sessionid={}; a=b", "curl -u admin:{} https://x.example/", "senha: {}", "密码：{}",
    ):  # fmt: skip
        yield "SECRET", "named", word(24) + "7x", around

    for around in ("https://x.example/f?sig={}", "https://x.example/f?a=1&sig={}&b=2"):
        yield "SECRET", "signature", word(32, string.hexdigits[:16]), around


def _looks(draw: Random) -> Iterator[Made]:
    word = partial(_word, draw)
    for _ in range(10):
        number = _drawn(draw, partial(_digits, count=16), lambda digits: not passes_luhn(digits))
        for kind, written in (
            ("uuid", str(UUID(int=draw.getrandbits(128)))),
            ("hash", word(40, string.hexdigits[:16])),
            ("fingerprint", ":".join(word(2, string.hexdigits[:16]) for _ in range(16))),
            ("version", f"version {draw.randrange(9)}.{draw.randrange(99)}.{draw.randrange(9)}.{draw.randrange(99)}"),
            ("section", f"see {draw.randrange(9)}.{draw.randrange(30)}.{draw.randrange(9)}.{draw.randrange(30)}"),
            ("kernel", f"Linux {draw.randrange(3, 7)}.{draw.randrange(20)}.0.{draw.randrange(30)}"),
            ("image", f"{word(5)}@{draw.randrange(2, 4)}x.{draw.choice(('png', 'jpg', 'webp'))}"),
            ("codes", f"HTTP 404 500 {draw.randrange(500, 505)} 503 {draw.randrange(1000, 1999)}"),
            ("epoch", str(1_500_000_000_000 + draw.randrange(10**11))),
            ("money", f"{draw.randrange(1, 999)}.{_digits(draw, 3)}.{_digits(draw, 3)},50 €"),
            ("place", f"{draw.uniform(-90, 90):.6f},{draw.uniform(-180, 180):.6f}"),
            ("order", f"order no. {number}"),
            ("date", (date(2000, 1, 1) + timedelta(days=draw.randrange(9000))).strftime(draw.choice(DATES))),
            ("isbn", f"978-{draw.randrange(9)}-{_digits(draw, 3)}-{_digits(draw, 5)}-{draw.randrange(9)}"),
            ("doi", f"10.{draw.randrange(1000, 9999)}/s{_digits(draw, 5)}-{_digits(draw, 3)}-{_digits(draw, 4)}-1"),
            ("part", f"part {word(2, string.ascii_uppercase)}-{_digits(draw, 4)}-{_digits(draw, 3)}"),
            ("number", str(draw.randrange(10**11, 10**12))),
            ("float", f"{draw.random():.16f}"),
            ("account", f"DE00 {_digits(draw, 4)} {_digits(draw, 4)} {_digits(draw, 4)} {_digits(draw, 4)} 00"),
            ("ticket", f"ticket {_digits(draw, 3)}-{_digits(draw, 3)}-{_digits(draw, 5)}"),
        ):
            yield "", kind, written, ""
    for written in (
        "std::map<a::b, c::d>", "x[1:2:3], y[::2]", "16:9 and 4:3", "1001 1002 1003 1004", "12 34 56 78 90", "lodash@4.17.21",
        "0 1 0 1 1 0 0 1 1 1", "password: see the vault", "token = get_token(user)", "meet at example.com at noon",
        "x @ self.weight", "docker run -u 1000:1000", "width=40px.auto",
        "@property and user@host", "SKU 123-45-6789", "2019-2020-2021", "1920x1080", "1.2.840.113549.1.1.11", "git@github.com:a/b.git",
    ):  # fmt: skip
        yield "", "text", written, ""


def _digits(draw: Random, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def _word(draw: Random, count: int, signs: str = string.ascii_letters + string.digits) -> str:
    return "".join(draw.choices(signs, k=count))


def _drawn(draw: Random, make: Callable[[Random], str], is_right: Callable[[str], bool]) -> str:
    """What is made, drawn until it is right."""
    while not is_right(made := make(draw)):
        pass
    return made


def _check(name: str) -> Callable[[str], bool]:
    found: Callable[[str], bool] = import_module(f"stdnum.{name}").is_valid
    return found
