"""Loads prompts: text files packaged beside the module that sends them, with the hash that is stored with results."""

from dataclasses import dataclass
from functools import cache
from importlib import resources

from embedmill.shared.addresses import digest


@dataclass(frozen=True, slots=True)
class PromptText:
    """A prompt's name, text and hash; another text has another hash."""

    name: str
    text: str
    hash: str


@cache
def load_prompt(package: str, name: str) -> PromptText:
    """The text of `prompts/NAME.txt` in a package."""
    text = resources.files(package).joinpath("prompts", f"{name}.txt").read_text(encoding="utf-8")
    return PromptText(name, text, digest("prompt", name, text, length=16))
