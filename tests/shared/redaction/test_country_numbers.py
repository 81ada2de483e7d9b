"""Numbers with a zero before them: theirs whom phonenumbers says, without asking it country by country."""

from random import Random

import phonenumbers
import pytest

from embedmill.shared.redaction import country_numbers
from embedmill.shared.redaction.country_numbers import is_valid_somewhere

RANDOM = Random(7)
HEADS = (
    "01",
    "02",
    "03",
    "037",
    "039",
    "049",
    "0498",
    "05",
    "06",
    "07",
    "08",
    "085",
    "09",
    "010",
    "012",
    "0161",
    "019",
)


def is_valid(digits: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(digits, region))
    except phonenumbers.NumberParseException:
        return False


@pytest.mark.parametrize(
    "digits",
    [
        *(f"{head}{RANDOM.randrange(10**9):09}"[: RANDOM.choice((8, 9, 10, 11, 12))] for head in HEADS),
        *("05898766161", "084968222241", "045992816850", "079833753714", "0370120434766", "049695586499"),
        *("0010442079460329", "010442079460329", "0390612345678", "08212345678", "07911123456"),
    ],
)
def test_it_says_what_the_library_says_of_each_country(digits: str) -> None:
    known = any(is_valid(digits, region) for region in country_numbers._REGIONS) and digits[1] != "0"
    assert is_valid_somewhere(digits) == known


def test_a_number_of_nowhere_is_not_parsed_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(phonenumbers, "parse")
    assert not is_valid_somewhere("05898766161")
    assert is_valid_somewhere("02079460329")
