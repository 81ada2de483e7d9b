"""Fingerprints: one root cause is one fingerprint whatever it is about, and two causes are two."""

import pytest

from embedmill.shared.fingerprints import fingerprint, gist_of
from embedmill.shared.outcomes import Fail

SAME = {
    "numbers": ("the store confirms 3 of 12 vectors", "the store confirms 0 of 7 vectors"),
    "paths": (
        "page 7 of /srv/a.pdf: bad object 'x12' at 0000deadbeef",
        "page 12 of /tmp/deep/b.pdf: bad object 'y' at 1234567890ab",
    ),
    "windows paths": (r"cannot open C:\data\one.doc", r"cannot open D:\two.doc"),
    "stored objects": (
        "stored object 9f86d081884c cannot be read: No such file or directory",
        "stored object 2c26b46b68ff cannot be read: No such file or directory",
    ),
    "hosts and ports": (
        "could not connect to api.eu-1.example.com:443: timed out",
        "could not connect to gateway.internal.example.org:8443: timed out",
    ),
    "addresses": ("connection to 10.0.0.12:6379 refused", "connection to [fe80::1ff:fe23]:6380 refused"),
    "URLs": (
        "GET https://api.example.com/v1/embeddings?id=7 answered 503",
        "GET http://localhost:8080/v2/x answered 502",
    ),
    "request ids": (
        "the provider refused (request req_011CSHoEeqs5C35K2UUqR7Fy)",
        "the provider refused (request req_018EeWyXxfu5pfWkrYcMdjWG)",
    ),
    "UUIDs": (
        "no upload 6f1c2d9e-7a3b-4c5d-8e9f-0a1b2c3d4e5f",
        "no upload 0b9a8c7d-1e2f-4a3b-9c8d-7e6f5a4b3c2d",
    ),
    "times": (
        "the token ran out at 2026-11-25T00:36:13Z",
        "the token ran out at 2025-01-02 23:59:59.123+01:00",
    ),
    "shapes": ("expected vectors of shape (12, 384), got (11, 384)", "expected vectors of shape (3, 8), got (1, 8)"),
    "grouped digits": (
        "it expands to 1,073,741,824 bytes; 536,870,912 are allowed",
        "it expands to 99 bytes; 98 are allowed",
    ),
    "quoted text": ('unknown encoding "latin-99" in part `x`', 'unknown encoding "klingon" in part `body text`'),
    "mail addresses": ("mailbox anna@example.com is locked", "mailbox bob.b@mail.example.org is locked"),
    "hexadecimal": ("segment 0x7fff01 is torn", "segment 0xA1 is torn"),
}
DIFFERENT = {
    "another cause": ("page 7 of /srv/a.pdf: no trailer", "page 7 of /srv/a.pdf: bad object 'x12'"),
    "another limit": (
        "parsing needed more than 64 MB of memory",
        "parsing took longer than 60 s",
    ),
    "another kind": ("it is a PNG image", "it is a gzip archive"),
    "an apostrophe is no quotation": ("the file's end isn't there", "the file's head isn't there"),
}


@pytest.mark.parametrize("pair", SAME.values(), ids=SAME.keys())
def test_what_a_message_is_about_does_not_tell_two_failures_apart(pair: tuple[str, str]) -> None:
    assert gist_of(pair[0]) == gist_of(pair[1])
    assert fingerprint("chunk", "SomeError", pair[0]) == fingerprint("chunk", "SomeError", pair[1])


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_different_causes_have_different_fingerprints(pair: tuple[str, str]) -> None:
    assert fingerprint("chunk", "SomeError", pair[0]) != fingerprint("chunk", "SomeError", pair[1])


def test_stage_and_class_are_part_of_the_cause() -> None:
    seen = {fingerprint(stage, name, "torn") for stage in ("chunk", "embed") for name in ("NoText", "SourceGone")}
    assert len(seen) == 4


def read_page(number: int) -> None:
    if number > 100:
        raise ValueError(f"page {number}")
    read_page(number + 60)


def read_image() -> None:
    raise ValueError("page 1")


def origin(number: int | None) -> str:
    try:
        read_image() if number is None else read_page(number)
    except ValueError as error:
        found = Fail(error)
        assert found.origin is not None
        return fingerprint("chunk", found.error_class, found.message, origin=found.origin)
    raise AssertionError("it raised nothing")


def test_a_foreign_error_is_told_by_its_frames_and_not_by_lines_or_text() -> None:
    assert origin(150) == origin(120)
    assert origin(150) != origin(None)


def test_moving_code_to_another_line_keeps_the_fingerprint() -> None:
    def raised_at(blank_lines: int) -> str:
        namespace: dict[str, object] = {}
        source = "\n" * blank_lines + "def load():\n    raise KeyError('name')\n"
        exec(compile(source, "/opt/site-packages/lib/loader.py", "exec"), namespace)
        try:
            namespace["load"]()  # type: ignore[operator]
        except KeyError as error:
            return str(Fail(error).origin)
        raise AssertionError("it raised nothing")

    assert raised_at(0) == raised_at(40)
    assert raised_at(0).endswith("lib/loader.py:load")
