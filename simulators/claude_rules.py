"""What the simulated Claude models take and refuse, model by model."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from embedmill.simulators.base import Call, Refused

SAMPLING = ("temperature", "top_p", "top_k")
NO_SAMPLING_SINCE = "2026-10-21"
"""From this API version on, no model takes sampling parameters."""
MOST_OUTPUT_TOKENS = 128_000
MOST_BREAKPOINTS = 4
MOST_OPTIONAL, MOST_UNIONS = 24, 16
UNSUPPORTED = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength")
UNSUPPORTED_IN_LISTS = ("maxItems", "uniqueItems")
THINKING_TOKENS = {"low": 16, "medium": 32, "high": 64, "xhigh": 128, "max": 256}
HIGHEST_WITHOUT_THINKING = ("low", "medium", "high")
BEDROCK_NAME = re.compile(r"(?:(?:us|eu|apac|global)\.)?anthropic\.(?P<model>claude-[\w-]+?)(?:-v\d+(?::\d+)?)?")


@dataclass(frozen=True, slots=True)
class ModelRules:
    """One model's ways."""

    least_cached: int
    """Tokens of the shortest prefix that is cached."""
    context: int = 1_000_000
    old_manners: bool = False
    """Takes sampling parameters (with an old API version), prefill and thinking budgets, as up to 4.5."""
    thinks_unasked: str | None = None
    """The effort of the thinking that is on by default."""


RULES = {
    "claude-opus-4-7": ModelRules(4096),
    "claude-opus-4-8": ModelRules(1024),
    "claude-opus-5": ModelRules(512),
    "claude-haiku-5-5": ModelRules(512, thinks_unasked="medium"),
    "claude-haiku-4-5": ModelRules(4096, context=200_000, old_manners=True),
    "claude-sonnet-4-5": ModelRules(1024, context=200_000, old_manners=True),
    "claude-opus-4-5": ModelRules(4096, context=200_000, old_manners=True),
    "claude-": ModelRules(1024),
}
"""By the longest beginning of the name that fits. Where sources disagree, the larger minimum is taken."""


def rules_of(model: str) -> ModelRules:
    """The rules of a model; refuses with 404 what is no Claude."""
    found = max((start for start in RULES if model.startswith(start)), key=len, default=None)
    if found is None:
        raise Refused(404, f"model: {model}", code="not_found_error")
    return RULES[found]


def canonical(model: str) -> str:
    """The model's own name, whatever Bedrock calls it."""
    found = BEDROCK_NAME.fullmatch(model)
    return found["model"] if found else model


