"""Human steps: a question to a person, and the answer checked against the form."""

from __future__ import annotations

from agentnb.workflows.kinds.call import Call, Question, Reply, Result, StepFailed


class HumanStep:
    """Output: ``{approved, data, by, note}``; outcome: ``approved`` or ``rejected``."""

    async def run(self, call: Call) -> Result:
        human = call.action.human
        if human is None:
            raise StepFailed("this step asks nobody", retryable=False)
        question = Question(
            "human",
            str(call.parts.get("human.prompt", human.prompt)),
            human.form,
            call.input,
            str(call.parts.get("human.assignee", human.assignee) or ""),
            human.timeout,
            human.on_timeout,
            human.escalate,
        )
        return _result(await call.wait(question))


def _result(reply: Reply) -> Result:
    approved = reply.verdict == "approve"
    output = {"approved": approved, "data": reply.data, "by": reply.by, "note": reply.note}
    return Result(output, "approved" if approved else "rejected")
