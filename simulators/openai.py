"""A simulated OpenAI: embeddings, chat completions, responses, files and batches, as openai 3.54 calls them."""

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from embedmill.shared.tokenizer import count_tokens
from embedmill.simulators.base import Call, Handler, Options, Refused, SimulatedReply, Simulator, new_id
from embedmill.simulators.embedding import Vectors, answered, as_lists, counted
from embedmill.simulators.nonsense import write_nonsense
from embedmill.simulators.openai_batches import SimulatedBatches
from embedmill.simulators.prompts import AnswerWriter, Cached, PromptCache, PromptPart
from embedmill.simulators.streams import EVENT_STREAM, Streamed, pieces, server_sent

DIMENSIONS = {"text-embedding-3-large": 3072, "text-embedding-3-small": 1536, "text-embedding-ada-002": 1536}
ONE_SIZE = "text-embedding-ada-002"
MAX_INPUTS, MAX_INPUT_TOKENS, MAX_REQUEST_TOKENS = 2048, 8191, 300_000
CHAT_MODELS = re.compile(r"(gpt|chatgpt|o\d)[\w.-]*")
CACHED_FROM, CACHED_STEP, CACHED_SECONDS = 1024, 128, 600.0
"""Prompts are cached without being asked: prefixes from 1,024 tokens on, in steps of 128."""
BILLS_WRITES = re.compile(r"gpt-(5\.[6-9]|[6-9]).*")
"""Models that charge for what they write to the cache, and say how much that is."""
OUTPUT_TOKENS = 4096
"""What an answer may have when the request does not say."""
ERROR_TYPES = {429: "requests", 500: "server_error", 503: "server_error"}


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's answer with what it took."""

    text: str
    refusal: str | None
    complete: bool
    prompt: Cached
    cached: int
    kept: int
    tokens_out: int

    @property
    def cache_details(self) -> dict[str, int]:
        """What came from the cache, and what went into it where that is charged for."""
        return {"cached_tokens": self.cached} | ({"cache_write_tokens": self.kept} if self.kept else {})


