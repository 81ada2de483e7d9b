"""The detectors as a table, and one pass of all of them over a text."""

from collections.abc import Callable, Iterator, Sequence

from embedmill.shared.redaction import births, codes, network, secrets
from embedmill.shared.redaction.accounts import find_accounts
from embedmill.shared.redaction.anchors import Literals
from embedmill.shared.redaction.births import find_births
from embedmill.shared.redaction.codes import find_codes
from embedmill.shared.redaction.finding import Finding, united
from embedmill.shared.redaction.folding import fold
from embedmill.shared.redaction.glance import Glance
from embedmill.shared.redaction.network import find_machines, find_mail
from embedmill.shared.redaction.number_rules import RULES
from embedmill.shared.redaction.numbers import runs
from embedmill.shared.redaction.phones import find_phones, find_vanity, has_plus
from embedmill.shared.redaction.placeholders import without_placeholders
from embedmill.shared.redaction.secrets import find_secrets

Detector = Callable[[Glance], Iterator[Finding]]
"""From a folded text to what it finds in it."""


def find_numbers(glance: Glance, known: Sequence[Finding]) -> Iterator[Finding]:
    """Cards, telephone numbers and every id that is only digits, but for what is within a known finding."""
    reached = 0
    for run in runs(glance.text, glance.lowered, known, RULES.naming):
        found = RULES.find(run)
        yield from found
        reached = reached if run.goes_on else 0
        if not run.is_one(found) or has_plus(run):
            for phone in find_phones(run, reached):
                yield phone
                reached = phone.end
    yield from find_vanity(glance.text)


PATTERNS: tuple[Detector, ...] = (
    find_mail,
    find_machines,
    find_accounts,
    find_codes,
    find_births,
    find_secrets,
)
_SIGNS = Literals(secrets.SIGNS)
_WORDS = Literals((*births.WORDS, *births.AFTER, *codes.WORDS, *network.WORDS, *secrets.WORDS))


def _lowered(text: str) -> str:
    """In small letters; line by line where some are foreign, since those of ASCII cost a tenth."""
    return text.lower() if text.isascii() else "\n".join([line.lower() for line in text.split("\n")])


def scan(text: str) -> list[Finding]:
    """What the patterns find in a text, in order and apart; places are the given text's, in characters."""
    folded = fold(text)
    lowered = _lowered(without_placeholders(folded.text))
    glance = Glance(folded.text, lowered, _SIGNS.find(folded.text), _WORDS.find(lowered))
    known = united([finding for detect in PATTERNS for finding in detect(glance)])
    found = united([*known, *find_numbers(glance, known)])
    if not folded.starts:
        return found
    spans = folded.spans([(f.start, f.end) for f in found])
    return [Finding(f.type, start, end, f.certainty) for f, (start, end) in zip(found, spans, strict=True)]
