from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentnb.errors import UnknownName
from agentnb.workflows.documents import Document
from agentnb.workflows.planning import plan
from agentnb.workflows.spec import SubWorkflow
from agentnb.workflows.validation import validate

SEARCH = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "limit": {"type": "integer", "maximum": 9},
        "exact": {"type": "boolean"},
        "tags": {"type": "array"},
        "where": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "mode": {"$ref": "#/$defs/Mode"},
        "score": {"type": "number"},
    },
    "$defs": {"Mode": {"enum": ["fast", "deep"]}},
    "required": ["query"],
    "additionalProperties": False,
}


class Names:
    """A resolver that knows a few names."""

    def tool(self, name: str) -> Mapping[str, Any] | None:
        if name == "search":
            return SEARCH
        if name == "free":
            return None
        raise UnknownName(f"no tool {name!r}")

    def agent(self, name: str) -> None:
        if name != "stored":
            raise UnknownName(f"no agent {name!r}")

    def workflow(self, target: SubWorkflow) -> Mapping[str, Any] | None:
        if target.name == "child":
            return {"city": {"type": "string"}, "days": {"type": "integer", "default": 3}}
        raise UnknownName(f"no workflow {target.name or target.file!r}")


def found(text: str, resolver: Names | None = None) -> list[str]:
    document = Document.parse(dedent(text).strip("\n"))
    _, findings = validate(document.data, document=document, resolver=resolver)
    return [f"{'' if finding.severity == 'error' else 'warning '}{finding}" for finding in findings]


def in_dag(steps: str, head: str = "", resolver: Names | None = None) -> list[str]:
    """Findings in steps that begin in line 3, or later where there is a head."""
    return found(
        "\n".join(
            [
                "name: x",
                *([dedent(head).strip("\n")] if head else []),
                "steps:",
                *(f"  {line}" for line in dedent(steps).strip("\n").splitlines()),
            ]
        ),
        resolver,
    )


def in_machine(states: str, initial: str = "A") -> list[str]:
    """Findings in states that begin in line 5."""
    lines = dedent(states).strip("\n").splitlines()
    return found("\n".join(["name: x", "kind: state_machine", f"initial: {initial}", "states:", *(f"  {line}" for line in lines)]))


def in_step(fields: str, head: str = "") -> list[str]:
    """Findings in the only step, by its fields in flow style."""
    return in_dag(f"a: {{{fields}}}", head)


def test_what_is_right_has_no_findings() -> None:
    text = """
        name: Customer Support Flow
        inputs: {ticket: {type: string}, people: {type: array, default: []}}
        env: [TONE]
        agents: {analyst: {instructions: "Be brief."}}
        resources: {max_parallel: 8, pools: {gpu: 1}}
        steps:
          analyze:
            agent: analyst
            input: {text: "${inputs.ticket}", tone: "${env.TONE}"}
          search:
            tool: search
            input: {query: "${inputs.ticket}", limit: 3, mode: deep}
            retry: {max_attempts: 3, backoff: exponential, initial: 1s, max: 30s}
            timeout: {attempt: 30s, step: 5m}
            resources: {gpu: 1}
            on_error: {goto: fallback}
          fallback: {handler: true, tool: free}
          review:
            human: {prompt: "Send ${steps.analyze.output.text}?", form: {type: object, properties: {ok: {type: boolean}}}, timeout: 1h}
            needs: [search, fallback]
            when: "steps.analyze.output.score < 0.2"
          each:
            tool: free
            for_each: "${inputs.people}"
            input: {who: "${item}", place: "${index}", run: "${run.id}"}
            max_concurrency: 8
          forecast: {workflow: child, input: {city: Lima}}
        outputs: {reply: "${steps.analyze.output.text}", failed: "${steps.search.error}"}
    """
    document = Document.parse(dedent(text))
    spec, findings = validate(document.data, document=document, resolver=Names())
    assert findings == []
    assert spec is not None
    assert spec.name == "Customer Support Flow"


