"""Language models and embedding models of one server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from agentnb.adapters.openai import wire
from agentnb.adapters.openai.endpoint import Endpoint
from agentnb.errors import ProviderError
from agentnb.ports.model import Emit, ModelRequest, ModelResponse

_TEXTS_A_CALL = 256


class OpenAIModel:
    """A model behind the chat-completions protocol.

    Attributes:
        name: The model as the server calls it.
        timeout: Seconds that a whole call may take, or, when streaming, each wait for the next piece.
    """

    def __init__(self, name: str, endpoint: Endpoint, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self._endpoint = endpoint
        self._usage_when_streaming = True

    def __repr__(self) -> str:
        return f"OpenAIModel({self.name!r})"

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        """Answer one request, streamed if ``emit`` is given.

        Nothing is sent twice, except to servers that refuse to be asked for the usage of a stream: they are asked without.

        Raises:
            ProviderError: The call failed; ``retryable`` says whether it may succeed later.
            ConfigurationError: The key was refused, or the server has no such model.
        """
        body = wire.write_request(self.name, request, official=self._endpoint.official)
        if emit is None:
            return await self._endpoint.post("/chat/completions", body, self.timeout, wire.read_completion)
        body["stream"] = True
        if self._usage_when_streaming:
            try:
                return await self._stream({**body, "stream_options": {"include_usage": True}}, emit)
            except ProviderError as error:
                if "stream_options" not in str(error):
                    raise
            self._usage_when_streaming = False
        return await self._stream(body, emit)

    async def _stream(self, body: dict[str, object], emit: Emit) -> ModelResponse:
        return await self._endpoint.stream("/chat/completions", body, self.timeout, wire.StreamReader(emit))


class OpenAIEmbedder:
    """An embedding model behind OpenAI's protocol.

    Attributes:
        name: The model as the server calls it.
        timeout: Seconds that one call may take; many texts are sent in several calls.
    """

    def __init__(self, name: str, endpoint: Endpoint, timeout: float) -> None:
        self.name = name
        self.timeout = timeout
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return f"OpenAIEmbedder({self.name!r})"

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector a text, in the texts' order.

        Raises:
            ProviderError: A call failed; ``retryable`` says whether it may succeed later.
            ConfigurationError: The key was refused, or the server has no such model.
        """
        vectors: list[list[float]] = []
        for start in range(0, len(texts), _TEXTS_A_CALL):
            part = [text.encode("utf-8", "replace").decode() for text in texts[start : start + _TEXTS_A_CALL]]
            body = {"model": self.name, "input": part, "encoding_format": "float"}
            vectors += await self._endpoint.post("/embeddings", body, self.timeout, partial(wire.read_embeddings, count=len(part)))
        return vectors
