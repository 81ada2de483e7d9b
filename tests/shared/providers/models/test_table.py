"""The table of models: what is a name and what is none."""

import pytest

from embedmill.shared.errors import SettingsError
from embedmill.shared.providers.models.table import is_model, open_model


@pytest.mark.parametrize("name", ["anthropic/claude-opus-4-7", "bedrock/anthropic.claude-opus-4-7", "openai/gpt-5"])
def test_a_name_says_provider_and_model(name: str) -> None:
    assert is_model(name)
    assert open_model(name).name == name


@pytest.mark.parametrize("name", ["rules", "off", "anthropic", "anthropic/", "claude/opus", "anthropic/a b", ""])
def test_anything_else_is_refused_with_what_there_is(name: str) -> None:
    assert not is_model(name)
    with pytest.raises(SettingsError, match="anthropic/MODEL"):
        open_model(name)
