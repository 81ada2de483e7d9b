"""A simulated Amazon Bedrock runtime: InvokeModel for the embedding models of Titan and Cohere, and for rerankers."""

import json
import math
from collections.abc import Sequence
from typing import Any

from embedmill.simulators.base import Call, Handler, Refused, SimulatedReply, Simulator, new_id
from embedmill.simulators.cohere import embed
from embedmill.simulators.embedding import answered, as_lists, counted
from embedmill.simulators.reranking import rerank, units

TITAN = "amazon.titan-embed-text-v2:0"
TITAN_SIZES, TITAN_TOKENS, TITAN_CHARACTERS = (256, 512, 1024), 8192, 50_000
COHERE_SIZES = {
    "cohere.embed-v4:0": (256, 512, 1024, 1536),
    "cohere.embed-english-v3": (1024,),
    "cohere.embed-multilingual-v3": (1024,),
}
COHERE_TOKENS = {"cohere.embed-v4:0": 128_000, "cohere.embed-english-v3": 512, "cohere.embed-multilingual-v3": 512}
RERANKERS = ("amazon.rerank-v1:0", "cohere.rerank-v3-5:0")
ERROR_NAMES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}


class BedrockSimulator(Simulator):
    """Takes any signature; throttles by requests, and by tokens when asked to."""

    name = "bedrock"
    url_variable, key_variable = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ACCESS_KEY_ID"

    def routes(self) -> Sequence[tuple[str, str, Handler]]:
        return (("POST", "/model/{model}/invoke", self._invoke),)

    def environment(self, url: str) -> dict[str, str]:
        fixed = {"AWS_SECRET_ACCESS_KEY": "simulated", "AWS_DEFAULT_REGION": "us-east-1"}
        return super().environment(url) | fixed

    def error(self, refused: Refused) -> SimulatedReply:
        name = refused.code or ERROR_NAMES.get(refused.status, "InternalServerException")
        headers = {"x-amzn-requestid": new_id(""), "x-amzn-errortype": name, **refused.headers}
        return SimulatedReply({"message": refused.message}, refused.status, headers)

    def _invoke(self, call: Call) -> SimulatedReply:
        model, body = call.params["model"], call.body if isinstance(call.body, dict) else {}
        if model == TITAN:
            answer, tokens = self._titan(call, body)
        elif model in COHERE_SIZES:
            answer, tokens = self._cohere(call, body, model)
        elif model in RERANKERS:
            answer, tokens = self._rerank(call, body, model), 0
        else:
            raise Refused(404, f"Could not resolve the foundation model from the model identifier: {model}")
        headers = {"x-amzn-requestid": new_id(""), "x-amzn-bedrock-input-token-count": str(tokens)}
        return SimulatedReply(json.dumps(answer).encode(), headers=headers)

    def _titan(self, call: Call, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        text, size = body.get("inputText"), body.get("dimensions", max(TITAN_SIZES))
        if not isinstance(text, str) or not text:
            raise Refused(400, "Malformed input request: inputText must have at least one character")
        if size not in TITAN_SIZES:
            raise Refused(400, "Malformed input request: dimensions must be 256, 512 or 1024")
        texts = counted([text])
        if texts.total > TITAN_TOKENS or len(text) > TITAN_CHARACTERS:
            raise Refused(400, f"400 Bad Request: Too many input tokens. Max input tokens: {TITAN_TOKENS}")
        self._admit(TITAN, texts.total)
        self.bill.charge(TITAN, "embed", inputs=1, tokens_in=texts.total)
        (vector,) = as_lists(answered(call, [text], dimensions=size))
        return {"embedding": vector, "inputTextTokenCount": texts.total}, texts.total

    def _cohere(self, call: Call, body: dict[str, Any], model: str) -> tuple[dict[str, Any], int]:
        embedded = embed(call, body, sizes=COHERE_SIZES[model], most_tokens=COHERE_TOKENS[model])
        tokens = embedded.counted.total
        self._admit(model, tokens)
        self.bill.charge(model, "embed", inputs=len(embedded.counted.texts), tokens_in=tokens)
        floats = {"float": embedded.vectors}
        return {"id": new_id(""), "response_type": "embeddings_by_type", "embeddings": floats}, tokens

    def _rerank(self, call: Call, body: dict[str, Any], model: str) -> dict[str, Any]:
        if model.startswith("cohere.") != ("api_version" in body):
            raise Refused(400, "Malformed input request: #: required key [api_version] or one that is not permitted")
        ranked = rerank(call, body.get("query"), body.get("documents"), body.get("top_n"))
        self._admit(model, 0)
        self.bill.charge(model, "rerank", search_units=units(body["documents"]), inputs=len(body["documents"]))
        return {"results": [{"index": place, "relevance_score": relevance} for place, relevance in ranked]}

    def _admit(self, model: str, tokens: int) -> None:
        if exceeded := self.limiter.take(model, {"requests": 1, "tokens": tokens}):
            seconds = str(max(1, math.ceil(exceeded.retry_after_seconds)))
            raise Refused(429, "Too many requests, please wait before trying again.", headers={"retry-after": seconds})
