"""How the numbers of each country are made, as phonenumbers knows it: codes, lengths, and which are given out."""

import re
from functools import cache
from typing import Any

STATES_BYTES = 64 << 20
_REGIONS = tuple(
    "GB DE FR IT NL BE AT CH AU JP ZA IE SE FI KR TR IL IN UA NZ TW TH ID MY "
    "EG NG KE RO BG HR RS SK AE PK BD VN PH CN".split()
)
"""Countries whose numbers begin with a zero at home."""
_KEEPS_ZERO, _HAS_CARRIERS = ("IT",), ("KR",)
_USUAL = tuple(region for region in _REGIONS if region not in _KEEPS_ZERO + _HAS_CARRIERS)
_CARRIER = re.compile(r"0(?:8(?:[1-46-8]|5[0-9]{2}))?")
"""The zero of Koreans, and whom they may choose to carry a call."""
_ABROAD = re.compile("010|01(?:05|[2-9])|0161|019")
"""What is dialled before a country's code in Japan, Israel, New Zealand and Taiwan, and has one zero."""
_KINDS = "premium_rate toll_free shared_cost voip personal_number pager uan voicemail fixed_line mobile".split()


def is_whole_number(number: str) -> bool:
    """Whether digits with their country's code are as many as the country's numbers have."""
    code = country_code(number)
    return code is not None and len(number) - len(code) in sizes_of(code)


def is_given_out(number: str) -> bool:
    """Whether digits with their country's code are a number that somebody may have."""
    from phonenumbers import NumberParseException, is_valid_number, parse

    try:
        return is_valid_number(parse(f"+{number}"))
    except NumberParseException:
        return False


@cache
def _codes() -> dict[str, tuple[str, ...]]:
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    return {str(code): tuple(regions) for code, regions in COUNTRY_CODE_TO_REGION_CODE.items()}


def country_code(number: str) -> str | None:
    """The country's code that digits begin with; None where there is none such."""
    return _country_of(number[:3])


@cache
def _country_of(number: str) -> str | None:
    if number.startswith("0"):
        return None
    codes = _codes()
    return next((number[:size] for size in (1, 2, 3) if number[:size] in codes), None)


@cache
def sizes_of(code: str) -> frozenset[int]:
    """How long the national numbers of a country's code are."""
    from phonenumbers import PhoneMetadata

    found: set[int] = set()
    for region in _codes()[code]:
        metadata = (
            PhoneMetadata.metadata_for_region(region, None)
            if region != "001"
            else PhoneMetadata.metadata_for_nongeo_region(int(code), None)
        )
        if metadata is not None and metadata.general_desc is not None:
            found.update(metadata.general_desc.possible_length)
    return frozenset(found)


def is_valid_somewhere(digits: str) -> bool:
    """Whether digits with a zero before them are a number at home in one of these countries.

    As `is_valid_number(parse(digits, region))` of any of them, which takes milliseconds where none has it.
    """
    if digits[1] == "0":
        return False
    behind_carrier = digits[_CARRIER.match(digits).end() :]  # type: ignore[union-attr]
    return (
        _is_at_home(digits[1:], _USUAL)
        or _is_at_home(digits, _KEEPS_ZERO)
        or _is_at_home(behind_carrier, _HAS_CARRIERS)
        or ((abroad := _ABROAD.match(digits)) is not None and is_given_out(digits[abroad.end() :]))
    )


def _is_at_home(number: str, regions: tuple[str, ...]) -> bool:
    """Whether a number without what is dialled before it is one of these regions."""
    every = _every_form(regions, len(number))
    return every.fullmatch(number) is not None and any(
        general.fullmatch(number) and own.fullmatch(number) for general, own in _forms(regions, len(number))
    )


@cache
def _every_form(regions: tuple[str, ...], size: int) -> Any:
    """The forms of all numbers of so many digits in one pattern, for which RE2 has room."""
    import re2

    options = re2.Options()
    options.max_mem = STATES_BYTES
    return re2.compile("|".join(dict.fromkeys(own.pattern for _, own in _forms(regions, size))) or "x", options)


@cache
def _forms(regions: tuple[str, ...], size: int) -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
    """What numbers of so many digits are like in general, and by their kinds, in each region and those of its code."""
    from phonenumbers import PhoneMetadata

    def described(region: str) -> Any:
        return PhoneMetadata.metadata_for_region(region, None)

    codes = dict.fromkeys(str(described(region).country_code) for region in regions)
    found = []
    for metadata in (described(each) for code in codes for each in _codes()[code]):
        usual = metadata.general_desc
        own = [
            each.national_number_pattern
            for each in (getattr(metadata, kind) for kind in _KINDS)
            if each and each.national_number_pattern and size in (each.possible_length or usual.possible_length)
        ]
        if own:
            form = "|".join(f"(?:{pattern})" for pattern in own)
            found.append((re.compile(usual.national_number_pattern), re.compile(form)))
    return tuple(found)
