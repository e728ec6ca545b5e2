"""OpenAI and every server that speaks its chat-completions protocol.

The official client does authentication and transport; the JSON and the event stream are read here, since the client's own parsing costs
more than the rest of a call.
"""

from agentnb.adapters.openai.model import OpenAIEmbedder, OpenAIModel
from agentnb.adapters.openai.provider import OpenAIProvider

__all__ = ["OpenAIEmbedder", "OpenAIModel", "OpenAIProvider"]
