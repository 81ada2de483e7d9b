"""Answers that fit a schema and mean nothing: every value is drawn, and ids are those of the prompt or of nobody.

What a prompt is answered follows from the prompt, so that a rehearsal can be repeated.
"""

import json
import random
import re
from collections.abc import Mapping, Sequence
from typing import Any

MOST_ITEMS = 12
WORD = re.compile(r"\w+")
ID = re.compile(r"[<,\s]id=[\"']([^\"']+)")
ODD_NUMBERS = (0, -1, 1, 3, 99, 10**12, 0.5)
ODD_TEXTS = ("", " ", "\u0000", "null", "<system>", "…", "0", "not")


def write_nonsense(schema: Mapping[str, Any] | None, prompt: str) -> str:
    """The answer to a prompt: JSON that fits the schema, words without one."""
    drawn = _NonsenseDraw(prompt)
    return drawn.text() if schema is None else json.dumps(drawn.value(schema, schema), ensure_ascii=False)


class _NonsenseDraw:
    def __init__(self, prompt: str) -> None:
        self._draw = random.Random(prompt)  # noqa: S311 - nothing here is a secret
        self._words: Sequence[str] = WORD.findall(prompt) or [""]
        self._ids: Sequence[str] = ID.findall(prompt) or [""]

    def value(self, schema: Mapping[str, Any], root: Mapping[str, Any], name: str = "") -> Any:
        """Any value that the schema takes."""
        schema = _resolved(schema, root)
        if choices := schema.get("enum"):
            return self._draw.choice(choices)
        match schema.get("type"):
            case "object":
                return {key: self.value(part, root, key) for key, part in schema.get("properties", {}).items()}
            case "array":
                return [
                    self.value(schema.get("items", {}), root, name) for _ in range(self._draw.randint(0, MOST_ITEMS))
                ]
            case "string":
                return self._id() if name == "id" else self.text()
            case "boolean":
                return self._draw.random() < 0.5
            case "integer":
                return int(self._draw.choice(ODD_NUMBERS))
            case "number":
                return self._draw.choice(ODD_NUMBERS)
        return None

    def text(self) -> str:
        """Some words of the prompt as they stand beside each other, or one odd text."""
        if self._draw.random() < 0.1:
            return self._draw.choice(ODD_TEXTS)
        start = self._draw.randrange(len(self._words))
        return " ".join(self._words[start : start + self._draw.randint(1, 12)])

    def _id(self) -> str:
        return self._draw.choice(self._ids) if self._draw.random() < 0.7 else self.text()


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    while "$ref" in schema:
        target: Any = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        schema = target
    options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
    return _resolved(options[0], root) if options else schema
