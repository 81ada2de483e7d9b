"""JSON that is held takes the memory of its bytes."""

import tracemalloc

import orjson

from embedmill.shared.json_bytes import json_bytes


def test_what_is_held_takes_no_more_memory_than_its_bytes() -> None:
    value = {"text": "words " * 50}
    tracemalloc.start()
    try:
        held = [json_bytes(value, option=orjson.OPT_APPEND_NEWLINE) for _ in range(50)]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert {orjson.loads(one)["text"] for one in held} == {value["text"]}
    assert taken < 2 * sum(map(len, held))
