"""Language models: reading a prompt and writing tokens, apart, in OpenVINO GenAI and in llama.cpp."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from agentnb import telemetry
from agentnb.errors import ConfigurationError, MissingExtra, OptimizationError, cause
from agentnb.optimization.benchmark.cases import Setting
from agentnb.optimization.sources import Source

Generate = Callable[[Sequence[int], int], "Spent"]


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds until the first token was there, and for the ``tokens`` after it."""

    prefill: float
    decode: float
    tokens: int


def openvino_language(source: Source, device: str, setting: Setting, recipe: dict[str, Any]) -> Generate:
    """OpenVINO GenAI's pipeline.

    Raises:
        OptimizationError: It can't load the model.
        MissingExtra: It is not installed.
    """
    telemetry.mute()
    try:
        import openvino_genai
    except ImportError:
        raise MissingExtra("openvino-genai") from None
    import numpy as np
    from openvino import Tensor

    folder = source.folder
    if folder is None:
        raise ConfigurationError(f"{source.name} has no folder with a tokenizer: name an IR folder or a GGUF file")
    try:
        pipeline = openvino_genai.LLMPipeline(str(folder), device, setting.properties(recipe))
    except Exception as error:
        raise OptimizationError(f"{source.name} can't be loaded: {cause(error)}") from error

    def generate(prompt: Sequence[int], tokens: int) -> Spent:
        ids = np.array([prompt], np.int64)
        config = openvino_genai.GenerationConfig(max_new_tokens=tokens, ignore_eos=True, do_sample=False, apply_chat_template=False)
        start = time.perf_counter()
        metrics = pipeline.generate(openvino_genai.TokenizedInputs(Tensor(ids), Tensor(np.ones_like(ids))), config).perf_metrics
        total = time.perf_counter() - start
        first = metrics.get_ttft().mean / 1000
        return Spent(first, total - first, tokens - 1)

    return generate


def llama_cpp_language(source: Source, setting: Setting, context: int) -> Generate:
    """llama.cpp by llama-cpp-python, on the GGUF file itself.

    It has a thread of its own: it takes for granted that nobody else sets up the AMX tiles of its threads, which OpenVINO does with each
    thread that calls it.

    Raises:
        ConfigurationError: The model was not read from GGUF, or llama.cpp's own code crashes on it.
        MissingExtra: It is not installed.
    """
    if source.format != "gguf" or source.path is None:
        raise ConfigurationError(
            f"llama.cpp runs GGUF files, and {source.name} is {source.format}: name the .gguf file, or leave this peer out"
        )
    try:
        import llama_cpp
    except ImportError:
        raise MissingExtra("llama-cpp-python") from None
    _survive(source.path, llama_cpp.__version__)
    threads = setting.threads or None
    model = llama_cpp.Llama(str(source.path), n_ctx=context, n_batch=512, n_threads=threads, n_threads_batch=threads, verbose=False)

    def read_and_write(prompt: Sequence[int], tokens: int) -> Spent:
        model.reset()
        start = time.perf_counter()
        model.eval(list(prompt))
        token = model.sample(temp=0.0)
        first = time.perf_counter()
        for _ in range(tokens - 1):
            model.eval([token])
            token = model.sample(temp=0.0)
        return Spent(first - start, time.perf_counter() - first, tokens - 1)

    thread = ThreadPoolExecutor(1, "llama.cpp")
    return lambda prompt, tokens: thread.submit(read_and_write, prompt, tokens).result()


_TRIAL = "import sys, llama_cpp; llama_cpp.Llama(sys.argv[1], n_ctx=64, verbose=False).eval(list(range(1, 33))); print('survived')"


@cache
def _survive(file: Path, version: str) -> None:
    """Let llama.cpp read one prompt in a process of its own, where it may crash without taking everything else with it.

    Only what the trial says at its end counts: a status of 0 is also what is left of a process that somebody else has waited for.
    """
    trial = subprocess.run([sys.executable, "-c", _TRIAL, str(file)], capture_output=True, text=True, check=False)  # noqa: S603
    if trial.stdout.endswith("survived\n"):
        return
    said = trial.stderr.strip().splitlines()
    raise ConfigurationError(
        f"llama-cpp-python {version} fails on {file.name} ({_ending(trial.returncode, said[-1] if said else '')}): "
        "try another version of it (0.3.16 runs where 0.3.36 crashes in its AMX code), or leave this peer out"
    )


def _ending(status: int, said: str) -> str:
    if status < 0:
        return signal.Signals(-status).name
    return said or f"exit status {status}"


def prompt(length: int, seed: int) -> list[int]:
    """Random tokens, another prompt each time, so that no prefix is remembered."""
    import numpy as np

    return [int(token) for token in np.random.default_rng(seed).integers(1000, 9000, length)]