class OpenAISimulator(Simulator):
    """Limits are per model, as tokens and requests a minute."""

    name = "openai"
    url_variable, key_variable, url_path = "OPENAI_BASE_URL", "OPENAI_API_KEY", "/v1"

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self.writer = AnswerWriter()
        self._cache = PromptCache()
        handlers = {
            "/v1/embeddings": self._embeddings,
            "/v1/chat/completions": self._chat,
            "/v1/responses": self._responses,
        }
        self.lane = SimulatedBatches(self, handlers)

    def forget_batches(self) -> None:
        """Drop all files and batches."""
        self.lane.forget()

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        return (
            ("POST", "/v1/embeddings", self._embeddings),
            ("POST", "/v1/chat/completions", self._chat),
            ("POST", "/v1/responses", self._responses),
            ("GET", "/v1/models/{model}", self._model),
            *self.lane.routes(),
            *self.writer.controls(),
        )

    def error(self, refused: Refused) -> SimulatedReply:
        kind = refused.code or ERROR_TYPES.get(refused.status, "invalid_request_error")
        body = {"message": refused.message, "type": kind, "param": None, "code": refused.code}
        return SimulatedReply({"error": body}, refused.status, {"x-request-id": new_id("req_"), **refused.headers})

    def _embeddings(self, call: Call, *, lane: str = "") -> SimulatedReply:
        body = _object(call)
        model, texts = body.get("model"), _inputs(body)
        size = _size(body, model)
        found = counted(texts)
        longest = self.options.max_input_tokens or MAX_INPUT_TOKENS
        if found.longest > longest:
            message = f"This model's maximum context length is {longest} tokens, however you requested "
            raise Refused(400, f"{message}{found.longest} tokens. Please reduce your prompt.")
        if found.total > MAX_REQUEST_TOKENS:
            message = f"Requested {found.total} tokens, max {MAX_REQUEST_TOKENS} tokens per request"
            raise Refused(400, message, code="max_tokens_per_request")
        headers = {} if lane else self._admit(str(model), found.total)
        self.bill.charge(str(model), f"embed{lane}", inputs=len(texts), tokens_in=found.total)
        encode = _base64 if body.get("encoding_format") == "base64" else as_lists
        data = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(encode(answered(call, texts, dimensions=size)))
        ]
        usage = {"prompt_tokens": found.total, "total_tokens": found.total}
        return _reply({"object": "list", "data": data, "model": model, "usage": usage}, headers)

    def _model(self, call: Call) -> SimulatedReply:
        model = call.params["model"]
        if model not in DIMENSIONS:
            _require_chat(model)
        return _reply({"id": model, "object": "model", "created": 1767225600, "owned_by": "system"}, {})

    def _chat(self, call: Call, *, lane: str = "") -> SimulatedReply:
        body = _object(call)
        messages = [(str(m.get("role")), _text_of(m.get("content"))) for m in body.get("messages", [])]
        schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        written, headers = self._write(call, body, messages, schema=schema, limit=limit, lane=lane)
        message = {"role": "assistant", "content": written.text, "refusal": written.refusal}
        if written.refusal is not None:
            message["content"] = None
        reason = "stop" if written.complete else "length"
        details = {"prompt_tokens_details": written.cache_details}
        answer = {
            "id": new_id("chatcmpl-"),
            "object": "chat.completion",
            "created": int(self.clock.now()),
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": reason, "logprobs": None}],
            "usage": {**_usage(written, "prompt_tokens", "completion_tokens"), **details},
        }
        if body.get("stream"):
            with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return _streamed(answer, headers, with_usage=with_usage)
        return _reply(answer, headers)

    def _responses(self, call: Call, *, lane: str = "") -> SimulatedReply:
        body = _object(call)
        given = body.get("input", [])
        given = [{"role": "user", "content": given}] if isinstance(given, str) else given
        messages = [("system", body["instructions"])] if body.get("instructions") else []
        messages += [(str(m.get("role")), _text_of(m.get("content"))) for m in given]
        schema = body.get("text", {}).get("format", {}).get("schema")
        limit = body.get("max_output_tokens")
        written, headers = self._write(call, body, messages, schema=schema, limit=limit, lane=lane)
        part: dict[str, Any] = {"type": "output_text", "text": written.text, "annotations": []}
        if written.refusal is not None:
            part = {"type": "refusal", "refusal": written.refusal}
        status = "completed" if written.complete else "incomplete"
        message = {"id": new_id("msg_"), "type": "message", "role": "assistant", "status": status, "content": [part]}
        details = {
            "input_tokens_details": written.cache_details,
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        answer = {
            "id": new_id("resp_"),
            "object": "response",
            "created_at": self.clock.now(),
            "status": status,
            "incomplete_details": None if written.complete else {"reason": "max_output_tokens"},
            "error": None,
            "model": body["model"],
            "output": [message],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": {**_usage(written, "input_tokens", "output_tokens"), **details},
        }
        return _reply(answer, headers)

    def _write(
        self,
        call: Call,
        body: Mapping[str, Any],
        messages: Sequence[tuple[str, str]],
        *,
        schema: Any,
        limit: int | None,
        lane: str,
    ) -> tuple[Completion, Mapping[str, str]]:
        model = str(body.get("model"))
        _require_chat(model)
        if not messages:
            raise Refused(400, "Missing required parameter: 'messages'.")
        prompt = self._cached(model, messages)
        headers = {} if lane else self._admit(model, prompt.total + (limit or 0))
        asked = "\n".join(text for role, text in messages if role == "user")
        text = (
            write_nonsense(schema, asked)
            if call.fault("nonsense")
            else self.writer.write(schema, model=model, prompt=asked)
        )
        complete, tokens_out = True, count_tokens(text)
        if call.fault("max_tokens") or tokens_out > (limit or OUTPUT_TOKENS):
            complete, text, tokens_out = False, text[: len(text) // 2], min(tokens_out, limit or OUTPUT_TOKENS)
        refusal = "I'm sorry, but I can't help with that." if call.fault("refusal") else None
        cached = prompt.read // CACHED_STEP * CACHED_STEP
        kept = sum(prompt.written.values()) if BILLS_WRITES.fullmatch(model) else 0
        amounts = {"cache_read": cached, "tokens_out": tokens_out} | ({"cache_write": kept} if kept else {})
        self.bill.charge(model, f"generate{lane}", tokens_in=prompt.total - cached - kept, **amounts)
        return Completion(text, refusal, complete, prompt, cached, kept, tokens_out), headers

    def _cached(self, model: str, messages: Sequence[tuple[str, str]]) -> Cached:
        blocks = [PromptPart(f"{role}\n{text}", count_tokens(text), CACHED_SECONDS) for role, text in messages]
        return self._cache.use(model, blocks, least=CACHED_FROM, now=self.clock.now())

    def _admit(self, model: str, tokens: int) -> Mapping[str, str]:
        """The rate-limit headers of an answer; refuses what is over the limit."""
        exceeded = self.limiter.take(model, {"requests": 1, "tokens": tokens})
        headers = {}
        for dimension, level in self.limiter.levels(model).items():
            headers[f"x-ratelimit-limit-{dimension}"] = str(level.limit)
            headers[f"x-ratelimit-remaining-{dimension}"] = str(level.remaining)
            headers[f"x-ratelimit-reset-{dimension}"] = duration(level.reset_seconds)
        if exceeded is None:
            return headers
        start = "Request too large" if exceeded.wanted > exceeded.limit else "Rate limit reached"
        message = (
            f"{start} for {model} on {exceeded.dimension} per min: Limit {exceeded.limit}, "
            f"Requested {exceeded.wanted}. Please try again in {duration(exceeded.retry_after_seconds)}."
        )
        wait = f"{exceeded.retry_after_seconds:.3f}"
        waits = {"retry-after": wait, "retry-after-ms": str(round(exceeded.retry_after_seconds * 1000))}
        raise Refused(429, message, code="rate_limit_exceeded", headers={**headers, **waits})


def duration(seconds: float) -> str:
    """A duration as OpenAI's headers write it: 20ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes:.0f}m{rest:.0f}s" if minutes else f"{rest:.3f}".rstrip("0").rstrip(".") + "s"


def _require_chat(model: str) -> None:
    if not CHAT_MODELS.fullmatch(model):
        raise Refused(404, f"The model `{model}` does not exist", code="model_not_found")


def _object(call: Call) -> dict[str, Any]:
    """The body of the call."""
    if not isinstance(call.body, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    return call.body


def _inputs(body: Mapping[str, Any]) -> list[str]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Refused(400, "'$.input' is invalid. Token arrays are not simulated; strings must not be empty.")
    if len(texts) > MAX_INPUTS:
        raise Refused(400, f"'$.input' is invalid. array too long. Expected an array with maximum length {MAX_INPUTS}")
    return texts


def _size(body: Mapping[str, Any], model: Any) -> int:
    if model not in DIMENSIONS:
        raise Refused(
            404, f"The model `{model}` does not exist or you do not have access to it.", code="model_not_found"
        )
    size = body.get("dimensions", DIMENSIONS[model])
    if not isinstance(size, int) or not 1 <= size <= DIMENSIONS[model]:
        raise Refused(400, f"Invalid value for 'dimensions' = {size}. Must be at most {DIMENSIONS[model]}.")
    if model == ONE_SIZE and "dimensions" in body:
        raise Refused(400, "This model does not support specifying dimensions.")
    return size


def _base64(vectors: Vectors) -> list[str | None]:
    return [None if v is None else base64.b64encode(v.astype("<f4").tobytes()).decode() for v in vectors]


def _text_of(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(str(part.get("text", "")) for part in content or [])


def _usage(written: Completion, tokens_in: str, tokens_out: str) -> dict[str, Any]:
    total = written.prompt.total + written.tokens_out
    return {tokens_in: written.prompt.total, tokens_out: written.tokens_out, "total_tokens": total}


def _streamed(answer: Mapping[str, Any], headers: Mapping[str, str], *, with_usage: bool) -> SimulatedReply:
    """A completion in pieces, and what it took in the end, where that is asked for."""
    error = {"error": {"message": "The server had an error", "type": "server_error", "param": None, "code": None}}
    sent = (*(server_sent(chunk) for chunk in _chunks(answer, with_usage=with_usage)), server_sent("[DONE]"))
    return SimulatedReply(Streamed(sent, server_sent(error)), headers=_headers(headers), media_type=EVENT_STREAM)


def _chunks(answer: Mapping[str, Any], *, with_usage: bool) -> Iterator[dict[str, Any]]:
    chunk = {**answer, "object": "chat.completion.chunk"} | ({"usage": None} if with_usage else {})
    if not with_usage:
        del chunk["usage"]
    choice, message = answer["choices"][0], answer["choices"][0]["message"]
    part = "refusal" if message["content"] is None else "content"
    deltas = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{part: piece} for piece in pieces(message[part] or "")]
    for delta in deltas:
        yield {**chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}]}
    yield {**chunk, "choices": [{**choice, "delta": {}, "message": None}]}
    if with_usage:
        yield {**chunk, "choices": [], "usage": answer["usage"]}


def _reply(body: Any, headers: Mapping[str, str]) -> SimulatedReply:
    # Not orjson, which would write a NaN as null: the fault is meant to arrive as it is.
    return SimulatedReply(json.dumps(body, ensure_ascii=False).encode(), headers=_headers(headers))


def _headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {"x-request-id": new_id("req_"), "openai-processing-ms": "5", **headers}
