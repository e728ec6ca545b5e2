"""The rules that hold for every action, whatever it stands in: the names it uses, what it gives them, and what can't go together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from agentnb.errors import AgentNBError
from agentnb.names import did_you_mean
from agentnb.workflows.checks.report import Report
from agentnb.workflows.checks.values import Parameters, check_arguments
from agentnb.workflows.documents import Path
from agentnb.workflows.spec import Action, Human, Shell, SubWorkflow

_EXPRESSION = re.compile(r"(?<!\$)\$\{")

Known = Callable[[Any], tuple[str, Any]]
"""Gives why there is no such thing, or an empty text and what is known of it."""


def check_actions(report: Report) -> None:
    """Every action of the document."""
    checks = _Names(report)
    for name, action in report.spec.actions().items():
        path = report.path(name)
        _check_times(report, path, action)
        if action.human is not None:
            _check_human(report, path, action, action.human)
        elif action.shell is not None:
            _check_shell(report, path, action.shell)
        elif action.webhook is not None and action.cache:
            report.error((*path, "cache"), "a webhook acts on the world: its result can't be kept", "Take cache away")
        else:
            checks.check(path, action)


class _Names:
    """Asks the resolver, once a name."""

    def __init__(self, report: Report) -> None:
        self._report = report
        resolver = report.resolver
        self._agent: Known = _asked(resolver.agent) if resolver else _nothing_known
        self._tool: Known = _asked(resolver.tool) if resolver else _nothing_known
        self._workflow: Known = _asked(resolver.workflow) if resolver else _nothing_known
        self._parameters: dict[str, Parameters] = {}

    def check(self, path: Path, action: Action) -> None:
        if action.agent is not None and action.agent not in self._report.spec.agents:
            self._check_agent((*path, "agent"), action.agent)
        elif action.tool is not None:
            self._check_tool(path, action, action.tool)
        elif action.workflow is not None:
            self._check_workflow(path, action, action.workflow)

    def _check_agent(self, path: Path, name: str) -> None:
        wrong, _ = self._agent(name)
        if wrong:
            known = self._report.names("agents")
            mend = did_you_mean(name, known) if known else ""
            mend = mend if mend.startswith("Did") else f"Declare it: agents: {{{name}: {{instructions: …}}}}"
            self._report.error(path, wrong, mend)

    def _check_tool(self, path: Path, action: Action, name: str) -> None:
        wrong, schema = self._tool(name)
        if wrong:
            self._report.error((*path, "tool"), wrong)
        elif isinstance(schema, Mapping):
            parameters = self._parameters.get(name) or self._parameters.setdefault(name, Parameters(f"the tool {name}", schema))
            check_arguments(self._report, path, action.input, parameters)

    def _check_workflow(self, path: Path, action: Action, target: SubWorkflow) -> None:
        wrong, inputs = self._workflow(target)
        if wrong:
            self._report.error((*path, "workflow"), wrong)
        elif isinstance(inputs, Mapping):
            check_arguments(self._report, path, action.input, Parameters(f"the workflow {target.name or target.file}", _taken(inputs)))


def _taken(inputs: Mapping[str, Any]) -> dict[str, Any]:
    required = [name for name, schema in inputs.items() if "default" not in schema]
    return {"type": "object", "properties": inputs, "required": required, "additionalProperties": False}


def _nothing_known(_: Any) -> tuple[str, Any]:
    return "", None


def _asked(ask: Callable[[Any], Any]) -> Known:
    @cache
    def known(name: Any) -> tuple[str, Any]:
        try:
            return "", ask(name)
        except AgentNBError as error:
            return str(error), None

    return known


def _check_times(report: Report, path: Path, action: Action) -> None:
    attempt, whole = action.attempt_timeout, action.step_timeout
    if attempt is not None and whole is not None and attempt > whole:
        message = "an attempt may take longer than the whole step: timeout.attempt never ends one"
        report.warning((*path, "timeout", "attempt"), message, "Make attempt shorter than step, or take it away")


def _check_human(report: Report, path: Path, action: Action, human: Human) -> None:
    if action.retry is not None:
        report.error((*path, "retry"), "a person is asked once: retry has no meaning here", "Use human: {escalate: [{after: 1h, to: …}]}")
    if action.cache:
        report.error((*path, "cache"), "an answer of a person can't be kept", "Take cache away")
    if action.timeout is not None:
        message = "the time that a person takes doesn't count as the step's: this timeout never ends it"
        report.warning((*path, "timeout"), message, "Write human: {timeout: 1h}")
    for place, escalation in enumerate(human.escalate):
        if human.timeout is not None and escalation.after >= human.timeout:
            message = "the question times out before it is escalated"
            report.warning((*path, "human", "escalate", place, "after"), message, "Make after shorter than human.timeout")


def _check_shell(report: Report, path: Path, shell: Shell) -> None:
    if isinstance(shell.command, str) and _EXPRESSION.search(shell.command):
        mend = 'Pass it by env: {NAME: "${…}"} and write "$NAME", or write the command as a list'
        report.error((*path, "shell", "command"), "${…} may not stand in a command for /bin/sh: its value could be read as code", mend)
