"""Ids of countries that are only digits: by a grouping that nothing else has, or by the word before them."""

from embedmill.shared.redaction.checks import is_snils, stdnum
from embedmill.shared.redaction.hints import hint
from embedmill.shared.redaction.numbers import Lengths, NumberRule

_FORMED: tuple[tuple[str, str, frozenset[Lengths], str], ...] = (
    ("BR_CNPJ", "br.cnpj", frozenset({(2, 3, 3, 4, 2)}), "./- "),
    ("AR_CUIT", "ar.cuit", frozenset({(2, 8, 1)}), "-"),
    ("CL_RUT", "cl.rut", frozenset({(1, 3, 3, 1), (2, 3, 3, 1)}), ".-"),
    ("CZ_RODNE_CISLO", "cz.rc", frozenset({(6, 4)}), "/"),
    ("TH_PIN", "th.pin", frozenset({(1, 4, 5, 2, 1)}), "- "),
)
"""Type, module of python-stdnum, groupings, and what stands between the groups."""

_NAMED: tuple[tuple[str, str, tuple[int, ...], tuple[str, ...]], ...] = (
    ("BR_CNPJ", "br.cnpj", (14,), ("cnpj",)),
    ("AR_CUIT", "ar.cuit", (11,), ("cuit", "cuil")),
    ("CL_RUT", "cl.rut", (8, 9), ("rut", "rol unico*")),
    ("CZ_RODNE_CISLO", "cz.rc", (9, 10), ("rodné číslo", "rodneho cisla", "rc", "r.č")),
    ("TH_PIN", "th.pin", (13,), ("thai id", "เลขประจำตัวประชาชน", "บัตรประชาชน")),
    ("JP_MY_NUMBER", "jp.in_", (12,), ("my number", "個人番号", "マイナンバー")),
    ("JMBG", "si.emso", (13,), ("jmbg", "emšo", "јмбг", "ембг", "matični broj")),
    ("RO_CNP", "ro.cnp", (13,), ("cnp", "cod numeric personal")),
    ("BG_EGN", "bg.egn", (10,), ("егн", "egn")),
    ("RU_INN", "ru.inn", (10, 12), ("инн", "inn")),
    ("IMEI", "imei", (15,), ("imei*",)),
    ("EE_ISIKUKOOD", "ee.ik", (11,), ("isikukood",)),
    ("LT_ASMENS_KODAS", "lt.asmens", (11,), ("asmens kodas", "a k")),
    ("HR_OIB", "hr.oib", (11,), ("oib",)),
    ("GR_AMKA", "gr.amka", (11,), ("αμκα", "amka")),
    ("UA_RNTRC", "ua.rntrc", (10,), ("рнокпп", "іпн", "rntrc")),
    ("IL_ID", "il.idnr", (9,), ("תעודת זהות", "מספר זהות", "ת.ז", "teudat zehut")),
    ("PT_NIF", "pt.nif", (9,), ("nif", "contribuinte", "numero fiscal")),
    ("AT_SVNR", "at.vnr", (10,), ("svnr", "sv nr", "sozialversicherung*", "versicherungsnummer", "vsnr")),
    ("IS_KENNITALA", "is_.kennitala", (10,), ("kennitala", "kt")),
)
"""Type, module of python-stdnum, how many digits there are, and the words that may stand before."""

NATIONAL_RULES = (
    *(
        NumberRule(type_, [sum(shape) for shape in shapes], stdnum(module), shapes, separators=frozenset(separators))
        for type_, module, shapes, separators in _FORMED
    ),
    *(NumberRule(type_, totals, stdnum(module), hint=hint(*words)) for type_, module, totals, words in _NAMED),
    NumberRule("RU_SNILS", [11], is_snils, frozenset({(3, 3, 3, 2)}), separators=frozenset("- ")),
    NumberRule("RU_SNILS", [11], is_snils, hint=hint("снилс", "snils")),
)
