"""The table of models: who serves a name like `anthropic/claude-opus-4-7`, and the class behind it."""

import re
from dataclasses import dataclass
from pkgutil import resolve_name

from embedmill.shared.errors import MissingExtra, SettingsError
from embedmill.shared.providers.models.base import Model
from embedmill.shared.providers.names import ModelName


@dataclass(frozen=True, slots=True)
class Serving:
    """How a provider's models are reached: `module:Class`, and the extra that brings its packages."""

    model: str
    extra: str
    counts_as_here: bool = False
    """Whether its tokenizer counts what ours does, so that prompts are no longer there than here."""


MODELS = {
    "anthropic": Serving("embedmill.shared.providers.models.anthropic:AnthropicModel", "anthropic"),
    "bedrock": Serving("embedmill.shared.providers.models.anthropic:BedrockModel", "anthropic,bedrock"),
    "openai": Serving("embedmill.shared.providers.models.openai:OpenAIModel", "openai", counts_as_here=True),
}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


def is_model(name: str) -> bool:
    """Whether `name` says provider and model, as `anthropic/claude-opus-4-7` does."""
    provider, _, model = name.partition("/")
    return provider in MODELS and bool(_NAME.fullmatch(model))


def open_model(name: str) -> Model:
    """The model called `name`; raises SettingsError for a name that is none, MissingExtra without its packages.

    Which models a provider serves is the provider's to say: an unknown one is refused by the first call.
    """
    if not is_model(name):
        known = ", ".join(f"{provider}/MODEL" for provider in MODELS)
        raise SettingsError(
            f"no model {name!r}; write {known}, as anthropic/claude-opus-4-7",
            hint="Is the name right? Correct the setting, or set it to off; docs/providers.md names models.",
        )
    parts = ModelName.parse(name)
    serving = MODELS[parts.provider]
    try:
        found: type[Model] = resolve_name(serving.model)
    except ModuleNotFoundError as error:
        hint = f"pip install 'embedmill[{serving.extra}]'"
        raise MissingExtra(f"{name} needs the package {error.name}: {hint}", hint=hint) from None
    return found(name, parts.model)
