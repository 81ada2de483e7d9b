"""Dates of birth: a date is one only where a word says so."""

import re
from collections.abc import Iterator

from embedmill.shared.redaction.finding import Certainty, Finding
from embedmill.shared.redaction.folding import fold_words
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.late import late

WORDS = tuple(
    map(
        fold_words,
        (
            "birth",
            "born",
            "dob",
            "d.o.b",
            "geboren",
            "geburts",
            "geboorte",
            "geb.",
            "geb:",
            "geb ",
            "naissance",
            "ne le",
            "nee le",
            "ne(e)",
            "nacid",
            "nacimiento",
            "fecha nac",
            "fecha de nac",
            "f.nac",
            "f. nac",
            "nascita",
            "nato ",
            "nata ",
            "nato/a",
            "nascid",
            "nascimento",
            "bday",
            "urodz",
            "ur.",
            "født",
            "fodels",
            "fødsel",
            "fodd",
            "dateofbirth",
            "nee a ",
            "nee en ",
            "ne en ",
            "ddn",
            "ne a ",
            "synt",
            "dogum",
            "narozen",
            "naroden",
            "szulet",
            "nascut",
            "nasteri",
            "rođen",
            "sundi",
            "gimim",
            "dzim",
            "γεννη",
            "народж",
            "роден",
            "ميلاد",
            "לידה",
            "생년월일",
            "ngay sinh",
            "lahir",
            "дата рож",
            "родил",
            "生年",
            "出生",
            "nasc.",
            "complean",
            "cumpleanos",
            "verjaardag",
        ),
    )
)
AFTER = ("日生", "日に生", "日出生", "dogumlu")
_WORDS, _AFTER = frozenset(WORDS), frozenset(AFTER)
_MONTHS = fold_words(
    "jan feb mar apr mai may jun jul aug sep sept oct okt nov dec dez "
    "januar janner februar feber marz maerz januari februari maart ene abr ago dic enero febrero marzo abril mayo junio julio agosto "
    "septiembre octubre noviembre diciembre janvier fevr fevrier mars avr avril juin juil juillet aout septembre octobre "
    "novembre decembre gen gennaio febbraio aprile mag maggio giu giugno lug luglio set settembre ott ottobre dicembre "
    "janeiro fevereiro marco abril maio junho julho setembro outubro novembro dezembro juni juli augustus oktober dezember "
    "january february march april june july august september october november december"
)
_MONTHS += " mei maj marts augusti desember stycznia lutego marca kwietnia maja czerwca lipca sierpnia wrzesnia pazdziernika listopada grudnia"
_MONTH = "(?:" + "|".join(sorted(set(_MONTHS.split()), key=len, reverse=True)) + ")"
_YEAR = "(?:1[89]|20)[0-9]{2}"
_SHORT_YEAR = f"(?:{_YEAR}|'?[0-9]{{2}})"
_DAY = r"[0-3]?[0-9](?:st|nd|rd|th|er|\.|º|°)?"
_SEP = r"[ \t]?[./\-, ][ \t]?\n?"
_DATE = (
    rf"(?:{_YEAR}{_SEP}[01]?[0-9]{_SEP}[0-3]?[0-9]|[0-3]?[0-9]{_SEP}[0-3]?[0-9]{_SEP}{_SHORT_YEAR}"
    rf"|{_DAY}[ \t.\-/]{{0,2}}(?:day )?(?:de |of |d')?{_MONTH}\.?[ \t,.\-/]{{0,2}}(?:de |del )?{_SHORT_YEAR}"
    rf"|{_MONTH}\.?[ \t\-]{{0,2}}{_DAY}[ \t,.\-]{{1,3}}{_SHORT_YEAR}|{_YEAR}[,.]?[ \-]{_MONTH}[ \-][0-3]?[0-9]|{_YEAR}[01][0-9][0-3][0-9]"
    rf"|[0-3]?[0-9]{_SEP}(?:i{{1,3}}|i?v|vi{{0,3}}|i?x|xi{{1,2}}){_SEP}{_YEAR}"
    rf"|[0-3][0-9][01][0-9]{_YEAR}|{_YEAR}年[0-9]{{1,2}}月[0-9]{{1,2}}日)"
)
_HINTS = fold_words(
    r"""(?:dateofbirth|birthdate|(?<![a-z])(?:(?:date|place and date|day|year)[ _\n-]of[ _\n-]birth|(?<![a-z])ddn(?![a-z])|birth ?-?_?(?:date|day)|(?:was |were |is )?born|d\.?o\.?b\.?(?![a-z])|bday"""
    r"""|geburts(?:datum|tag)|geb(?:oren|\.)?(?![a-z])|date de naissance|naissance|ne\(?e?\)? ?(?:le|e le)|nee le|nee? (?:a|en)(?![a-z])"""
    r"""|fecha de nacimiento|nacimiento|fecha ?(?:de )?nac[.:]|nacid[oa]\(?a?\)?|f\. ?nac\.?|data di nascita|nascita|nat[oa]\(?/?a?\)? (?:a|il)|nascid[oa]|data de nascimento|nasc\.|compleanno|cumpleanos|verjaardag"""
    r"""|geboortedatum|geboren|data urodzenia|urodzon[ya]|ur\.|fødselsda(?:to|g)|født|fodelsedatum|fodd|дата рождения|родил(?:ся|ась)|生年月日|出生日期"""
    r"""|synt(?:ynyt|\.|yma-?aika)|dogum(?:lu|[ _]?tarihi)?|(?:datum )?naroze(?:na?|ni)|(?:datum )?narodeni?[ay]?a?|szulet(?:ett|esi ido)|nascuta?|data nasterii"""
    r"""|(?:datum )?rođen(?:ja|a)?|sundi(?:nud|si)|gimimo data|dzim(?:is|usi|sanas datums)|γεννη[^0-9\n ]{0,12}+|народж[^0-9\n ]{0,12}+|роден[^0-9\n ]{0,3}+|(?:تاريخ ال)?ميلاد"""
    r"""|(?:תאריך )?לידה|생년월일|ngay sinh|(?:tanggal )?lahir))(?=[^0-9]{0,100}+[0-9])"""
)
"""A date has digits: where none follow soon, no form of one is tried."""
_HINT = late(_HINTS)
_BIRTH = late(rf"{_HINTS}[^0-9\n]{{0,42}}+(?:\n\s{{0,8}}+[^0-9\n]{{0,12}}+)?+({_DATE})(?![0-9])")
_BIRTH_MONTH_FIRST = late(
    rf"{_HINTS}[^0-9\n]{{0,30}}?(?:\n\s{{0,8}}+[^0-9\n]{{0,12}}?)?(?<![a-z])({_MONTH}\.?[ \t\-]{{0,2}}{_DAY}[ \t,.\-]{{1,3}}{_SHORT_YEAR})(?![0-9])"
)
_UNITS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_DAY_IN_WORDS = (
    rf"(?:(?:(?:twenty|thirty)[ -])?(?:{_UNITS})|tenth|eleventh|twelfth|[a-z]{{4,6}}teenth|twentieth|thirtieth"
    r"|(?:erste|zweite|dritte|vierte|funfte|sechste|siebte|siebente|achte|neunte|zehnte|elfte|zwolfte|[a-z]{4,6}zehnte"
    r"|(?:[a-z]{3,6}und)?(?:zwanzig|drei(?:ss|ß)ig)ste)[nr]?"
    r"|premier|(?:vingt|trente)[ -](?:et[ -])?(?:une?|deux|trois|quatre|cinq|six|sept|huit|neuf)|vingt|trente"
    r"|deux|trois|quatre|cinq|six|sept|huit|neuf|dix(?:-(?:sept|huit|neuf))?|onze|douze|treize|quatorze|quinze|seize"
    r"|primero|uno|dos|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieci[a-z]{4,6}"
    r"|veinte|veinti[a-z]{2,6}|treinta(?: y uno)?"
    r"|primo|due|tres?|quattro|cinque|sei|sette|otto|nove|dieci|undici|dodici|tredici|quattordici|quindici|sedici"
    r"|diciassette|diciotto|diciannove|vent(?:i[a-z]{0,7}|uno|otto)|trent(?:a|uno))"
)
_BIRTH_IN_WORDS = late(
    rf"{_HINTS}[^0-9\n]{{0,30}}?(?<![a-z])({_DAY_IN_WORDS} (?:de |of |di )?{_MONTH},? (?:de |del )?{_YEAR})(?![0-9])"
)
_BEFORE_WORD = late(rf"(?<![0-9])({_DATE})[ \t]?(?:に?生|出生|dogumlu)")


def find_births(glance: Glance) -> Iterator[Finding]:
    """Dates beside a word of birth."""
    if not glance.words:
        return
    for start, end in glance.words.around(_WORDS, before=24, after=90):
        if not glance.has_digit(start, end) or not _HINT.search(glance.lowered, start, end):
            continue
        for pattern in (_BIRTH, _BIRTH_MONTH_FIRST, _BIRTH_IN_WORDS):
            yield from _births(pattern, glance, start, end)
    for start, end in glance.words.around(_AFTER, before=24, after=12):
        yield from _births(_BEFORE_WORD, glance, start, end)


def _births(pattern: re.Pattern[str], glance: Glance, start: int, end: int) -> Iterator[Finding]:
    for match in pattern.finditer(glance.lowered, start, end):
        yield Finding("DATE_OF_BIRTH", *match.span(1), Certainty.HINTED)