def test_the_state_machine_of_the_documentation_has_no_findings() -> None:
    text = """
        name: review loop
        kind: state_machine
        inputs: {topic: {type: string}}
        initial: START
        states:
          START:      {transitions: [{to: PROCESSING}]}
          PROCESSING: {step: {agent: writer, input: {topic: "${inputs.topic}"}}, transitions: [{to: REVIEW}, {to: ERROR, on: error}]}
          REVIEW:     {step: {human: {prompt: "Good?"}}, transitions: [{to: APPROVED, on: approved}, {to: PROCESSING, on: rejected}]}
          ERROR:      {transitions: [{to: PROCESSING, when: "attempts < 3"}, {to: FAILED}]}
          APPROVED:   {transitions: [{to: COMPLETE}]}
          COMPLETE:   {final: true}
          FAILED:     {final: true, status: failed}
    """
    assert found(text) == []


def test_all_findings_come_at_once_in_the_order_of_the_lines() -> None:
    text = """
        nme: x
        steps:
          a: {tool: t, timout: 3}
          a-b: {tool: t}
          b: {needs: [zz, a-b], tool: 5}
          c: {tool: t, needs: [d]}
          d: {tool: t, needs: [c], retry: {max_attempts: 0}}
          e: {tool: t, input: "${steps.a-b.output}"}
        outputs: {x: "${steps.aa.output}"}
    """
    assert found(text) == [
        "1:1: needs name. Add name: …",
        "1:1: nme: unknown key 'nme'. Did you mean name?",
        "3:16: steps.a.timout: unknown key 'timout'. Did you mean timeout?",
        "4:3: steps.a-b: 'a-b' is no ID: letters, digits and _ only, no digit first, at most 100, since steps.a-b would be a subtraction. "
        "Rename it, for example a_b",
        "5:15: steps.b.needs[0]: there is no step zz. There are a, a-b, b, c, d, e",
        '5:25: steps.b.tool: must be a text, not 5. Write it in quotes: "5"',
        "6:24: steps.c.needs[0]: steps wait for one another: c → d → c. Take one of these needs or references away",
        "7:36: steps.d.retry.max_attempts: must be greater than or equal to 1, not 0",
        "9:11: outputs.x: there is no step aa. Did you mean a?",
    ]


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ("tool: t, timeout: soon", "steps.a.timeout: must be a duration such as 30s, or {attempt: 30s, step: 5m}, not 'soon'"),
        (
            "tool: t, timeout: {attempt: soon}",
            "steps.a.timeout.attempt: must be a duration above 0 such as 30s, 5m or 1h30m, not 'soon'",
        ),
        ("tool: t, timeout: {atempt: 3}", "steps.a.timeout.atempt: unknown key 'atempt'. Did you mean attempt?"),
        ("tool: t, cache: maybe", "steps.a.cache: must be true, false, or a mapping such as {ttl: 1h}, not 'maybe'"),
        (
            "tool: t, on_error: {goto: 5}",
            "steps.a.on_error: must be fail, continue, {goto: STEP} or {compensate: STEP}, not a mapping",
        ),
        ("tool: t, on_error: ignore", "steps.a.on_error: must be fail, continue, {goto: STEP} or {compensate: STEP}, not 'ignore'"),
        ("shell: {command: [1]}", "steps.a.shell.command: must be a text, or a list of texts, not a list"),
        (
            "tool: t, retry: {backoff: exponentail}",
            "steps.a.retry.backoff: must be 'exponential', 'linear' or 'constant', not 'exponentail'. Did you mean exponential?",
        ),
        ("tool: t, needs: b", "steps.a.needs: must be a list, not 'b'. Write [b]"),
        (
            "tool: t, webhook: {event: e}",
            "steps.a: needs exactly one of agent, tool, shell, human, webhook, workflow; it has tool, webhook",
        ),
        ("agnet: t", "steps.a.agnet: unknown key 'agnet'. Did you mean agent?"),
        ("human: {}", "steps.a.human: needs prompt. Add prompt: …"),
        ("webhook: {}", "steps.a.webhook: needs either url or event"),
    ],
)
def test_what_does_not_fit_is_said_once_in_plain_words(fields: str, finding: str) -> None:
    [line] = in_step(fields)
    place, _, said = line.partition(" ")
    assert (place.split(":")[0], said) == ("3", finding)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("name: x", ["1:1: steps: there are no steps. Add steps: {NAME: {tool: …}}"]),
        ("name: x\nsteps:", ["2:1: steps: must be a mapping, not null. Write NAME: … below it, indented"]),
        ("name: x\nsteps: {a: 5}", ["2:9: steps.a: must be a mapping, not 5"]),
        (
            "name: x\nsteps: {a: {shell: echo hi}}",
            ["2:13: steps.a.shell: must be a mapping, not 'echo hi'. Write shell: {command: \"echo hi\"}"],
        ),
        (
            "name: x\nnotebook: n.ipynb\nsteps: {a: {shell: {command: ls}}}",
            ["2:1: notebook: unknown key 'notebook' in a workflow. Is this a job's file? `agentnb jobs validate FILE` checks it"],
        ),
        ("name: x\nkind: state_machine", ["1:1: states: there are no states. Add states: {NAME: {transitions: [{to: …}]}}"]),
        (
            "name: x\nstates: {A: {final: true}}\ninitial: A",
            [
                "2:1: states: a dag has no states. Write kind: state_machine",
                "3:1: initial: a dag has no initial. Write kind: state_machine",
            ],
        ),
        (
            "name: x\nkind: state_machine\nsteps: {a: {tool: t}}",
            ["3:1: steps: a state_machine has no steps. Write states: instead, or kind: dag"],
        ),
        (
            "name: x\nsteps: {in: {tool: t}}",
            ["2:9: steps.in: 'in' is a word of CEL, so that no expression could read steps.in. Rename it, for example in_"],
        ),
        (
            "name: x\nsteps: {2nd try: {tool: t}}",
            [
                "2:9: steps[\"2nd try\"]: '2nd try' is no ID: letters, digits and _ only, no digit first, at most 100. "
                "Rename it, for example _2nd_try"
            ],
        ),
    ],
)
def test_the_body_of_the_document(text: str, findings: list[str]) -> None:
    assert found(text) == findings


