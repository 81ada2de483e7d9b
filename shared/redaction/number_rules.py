"""Every number that is only digits: types, lengths, groupings, check digits, and the words that some of them need."""

from embedmill.shared.redaction.checks import is_aadhaar, is_card, is_hinted_card, is_itin, is_ssn, stdnum, with_luhn
from embedmill.shared.redaction.finding import Certainty
from embedmill.shared.redaction.hints import hint
from embedmill.shared.redaction.national_rules import NATIONAL_RULES
from embedmill.shared.redaction.numbers import Lengths, NumberRule, NumberRules

CARD_SIZES = range(13, 20)


def _card_shapes() -> frozenset[Lengths]:
    """A card's digits in one run, in fours, in equal small groups, or as issuers print fourteen and fifteen."""
    shapes: set[Lengths] = {(4, 6, 5), (4, 6, 4), (8, 8), (6, 10), (4, 12), (6, 13), (4, 4, 4, 4, 3), (6, 4, 6)}
    for size in CARD_SIZES:
        shapes.add((size,))
        for group in (1, 2, 3, 4, 5):
            whole, rest = divmod(size, group)
            shapes.add((group,) * whole + ((rest,) if rest else ()))
    return frozenset(shapes)


def _shapes(*written: str) -> frozenset[Lengths]:
    """Groupings as they are written: `3-2-4`."""
    return frozenset(tuple(map(int, shape.split("-"))) for shape in written)


CARD = hint(
    "card",
    "cards",
    "visa",
    "master card",
    "maestro",
    "amex",
    "american express",
    "discover",
    "diners",
    "jcb",
    "unionpay",
    "credit",
    "debit",
    "pan",
    "cc",
    "kreditkarte",
    "karte*",
    "carte",
    "cb",
    "tarjeta",
    "carta",
)
SOCIAL = hint("ssn", "ss", "social sec*", "soc sec", "tax id", "social", "tin", "taxpayer", "itin")
TAXPAYER = hint("itin", "individual taxpayer", "taxpayer", "tax id", "tin")
HEALTH = hint("nhs", "health service", "patient")

RULES = NumberRules(
    (
        NumberRule("CREDIT_CARD", CARD_SIZES, is_card, _card_shapes()),
        NumberRule("CREDIT_CARD", range(12, 20), is_hinted_card, hint=CARD),
        NumberRule(
            "US_SSN",
            [9],
            is_ssn,
            _shapes("3-2-4"),
            separators=frozenset(" -.\n\r\t"),
            certainty=Certainty.FORMED,
            names_things=True,
            is_even=True,
        ),
        NumberRule("US_SSN", [9], is_ssn, hint=SOCIAL, certainty=Certainty.HINTED),
        NumberRule("US_ITIN", [9], is_itin, hint=TAXPAYER, certainty=Certainty.HINTED),
        NumberRule("UK_NHS", [10], stdnum("gb.nhs"), hint=HEALTH),
        NumberRule(
            "DE_TAX_ID",
            [11],
            stdnum("de.idnr"),
            _shapes("11", "2-3-3-3"),
            separators=frozenset(" /"),
            names_things=True,
        ),
        NumberRule(
            "DE_TAX_ID",
            [11],
            stdnum("de.idnr"),
            hint=hint("steuer*", "tax", "idnr", "id nr", "identifikationsnummer", "tin"),
        ),
        NumberRule(
            "FR_NIR",
            [15],
            stdnum("fr.nir"),
            _shapes("15", "13-2", "1-2-2-2-3-3-2", "1-2-2-5-3-2", "3-2-2-3-3-2", "1-4-2-3-3-2", "7-3-3-2"),
        ),
        NumberRule("FR_NIR", [15], stdnum("fr.nir"), hint=hint("secu", "nir", "sécurité", "insee", "ss")),
        NumberRule("FR_TAX_ID", [13], stdnum("fr.nif"), hint=hint("fiscal", "nif", "spi", "impot", "reference")),
        NumberRule("IT_VAT_CODE", [11], stdnum("it.iva"), hint=hint("p iva", "partita iva", "iva", "vat", "piva")),
        NumberRule("PL_PESEL", [11], stdnum("pl.pesel"), hint=hint("pesel", "identity", "id")),
        NumberRule("NL_BSN", [9], stdnum("nl.bsn"), hint=hint("bsn", "burgerservice*", "sofi")),
        NumberRule("BE_NATIONAL_NUMBER", [11], stdnum("be.nn"), _shapes("2-2-2-3-2")),
        NumberRule(
            "BE_NATIONAL_NUMBER",
            [11],
            stdnum("be.nn"),
            hint=hint("rijksregister*", "national", "niss", "insz", "registre"),
        ),
        NumberRule(
            "SE_PERSONNUMMER",
            [10, 12],
            stdnum("se.personnummer"),
            hint=hint("person*", "personnummer", "samordning", "pnr"),
        ),
        NumberRule(
            "SE_PERSONNUMMER", [10, 12], stdnum("se.personnummer"), _shapes("6-4", "8-4"), separators=frozenset("-")
        ),
        NumberRule("CH_AHV", [13], stdnum("ch.ssn"), _shapes("13", "3-4-4-2")),
        NumberRule("BR_CPF", [11], stdnum("br.cpf"), _shapes("3-3-3-2")),
        NumberRule("BR_CPF", [11], stdnum("br.cpf"), hint=hint("cpf")),
        NumberRule("CA_SIN", [9], stdnum("ca.sin"), hint=hint("sin", "social insurance", "nas")),
        NumberRule("AU_TFN", [9], stdnum("au.tfn"), hint=hint("tfn", "tax file")),
        NumberRule(
            "IN_AADHAAR",
            [12],
            is_aadhaar,
            _shapes("4-4-4"),
            separators=frozenset(" -"),
            names_things=True,
            is_alone=True,
        ),
        NumberRule("IN_AADHAAR", [12], stdnum("in_.aadhaar"), hint=hint("aadhaar", "uid", "adhar", "aadhar")),
        NumberRule("DK_CPR", [10], stdnum("dk.cpr"), hint=hint("cpr", "personnummer")),
        NumberRule(
            "NO_FODSELSNUMMER",
            [11],
            stdnum("no.fodselsnummer"),
            hint=hint("fødsels*", "fnr", "personnummer", "d-nummer"),
        ),
        NumberRule("KR_RRN", [13], stdnum("kr.rrn"), _shapes("6-7"), separators=frozenset("-")),
        NumberRule("KR_RRN", [13], stdnum("kr.rrn"), hint=hint("주민*", "rrn", "resident registration*")),
        NumberRule("TR_TCKN", [11], stdnum("tr.tckimlik"), hint=hint("tckn", "t c kimlik", "tc kimlik", "kimlik")),
        NumberRule("CN_RIC", [18], stdnum("cn.ric"), _shapes("18")),
        NumberRule("ZA_ID", [13], with_luhn(stdnum("za.idnr")), hint=hint("id", "identity")),
        *NATIONAL_RULES,
    )
)
