"""Of what a vendor calls an error only words of error codes are shown, whatever a server puts there."""

import pytest

from embedmill.shared.providers.translation import KEY_CODES, QUOTA_CODES, TOO_LONG_CODES
from embedmill.shared.vendor_codes import shown_code, shown_id

CODES = """
    invalid_api_key invalid_request_error insufficient_quota rate_limit_exceeded model_not_found context_length_exceeded
    content_filter content_policy_violation server_error tokens requests overloaded_error permission_error api_error
    not_found_error billing_error timeout_error request_too_large authentication_error token_limit_exceeded
    organization_not_enrolled unsupported_parameter BadRequestError DeploymentNotFound
    ValidationException ThrottlingException AccessDeniedException ResourceNotFoundException ModelTimeoutException
    ModelErrorException ModelNotReadyException ServiceUnavailableException InternalServerException
    ServiceQuotaExceededException AccessDenied NoSuchBucket SlowDown RequestTimeTooSkewed InvalidBucketName
    PermanentRedirect INVALID_ARGUMENT RESOURCE_EXHAUSTED NOT_FOUND
""".split()


@pytest.mark.parametrize("code", CODES)
def test_codes_of_vendors_are_shown(code: str) -> None:
    assert shown_code(code) == code


def test_codes_that_mean_something_to_us_are_shown() -> None:
    ours = QUOTA_CODES | KEY_CODES | TOO_LONG_CODES
    assert {code for code in ours if not shown_code(code)} == set()


@pytest.mark.parametrize(
    "code",
    [
        "Dear Ms Smith, the merger with Acme",
        "the_merger_with_acme",
        "Geheimnis",
        "geheimnis",
        "MergerWithAcme",
        "SMITH",
        "error_smith",
        "error\nSmith",
        "error smith",
        "error error",
        "invalid_api_key\n",
        "sk-abcdef",
        "4111-1111-1111-1111",
        "error_" * 20 + "error",
        "größe",
        "",
        None,
        400,
        {"error": "smith"},
    ],
)
def test_a_code_that_may_be_a_text_is_not_shown(code: object) -> None:
    assert shown_code(code) == ""


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("req_011CSHoEeqs5C35K2UUqR7Fy", True),
        ("0b5c1c7e-4bb1-4b3f-9a4e-1f0e6d1a2b3c", True),
        ("8213379129410", True),
        ("the merger with Acme 2026", False),
        ("the-merger-with-acme-2026", False),
        ("Smith", False),
        ("req_smith", False),
        ("req_1" + "0" * 64, False),
        ("secret", False),
        (None, False),
    ],
)
def test_a_request_id_is_shown_in_the_form_of_one(told: object, *, shown: bool) -> None:
    assert shown_id(told) == (told if shown else "")
