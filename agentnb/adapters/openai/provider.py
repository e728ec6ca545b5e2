"""The provider ``openai``: keys and settings in, models out."""

from __future__ import annotations

import os
from typing import Any, NoReturn
from urllib.parse import urlsplit

from agentnb.adapters.openai.endpoint import Endpoint
from agentnb.adapters.openai.failures import KEY_VARIABLE
from agentnb.adapters.openai.model import OpenAIEmbedder, OpenAIModel
from agentnb.errors import ConfigurationError, MissingKey, UnknownModel
from agentnb.ports.model import ModelInfo, Progress

_TABLE = "[models.openai]"
_SETTINGS = ("base_url", "timeout")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_CATALOG = {
    "gpt-5": "reasons before it answers",
    "gpt-5-mini": "smaller, faster and cheaper",
    "gpt-5-nano": "the smallest of the family",
    "gpt-4.1": "answers at once; reads long prompts",
    "gpt-4.1-mini": "answers at once; cheaper",
    "text-embedding-3-small": "embeddings of 1,536 numbers",
    "text-embedding-3-large": "embeddings of 3,072 numbers",
}


class OpenAIProvider:
    """Models of OpenAI, or of any server that speaks its protocol.

    The key is read from ``OPENAI_API_KEY`` only. A server of your own is named by ``base_url`` or ``OPENAI_BASE_URL``; it may need no key.
    An address that only a file names, and that is not on this machine, doesn't get the key: a cloned folder could send it anywhere.
    """

    def __init__(self) -> None:
        self._endpoints: dict[tuple[str | None, str | None], Endpoint] = {}

    def model(self, name: str, *, base_url: str | None = None, timeout: float = 30.0, **unknown: Any) -> OpenAIModel:
        """The model of that name; whether the server has it shows on the first call.

        Args:
            name: The model as the server calls it.
            base_url: Where the server's paths begin, usually ending in ``/v1``.
            timeout: Seconds that a call may take, or, when streaming, each wait for the next piece.
            **unknown: Refused.

        Raises:
            ConfigurationError: A setting is unknown or wrong.
            MissingKey: There is neither a key nor a ``base_url``.
        """
        _refuse(unknown)
        return OpenAIModel(_name(name), self._endpoint(base_url), _seconds(timeout))

    def embedder(self, name: str, *, base_url: str | None = None, timeout: float = 30.0, **unknown: Any) -> OpenAIEmbedder:
        """The embedding model of that name; settings and errors are those of ``model``."""
        _refuse(unknown)
        return OpenAIEmbedder(_name(name), self._endpoint(base_url), _seconds(timeout))

    def catalog(self) -> list[ModelInfo]:
        """Some of OpenAI's models; any other name is passed on to the server as it is."""
        ready = bool(_key() or os.environ.get("OPENAI_BASE_URL"))
        return [
            ModelInfo(f"openai:{name}", description, "proprietary", installed=ready, writes=not name.startswith("text-embedding"))
            for name, description in _CATALOG.items()
        ]

    def pull(self, name: str, progress: Progress) -> NoReturn:
        """Refuses: these models run on a server.

        Raises:
            UnknownModel: Always.
        """
        raise UnknownModel(f"openai:{name} runs on a server, so there is nothing to fetch: set {KEY_VARIABLE} and use it")

    def _endpoint(self, base_url: str | None) -> Endpoint:
        url, key = _address(base_url), _key()
        if key is None and url is None:
            raise MissingKey("openai", KEY_VARIABLE)
        if base_url and key is not None and not _trusted(str(url)):
            raise ConfigurationError(
                f"{_TABLE} base_url is {url}: {KEY_VARIABLE} is not sent to an address that only a file names. "
                f"If it is right, set OPENAI_BASE_URL={url} in the environment; if the server needs no key, unset {KEY_VARIABLE}"
            )
        return self._endpoints.setdefault((url, key), Endpoint(url, key))


def _trusted(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK or os.environ.get("OPENAI_BASE_URL", "").strip().rstrip("/") == url


def _key() -> str | None:
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError(f"the environment variable {KEY_VARIABLE} holds characters that no key has: copy the key again")
    return key or None


def _address(base_url: object) -> str | None:
    url = base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or None
    if url is None:
        return None
    try:
        parts = urlsplit(str(url))
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise ConfigurationError(f"{_TABLE} base_url (or OPENAI_BASE_URL) must be like http://localhost:8000/v1, not {url!r}")
    return str(url).rstrip("/")


def _name(name: str) -> str:
    if not name:
        raise UnknownModel("openai: wants the name of a model after the colon, for example openai:gpt-5-mini")
    return name


def _seconds(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ConfigurationError(f"{_TABLE} timeout must be a number of seconds above 0, not {timeout!r}")
    return float(timeout)


def _refuse(unknown: dict[str, Any]) -> None:
    for key in unknown:
        raise ConfigurationError(f"{_TABLE} has no setting {key!r}; there are: {', '.join(_SETTINGS)}")
