"""The rules that are on by default, and the settings ``[policy]`` that they read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from agentnb import plugins
from agentnb.errors import ConfigurationError
from agentnb.policy.engine import Check, Decision, PolicyEngine, Rule, Stage

_UNITS = {"B": 1, "KB": 1_000, "MB": 1_000_000, "GB": 1_000_000_000}
_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([KMG]?B)\s*$")
_HOST = re.compile(r"(?P<host>\*|(?:\*\.)?[A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?")

_SMALL_ENOUGH = Decision("allow", "size_ok")
_TOOL_ALLOWED = Decision("allow", "tool_allowed")

WithoutUser = Literal["deny", "approve", "wait"]


@dataclass(frozen=True, slots=True)
class PolicySettings:
    """The table ``[policy]`` of agentnb.toml.

    Attributes:
        max_input_size: Bytes that a prompt may have.
        max_output_size: Bytes that an answer, or one tool's result, may have.
        allowed_tools: Names of tools that may be called at all; None allows each agent its own.
        denied_tools: Names of tools that may not be called.
        without_user: What becomes of a call that needs an approval where nobody can be asked.
        approval_timeout: Seconds to wait for an approval; then it counts as denied.
        allowed_hosts: ``host``, ``host:port`` or ``*.domain``: hosts that webhooks may reach also where their address is private,
            loopback or link-local. Public ones need no entry.
        denied_hosts: Hosts that webhooks may not reach; ``*`` denies all that ``allowed_hosts`` doesn't name.
        allow_shell: Whether shell steps run at all.
    """

    max_input_size: int = 10_000_000
    max_output_size: int = 50_000_000
    allowed_tools: tuple[str, ...] | None = None
    denied_tools: tuple[str, ...] = ()
    without_user: WithoutUser = "deny"
    approval_timeout: float = 3600.0
    allowed_hosts: tuple[str, ...] = ()
    denied_hosts: tuple[str, ...] = ()
    allow_shell: bool = True


def parse(table: Mapping[str, Any]) -> PolicySettings:
    """Read the table; sizes are numbers of bytes, or text such as ``10MB``.

    Raises:
        ConfigurationError: A key is unknown (a limit that nobody enforces would be worse than none) or a value is wrong.
    """
    readers: dict[str, Callable[[str, Any], Any]] = {
        "max_input_size": _size,
        "max_output_size": _size,
        "allowed_tools": _names,
        "denied_tools": _names,
        "without_user": _without_user,
        "approval_timeout": _seconds,
        "allowed_hosts": _allowed_hosts,
        "denied_hosts": _hosts,
        "allow_shell": _truth,
    }
    unknown = sorted(table.keys() - readers.keys())
    if unknown:
        raise ConfigurationError(f"policy.{unknown[0]}: unknown key; there are: {', '.join(readers)}")
    values: dict[str, Any] = {key: readers[key](f"policy.{key}", value) for key, value in table.items()}
    return PolicySettings(**values)


def default_engine(settings: PolicySettings) -> PolicyEngine:
    """The chain of this installation: the rules of this module, then those that other packages plug in."""
    rules: list[Rule] = [SizeLimit(settings), AllowedTools(settings), Approval(), WebhookHosts(settings), ShellSteps(settings)]
    rules += [plugins.load("agentnb.policies", name)() for name in plugins.table("agentnb.policies")]
    return PolicyEngine(rules)


class SizeLimit:
    """Allows what is within its limit, everywhere but at tool calls, where it only refuses."""

    stages: frozenset[Stage] = frozenset({"input", "tool_call", "tool_result", "output", "memory_write"})

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings

    def check(self, check: Check) -> Decision | None:
        limit = self._settings.max_input_size if check.stage in ("input", "tool_call") else self._settings.max_output_size
        size = len(check.text)
        if size * 4 > limit:
            size = len(check.text.encode("utf-8", "surrogatepass"))
        if size > limit:
            what = {"input": "the input", "tool_call": "the tool's arguments", "tool_result": "the tool's result"}.get(
                check.stage, "the output"
            )
            key = "max_input_size" if limit == self._settings.max_input_size else "max_output_size"
            return Decision(
                "deny", "too_large", f"{what} has {size:,} bytes, allowed are {limit:,}: send less, or raise policy.{key} in agentnb.toml"
            )
        return None if check.stage == "tool_call" else _SMALL_ENOUGH


class AllowedTools:
    """Allows an agent the tools that it declares, unless the settings say otherwise."""

    stages: frozenset[Stage] = frozenset({"tool_call"})

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings

    def check(self, check: Check) -> Decision | None:
        if not (check.facts or {}).get("declared"):
            return Decision("deny", "tool_not_declared", f"the agent {check.agent!r} has no tool {check.tool!r}: add it to its tools")
        if check.tool in self._settings.denied_tools:
            return Decision("deny", "tool_denied", f"policy.denied_tools names {check.tool!r}")
        if self._settings.allowed_tools is not None and check.tool not in self._settings.allowed_tools:
            return Decision("deny", "tool_not_allowed", f"policy.allowed_tools doesn't name {check.tool!r}")
        return _TOOL_ALLOWED


class Approval:
    """Asks a person before a tool that is marked ``approval=True``."""

    stages: frozenset[Stage] = frozenset({"tool_call"})

    def check(self, check: Check) -> Decision | None:
        return (
            Decision("ask", "needs_approval", f"{check.tool} is marked as needing approval")
            if (check.facts or {}).get("approval")
            else None
        )


class WebhookHosts:
    """Allows a workflow's requests to public hosts, and to those that the settings name.

    It is asked twice: before the request with the name alone, and before the connection with the address that the name stands for.
    """

    stages: frozenset[Stage] = frozenset({"webhook"})

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings

    def check(self, check: Check) -> Decision | None:
        facts = check.facts or {}
        host, port = str(facts["host"]), int(facts["port"])
        allowed = any(_fits(entry, host, port) for entry in self._settings.allowed_hosts)
        for entry in self._settings.denied_hosts:
            if _fits(entry, host, port) and not (entry == "*" and allowed):
                return Decision("deny", "host_denied", f"policy.denied_hosts names {entry!r}, which is {host}:{port}")
        if facts.get("public", True) is not True and not allowed:
            return Decision(
                "deny",
                "address_not_public",
                f"{host} is {facts.get('address')}, which is no public address: "
                f'if that is meant, add "{host if ":" not in host else f"[{host}]"}:{port}" to policy.allowed_hosts in agentnb.toml',
            )
        return Decision("allow", "host_allowed")


class ShellSteps:
    """Allows the commands that a workflow declares, unless the settings say otherwise."""

    stages: frozenset[Stage] = frozenset({"shell"})

    def __init__(self, settings: PolicySettings) -> None:
        self._settings = settings

    def check(self, check: Check) -> Decision | None:
        if not self._settings.allow_shell:
            return Decision("deny", "shell_denied", "policy.allow_shell is false in agentnb.toml")
        if not (check.facts or {}).get("declared"):
            return Decision("deny", "shell_not_declared", f"the workflow {check.agent!r} declares no such command")
        return Decision("allow", "shell_allowed")


def _fits(entry: str, host: str, port: int) -> bool:
    match = _HOST.fullmatch(entry)
    if match is None or (match["port"] and int(match["port"]) != port):
        return False
    wanted = match["host"].strip("[]").lower().rstrip(".")
    if wanted == "*":
        return True
    name = host.lower().rstrip(".")
    return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted


def _size(place: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    match = _SIZE.match(value) if isinstance(value, str) else None
    if not match:
        raise ConfigurationError(f"{place}: must be a size such as 10MB, not {value!r}")
    return int(float(match[1]) * _UNITS[match[2]])


def _names(place: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise ConfigurationError(f"{place}: must be a list of names, not {value!r}")
    return tuple(value)


def _hosts(place: str, value: Any) -> tuple[str, ...]:
    entries = _names(place, value)
    for entry in entries:
        match = _HOST.fullmatch(entry)
        if match is None or not 0 <= int(match["port"] or 0) <= 65535:
            raise ConfigurationError(f"{place}: entries are host, host:port, [IPv6]:port or *.domain, not {entry!r}")
    return entries


def _allowed_hosts(place: str, value: Any) -> tuple[str, ...]:
    entries = _hosts(place, value)
    if any(entry.startswith("*") and not entry.startswith("*.") for entry in entries):
        raise ConfigurationError(f"{place}: '*' would open every private address, this machine's own among them: name the hosts")
    return entries


def _truth(place: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{place}: must be true or false, not {value!r}")
    return value


def _without_user(place: str, value: Any) -> WithoutUser:
    if value not in ("deny", "approve", "wait"):
        raise ConfigurationError(f"{place}: must be deny, approve or wait, not {value!r}")
    return value  # type: ignore[no-any-return]


def _seconds(place: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ConfigurationError(f"{place}: must be a number of seconds above 0, not {value!r}")
    return float(value)
