"""Owns the grammar of `--where`: what a user writes, as a tree of conditions.

    filter = both ("or" both)*
    both   = one ("and" one)*
    one    = "not" one | "(" filter ")" | "exists" "(" field ")" | field test
    test   = ("=" | "!=" | "<" | "<=" | ">" | ">=") value | "~" glob | ["not"] "in" "(" value ("," value)* ")"

A field or value is a word, or a text in single or double quotes, in which a backslash stands before a quote or another
backslash. A word that is a number or true or false is that; in quotes it is a text. Keywords may be in upper case.
"""

from collections.abc import Callable
from unicodedata import normalize

from embedmill.shared.errors import UsageError
from embedmill.shared.filtering.conditions import All, AnyOf, Compare, Condition, Exists, IsOneOf, Not, Resembles
from embedmill.shared.filtering.readings import Operator, Value, read_number
from embedmill.shared.filtering.tokens import Token, cut, refusal
from embedmill.shared.globs import Glob

KEYWORDS = frozenset({"and", "or", "not", "in", "exists"})
OPERATORS: dict[str, Operator] = {"=": "=", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
TRUTHS = {"true": True, "false": False}
DEEPEST = 50
"""How many parentheses and `not` may stand in each other."""


def parse_filter(text: str) -> Condition:
    """The conditions that a filter names; raises UsageError with the place and what was expected there."""
    return _Parser(cut(text)).parse()


class _Parser:
    """Reads tokens from left to right, one ahead."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def parse(self) -> Condition:
        if len(self._tokens) == 1:
            raise refusal(1, "it is empty")
        condition = self._any()
        if self._at < len(self._tokens) - 1:
            raise self._expected("and, or or the end", hint="a value with spaces or signs needs quotes")
        return condition

    def _any(self) -> Condition:
        conditions = [self._all()]
        while self._takes("or"):
            conditions.append(self._all())
        return conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))

    def _all(self) -> Condition:
        conditions = [self._one()]
        while self._takes("and"):
            conditions.append(self._one())
        return conditions[0] if len(conditions) == 1 else All(tuple(conditions))

    def _one(self) -> Condition:
        if self._takes("not"):
            return Not(self._deeper(self._one))
        if self._takes("("):
            condition = self._deeper(self._any)
            self._require(")")
            return condition
        if self._takes("exists"):
            return self._exists()
        return self._test(self._field())

    def _deeper(self, read: Callable[[], Condition]) -> Condition:
        self._depth += 1
        if self._depth > DEEPEST:
            raise refusal(self._next.place, f"more than {DEEPEST} parentheses and nots stand in each other", "")
        condition = read()
        self._depth -= 1
        return condition

    def _exists(self) -> Condition:
        self._require("(")
        field = self._field()
        self._require(")")
        return Exists(field)

    def _field(self) -> str:
        token = self._next
        if token.kind not in ("word", "text") or token.keyword in KEYWORDS:
            raise self._expected("the name of a field, not, exists( or (")
        self._at += 1
        return normalize("NFC", token.text)

    def _test(self, field: str) -> Condition:
        if self._takes("not"):
            self._require("in")
            return Not(IsOneOf(field, self._values()))
        if self._takes("in"):
            return IsOneOf(field, self._values())
        if self._takes("~"):
            return Resembles(field, self._glob())
        operator = OPERATORS.get(self._next.text) if self._next.kind == "sign" else None
        if operator is None:
            raise self._expected("= != < <= > >= ~ in or not in")
        self._at += 1
        return Compare(field, operator, self._compared(operator))

    def _compared(self, operator: Operator) -> Value:
        place, value = self._next.place, self._value()
        if isinstance(value, bool) and operator not in ("=", "!="):
            raise refusal(place, "true and false are not more or less than anything", "use = or !=")
        return value

    def _glob(self) -> Glob:
        place, text = self._next.place, self._text()
        try:
            return Glob(normalize("NFC", text))
        except UsageError as error:
            raise refusal(place, str(error), 'for example: uri ~ "*/reports/*.pdf"') from None

    def _values(self) -> tuple[Value, ...]:
        self._require("(")
        values = [self._value()]
        while self._takes(","):
            values.append(self._value())
        self._require(")")
        return tuple(values)

    def _value(self) -> Value:
        token = self._next
        text = self._text()
        if token.kind == "text":
            return text
        number = read_number(text)
        return TRUTHS.get(text.lower(), text) if number is None else number

    def _text(self) -> str:
        token = self._next
        if token.keyword in KEYWORDS:
            raise self._expected("a value", hint=f'{token.keyword!r} as a value needs quotes: "{token.keyword}"')
        if token.kind not in ("word", "text"):
            raise self._expected("a value", hint='for example: lang = en, title = "Annual report", day >= 2026-11-29')
        self._at += 1
        return token.text

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _takes(self, wanted: str) -> bool:
        """Whether a keyword or a sign is next, which is read then."""
        token = self._next
        taken = token.keyword == wanted or (token.kind == "sign" and token.text == wanted)
        self._at += taken
        return taken

    def _require(self, wanted: str) -> None:
        if not self._takes(wanted):
            raise self._expected(wanted)

    def _expected(self, wanted: str, *, hint: str | None = None) -> UsageError:
        message = f"expected {wanted}, found {self._next}"
        return refusal(self._next.place, message) if hint is None else refusal(self._next.place, message, hint)
