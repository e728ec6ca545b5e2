"""One continuous-batching pipeline for each model of a process, driven by one thread."""

from __future__ import annotations

import atexit
import itertools
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentnb.adapters.openvino import genai
from agentnb.adapters.openvino.calls import Answer, Call, Prompt
from agentnb.adapters.openvino.text import Detokeniser, Stops
from agentnb.errors import AgentNBError, ConfigurationError, ContextOverflow, ProviderError

_LONGEST_TOKEN = 128
"""Characters; a prompt of more than so many a token of the context can't fit, and isn't tokenised."""

_EXIT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a pipeline is built.

    Attributes:
        cache_gb: Gigabytes for the key-value cache of all running calls and of remembered prefixes.
        threads: Cores that the model may use; 0 leaves it to OpenVINO.
        batch_tokens: Prompt tokens of one step: more reads long prompts faster, fewer keeps the others flowing.
    """

    device: str = "CPU"
    cache_gb: int = 1
    threads: int = 0
    batch_tokens: int = 256


@dataclass(eq=False, slots=True)
class _Active:
    call: Call
    handle: Any
    prompt_tokens: int
    scored: int
    detokeniser: Detokeniser
    stops: Stops
    pieces: list[str] = field(default_factory=list)
    tokens: int = 0
    logprobs: list[float] = field(default_factory=list)
    fresh: bool = True


class Engine:
    """Generates for many event loops and threads at once.

    The native pipeline is not thread-safe, and ``step`` keeps Python's global lock: whatever touches it happens on the one
    thread that is started by the first call. A step that fails ends all its calls; the next call starts anew.
    """

    def __init__(self, locate: Callable[[], tuple[Path, int]], options: Options) -> None:
        """Nothing is loaded before the first call.

        Args:
            locate: Gives the model's IR folder and its context length in tokens (0: unknown); it may take seconds.
            options: How the pipeline is built.
        """
        self._locate = locate
        self._options = options
        self._condition = threading.Condition()
        self._waiting: list[Call] = []
        self._active: list[_Active] = []
        self._thread: threading.Thread | None = None
        self._closing = False
        self._numbers = itertools.count(1)
        self._pipeline: Any = None
        self._context = 0

    @property
    def active(self) -> int:
        """Calls that are waiting or being generated."""
        with self._condition:
            return len(self._waiting) + len(self._active)

    def submit(self, call: Call) -> None:
        """Queue a call; from now on its ``deliver`` is called, at last with an answer or an exception.

        Raises:
            ProviderError: The process is ending.
        """
        with self._condition:
            if self._closing:
                raise ProviderError("the model was closed, for this process is ending")
            self._waiting.append(call)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="agentnb-openvino", daemon=True)
                self._thread.start()
            self._condition.notify()

    def close(self, timeout: float = _EXIT_SECONDS) -> None:
        """End the thread and free the model; calls that are under way fail."""
        with self._condition:
            self._closing = True
            thread = self._thread
            self._condition.notify()
        if thread and thread is not threading.current_thread():
            thread.join(timeout)

    def _run(self) -> None:
        error: Exception = ProviderError("the model was closed while it was generating")
        try:
            self._load()
            while self._admit():
                self._pipeline.step()
                self._read()
        except AgentNBError as failure:
            error = failure
        except Exception as failure:
            error = failure
        self._fail(error)

    def _load(self) -> None:
        folder, self._context = self._locate()
        package = genai.load()
        scheduler = package.SchedulerConfig()
        scheduler.cache_size = self._options.cache_gb
        scheduler.max_num_batched_tokens = self._options.batch_tokens
        scheduler.enable_prefix_caching = True
        properties = {"INFERENCE_NUM_THREADS": self._options.threads} if self._options.threads else {}
        try:
            self._pipeline = package.ContinuousBatchingPipeline(str(folder), scheduler, self._options.device, properties)
        except RuntimeError as error:
            raise ConfigurationError(f"OpenVINO can't load {folder}: {_cause(error)}") from error

    def _admit(self) -> bool:
        """Take in new calls and drop cancelled ones; sleep while there is nothing to do; False ends the thread."""
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._waiting or self._active or self._closing)
                if self._closing:
                    return False
                fresh, self._waiting = self._waiting, []
            for active in [active for active in self._active if active.call.cancelled]:
                self._drop(active)
            for call in fresh:
                self._start(call)
            if self._active:
                return True

    def _start(self, call: Call) -> None:
        if call.cancelled:
            return
        try:
            tokenizer = self._pipeline.get_tokenizer()
            tokens = self._encode(tokenizer, _text(tokenizer, call.prompt))
            count = tokens.shape[1]
            scored = count - self._encode(tokenizer, call.prompt.text).shape[1] if call.prompt.scored else 0
            handle = self._pipeline.add_request(next(self._numbers), tokens, self._config(tokenizer, call, count))
        except AgentNBError as error:
            call.deliver(error)
        except (RuntimeError, ValueError, TypeError) as error:
            call.deliver(ProviderError(f"OpenVINO refused the request: {_cause(error)}"))
        else:
            self._active.append(_Active(call, handle, count, scored, Detokeniser(tokenizer.decode), Stops(call.sampling.stop)))

    def _encode(self, tokenizer: Any, prompt: str) -> Any:
        limit = self._context
        if limit and len(prompt) > limit * _LONGEST_TOKEN:
            raise _overflow(f"at least {len(prompt) // _LONGEST_TOKEN}", limit)
        tokens = tokenizer.encode(prompt, add_special_tokens=False).input_ids
        count = tokens.shape[1]
        if limit and count >= limit:
            raise _overflow(f"about {_count(tokenizer, prompt)}", limit)
        return tokens

    def _config(self, tokenizer: Any, call: Call, prompt_tokens: int) -> Any:
        package = genai.load()
        sampling = call.sampling
        config = self._pipeline.get_config()
        if config.eos_token_id < 0:
            config.set_eos_token_id(tokenizer.get_eos_token_id())
        config.apply_chat_template = False
        room = self._context - prompt_tokens if self._context else sampling.max_tokens
        config.max_new_tokens = min(sampling.max_tokens, room)
        config.do_sample = sampling.temperature > 0
        config.logprobs = int(bool(call.prompt.scored))
        config.echo = bool(call.prompt.scored)
        if config.do_sample:
            config.temperature = sampling.temperature
            config.top_p = sampling.top_p
        if sampling.seed is not None:
            config.rng_seed = sampling.seed
        if call.grammar:
            kind, source = call.grammar
            config.structured_output_config = package.StructuredOutputConfig(**{kind: source})
        return config

    def _read(self) -> None:
        for active in list(self._active):
            active.fresh = False
            while active in self._active and active.handle.can_read():
                for output in active.handle.read().values():
                    self._take(active, output)
            if active in self._active and active.handle.get_status().name == "IGNORED":
                self._finish(
                    active,
                    ProviderError(f"the key-value cache of {self._options.cache_gb} GB is too small: raise cache_gb in [models.openvino]"),
                )

    def _take(self, active: _Active, output: Any) -> None:
        if active.scored:
            active.logprobs += output.generated_log_probs
            if output.finish_reason.name != "NONE":
                self._finish(active, Answer("", active.prompt_tokens, 0, "stop", _likelihood(active)))
            return
        active.tokens += len(output.generated_ids)
        piece = active.stops.add(active.detokeniser.add(output.generated_ids))
        reason = output.finish_reason.name.lower()
        if active.stops.hit:
            active.handle.cancel()
            reason = "stop"
        elif reason != "none":
            piece += active.stops.rest()
        if piece:
            active.pieces.append(piece)
            active.call.deliver(piece)
        if reason != "none":
            text = "".join(active.pieces)
            self._finish(active, Answer(text, active.prompt_tokens, active.tokens, reason))

    def _finish(self, active: _Active, event: Answer | Exception) -> None:
        self._active.remove(active)
        active.call.deliver(event)

    def _drop(self, active: _Active) -> None:
        active.handle.cancel()
        self._active.remove(active)

    def _fail(self, error: Exception) -> None:
        with self._condition:
            active, waiting = self._active, self._waiting
            self._active, self._waiting, self._pipeline, self._thread = [], [], None, None
        fresh = any(one.fresh for one in active)
        for one in active:
            one.call.deliver(_failure(error, retryable=fresh and not one.fresh))
        for call in waiting:
            call.deliver(_failure(error, retryable=True))


def _text(tokenizer: Any, prompt: Prompt) -> str:
    chat = tokenizer.apply_chat_template([dict(message) for message in prompt.messages], True) if prompt.messages else ""
    return f"{chat}{prompt.text}{prompt.scored}"


def _likelihood(active: _Active) -> float:
    """Of the scored tokens; after them comes the one token that was generated."""
    if len(active.logprobs) <= active.scored:
        return math.nan
    return sum(active.logprobs[-active.scored - 1 : -1])


def _failure(error: Exception, *, retryable: bool) -> Exception:
    if isinstance(error, AgentNBError):
        return error
    return ProviderError(f"OpenVINO failed: {_cause(error)}", retryable=retryable)


def _overflow(tokens: str, limit: int) -> ContextOverflow:
    return ContextOverflow(
        f"the prompt has {tokens} tokens and the model reads {limit}: shorten the prompt, or use a model with a longer context"
    )


def _count(tokenizer: Any, text: str) -> int:
    """Tokens of a text that is longer than the tokenizer's own limit, at which it cuts silently."""
    size = 4000
    return sum(tokenizer.encode(text[at : at + size], add_special_tokens=False).input_ids.shape[1] for at in range(0, len(text), size))


def _cause(error: Exception) -> str:
    """The last telling line of a native error, without the paths of the machine it was built on."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(("Exception from", "Check "))]
    return (telling or lines or [type(error).__name__])[-1]


_engines: dict[tuple[str, Options], Engine] = {}
_lock = threading.Lock()


def shared(source: Path, options: Options, locate: Callable[[], tuple[Path, int]]) -> Engine:
    """The one engine of this process for a model's file or folder."""
    key = (str(source.resolve()), options)
    with _lock:
        if key not in _engines:
            _engines[key] = Engine(locate, options)
        return _engines[key]


def close_all() -> None:
    """End all engines; called at the interpreter's exit, before native code loses the ground under it."""
    with _lock:
        engines = list(_engines.values())
        _engines.clear()
    for engine in engines:
        engine.close()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_engines.clear)
