"""A simulated Anthropic: messages with prompt caching, token counts and message batches, as anthropic 2.12 calls them.

It also answers as Claude on Bedrock does: by `/model/{id}/invoke`, and its stream of Amazon's frames, and by
`/v1/messages` with Bedrock's model names.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.shared.tokenizer import count_tokens
from embedmill.simulators.anthropic_batches import SimulatedMessageBatches
from embedmill.simulators.base import (
    Call,
    Handler,
    Options,
    Refused,
    SimulatedReply,
    Simulator,
    new_id,
)
from embedmill.simulators.claude_rules import (
    THINKING_TOKENS,
    ModelRules,
    body_of,
    canonical,
    check,
    forced_tool,
    parts,
    rules_of,
    schema_of,
    thinking_effort,
)
from embedmill.simulators.limits import Quota
from embedmill.simulators.nonsense import write_nonsense
from embedmill.simulators.prompts import AnswerWriter, Cached, PromptCache, PromptPart
from embedmill.simulators.streams import (
    AWS_EVENT_STREAM,
    EVENT_STREAM,
    Streamed,
    framed,
    framed_error,
    pieces,
    server_sent,
)

FIVE_MINUTES, HOUR = 300.0, 3600.0
MOST_BYTES = 32 * 1024**2
NEWEST_VERSION = "2026-10-21"
ERROR_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
SPEND_LIMIT = "enforced_spend_limit_reached"
POOLED = "claude-opus-4"
"""All models of this family share one bucket."""


@dataclass(frozen=True, slots=True)
class Written:
    """What the model wrote."""

    content: list[dict[str, Any]]
    stop_reason: str
    tokens_out: int
    thinking_tokens: int


class AnthropicSimulator(Simulator):
    """`tokens_per_minute` limits input tokens that were not read from the cache, and output by its own option."""

    name = "anthropic"
    url_variable, key_variable = "ANTHROPIC_BASE_URL", "ANTHROPIC_API_KEY"

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self.writer = AnswerWriter()
        self._cache = PromptCache()
        self.lane = SimulatedMessageBatches(self, self._message)

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        return (
            ("POST", "/v1/messages", self._messages),
            ("POST", "/model/{model}/invoke", self._invoke),
            ("POST", "/model/{model}/invoke-with-response-stream", self._invoke_streaming),
            ("POST", "/v1/messages/count_tokens", self._count_tokens),
            ("GET", "/v1/models", self._models),
            ("GET", "/v1/models/{model}", self._model),
            *self.lane.routes(),
            *self.writer.controls(),
        )

    def environment(self, url: str) -> dict[str, str]:
        """Claude on Bedrock is answered here too; its SDK takes any `AWS_*`."""
        return super().environment(url) | {"ANTHROPIC_BEDROCK_MANTLE_BASE_URL": url}

    def authorised(self, call: Call) -> bool:
        """By a bearer token, as the SDK has sent its key since 2.x, or by x-api-key."""
        return bool(call.headers.get("x-api-key")) or super().authorised(call)

    def make_limiter(self) -> Quota:
        limits = {
            "requests": self.options.requests_per_minute,
            "input-tokens": self.options.tokens_per_minute,
            "output-tokens": self.options.output_tokens_per_minute,
        }
        return Quota(limits, clock=self.clock, bucket_seconds=self.options.bucket_seconds)

    def error(self, refused: Refused) -> SimulatedReply:
        id = new_id("req_")
        kind = ERROR_TYPES.get(refused.status, "api_error" if refused.status >= 500 else "invalid_request_error")
        error: dict[str, Any] = {"type": kind, "message": refused.message}
        if refused.code == SPEND_LIMIT:
            error["details"] = {"error_code": SPEND_LIMIT}
        elif refused.code is not None:
            error["type"] = refused.code
        body = {"type": "error", "error": error, "request_id": id}
        return SimulatedReply(body, refused.status, {"request-id": id, **refused.headers})

    def _messages(self, call: Call) -> SimulatedReply:
        body = body_of(call)
        message, headers = self._message(call, body, lane="")
        if body.get("stream"):
            sent = tuple(server_sent(event, event=event["type"]) for event in _events(message))
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return SimulatedReply(
                Streamed(sent, server_sent(error, event="error")), headers=headers, media_type=EVENT_STREAM
            )
        return SimulatedReply(message, headers=headers)

    def _invoke_streaming(self, call: Call) -> SimulatedReply:
        message, headers = self._message(call, {**body_of(call), "model": call.params["model"]}, lane="")
        error = framed_error("modelStreamErrorException", "the model failed")
        streamed = Streamed(tuple(map(framed, _events(message))), error)
        return SimulatedReply(streamed, headers=headers, media_type=AWS_EVENT_STREAM)

    def _invoke(self, call: Call) -> SimulatedReply:
        message, headers = self._message(call, {**body_of(call), "model": call.params["model"]}, lane="")
        return SimulatedReply(message, headers=headers)

    def _message(self, call: Call, body: Mapping[str, Any], *, lane: str) -> tuple[dict[str, Any], Mapping[str, str]]:
        if len(call.raw) > MOST_BYTES:
            raise Refused(413, "Request exceeds the maximum size")
        model = canonical(str(body.get("model")))
        rules = rules_of(model)
        check(body, rules, version=call.headers.get("anthropic-version", NEWEST_VERSION))
        blocks = blocks_of(body)
        total = sum(block.tokens for block in blocks)
        if total > rules.context:
            raise Refused(400, f"prompt is too long: {total} tokens > {rules.context} maximum")
        headers = {} if lane else self._admit(model, blocks, rules, max_tokens=body["max_tokens"])
        prompt = self._cached(model, blocks, rules)
        written = self._write(call, body, model, rules)
        self.bill.charge(
            model,
            f"generate{lane}",
            tokens_in=prompt.fresh,
            cache_read=prompt.read,
            cache_write_5m=prompt.written.get(FIVE_MINUTES, 0),
            cache_write_1h=prompt.written.get(HOUR, 0),
            tokens_out=written.tokens_out,
        )
        message = {
            "id": new_id("msg_"),
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": written.content,
            "stop_reason": written.stop_reason,
            "stop_sequence": None,
            "usage": _usage(prompt, written, lane=lane),
        }
        return message, {"request-id": new_id("req_"), **headers}

    def _admit(
        self, model: str, blocks: Sequence[PromptPart], rules: ModelRules, *, max_tokens: int
    ) -> Mapping[str, str]:
        """The rate-limit headers; refuses what is over a limit. Output is reserved as `max_tokens`."""
        key = POOLED if model.startswith(POOLED) else model
        read = self._cache.readable(model, blocks, now=self.clock.now())
        counted = sum(block.tokens for block in blocks) - read
        exceeded = self.limiter.take(key, {"requests": 1, "input-tokens": counted, "output-tokens": max_tokens})
        headers = {}
        for dimension, level in self.limiter.levels(key).items():
            start = f"anthropic-ratelimit-{dimension}"
            headers[f"{start}-limit"] = str(level.limit)
            headers[f"{start}-remaining"] = str(level.remaining)
            headers[f"{start}-reset"] = self.clock.stamp(self.clock.now() + level.reset_seconds)
        if exceeded is None:
            return headers
        wait = {"retry-after": str(max(1, math.ceil(exceeded.retry_after_seconds)))}
        message = f"This request would exceed your rate limit of {exceeded.limit:,} {exceeded.dimension} per minute"
        raise Refused(429, message, headers={**headers, **wait})

    def _cached(self, model: str, blocks: Sequence[PromptPart], rules: ModelRules) -> Cached:
        # An entry can be read once the response that wrote it has begun.
        later = self.options.latency_seconds
        return self._cache.use(model, blocks, least=rules.least_cached, now=self.clock.now(), readable_in=later)

    def _write(self, call: Call, body: Mapping[str, Any], model: str, rules: ModelRules) -> Written:
        if call.fault("refusal"):
            return Written([], "refusal", 0, 0)
        if body["max_tokens"] == 0:
            return Written([], "max_tokens", 0, 0)
        effort = thinking_effort(body, rules)
        thinking = THINKING_TOKENS[effort] if effort else 0
        schema, asked = schema_of(body), _asked(body)
        text = (
            write_nonsense(schema, asked)
            if call.fault("nonsense")
            else self.writer.write(schema, model=model, prompt=asked)
        )
        tokens, most = thinking + count_tokens(text), body["max_tokens"]
        thought = [{"type": "thinking", "thinking": "", "signature": "simulated"}] if thinking else []
        if call.fault("max_tokens") or tokens > most:
            kept = text[: len(text) // 2] if tokens <= most else text[: len(text) * max(most - thinking, 0) // tokens]
            content = [{"type": "text", "text": kept}] if kept else []
            return Written([*thought, *content], "max_tokens", min(tokens, most), min(thinking, most))
        if (tool := forced_tool(body)) is not None:
            used = {"type": "tool_use", "id": new_id("toolu_"), "name": tool["name"], "input": _input(text)}
            return Written([*thought, used], "tool_use", tokens, thinking)
        return Written([*thought, {"type": "text", "text": text}], "end_turn", tokens, thinking)

    def _count_tokens(self, call: Call) -> SimulatedReply:
        body = body_of(call)
        rules_of(canonical(str(body.get("model"))))
        return SimulatedReply({"input_tokens": sum(block.tokens for block in blocks_of(body))})

    def _models(self, _: Call) -> SimulatedReply:
        names = ("claude-opus-5-5", "claude-opus-4-7", "claude-haiku-5-5", "claude-haiku-4-5-20251001")
        data = [_described_model(name) for name in names]
        return SimulatedReply({"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]})

    def _model(self, call: Call) -> SimulatedReply:
        rules_of(call.params["model"])
        return SimulatedReply(_described_model(call.params["model"]))


def blocks_of(body: Mapping[str, Any]) -> list[PromptPart]:
    """The prompt in the order in which it is cached: tools, system, messages."""
    blocks = [_block("tool", tool) for tool in body.get("tools") or []]
    blocks += [_block("system", part) for part in parts(body.get("system"))]
    for message in body.get("messages") or []:
        blocks += [_block(str(message.get("role")), part) for part in parts(message.get("content"))]
    if blocks and body.get("cache_control"):
        blocks[-1] = PromptPart(blocks[-1].content, blocks[-1].tokens, _keep_seconds(body["cache_control"]))
    return blocks


def _block(kind: str, part: Mapping[str, Any]) -> PromptPart:
    content = {name: value for name, value in part.items() if name != "cache_control"}
    text = content["text"] if part.get("type") == "text" else json.dumps(content, ensure_ascii=False)
    return PromptPart(f"{kind}\n{text}", count_tokens(text), _keep_seconds(part.get("cache_control")))


def _keep_seconds(control: Mapping[str, Any] | None) -> float | None:
    if not control:
        return None
    return HOUR if control.get("ttl") == "1h" else FIVE_MINUTES


def _described_model(name: str) -> dict[str, str]:
    return {"id": name, "type": "model", "display_name": name, "created_at": "2026-01-01T00:00:00Z"}


def _asked(body: Mapping[str, Any]) -> str:
    """What the user's messages say, tool results included."""
    asked = [part for m in body["messages"] if m.get("role") == "user" for part in parts(m.get("content"))]
    return "\n".join(str(part["text"]) if "text" in part else json.dumps(part, ensure_ascii=False) for part in asked)


