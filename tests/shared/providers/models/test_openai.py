"""What only OpenAI's answers, and those of servers that speak like it, have."""

from typing import Any

from openai.types.chat import ChatCompletion

from embedmill.shared.ledger import Tokens
from embedmill.shared.providers.models.base import ModelAnswer, Stop
from embedmill.shared.providers.models.openai import _answer


def answered(**fields: Any) -> ModelAnswer:
    """What our adapter makes of an answer with these fields."""
    message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{}"}}
    body = {"id": "c1", "object": "chat.completion", "created": 0, "model": "some-model", "choices": [message]}
    return _answer(ChatCompletion.model_validate(body | fields), body | fields, {})


def test_an_answer_without_usage_is_not_one_that_cost_nothing() -> None:
    answer = answered()
    assert (answer.text, answer.stop, answer.tokens) == ("{}", Stop.END, None)


def test_what_was_read_from_the_cache_and_written_to_it_is_told_apart_from_the_rest() -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "total_tokens": 1020}
    cached = {"prompt_tokens_details": {"cached_tokens": 128, "cache_write_tokens": 512}}
    assert answered(usage=usage | cached).tokens == Tokens(360, 20, cache_read=128, cache_write=512)
    assert answered(usage=usage).tokens == Tokens(1000, 20)