def check(body: Mapping[str, Any], rules: ModelRules, *, version: str) -> None:
    """Refuse with 400 what the model does not take."""
    if not isinstance(body.get("max_tokens"), int) or not 0 <= body["max_tokens"] <= MOST_OUTPUT_TOKENS:
        raise Refused(400, f"max_tokens: must be a number of at most {MOST_OUTPUT_TOKENS}")
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(400, "messages: at least one message is required")
    for name in SAMPLING:
        if name in body and (not rules.old_manners or version >= NO_SAMPLING_SINCE):
            raise Refused(400, f"`{name}` is deprecated for this model.")
    if messages[-1].get("role") == "assistant" and not rules.old_manners:
        message = (
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
        raise Refused(400, message)
    _check_thinking(body, rules)
    _check_breakpoints(body)
    if (schema := schema_of(body)) is not None:
        _check_format(body, schema)


def schema_of(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema that the answer has to fit, from the output format or a forced tool."""
    form = (body.get("output_config") or {}).get("format")
    if form is not None:
        schema: Mapping[str, Any] | None = form.get("schema")
        return schema
    return forced["input_schema"] if (forced := forced_tool(body)) else None


def forced_tool(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The tool that the request makes the model use."""
    choice = body.get("tool_choice") or {}
    if choice.get("type") not in ("tool", "any"):
        return None
    tools = [tool for tool in body.get("tools", []) if choice.get("name") in (None, tool.get("name"))]
    if not tools:
        raise Refused(400, f"tool_choice: there is no tool {choice.get('name')!r}")
    found: Mapping[str, Any] = tools[0]
    return found


def thinking_effort(body: Mapping[str, Any], rules: ModelRules) -> str | None:
    """How hard the model thinks before it answers, or None when it does not."""
    effort = (body.get("output_config") or {}).get("effort")
    match (body.get("thinking") or {}).get("type"):
        case "disabled":
            return None
        case "adaptive" | "enabled":
            return str(effort or rules.thinks_unasked or "high")
    return str(effort or rules.thinks_unasked) if rules.thinks_unasked else None


def parts(content: Any) -> list[Mapping[str, Any]]:
    """Content as a list of blocks."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else list(content or [])


def _check_thinking(body: Mapping[str, Any], rules: ModelRules) -> None:
    thinking, effort = body.get("thinking") or {}, (body.get("output_config") or {}).get("effort")
    if thinking.get("type") == "enabled" and not rules.old_manners:
        raise Refused(400, 'thinking: "enabled" with budget_tokens is not supported by this model; use "adaptive"')
    if effort is not None and effort not in THINKING_TOKENS:
        raise Refused(400, f"output_config.effort: must be one of {', '.join(THINKING_TOKENS)}")
    off = thinking.get("type") == "disabled" and rules.thinks_unasked
    if off and effort is not None and effort not in HIGHEST_WITHOUT_THINKING:
        raise Refused(400, f"thinking cannot be disabled at effort {effort}")


def _check_breakpoints(body: Mapping[str, Any]) -> None:
    marked = [part for part in _cacheable(body) if part.get("cache_control")]
    if len(marked) + bool(body.get("cache_control")) > MOST_BREAKPOINTS:
        raise Refused(400, f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided.")


def _cacheable(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from body.get("tools") or []
    yield from parts(body.get("system"))
    for message in body["messages"]:
        yield from parts(message.get("content"))


def _check_format(body: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    if body["max_tokens"] == 0:
        raise Refused(400, "max_tokens: 0 cannot be combined with an output format or a forced tool")
    if any((part.get("citations") or {}).get("enabled") for part in _cacheable(body)):
        raise Refused(400, "citations cannot be combined with output_config.format")
    if not (body.get("output_config") or {}).get("format"):
        return
    nodes = list(_nodes(schema))
    for node in nodes:
        _check_node(node)
    optional = sum(len(set(n.get("properties", {})) - set(n.get("required", []))) for n in nodes)
    unions = sum("anyOf" in node or isinstance(node.get("type"), list) for node in nodes)
    if optional > MOST_OPTIONAL or unions > MOST_UNIONS:
        raise Refused(400, "Schema is too complex for compilation")


def _check_node(node: Mapping[str, Any]) -> None:
    if node.get("type") == "object" and node.get("additionalProperties") is not False:
        raise Refused(400, "output_config.format.schema: For 'object' type, 'additionalProperties' must be false")
    wrong = [word for word in (*UNSUPPORTED, *UNSUPPORTED_IN_LISTS) if word in node]
    if node.get("minItems", 0) > 1:
        wrong.append("minItems")
    if wrong:
        raise Refused(400, f"output_config.format.schema: property '{wrong[0]}' is not supported")
    if not str(node.get("$ref", "#")).startswith("#"):
        raise Refused(400, "output_config.format.schema: external $ref is not supported")


def _nodes(schema: Any) -> Iterator[Mapping[str, Any]]:
    """Every schema within a schema."""
    if not isinstance(schema, Mapping):
        return
    yield schema
    for name in ("properties", "$defs", "definitions"):
        for part in (schema.get(name) or {}).values():
            yield from _nodes(part)
    for part in [schema.get("items"), *(schema.get("anyOf") or []), *(schema.get("allOf") or [])]:
        yield from _nodes(part)


def body_of(call: Call) -> dict[str, Any]:
    """The JSON object that a call sends; raises Refused for anything else."""
    if not isinstance(call.body, dict):
        raise Refused(400, "The request body is not valid JSON")
    return call.body
