"""One continuous-batching pipeline for each model of a process, driven by one thread."""

from __future__ import annotations

import atexit
import copy
import itertools
import os
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentnb.adapters.openvino import catalog, genai, prompts
from agentnb.adapters.openvino.calls import Call, Grammar
from agentnb.adapters.openvino.generation import Generation
from agentnb.adapters.openvino.text import Detokeniser, Stops
from agentnb.adapters.openvino.trial import Trials
from agentnb.errors import AgentNBError, ConfigurationError, ProviderError, cause

_EXIT_SECONDS = 5.0
_KNOWN = 100
"""Grammars of which is remembered that they can be made."""


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


class Engine:
    """Generates for many event loops and threads at once.

    The native pipeline is not thread-safe, and ``step`` keeps Python's global lock: whatever touches it happens on the one
    thread that is started by the first call; only its tokenizer, which is, compiles grammars on another. A step that fails ends all its
    calls; the next call starts anew.
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
        self._trying: list[Call] = []
        self._active: list[Generation] = []
        self._thread: threading.Thread | None = None
        self._closing = False
        self._numbers = itertools.count(1)
        self._pipeline: Any = None
        self._trials: Trials | None = None
        self._known: deque[Grammar] = deque(maxlen=_KNOWN)
        self._folder = Path()
        self._context = 0

    @property
    def active(self) -> int:
        """Calls that are waiting or being generated."""
        with self._condition:
            return len(self._waiting) + len(self._trying) + len(self._active)

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
        except Exception as failure:
            error = failure
        self._fail(error)

    def _load(self) -> None:
        self._folder, self._context = self._locate()
        package = genai.load()
        scheduler = package.SchedulerConfig()
        scheduler.cache_size = self._options.cache_gb
        scheduler.max_num_batched_tokens = self._options.batch_tokens
        scheduler.enable_prefix_caching = True
        properties = catalog.properties(self._folder, self._options.device)
        if self._options.threads:
            properties["INFERENCE_NUM_THREADS"] = self._options.threads
        try:
            self._pipeline = package.ContinuousBatchingPipeline(str(self._folder), scheduler, self._options.device, properties)
        except RuntimeError as error:
            raise ConfigurationError(f"OpenVINO can't load {self._folder}: {cause(error)}") from error

    def _admit(self) -> bool:
        """Take in new calls and drop cancelled ones; sleep while there is nothing to do; False ends the thread.

        A dropped call leaves the pipeline in the step that follows, even if it was the only one.
        """
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
            if self._active or self._pipeline.has_non_finished_requests():
                return True

    def _start(self, call: Call) -> None:
        if call.cancelled:
            return
        try:
            tokenizer = self._pipeline.get_tokenizer()
            if call.grammar is not None and call.grammar not in self._known:
                if not call.tried:
                    self._try(call, tokenizer)
                    return
                self._known.append(call.grammar)
            tokens = prompts.encode(tokenizer, call.prompt, self._context)
            count = tokens.shape[1]
            handle = self._pipeline.add_request(next(self._numbers), tokens, self._config(tokenizer, call, count))
        except AgentNBError as error:
            call.deliver(error)
        except Exception as error:
            call.deliver(ProviderError(f"OpenVINO refused the request: {cause(error)}"))
        else:
            self._active.append(Generation(call, handle, count, Detokeniser(tokenizer.decode), Stops(call.sampling.stop)))

    def _try(self, call: Call, tokenizer: Any) -> None:
        if self._trials is None:
            self._trials = Trials(self._folder, tokenizer, self._tried)
        with self._condition:
            self._trying.append(call)
        self._trials.put(call)

    def _tried(self, call: Call, error: Exception | None) -> None:
        """Start a call whose grammar can be made; one that has failed meanwhile, with all others, has been told."""
        with self._condition:
            if call not in self._trying:
                return
            self._trying.remove(call)
        call.tried = True
        if error is None:
            try:
                self.submit(call)
            except ProviderError as closing:
                error = closing
        if error is not None:
            call.deliver(error)

    def _config(self, tokenizer: Any, call: Call, prompt_tokens: int) -> Any:
        sampling = call.sampling
        config = self._pipeline.get_config()
        if config.eos_token_id < 0:
            config.set_eos_token_id(tokenizer.get_eos_token_id())
        config.apply_chat_template = False
        room = self._context - prompt_tokens if self._context else sampling.max_tokens
        config.max_new_tokens = min(sampling.max_tokens, room)
        config.do_sample = sampling.temperature > 0
        if config.do_sample:
            config.temperature = sampling.temperature
            config.top_p = sampling.top_p
            config.rng_seed = random.getrandbits(31) if sampling.seed is None else sampling.seed
        config.frequency_penalty, config.presence_penalty = sampling.frequency_penalty, sampling.presence_penalty
        if call.grammar is not None:
            config.structured_output_config = genai.structured(call.grammar)
        return config

    def _read(self) -> None:
        for active in list(self._active):
            end = active.read()
            if end:
                self._active.remove(active)
                active.call.deliver(end)

    def _drop(self, active: Generation) -> None:
        active.handle.cancel()
        self._active.remove(active)

    def _fail(self, error: Exception) -> None:
        with self._condition:
            active, waiting, trials = self._active, self._waiting + self._trying, self._trials
            self._active, self._waiting, self._trying, self._pipeline, self._trials, self._thread = [], [], [], None, None, None
            self._known.clear()
        if trials is not None:
            trials.put(None)
        fresh = any(one.fresh for one in active)
        for one in active:
            one.call.deliver(_failure(error, retryable=fresh and not one.fresh))
        for call in waiting:
            call.deliver(_failure(error, retryable=True))


def _failure(error: Exception, *, retryable: bool) -> Exception:
    if isinstance(error, AgentNBError):
        return copy.copy(error)
    return ProviderError(f"OpenVINO failed: {cause(error)}", retryable=retryable)


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
