"""The table of all routes: the handlers, the OpenAPI document and the test of permissions are made from it."""

from __future__ import annotations

from agentnb.server import agents, documents, events, executions, health, models, run_graphs, runs, signals, starts, workflows
from agentnb.server.routing import Route

PREFIX = "agentnb/api/v1"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/health/live", "read", "health", health.live),
    Route("GET", "/health/ready", "read", "health", health.ready),
    Route("GET", "/metrics", "read", "health", health.metrics),
    Route("GET", "/openapi.json", "read", "health", health.openapi),
    Route("GET", "/me", "read", "health", health.me),
    Route("GET", "/agents", "read", "agents", agents.list_),
    Route("GET", "/agents/{agent}", "read", "agents", agents.get),
    Route("GET", "/agents/{agent}/runs", "read", "agents", agents.runs),
    Route("DELETE", "/agents/{agent}", "write", "agents", agents.delete),
    Route("POST", "/agents/{agent}/executions", "execute", "agents", executions.start, status=202),
    Route("GET", "/executions", "read", "runs", executions.list_),
    Route("GET", "/executions/{execution_id}", "read", "runs", executions.get),
    Route("GET", "/workflows", "read", "workflows", workflows.list_),
    Route("GET", "/workflows/{name}", "read", "workflows", workflows.get),
    Route("GET", "/workflows/{name}/versions", "read", "workflows", workflows.versions),
    Route("GET", "/workflows/{name}/versions/{version}", "read", "workflows", workflows.version),
    Route("GET", "/workflows/{name}/versions/{version}/plan", "read", "workflows", workflows.plan),
    Route("GET", "/templates", "read", "workflows", workflows.templates),
    Route("GET", "/templates/{name}", "read", "workflows", workflows.template),
    Route("POST", "/documents/validate", "read", "workflows", documents.validate),
    Route("POST", "/documents/plan", "read", "workflows", documents.plan),
    Route("GET", "/documents/schema", "read", "workflows", documents.schema),
    Route("GET", "/summary", "read", "runs", runs.summary),
    Route("GET", "/runs", "read", "runs", runs.list_),
    Route("GET", "/runs/{run_id}", "read", "runs", runs.get),
    Route("GET", "/runs/{run_id}/steps", "read", "runs", runs.steps),
    Route("GET", "/runs/{run_id}/questions", "read", "runs", runs.questions),
    Route("GET", "/runs/{run_id}/report", "read", "runs", runs.report),
    Route("GET", "/runs/{run_id}/graph", "read", "runs", run_graphs.graph),
    Route("GET", "/runs/{run_id}/graph/details", "read", "runs", run_graphs.details),
    Route("GET", "/runs/{run_id}/diff/{other_id}", "read", "runs", runs.diff),
    Route("POST", "/runs", "execute", "runs", starts.start, status=202),
    Route("DELETE", "/runs/{run_id}", "write", "runs", starts.delete),
    Route("POST", "/runs/{run_id}/rerun", "execute", "runs", starts.rerun, status=202),
    Route("POST", "/runs/{run_id}/resume", "execute", "runs", starts.resume, status=202),
    Route("POST", "/runs/{run_id}/stale", "execute", "runs", starts.stale),
    Route("POST", "/runs/{run_id}/answers", "execute", "runs", signals.answer),
    Route("POST", "/runs/{run_id}/signals", "execute", "runs", signals.send),
    Route("POST", "/runs/{run_id}/cancel", "execute", "runs", signals.cancel),
    Route("GET", "/runs/{run_id}/events", "read", "runs", events.of_run),
    Route("GET", "/runs/{run_id}/events/stream", "read", "runs", events.stream_run, stream="sse"),
    Route("GET", "/events", "read", "runs", events.list_),
    Route("GET", "/events/stream", "read", "runs", events.stream, stream="sse"),
    Route("GET", "/events/socket", "read", "runs", events.socket, stream="websocket"),
    Route("GET", "/models", "read", "models", models.list_),
)