def _input(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {"text": text}


def _usage(prompt: Cached, written: Written, *, lane: str) -> dict[str, Any]:
    five, hour = prompt.written.get(FIVE_MINUTES, 0), prompt.written.get(HOUR, 0)
    return {
        "input_tokens": prompt.fresh,
        "output_tokens": written.tokens_out,
        "cache_creation_input_tokens": five + hour,
        "cache_read_input_tokens": prompt.read,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
        "output_tokens_details": {"thinking_tokens": written.thinking_tokens},
        "service_tier": "batch" if lane else "standard",
    }


def _events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as events, with as many deltas as its blocks have pieces."""
    begun = {**message["usage"], "output_tokens": min(message["usage"]["output_tokens"], 1)}
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None, "usage": begun}}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        start, *deltas = _streamed(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield from ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        yield {"type": "content_block_stop", "index": index}
    stop = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": stop, "usage": message["usage"]}
    yield {"type": "message_stop"}


def _streamed(block: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A block as it begins, and its pieces."""
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
            return [{**block, "text": ""}, *deltas]
        case "tool_use":
            written = json.dumps(block["input"], ensure_ascii=False)
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(written)]
            return [{**block, "input": {}}, *deltas]
    return [{**block, "signature": ""}, {"type": "signature_delta", "signature": block["signature"]}]
