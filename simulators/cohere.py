"""A simulated Cohere: `/v2/embed` and `/v2/rerank` as cohere 7.3 calls them."""

import json
import math
from collections.abc import Sequence
from typing import Any

from embedmill.simulators.base import Call, Handler, Refused, SimulatedReply, Simulator, new_id
from embedmill.simulators.embedding import CountedTexts, answered, as_lists, counted
from embedmill.simulators.limits import Quota
from embedmill.simulators.reranking import rerank, units

MAX_INPUTS = 96
SIZES = {"embed-v4.0": (256, 512, 1024, 1536), "embed-english-v3.0": (1024,), "embed-multilingual-v3.0": (1024,)}
MAX_INPUT_TOKENS = {"embed-v4.0": 128_000, "embed-english-v3.0": 512, "embed-multilingual-v3.0": 512}
RERANKERS = ("rerank-v3.5", "rerank-v4.0")
INPUT_TYPES = ("search_document", "search_query", "classification", "clustering")


class CohereSimulator(Simulator):
    """`requests_per_minute` limits inputs, not calls, as Cohere's own limit does."""

    name = "cohere"
    url_variable, key_variable = "CO_API_URL", "CO_API_KEY"

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        return (("POST", "/v2/embed", self._embed), ("POST", "/v2/rerank", self._rerank))

    def error(self, refused: Refused) -> SimulatedReply:
        return SimulatedReply({"id": new_id(""), "message": refused.message}, refused.status, refused.headers)

    def make_limiter(self) -> Quota:
        limits = {"inputs": self.options.requests_per_minute, "tokens": self.options.tokens_per_minute}
        return Quota(limits, clock=self.clock)

    def _embed(self, call: Call) -> SimulatedReply:
        body = call.body if isinstance(call.body, dict) else {}
        model, texts = body.get("model"), body.get("texts")
        if model not in SIZES:
            raise Refused(404, f"model '{model}' not found")
        embedded = embed(call, body, sizes=SIZES[model], most_tokens=MAX_INPUT_TOKENS[model])
        self._admit(model, embedded.counted)
        self.bill.charge(model, "embed", inputs=len(embedded.counted.texts), tokens_in=embedded.counted.total)
        answer = {
            "id": new_id(""),
            "response_type": "embeddings_by_type",
            "texts": texts,
            "embeddings": {"float": embedded.vectors},
            "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": embedded.counted.total}},
        }
        return SimulatedReply(json.dumps(answer, ensure_ascii=False).encode())  # orjson would write NaN as null

    def _rerank(self, call: Call) -> SimulatedReply:
        body = call.body if isinstance(call.body, dict) else {}
        model, documents = str(body.get("model")), body.get("documents")
        if not model.startswith(RERANKERS):
            raise Refused(404, f"model '{model}' not found")
        ranked = rerank(call, body.get("query"), documents, body.get("top_n"))
        self._take(model, {"inputs": 1})
        billed = units(body["documents"])
        self.bill.charge(model, "rerank", search_units=billed, inputs=len(body["documents"]))
        answer = {
            "id": new_id(""),
            "results": [{"index": place, "relevance_score": relevance} for place, relevance in ranked],
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": billed}},
        }
        return SimulatedReply(json.dumps(answer).encode())

    def _admit(self, model: str, texts: CountedTexts) -> None:
        self._take(model, {"inputs": len(texts.texts), "tokens": texts.total})

    def _take(self, model: str, amounts: dict[str, int]) -> None:
        if exceeded := self.limiter.take(model, amounts):
            seconds = str(max(1, math.ceil(exceeded.retry_after_seconds)))
            raise Refused(429, f"too many {exceeded.dimension}", headers={"retry-after": seconds})


class Embedded:
    """Texts and their vectors as lists."""

    def __init__(self, texts: CountedTexts, vectors: list[list[float] | None]) -> None:
        self.counted = texts
        self.vectors = vectors


def embed(call: Call, body: dict[str, Any], *, sizes: Sequence[int], most_tokens: int) -> Embedded:
    """Check a request for one of Cohere's models and answer it; Bedrock takes the same body."""
    texts = body.get("texts")
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise Refused(400, "invalid request: texts must be a list of strings that is not empty")
    if len(texts) > MAX_INPUTS:
        raise Refused(400, f"invalid request: total number of texts must be at most {MAX_INPUTS}")
    if body.get("input_type") not in INPUT_TYPES:
        raise Refused(400, "invalid request: valid input_type must be provided with the provided model")
    if body.get("embedding_types", ["float"]) != ["float"]:
        raise Refused(400, "only the embedding type float is simulated")
    size = body.get("output_dimension", max(sizes))
    if size not in sizes:
        raise Refused(400, f"invalid request: output_dimension must be one of {', '.join(map(str, sizes))}")
    found = counted(texts)
    if body.get("truncate", "END") == "NONE" and found.longest > most_tokens:
        raise Refused(400, f"too many tokens: a text has {found.longest} tokens, at most {most_tokens} are allowed")
    cut = CountedTexts(texts, [min(tokens, most_tokens) for tokens in found.tokens])
    return Embedded(cut, as_lists(answered(call, texts, dimensions=size, kind=body["input_type"])))