def test_what_is_no_mapping_is_no_workflow() -> None:
    spec, findings = validate(["a"], file="w.yaml")
    assert (spec, [str(finding) for finding in findings]) == (None, ["w.yaml: a workflow is a mapping. Write name: … and steps: …"])


def test_needs() -> None:
    steps = """
        analyze: {tool: t}
        b: {tool: t, needs: [analyse]}
        c: {tool: t, needs: [c]}
    """
    assert in_dag(steps) == [
        "4:24: steps.b.needs[0]: there is no step analyse. Did you mean analyze?",
        "5:24: steps.c.needs[0]: the step c needs itself. Take it away, or name the step that comes before",
    ]


def test_a_circle_by_references_stands_at_the_reference() -> None:
    steps = """
        a:
          tool: t
          input:
            deep: [1, "${steps.c.output}"]
        b: {tool: t, needs: [a]}
        c: {tool: t, when: "steps.b.output"}
        d: {tool: t, when: "steps.e.output"}
        e: {tool: t, needs: [d]}
    """
    assert in_dag(steps) == [
        "6:17: steps.a.input.deep[1]: steps wait for one another: a → b → c → a. Take one of these needs or references away",
        "9:16: steps.d.when: steps wait for one another: d → e → d. Take one of these needs or references away",
    ]


def test_references() -> None:
    steps = """
        first: {tool: t}
        a: {tool: t, input: {x: "${steps.frist.output}"}}
        b: {tool: t, input: {x: "${steps.first.text}"}}
        c: {tool: t, input: {x: "${steps.first.outptu}"}}
        d: {tool: t, input: {x: "${inputs.tpic}"}}
        e: {tool: t, input: {x: "${item.name}"}}
        f: {tool: t, for_each: "${[1, 2]}", when: "index > 0"}
        g: {tool: t, when: "attempts < 3"}
        h: {shell: {command: "true", env: {HOME: "${env.HOME}"}}}
        i: {tool: t, input: "${steps.i.output}"}
    """
    assert in_dag(steps, "inputs: {topic: {type: string}}\nenv: [TOKEN]") == [
        "6:24: steps.a.input.x: there is no step frist. Did you mean first?",
        "7:24: steps.b.input.x: steps.first has status, output and error, no text. Write steps.first.output.text",
        "8:24: steps.c.input.x: steps.first has status, output and error, no outptu. Did you mean steps.first.output?",
        "9:24: steps.d.input.x: there is no input tpic. Did you mean topic?",
        "10:24: steps.e.input.x: item is there only where the step has a for_each, and not in its when. "
        "Add for_each: ${…}, or read steps or inputs",
        "11:39: steps.f.when: index is there only where the step has a for_each, and not in its when. Add for_each: ${…}",
        "12:16: steps.g.when: attempts is there only in a state machine. Use retry: {max_attempts: 3} for a step of a dag",
        "13:38: steps.h.shell.env.HOME: the variable HOME is not declared. Add env: [TOKEN, HOME]",
        "14:16: steps.i.input: the step i reads itself. Read another step, or take ${steps.i…} away",
    ]


