"""What only OpenAI's answers, and those of servers that speak like it, have."""

from openai.types.chat import ChatCompletion

from shared.providers.models.base import UNTOLD, Stop
from shared.providers.models.openai import _answer


def test_an_answer_without_usage_is_not_one_that_cost_nothing() -> None:
    completion = ChatCompletion.model_validate(
        {
            "id": "c1",
            "object": "chat.completion",
            "created": 0,
            "model": "some-model",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "{}"}},
            ],
        }
    )
    answer = _answer(completion, {})
    assert (answer.text, answer.stop, answer.usage) == ("{}", Stop.END, UNTOLD)
    assert not answer.usage.told
