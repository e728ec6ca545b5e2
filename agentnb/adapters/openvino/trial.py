"""Tries a grammar before its request joins others: one that can't be made ends the step of a batch, and with it all requests in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any

from agentnb import telemetry
from agentnb.adapters.openvino import genai
from agentnb.adapters.openvino.calls import Call, Grammar
from agentnb.errors import AgentNBError, ConfigurationError, ProviderError, cause


class Trial:
    """A model that knows no token better than another, with a real model's tokenizer.

    Grammars are compiled, and remembered, by the tokenizer: what was tried here costs the real model nothing more. Ready in 0.3 s; then a
    millisecond for a grammar that is known.
    """

    def __init__(self, folder: Path, tokenizer: Any) -> None:
        """For the model whose IR is in ``folder``, of which only the size of its vocabulary is read."""
        package = genai.load()
        with TemporaryDirectory() as place:
            _save(_vocabulary(folder, tokenizer), Path(place, "openvino_model.xml"))
            self._pipeline = package.LLMPipeline(place, tokenizer, "CPU", ATTENTION_BACKEND="SDPA")
        self._config = package.GenerationConfig(max_new_tokens=1, apply_chat_template=False)

    def check(self, grammar: Grammar) -> None:
        """Make one token by it.

        Raises:
            ConfigurationError: It is a JSON Schema that the model can't be held to.
            ProviderError: It is a grammar of ours, and wrong.
        """
        self._config.structured_output_config = genai.structured(grammar)
        try:
            self._pipeline.generate(self._prompt(), self._config)
        except RuntimeError as error:
            if grammar.kind == "grammar":
                raise ProviderError(f"OpenVINO refused the grammar: {cause(error)}") from error
            raise ConfigurationError(f"the model can't be held to this JSON Schema: {cause(error)}: simplify it") from error

    def _prompt(self) -> Any:
        import numpy as np
        import openvino

        token = openvino.Tensor(np.ones((1, 1), np.int64))
        return genai.load().TokenizedInputs(token, token)


class Trials:
    """Tries the grammars of calls, one after the other, on a thread of its own.

    Most compile in less than half a second; a JSON Schema with ten patterns such as ``^[a-z ]{0,400}$`` takes 12 s of two cores.
    """

    def __init__(self, folder: Path, tokenizer: Any, tell: Callable[[Call, Exception | None], None]) -> None:
        """``tell`` gets each call, on that thread, and what is wrong with its grammar."""
        self._folder = folder
        self._tokenizer = tokenizer
        self._tell = tell
        self._calls: SimpleQueue[Call | None] = SimpleQueue()
        threading.Thread(target=self._run, name="agentnb-openvino-grammars", daemon=True).start()

    def put(self, call: Call | None) -> None:
        """Have a call tried; None ends the thread after those before it."""
        self._calls.put(call)

    def _run(self) -> None:
        trial: Trial | None = None
        while (call := self._calls.get()) is not None:
            error: Exception | None = None
            try:
                trial = trial or Trial(self._folder, self._tokenizer)
                if call.grammar is not None and not call.cancelled:
                    trial.check(call.grammar)
            except AgentNBError as refused:
                error = refused
            except Exception as failure:
                error = ProviderError(f"OpenVINO refused the request: {cause(failure)}")
            self._tell(call, error)


def _vocabulary(folder: Path, tokenizer: Any) -> int:
    import openvino

    size = openvino.Core().read_model(folder / "openvino_model.xml").output("logits").partial_shape[-1]
    return size.get_length() if size.is_static else len(tokenizer.get_vocab())


def _save(vocabulary: int, file: Path) -> None:
    """A language model whose logits are all 0."""
    telemetry.mute()
    import numpy as np
    import openvino
    from openvino import opset13 as operators

    inputs = {
        "input_ids": operators.parameter([-1, -1], np.int64),
        "attention_mask": operators.parameter([-1, -1], np.int64),
        "beam_idx": operators.parameter([-1], np.int32),
    }
    for name, node in inputs.items():
        node.output(0).set_names({name})
    shape = operators.concat([operators.shape_of(inputs["input_ids"]), operators.constant(np.array([vocabulary], np.int64))], 0)
    logits = operators.broadcast(operators.constant(np.float32(0)), shape)
    logits.output(0).set_names({"logits"})
    openvino.save_model(openvino.Model([operators.result(logits)], list(inputs.values()), "trial"), file)
