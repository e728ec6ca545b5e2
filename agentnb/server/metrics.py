"""Metrics in Jupyter's own registry, all counted from the journal's events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from agentnb.errors import AgentNBError
from agentnb.ports.store import Event

if TYPE_CHECKING:
    from agentnb.server.service import Service

EVENTS = Counter("agentnb_events", "Events written to the journal, by any process, since the server started.", ["type"])
TOKENS = Counter("agentnb_tokens", "Tokens of model calls.", ["direction"])
COST = Counter("agentnb_cost_usd", "What model calls cost, where the price is known, in US dollars.")
SECONDS = Histogram(
    "agentnb_run_duration_seconds",
    "How long runs took.",
    ["kind", "status"],
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200),
)
REQUESTS = Histogram("agentnb_request_duration_seconds", "How long requests took.", ["operation", "status"])
CLIENTS = Gauge("agentnb_stream_clients", "Clients that events are sent to.")
PROCESSES = Gauge("agentnb_processes", "Processes of runs that the server started and that run.")
SWEEPS = Counter("agentnb_sweeps", "Sweeps that were started for runs that were due.")

_ENDS = {
    "agent.executed": ("agent", "completed"),
    "agent.failed": ("agent", "failed"),
    "workflow.completed": ("workflow", "completed"),
    "workflow.failed": ("workflow", "failed"),
}


def observe(events: Sequence[Event]) -> None:
    """Count events."""
    for event in events:
        EVENTS.labels(event.type).inc()
        if event.type == "agent.model_called":
            _usage(event)
        if event.type in _ENDS and event.run_id:
            SECONDS.labels(*_ENDS[event.type]).observe(float(event.data.get("execution_time_ms") or 0) / 1000)


def _usage(event: Event) -> None:
    usage = event.data["metadata"].get("usage") or {}
    if event.data["metadata"].get("replayed"):
        return
    for direction in ("input", "output"):
        TOKENS.labels(direction).inc(usage.get(f"{direction}_tokens") or 0)
    COST.inc(usage.get("cost") or 0)


class _Runs(Collector):
    """How many runs there are, counted where somebody asks."""

    def __init__(self) -> None:
        self.service: Service | None = None

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily("agentnb_runs", "Runs in the journal.", labels=["kind", "status"])
        if self.service is not None:
            try:
                for key, count in self.service.runtime.store.counts().items():
                    family.add_metric(key, count)
            except AgentNBError:
                return
        yield family

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily("agentnb_runs", "Runs in the journal.", labels=["kind", "status"])]


_RUNS = _Runs()
REGISTRY.register(_RUNS)


def watch(service: Service | None) -> None:
    """Tell of this service from now on."""
    _RUNS.service = service
    PROCESSES.set_function(lambda: service.spawner.running if service is not None else 0)
    CLIENTS.set_function(lambda: service.tail.clients if service is not None else 0)


def exposition() -> tuple[str, str]:
    """Our own metrics, and the type of the text."""
    text = generate_latest(_Ours()).decode()
    return text, CONTENT_TYPE_LATEST


class _Ours(Collector):
    def collect(self) -> Iterable[Metric]:
        return [metric for metric in REGISTRY.collect() if metric.name.startswith("agentnb_")]