def test_an_input_where_none_is_declared() -> None:
    assert in_step('tool: t, input: {x: "${inputs.city}"}') == [
        "3:24: steps.a.input.x: there is no input city. Declare it: inputs: {city: {type: string}}"
    ]


def test_outputs() -> None:
    text = """
        name: x
        steps: {a: {tool: t}}
        outputs:
          x: "${steps.a.output}"
          y: {z: "${steps.b.output}"}
          w: "${item}"
    """
    assert found(text) == [
        "5:7: outputs.y.z: there is no step b. There are a",
        "6:3: outputs.w: item is there only where the step has a for_each, and not in its when. "
        "Add for_each: ${…}, or read steps or inputs",
    ]


def test_expressions_that_are_no_cel_stand_where_they_are() -> None:
    steps = """
        a: {tool: t, when: "1 <"}
        b:
          tool: t
          input:
            good: "${1}"
            bad: ["${1 +}"]
    """
    findings = in_dag(steps)
    assert [finding.split(": ")[:2] for finding in findings] == [["3:16", "steps.a.when"], ["8:13", "steps.b.input.bad[0]"]]


def test_handlers() -> None:
    steps = """
        early: {tool: t, handler: true}
        a: {tool: t, needs: [early], on_error: {goto: early}}
        b: {tool: t, on_error: {compensate: c}}
        c: {tool: t}
        d: {tool: t, on_error: {goto: d}}
        e: {tool: t, on_error: {goto: erly}}
        lonely: {tool: t, handler: true}
    """
    assert in_dag(steps) == [
        "4:43: steps.a.on_error.goto: goto leads back: a waits for early. "
        "Goto leads forward only: name a step that a doesn't wait for, or use retry",
        "5:27: steps.b.on_error.compensate: the step c is no handler, it runs in any case. Write handler: true in c",
        "7:27: steps.d.on_error.goto: the step d can't handle its own failure. Name another step, or use retry: {max_attempts: 3}",
        "8:27: steps.e.on_error.goto: there is no step erly. Did you mean early?",
        "warning 9:21: steps.lonely.handler: no step's on_error names the handler lonely: it never runs. "
        "Name it in a step's on_error: {goto: lonely}, or take handler: true away",
    ]


def test_handlers_that_wait_for_each_other_are_a_circle() -> None:
    steps = """
        a: {tool: t, needs: [h], on_error: {goto: g}}
        g: {tool: t, handler: true}
        b: {tool: t, needs: [g], on_error: {goto: h}}
        h: {tool: t, handler: true}
    """
    assert len([line for line in in_dag(steps) if "wait for one another: a → g → b → h → a" in line]) == 1


def test_resources() -> None:
    steps = """
        a: {tool: t, resources: {gpus: 1}}
        b: {tool: t, resources: {gpu: 3}}
        c: {tool: t, for_each: [1], max_concurrency: 9}
        d: {tool: t, max_concurrency: 2}
        e: {tool: t, for_each: 3}
    """
    assert in_dag(steps, "resources: {max_parallel: 4, pools: {gpu: 2}}") == [
        "4:28: steps.a.resources.gpus: there is no pool gpus. Did you mean gpu?",
        "5:28: steps.b.resources.gpu: takes 3 of the pool gpu, which has 2: it could never start. "
        "Ask for 2 at most, or enlarge resources.pools.gpu",
        "warning 6:31: steps.c.max_concurrency: max_concurrency 9 is more than resources.max_parallel, 4, lets run. "
        "Write 4, or raise max_parallel",
        "warning 7:16: steps.d.max_concurrency: max_concurrency does nothing without a for_each. Add for_each: ${…}, or take it away",
        "8:16: steps.e.for_each: for_each must be a list. Write [a, b], or ${…} that gives a list",
    ]


def test_a_pool_that_nobody_declared() -> None:
    assert in_step("tool: t, resources: {gpu: 1}") == [
        "3:28: steps.a.resources.gpu: there is no pool gpu. Declare it: resources: {pools: {gpu: 1}}"
    ]


