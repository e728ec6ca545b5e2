"""Measures models: latency, throughput, memory and load time, beside peers in the same rounds, and as a share of the machine's peak."""

from __future__ import annotations

from agentnb.optimization.benchmark.measuring import benchmark

__all__ = ["benchmark"]
