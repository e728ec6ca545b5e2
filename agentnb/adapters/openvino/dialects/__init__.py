"""The ways in which families of models write tool calls, and which of them a chat template teaches."""

from agentnb.adapters.openvino.dialects.dialect import Dialect, ParsedCall
from agentnb.adapters.openvino.dialects.hermes import HERMES
from agentnb.adapters.openvino.dialects.llama3 import LLAMA3
from agentnb.adapters.openvino.dialects.mistral import MISTRAL

DIALECTS = {dialect.name: dialect for dialect in (HERMES, LLAMA3, MISTRAL)}

__all__ = ["DIALECTS", "Dialect", "ParsedCall", "taught"]


def taught(template: str) -> Dialect | None:
    """The dialect of a chat template; None where it says nothing of tools."""
    return next((dialect for dialect in DIALECTS.values() if any(sign in template for sign in dialect.signs)), None)
