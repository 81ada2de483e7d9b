"""What a process remembers of its writes until reads have confirmed them."""

from embedmill.shared.providers.vectorstores.pinecone.freshness import Unseen
from tests.contracts.rows import make_row


def test_the_last_position_of_a_namespace_is_awaited_until_it_is_reached() -> None:
    unseen = Unseen()
    assert unseen.position("a") is None
    for position in (3, 7, 5):
        unseen.wrote("a", position)
    assert (unseen.position("a"), unseen.position("b")) == (7, None)
    assert unseen.tells_positions
    unseen.reached("a", 3)
    assert unseen.position("a") == 7, "what was written meanwhile is still to come"
    unseen.reached("a", 7)
    assert unseen.position("a") is None


def test_a_service_that_tells_no_positions_is_awaited_by_its_rows() -> None:
    unseen = Unseen()
    unseen.wrote("a", None)
    assert unseen.position("a") is None and not unseen.tells_positions


def test_rows_are_expected_by_the_beginning_of_their_ids_until_they_were_counted() -> None:
    unseen = Unseen()
    unseen.expect("a", [make_row("d1", 0), make_row("d1", 1), make_row("d1", 1), make_row("d2", 0)])
    assert unseen.expected("a", "d1", "d1-v1-") == 2
    assert (unseen.expected("a", "d1", "d1-v2-"), unseen.expected("b", "d1", "d1-v1-")) == (0, 0)
    unseen.expect("a", [make_row("d1", 0, generation=2)])
    unseen.counted("a", [("d1", "d1-v1-1."), ("nobody", "nobody-v1-1.")])
    assert (unseen.expected("a", "d1", "d1-v1-"), unseen.expected("a", "d2", "d2-v1-1.")) == (1, 1)
