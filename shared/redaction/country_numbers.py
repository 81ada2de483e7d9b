"""How the numbers of each country are made, as phonenumbers knows it: codes, lengths, and which are given out."""

from functools import cache

_REGIONS = tuple(
    "GB DE FR IT NL BE AT CH AU JP ZA IE SE FI KR TR IL IN UA NZ TW TH ID MY "
    "EG NG KE RO BG HR RS SK AE PK BD VN PH CN".split()
)
"""Countries whose numbers begin with a zero at home."""


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
    """Whether digits with a zero before them are a number at home in one of these countries."""
    from phonenumbers import NumberParseException, is_valid_number, parse

    for region in _REGIONS if digits[1] != "0" else ():
        try:
            if is_valid_number(parse(digits, region)):
                return True
        except NumberParseException:
            continue
    return False
