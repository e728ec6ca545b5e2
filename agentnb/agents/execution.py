"""One execution of an agent, from the input to the answer, in the order that the design fixes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from pydantic_core import to_jsonable_python

from agentnb.agents.conversation import Conversation
from agentnb.agents.spec import AgentSpec
from agentnb.agents.tools import Context, Tool, ToolError, as_text
from agentnb.agents.trace import Identity, Step
from agentnb.errors import AgentNBError, ExecutionTimeout, OutputInvalid, PolicyDenied, StepLimitExceeded
from agentnb.policy import Check, Decision, PolicyEngine
from agentnb.ports.model import Message, Model, ModelRequest, ModelResponse, ToolCall, Usage, digest
from agentnb.ports.store import Record, Turn
from agentnb.secrets import MASK


@dataclass(frozen=True, slots=True)
class Approval:
    """A tool call that waits for a person."""

    run_id: str
    step_id: str
    agent: str
    tool: str
    arguments: Mapping[str, Any]
    reason: str
    code: str
    effects: str
    input_hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person said; ``arguments`` replace those of the call where they were edited."""

    verdict: Literal["approve", "deny"]
    arguments: Mapping[str, Any] | None = None
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """What a surface may show while it goes on: a piece of text (None withdraws them), or a step that began or ended."""

    text: str | None = ""
    step: Step | None = None


MAX_TOOL_CALLS = 64
"""Tool calls that one answer of a model may ask for."""

_INTERRUPTED = Decision("ask", "interrupted", "the process died while it ran: it may have done its work already, or not")


class Journal(Protocol):
    """The run's own view of the store; it writes only while the run belongs to this process."""

    def write(self, *records: Record) -> None: ...

    def recorded(self, step_id: str, input_hash: str) -> Step | None:
        """The step of that name and input that an earlier attempt at this run, or the run that is replayed, has finished."""
        ...

    def begun(self, step_id: str) -> int:
        """How often this step was begun by earlier attempts at this run."""
        ...

    def history(self) -> list[Message]: ...


class Approver(Protocol):
    """Gets approvals answered."""

    async def ask(self, approval: Approval) -> Answer: ...


class Listener(Protocol):
    """A surface that watches."""

    def __call__(self, update: Update) -> None: ...


@dataclass(frozen=True)
class Job:
    """What is to be executed, and what it may use on the way; a conversation that the caller keeps ends in the prompt."""

    spec: AgentSpec
    identity: Identity
    prompt: str
    turn: str
    deps: Any
    model: Model
    policy: PolicyEngine
    journal: Journal
    approver: Approver
    listener: Listener | None = None
    conversation: Conversation | None = None


@dataclass(frozen=True)
class Outcome:
    """What came out; ``calls`` are those that the caller is to make.

    Attributes:
        output: A value of the output type; the text where there is no such type, where there are calls, and where a conversation's answer
            was cut off at ``max_tokens``, of which its caller is told.
    """

    text: str
    output: Any
    final: Sequence[Record]
    calls: Sequence[ToolCall] = ()


