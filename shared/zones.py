"""Time zones by their names."""

from embedmill.shared.errors import UsageError


def zone_name(text: str) -> str:
    """The name of a time zone; raises UsageError for what is none."""
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(text).key
    except (KeyError, OSError, ValueError):
        raise UsageError(f"{text!r} is no time zone", hint="Write one as Europe/Berlin or America/New_York.") from None
