"""Calls a model again where that may help, and stops calling a provider that is down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentnb.errors import ProviderError
from agentnb.ports.model import Emit, Model, ModelRequest, ModelResponse

if TYPE_CHECKING:
    from tenacity import RetryCallState

RETRIES = 3
FIRST_WAIT = 0.5
LONGEST_WAIT = 20.0
LONGEST_ASKED_WAIT = 60.0
OPEN_AFTER = 5
OPEN_SECONDS = 30


class ResilientModel:
    """Wraps a model: retries with exponential back-off and jitter (or as long as the provider asks), behind a circuit breaker.

    The pieces of text of a failed attempt are withdrawn by ``emit(None)`` before the next.

    Args:
        model: What is wrapped.
        name: ``provider:model``, for messages.
        retries: Further attempts after the first.
        first_wait: Seconds before the first of them, doubled for each further.
    """

    def __init__(self, model: Model, name: str, *, retries: int = RETRIES, first_wait: float = FIRST_WAIT) -> None:
        from circuitbreaker import CircuitBreaker
        from tenacity import wait_exponential_jitter

        self._model = model
        self._name = name
        self._retries = retries
        self._growing = wait_exponential_jitter(multiplier=first_wait, max=LONGEST_WAIT, jitter=first_wait)
        self._breaker = CircuitBreaker(OPEN_AFTER, OPEN_SECONDS, lambda _kind, error: _retryable(error), name)

    async def generate(self, request: ModelRequest, emit: Emit | None = None) -> ModelResponse:
        from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt

        def withdraw(_state: RetryCallState) -> None:
            if emit is not None:
                emit(None)

        retrying = AsyncRetrying(
            retry=retry_if_exception(_retryable),
            stop=stop_after_attempt(self._retries + 1),
            wait=self._wait,
            before_sleep=withdraw,
            reraise=True,
        )
        return await retrying(self._attempt, request, emit)

    async def _attempt(self, request: ModelRequest, emit: Emit | None) -> ModelResponse:
        if self._breaker.opened:
            raise ProviderError(
                f"{self._name} failed {OPEN_AFTER} times in a row and is left alone for {self._breaker.open_remaining} s; "
                f"its last failure: {self._breaker.last_failure}"
            )
        with self._breaker:
            return await self._model.generate(request, emit)

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, ProviderError) else None
        return float(self._growing(state)) if asked is None else min(asked, LONGEST_ASKED_WAIT)


def _retryable(error: BaseException) -> bool:
    return isinstance(error, ProviderError) and error.retryable