def test_what_cannot_go_together() -> None:
    steps = """
        a: {tool: t, timeout: {attempt: 5m, step: 30s}}
        b: {human: {prompt: "?"}, retry: {}, cache: true, timeout: 1h}
        c: {webhook: {event: e}, cache: true}
        d: {shell: {command: "rm ${inputs.x}"}}
        e: {human: {prompt: "?", timeout: 1h, escalate: [{after: 2h, to: boss}]}}
        f: {shell: {command: "echo $${HOME}"}}
    """
    assert in_dag(steps, "inputs: {x: {}}") == [
        "warning 4:26: steps.a.timeout.attempt: an attempt may take longer than the whole step: timeout.attempt never ends one. "
        "Make attempt shorter than step, or take it away",
        "5:29: steps.b.retry: a person is asked once: retry has no meaning here. Use human: {escalate: [{after: 1h, to: …}]}",
        "5:40: steps.b.cache: an answer of a person can't be kept. Take cache away",
        "warning 5:53: steps.b.timeout: the time that a person takes doesn't count as the step's: this timeout never ends it. "
        "Write human: {timeout: 1h}",
        "6:28: steps.c.cache: a webhook acts on the world: its result can't be kept. Take cache away",
        "7:15: steps.d.shell.command: ${…} may not stand in a command for /bin/sh: its value could be read as code. "
        'Pass it by env: {NAME: "${…}"} and write "$NAME", or write the command as a list',
        "warning 8:53: steps.e.human.escalate[0].after: the question times out before it is escalated. "
        "Make after shorter than human.timeout",
    ]


def test_schemas() -> None:
    text = """
        name: x
        inputs:
          a: {type: str}
          b: {type: integer, default: x}
          c: {type: string, minLength: -1}
          d: {enum: [1, 2], default: 3}
        agents: {w: {output: {type: objct}}}
        steps: {s: {human: {prompt: "?", form: {type: object, properties: {ok: {type: bool}}}}}}
    """
    assert found(text) == [
        "3:7: inputs.a.type: 'str' is no type of JSON Schema. Did you mean string?",
        "4:22: inputs.b.default: the default doesn't fit: 'x' is a string, not an integer. Write one that does, or change the schema of b",
        "5:21: inputs.c.minLength: not valid JSON Schema: -1 is less than the minimum of 0. Write it as in {type: string}",
        "6:21: inputs.d.default: the default doesn't fit: 3 is not one of 1 or 2. Write one that does, or change the schema of d",
        "7:23: agents.w.output.type: 'objct' is no type of JSON Schema. Did you mean object?",
        "8:73: steps.s.human.form.properties.ok.type: 'bool' is no type of JSON Schema. Did you mean boolean?",
    ]


def test_names_that_nobody_knows() -> None:
    steps = """
        a: {tool: serch}
        b: {agent: analist}
        c: {workflow: other}
        d: {agent: stored}
        e: {agent: analyst}
    """
    head = "agents: {analyst: {}}"
    assert in_dag(steps, head, Names()) == [
        "4:7: steps.a.tool: no tool 'serch'",
        "5:7: steps.b.agent: no agent 'analist'. Did you mean analyst?",
        "6:7: steps.c.workflow: no workflow 'other'",
    ]
    assert in_dag(steps, head) == []


