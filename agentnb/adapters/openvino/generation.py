"""One generation inside the pipeline: its tokens become pieces of text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentnb.adapters.openvino.calls import Answer, Call
from agentnb.adapters.openvino.text import Detokeniser, Stops
from agentnb.errors import ProviderError


@dataclass(eq=False, slots=True)
class Generation:
    """A call that the pipeline is working on; used on the scheduler thread only.

    Attributes:
        handle: OpenVINO's GenerationHandle.
        prompt_tokens: Tokens of the whole prompt.
        fresh: No step has passed since it was added.
    """

    call: Call
    handle: Any
    prompt_tokens: int
    detokeniser: Detokeniser
    stops: Stops
    fresh: bool = True
    pieces: list[str] = field(default_factory=list)
    tokens: int = 0

    def read(self) -> Answer | ProviderError | None:
        """Deliver the pieces of the last step; its end, if that was it, is returned."""
        self.fresh = False
        while self.handle.can_read():
            for output in self.handle.read().values():
                end = self._write(output)
                if end:
                    return end
        if self.handle.get_status().name == "IGNORED":
            return ProviderError("the key-value cache is too small for this call: raise cache_gb in [models.openvino]")
        return None

    def _write(self, output: Any) -> Answer | None:
        self.tokens += len(output.generated_ids)
        reason = output.finish_reason.name.lower()
        piece = self.stops.add(self.detokeniser.add(output.generated_ids))
        if self.stops.hit:
            self.handle.cancel()
            reason = "stop"
        elif reason != "none":
            piece += self.stops.rest()
        if piece:
            self.pieces.append(piece)
            self.call.deliver(piece)
        return None if reason == "none" else Answer("".join(self.pieces), self.prompt_tokens, self.tokens, reason)
