"""How the chunks of one document stand among others."""

from embedmill.retrieval.grouping import spread


def test_no_group_fills_the_page_and_nothing_is_lost() -> None:
    items = ["a1", "a2", "a3", "b1"]
    assert list(spread(items, lambda item: item[0], limit=2)) == ["a1", "a2", "b1", "a3"]
    assert list(spread(items, lambda item: item[0], limit=1)) == ["a1", "b1", "a2", "a3"]