def test_what_a_tool_needs_and_has() -> None:
    steps = """
        a: {tool: search}
        b: {tool: search, input: {query: a, limt: 3}}
        c: {tool: search, input: {query: "${inputs.count}", limit: "${inputs.topic}"}}
        d: {tool: search, input: {query: 3, limit: "3", tags: one}}
        e: {tool: search, input: {query: q, limit: 10, mode: slow}}
        f: {tool: search, input: {query: q, limit: "at ${inputs.count}"}}
        g: {tool: search, input: [q]}
        h: {tool: search, input: {query: "${inputs.user.name}", exact: "${inputs.user.age}", tags: "${inputs.topic}"}}
        i: {tool: search, input: "${inputs.user}"}
        j: {tool: search, input: {query: "${steps.a.output}", where: null, score: "${inputs.count}"}}
        k: {tool: free, input: {anything: 1}}
    """
    head = """
        inputs:
          topic: {type: string}
          count: {type: integer}
          user: {type: object, properties: {name: {type: string}, age: {type: integer}}}
    """
    assert in_dag(steps, head, Names()) == [
        "7:3: steps.a.input: the tool search needs query (string). Add input: {query: …}",
        "8:39: steps.b.input.limt: the tool search takes no limt. Did you mean limit?",
        "9:29: steps.c.input.query: the tool search needs string as query, has integer: inputs.count is declared {type: integer}. "
        "Cast it: ${string(inputs.count)}",
        "9:55: steps.c.input.limit: the tool search needs integer as limit, has string: inputs.topic is declared {type: string}. "
        "Cast it: ${int(inputs.topic)}",
        '10:29: steps.d.input.query: the tool search needs string as query: 3 is an integer, not a string. Write it in quotes: "3"',
        '10:39: steps.d.input.limit: the tool search needs integer as limit: "3" is not of type "integer". Write it without quotes: 3',
        "10:51: steps.d.input.tags: the tool search needs array as tags: 'one' is a string, not an array. Write [one]",
        "11:39: steps.e.input.limit: the tool search needs integer as limit: 10 is greater than the maximum of 9",
        '11:50: steps.e.input.mode: the tool search needs string as mode: "slow" is not one of "fast" or "deep"',
        "12:39: steps.f.input.limit: the tool search needs integer as limit, has string: text around ${…} makes a text. Write ${…} alone",
        "13:21: steps.g.input: the tool search takes a mapping as input, not a list. Write input: {NAME: …}",
        "14:59: steps.h.input.exact: the tool search needs boolean as exact, has integer: inputs.user.age is declared {type: integer}. "
        "Declare inputs.user.age as {type: boolean}",
        "14:88: steps.h.input.tags: the tool search needs array as tags, has string: inputs.topic is declared {type: string}. "
        "Write ${[inputs.topic]}",
    ]


def test_what_a_sub_workflow_needs_and_has() -> None:
    steps = """
        a: {workflow: child}
        b: {workflow: child, input: {city: "${inputs.n}", days: many, hours: 2}}
        c: {workflow: child, input: {city: Lima}}
    """
    assert in_dag(steps, "inputs: {n: {type: integer}}", Names()) == [
        "4:3: steps.a.input: the workflow child needs city (string). Add input: {city: …}",
        "5:32: steps.b.input.city: the workflow child needs string as city, has integer: inputs.n is declared {type: integer}. "
        "Cast it: ${string(inputs.n)}",
        "5:53: steps.b.input.days: the workflow child needs integer as days: 'many' is a string, not an integer",
        "5:65: steps.b.input.hours: the workflow child takes no hours. It takes city, days",
    ]


def test_where_a_state_machine_begins() -> None:
    assert in_machine("START: {final: true}", "STRAT") == ["3:1: initial: there is no state STRAT. Did you mean START?"]
    assert found("name: x\nkind: state_machine\nstates: {A: {final: true}}") == ["1:1: initial is missing. Add initial: A"]


def test_states_that_lead_nowhere_or_where_nothing_leads() -> None:
    states = """
        A: {transitions: [{to: B}, {to: LOOP, on: error}, {to: GONE, on: later}]}
        B: {}
        END: {final: true, step: {tool: t}, transitions: [{to: A}]}
        LOOP: {transitions: [{to: LOOP, after: 1s}], status: failed}
    """
    assert in_machine(states) == [
        "5:54: states.A.transitions[2].to: there is no state GONE. There are A, B, END, LOOP",
        "6:3: states.B: the state B is not final and leads nowhere. Add transitions: [{to: …}], or final: true",
        "warning 7:3: states.END: the state END is unreachable: no way leads there from A. "
        "Add a transition {to: END}, or take the state away",
        "7:22: states.END.step: the state END is final: its step never runs. Move it to a state before this one, or to entry: […]",
        "7:39: states.END.transitions: the state END is final: it takes no transitions. Take transitions or final away",
        "warning 8:48: states.LOOP.status: status says how a final state ends, and this one isn't final. Add final: true, or take it away",
    ]


