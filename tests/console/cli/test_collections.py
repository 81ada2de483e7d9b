"""What people are shown of a collection."""

import pytest

from embedmill.console.cli.collections import _who_ranks


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({}, "models rank here where EMBEDMILL_FAST_MODEL or EMBEDMILL_RANK_MODEL is set"),
        ({"rank": True, "shards": 3}, "models rank what is found here"),
        ({"rank": False, "unranked": True}, "no model ranks what is found here"),
    ],
)
def test_two_settings_that_say_who_ranks_are_one_sentence(settings: dict[str, bool], says: str) -> None:
    assert _who_ranks(**settings) == says
