"""Which limits hold: the user's over the provider's own word over what was published."""

from embedmill.shared.flow.limits import find_limits


def test_the_user_goes_over_the_headers_and_those_over_what_was_published() -> None:
    limits = find_limits("anthropic", "claude-haiku-5-5", {"anthropic": {"rpm": 5}})
    assert limits.with_learned({}) == {"requests": 5, "tokens": 2_000_000, "output": 400_000}
    assert limits.with_learned({"requests": 99, "tokens": 7}) == {"requests": 5, "tokens": 7, "output": 400_000}


def test_a_model_goes_over_its_provider() -> None:
    settings = {"openai": {"tpm": 10, "rpm": 3}, "openai/large": {"tpm": 20}}
    assert find_limits("openai", "large", settings).fixed == {"tokens": 20, "requests": 3}
    assert find_limits("openai", "small", settings).fixed == {"tokens": 10, "requests": 3}


def test_models_that_share_an_allowance_have_one_pool() -> None:
    pools = {find_limits("anthropic", model, {}).pool for model in ("claude-opus-4-7", "claude-opus-4-8")}
    assert len(pools) == 1
    assert find_limits("anthropic", "claude-haiku-5-5", {}).pool not in pools
