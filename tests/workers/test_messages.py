"""Messages: ids only, versioned, small; what cannot be read is refused and never half-read."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedmill.shared import stages
from embedmill.shared.settings import Settings
from embedmill.workers.messages import MAX_BYTES, BatchMessage, UnreadableMessage, decode

LARGEST_ID = 2**63 - 1


@given(st.sampled_from(list(stages.names())), st.lists(st.integers(0, LARGEST_ID)))
def test_a_message_says_after_its_journey_what_it_said_before(stage: str, work: list[int]) -> None:
    message = BatchMessage(stage, tuple(work))
    assert decode(json.loads(json.dumps(message.encode()))) == message


def test_a_message_holds_a_version_a_stage_and_ids_and_nothing_else() -> None:
    assert BatchMessage("embed", (1, 2)).encode() == {"v": 1, "stage": "embed", "work": [1, 2]}


def test_a_message_may_ask_to_be_alone_without_a_new_version() -> None:
    body = BatchMessage("embed", (1,), alone=True).encode()
    assert body == {"v": 1, "stage": "embed", "work": [1], "alone": True}
    assert decode(body).alone
    assert not decode(body | {"alone": "yes"}).alone
    assert decode(body | {"later": "key"}) == decode(body), "keys of a later release are passed over"


def test_the_largest_batch_fits_the_bound() -> None:
    largest = next(each for each in fields(Settings) if each.name == "batch_documents").metadata["bounds"]["le"]
    ids = tuple(10**15 + n for n in range(largest))
    assert largest == 400
    assert len(json.dumps(BatchMessage("validate", ids).encode())) <= MAX_BYTES


@pytest.mark.parametrize(
    "body",
    [
        None,
        "text",
        [],
        {},
        {"v": 2, "stage": "chunk", "work": [1]},
        {"v": "1", "stage": "chunk", "work": [1]},
        {"v": 1, "stage": "polish", "work": [1]},
        {"v": 1, "stage": "chunk"},
        {"v": 1, "stage": "chunk", "work": "1"},
        {"v": 1, "stage": "chunk", "work": [1, "2"]},
        {"v": 1, "stage": "chunk", "work": [True]},
        {"v": 1, "stage": None, "work": [1]},
    ],
    ids=str,
)
def test_anything_else_is_unreadable(body: Any) -> None:
    with pytest.raises(UnreadableMessage):
        decode(body)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_no_body_breaks_the_decoder(body: Any) -> None:
    with pytest.raises(UnreadableMessage):
        decode(body)
