"""A compiled model that answers sample by sample, as the metrics want it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentnb.errors import OptimizationError, cause
from agentnb.optimization.packages import core

_HIDDEN_RANK = 3


class Compiled:
    """One model on one device.

    Args:
        model: An ``ov.Model``, or the path of an IR.
        kind: ``encoder``, ``llm`` or ``network``.
        device: OpenVINO's name of the device.
        properties: What ``compile_model`` is told, such as the precision.

    Raises:
        OptimizationError: The device can't compile it.
    """

    def __init__(self, model: Any, kind: str, device: str, properties: Mapping[str, Any]) -> None:
        try:
            self.compiled = core().compile_model(core().read_model(model) if isinstance(model, Path) else model, device, dict(properties))
            self._request = self.compiled.create_infer_request()
        except Exception as error:
            raise OptimizationError(f"{device} can't compile it: {cause(error)}") from error
        self._kind = kind
        self._names = [port.get_any_name() if port.get_names() else f"output_{place}" for place, port in enumerate(self.compiled.outputs)]

    def infer(self, inputs: Mapping[str, Any]) -> Any:
        """Compute, and leave the outputs where they are; they hold until the next call."""
        if self._kind == "llm":
            self._request.reset_state()
        return self._request.infer(_by_port(self.compiled, inputs), share_inputs=True, share_outputs=True)

    def answer(self, inputs: Mapping[str, Any]) -> Any:
        """What a metric gets: an array, or a dict of arrays where there are several outputs.

        Of an encoder it is the mean of the hidden states over the tokens, of length 1, float32 ``[batch, hidden]``; of a language model
        the logits, ``[batch, length, vocabulary]``.

        Raises:
            OptimizationError: The device failed.
        """
        try:
            found = list(self.infer(inputs).values())
        except Exception as error:
            raise OptimizationError(f"it can't be run on this data: {cause(error)}") from error
        if self._kind == "llm":
            return found[self._names.index("logits")] if "logits" in self._names else found[0]
        if self._kind == "encoder":
            return pooled(found, inputs["attention_mask"])
        return found[0] if len(found) == 1 else dict(zip(self._names, found, strict=True))


def pooled(outputs: Sequence[Any], mask: Any) -> Any:
    """The vectors of an encoder's outputs: as they are where they are pooled already, else the mean over the tokens, of length 1."""
    import numpy as np

    hidden = next((output for output in outputs if output.ndim == _HIDDEN_RANK), None)
    if hidden is None:
        return outputs[0]
    weights = np.asarray(mask, np.float32)[..., None]
    vectors = (hidden * weights).sum(1) / np.maximum(weights.sum(1), 1)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _by_port(compiled: Any, inputs: Mapping[str, Any]) -> dict[Any, Any]:
    """Inputs by their place where the model gives them no names."""
    return {place if name.startswith("input_") and name[6:].isdigit() else name: inputs[name] for place, name in enumerate(inputs)}


def finite(output: Any) -> bool:
    """Whether all numbers of an answer are."""
    import numpy as np

    parts = output.values() if isinstance(output, dict) else (output,)
    return all(part.dtype.kind != "f" or bool(np.isfinite(part).all()) for part in parts)