def test_a_machine_that_cannot_end() -> None:
    assert in_machine("A: {transitions: [{to: A, after: 1s}]}") == [
        "4:1: states: no state is final: a run could only fail. Write final: true in the states that end the workflow"
    ]
    assert in_machine(
        "A: {transitions: [{to: B, on: x}, {to: END, on: y}]}\nB: {transitions: [{to: B, after: 1s}]}\nEND: {final: true}"
    ) == ["warning 6:3: states.B: no way leads from the state B to a final one. Add a transition towards a final state"]


def test_transitions() -> None:
    states = """
        A: {transitions: [{to: B, on: approved}, {to: B, on: tick, after: 5s}]}
        B: {step: {tool: t}, transitions: [{to: A, on: rejected}, {to: A, on: complete}, {to: END}, {to: A}, {to: A, on: error}]}
        C: {step: {human: {prompt: "?"}}, transitions: [{to: END, on: approved}]}
        END: {final: true}
    """
    assert in_machine(states) == [
        "warning 5:29: states.A.transitions[0].on: A has no step that could be approved. "
        "Give the state step: {human: {prompt: …}}, or write on: completed",
        "5:62: states.A.transitions[1].after: a transition has either on or after. Write two transitions",
        "warning 6:46: states.B.transitions[0].on: the step of B asks nobody, so that it is never rejected. "
        "Give the state step: {human: {prompt: …}}, or write on: completed",
        "warning 6:69: states.B.transitions[1].on: complete is no outcome of a step, so that it waits for an event of that name. "
        "Did you mean completed?",
        "warning 6:95: states.B.transitions[3]: never taken: an earlier transition without on always fits. "
        "Give the earlier one a when, or put it last",
        "warning 7:3: states.C: the state C is unreachable: no way leads there from A. Add a transition {to: C}, or take the state away",
    ]


def test_references_of_a_state_machine() -> None:
    states = """
        A: {step: {tool: t, input: "${item}"}, transitions: [{to: B, when: "attempts < 3 && event.name == 'x'"}]}
        B: {entry: [{tool: t, input: "${steps.AA.output}"}], transitions: [{to: END, when: "steps.END.output"}, {to: END, when: "1 +"}]}
        END: {final: true}
    """
    findings = in_machine(states)
    assert findings[:3] == [
        "5:23: states.A.step.input: item is there only where the step has a for_each, and not in its when. "
        "Add for_each: ${…}, or read steps or inputs",
        "6:25: states.B.entry[0].input: there is no state AA. Did you mean A?",
        "6:80: states.B.transitions[0].when: the state END has no step, so that there is nothing to read of it. "
        "Give it a step, or take ${steps.END…} away",
    ]
    assert findings[3].startswith("6:117: states.B.transitions[1].when: ")


KEYS = st.sampled_from(
    [
        "name",
        "kind",
        "steps",
        "states",
        "initial",
        "inputs",
        "outputs",
        "a",
        "b",
        "in",
        "a-b",
        "tool",
        "agent",
        "shell",
        "human",
        "command",
        "prompt",
        "form",
        "needs",
        "when",
        "on_error",
        "goto",
        "timeout",
        "to",
        "on",
        "after",
        "final",
        "retry",
        "attempt",
        "step",
    ]
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from(["a", "b", "${steps.a.output}", "${inputs.a}", "${", "state_machine", "dag", "1s", "error", "string"]),
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)), max_leaves=20
)
ACTIONS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("tool", "shell", "human", "needs", "when", "input", "for_each", "on_error", "handler", "timeout"), ANYTHING)
)
STATES = st.fixed_dictionaries({}, optional={"step": ACTIONS, "transitions": ANYTHING, "final": LEAVES, "entry": ANYTHING})
DOCUMENTS = st.one_of(
    ANYTHING,
    st.fixed_dictionaries({"name": LEAVES, "steps": st.dictionaries(KEYS, ACTIONS, max_size=4)}, optional={"inputs": ANYTHING}),
    st.fixed_dictionaries({"kind": st.just("state_machine"), "states": st.dictionaries(KEYS, STATES, max_size=4), "initial": LEAVES}),
)


@given(DOCUMENTS)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_document_is_too_wrong_to_be_checked_and_what_has_no_error_has_a_plan(data: Any) -> None:
    spec, findings = validate(data, resolver=Names())
    wrong = [finding for finding in findings if finding.severity == "error"]
    assert all(finding.message for finding in findings)
    assert spec is not None or wrong
    if spec is not None and not wrong:
        assert plan(spec).name == spec.name
