"""What wraps any model: retry, circuit breaker, prices, cassettes."""