@dataclass
class Execution:
    """The state of one execution while it goes on; ``steps`` and ``usage`` are also what is known of one that failed."""

    job: Job
    steps: dict[str, Step] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    _started: float = field(default_factory=time.perf_counter)
    _stop: Any = None
    _limit: asyncio.Timeout | None = None
    _waiting: int = 0
    _left: float = 0.0
    _seen: int = 0

    async def run(self) -> Outcome:
        """Execute.

        Raises:
            AgentNBError: It failed; what kind of error says why.
            asyncio.CancelledError: It was cancelled.
        """
        spec = self.job.spec
        try:
            async with asyncio.timeout(spec.timeout) as self._limit:
                prompt = self._admit(self.job.prompt)
                messages = self._conversation(prompt)
                response, output = await self._converse(messages)
                calls = self._handed(response)
                text = self._release(response.text, calls)
                return Outcome(text, output, self._remember(prompt, text), calls)
        except TimeoutError:
            raise ExecutionTimeout(f"the agent {spec.name!r}", spec.timeout) from None

    @property
    def milliseconds(self) -> float:
        return (time.perf_counter() - self._started) * 1000

    def _admit(self, prompt: str) -> str:
        if not prompt.strip():
            raise PolicyDenied("input", "empty", "the input is empty: write what the agent is to do")
        name, given = self.job.spec.name, self.job.conversation
        for check in given.checks(name) if given else [Check("input", prompt, name)]:
            self._enforce(check)
        return prompt

    def _conversation(self, prompt: str) -> list[Message]:
        instructions = self.job.spec.instructions
        system = [Message("system", instructions)] if instructions else []
        if self.job.conversation is not None:
            return [*system, *self.job.conversation.messages]
        return [*system, *self.job.journal.history(), Message("user", prompt)]

    async def _converse(self, messages: list[Message]) -> tuple[ModelResponse, Any]:
        spec, repairs = self.job.spec, 0
        for number in range(1, spec.max_steps + 1):
            response = await self._call_model(f"m{number}", messages)
            messages.append(Message("assistant", response.text, response.tool_calls))
            if self._handed(response):
                return response, response.text
            if response.tool_calls:
                messages += await self._call_tools(f"m{number}", response.tool_calls)
                continue
            if spec.output is None:
                return response, response.text
            try:
                return response, spec.output.parse(response.text)
            except ValueError as error:
                findings = [str(finding) for finding in error.args]
            if response.finish_reason == "length" and self.job.conversation is not None:
                return response, response.text
            if repairs == spec.repairs:
                raise OutputInvalid(repairs + 1, findings, response.text)
            repairs += 1
            messages.append(
                Message("user", f"That does not fit the schema: {'; '.join(findings)}. Answer again with the corrected JSON only.")
            )
        raise StepLimitExceeded(spec.max_steps)

    def _handed(self, response: ModelResponse) -> list[ToolCall]:
        """The calls that the caller is to make."""
        theirs = {tool.name for tool in self.job.conversation.tools} if self.job.conversation else set()
        return [call for call in response.tool_calls if call.name in theirs]

    def _release(self, text: str, calls: Sequence[ToolCall]) -> str:
        try:
            self._enforce(Check("output", "\n".join([text, *(call.arguments for call in calls)]), self.job.spec.name))
        except PolicyDenied:
            self._emit(None)
            raise
        return text

    def _remember(self, prompt: str, text: str) -> Sequence[Record]:
        session = self.job.identity.session
        if not session:
            return ()
        messages = [Message("user", prompt).as_dict(), Message("assistant", text).as_dict()]
        self._enforce(Check("memory_write", f"{prompt}\n{text}", self.job.spec.name))
        return [Turn(session, self.job.turn, self.job.identity.run_id, messages)]

    async def _call_model(self, step_id: str, messages: list[Message]) -> ModelResponse:
        spec = self.job.spec
        request = ModelRequest(
            spec.model,
            tuple(messages),
            (*(tool.spec for tool in spec.tools), *(self.job.conversation.tools if self.job.conversation else ())),
            spec.output.schema if spec.output else None,
            spec.options,
        )
        new = [message.as_dict() for message in messages[self._seen :]]
        self._seen = len(messages) + 1
        step = Step(step_id, "model", spec.model, started_ms=self.milliseconds, input=new, input_hash=request.sha256())
        self._show(step)
        found = self.job.journal.recorded(step_id, step.input_hash)
        if found is not None and found.status == "completed":
            response = ModelResponse.from_dict(found.output)
            self._emit(response.text)
            self._finish(step, output=found.output, usage=found.usage, replayed=True)
            return response
        try:
            response = await self.job.model.generate(request, self._emit if self.job.listener else None)
        except AgentNBError as error:
            self._finish(step, "failed", error=str(error))
            raise
        self.usage += response.usage
        self._finish(step, output=response.as_dict(), usage=response.usage)
        return response

    async def _call_tools(self, step_id: str, calls: Sequence[ToolCall]) -> list[Message]:
        if len(calls) > MAX_TOOL_CALLS:
            text = f"Error: {len(calls)} tool calls at once are too many, none was made: make at most {MAX_TOOL_CALLS}"
            return [Message("tool", text, tool_call_id=call.id) for call in calls]
        tasks = [asyncio.ensure_future(self._call_tool(f"{step_id}.t{number}", call)) for number, call in enumerate(calls, start=1)]
        try:
            return list(await asyncio.gather(*tasks))
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _call_tool(self, step_id: str, call: ToolCall) -> Message:
        key = digest({"tool": call.name, "arguments": call.arguments})
        step = Step(step_id, "tool", call.name, started_ms=self.milliseconds, input=call.arguments, input_hash=key)
        found = self.job.journal.recorded(step_id, key)
        if found is not None and found.output is not None:
            self._finish(replace(step, input=found.input), found.status, output=found.output, error=found.error, replayed=True)
            return Message("tool", str(found.output), tool_call_id=call.id)
        try:
            text = await self._attempt_tool(step, call, begun=self.job.journal.begun(step_id) > 0)
        except ToolError as error:
            text = self._told(call.name, error)
            self._finish(self.steps.get(step_id, step), "failed", output=text, error=str(error))
        except AgentNBError as error:
            self._finish(self.steps.get(step_id, step), "failed", error=str(error))
            raise
        return Message("tool", text, tool_call_id=call.id)

    async def _attempt_tool(self, step: Step, call: ToolCall, *, begun: bool) -> str:
        tool = next((tool for tool in self.job.spec.tools if tool.name == call.name), None)
        if tool is None:
            names = ", ".join(tool.name for tool in self.job.spec.tools) or "none"
            raise ToolError(f"there is no tool {call.name!r}; there are: {names}")
        if MASK in call.arguments:
            raise ToolError("the arguments held a secret, which is not kept: ask for the call again")
        arguments = tool.parse(call.arguments)
        arguments = await self._permit(step, tool, call.arguments, arguments, begun=begun and not tool.idempotent)
        step = replace(step, input=_plain(arguments), started_ms=self.milliseconds)
        self._show(step)
        self.job.journal.write(self.job.identity.step_event(step))
        identity = self.job.identity
        context = Context(self.job.deps, identity.run_id, identity.agent, identity.agent_id, identity.session, identity.user, step.id)
        text = await tool.call(arguments, context)
        withheld = self._withheld(tool.name, text)
        if withheld:
            raise ToolError(f"the result of {tool.name} was {withheld}")
        self._finish(step, output=text)
        return text

    def _told(self, tool: str, error: ToolError) -> str:
        """What the model is told of a failed call; also that goes through the policy."""
        text = f"Error: {error}"
        withheld = self._withheld(tool, text)
        return f"Error: {tool} failed, and its message was {withheld}" if withheld else text

    def _withheld(self, tool: str, text: str) -> str:
        """Why the model may not read this, or an empty string."""
        decision = self.job.policy.decide(Check("tool_result", text, self.job.spec.name, tool))
        if decision.verdict == "allow":
            return ""
        self._note_denial("tool_result", decision)
        return f"withheld by policy ({decision.code}): {decision.reason}"

    async def _permit(self, step: Step, tool: Tool, raw: str, arguments: dict[str, Any], *, begun: bool) -> dict[str, Any]:
        """The arguments with which the call may be made.

        Raises:
            PolicyDenied: The policy refuses it.
            ToolError: A person refuses it.
        """
        facts = {"declared": True, "approval": tool.approval, "effects": tool.effects}
        check = Check("tool_call", raw, self.job.spec.name, tool.name, facts)
        decision = self._enforce(check)
        if begun:
            decision = _INTERRUPTED
        if decision.verdict == "allow":
            return arguments
        answer = await self._ask(step, tool, arguments, decision)
        if answer.verdict == "deny":
            raise ToolError(f"{answer.by or 'somebody'} denied the call of {tool.name}{f': {answer.note}' if answer.note else ''}")
        if answer.arguments is None:
            return arguments
        edited = as_text(dict(answer.arguments))
        self._enforce(check._replace(text=edited))
        return tool.parse(edited)

    async def _ask(self, step: Step, tool: Tool, arguments: Mapping[str, Any], decision: Decision) -> Answer:
        suffix = f"i{self.job.journal.begun(step.id)}" if decision is _INTERRUPTED else "a"
        question = replace(step, id=f"{step.id}.{suffix}", kind="approval", status="waiting", input=_plain(arguments))
        found = self.job.journal.recorded(question.id, question.input_hash)
        if found is not None and found.status == "completed":
            self._finish(question, output=found.output, replayed=True)
            return Answer(**found.output)
        self._show(question)
        approval = Approval(
            self.job.identity.run_id,
            question.id,
            self.job.spec.name,
            tool.name,
            question.input,
            decision.reason,
            decision.code,
            tool.effects,
            question.input_hash,
        )
        self._pause()
        try:
            answer = await self.job.approver.ask(approval)
        except PolicyDenied as error:
            self._note_denial(error.stage, Decision("deny", error.code, str(error)))
            self._show(replace(question, status="failed", error=str(error)))
            raise
        finally:
            self._resume()
        output = {"verdict": answer.verdict, "arguments": answer.arguments, "by": answer.by, "note": answer.note}
        self._finish(question, output=output)
        return answer

    def _pause(self) -> None:
        """Stop the clock of the execution's time-out while a person is asked."""
        if self._waiting == 0 and self._limit is not None:
            deadline = self._limit.when()
            self._left = (deadline or 0.0) - asyncio.get_running_loop().time()
            self._limit.reschedule(None)
        self._waiting += 1

    def _resume(self) -> None:
        self._waiting -= 1
        if self._waiting == 0 and self._limit is not None and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time() + self._left)

    def _enforce(self, check: Check) -> Decision:
        try:
            return self.job.policy.enforce(check)
        except PolicyDenied as error:
            self._note_denial(error.stage, Decision("deny", error.code, str(error)))
            raise

    def _note_denial(self, stage: str, decision: Decision) -> None:
        event = self.job.identity.event("agent.policy_denied", status="failed", stage=stage, code=decision.code, reason=decision.reason)
        self.job.journal.write(event)

    def _finish(self, step: Step, status: str = "completed", **values: Any) -> None:
        done = replace(step, status=status, duration_ms=self.milliseconds - step.started_ms, **values)
        self.job.journal.write(self.job.identity.step_event(done))
        self._show(done)

    def _show(self, step: Step) -> None:
        self.steps[step.id] = step
        if self.job.listener is not None:
            self.job.listener(Update(step=step))

    def _emit(self, text: str | None) -> None:
        if self.job.listener is not None and text != "":
            self.job.listener(Update(text=text))


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as JSON can hold them: what people see, edit, and the journal keeps."""
    plain: dict[str, Any] = to_jsonable_python(dict(arguments), fallback=str)
    return plain
